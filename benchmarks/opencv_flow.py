"""What a person would write with OpenCV alone: videos' flow as JPEGs, or their frames decoded.

uv run python -m benchmarks.opencv_flow VIDEO … --out DIR      # DualTVL1, a process a core
uv run python -m benchmarks.opencv_flow VIDEO … --decode-only
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

BOUND, QUALITY = 20.0, [cv2.IMWRITE_JPEG_QUALITY, 95]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--decode-only", action="store_true")
    options = parser.parse_args()
    work = decode if options.decode_only else partial(write_flow, out=options.out)
    with multiprocessing.Pool(os.cpu_count(), cv2.setNumThreads, (1,)) as pool:
        print(sum(pool.imap_unordered(work, options.videos)), "frames")


def frames_of(path: Path) -> Iterator[np.ndarray]:
    video = cv2.VideoCapture(str(path))
    while True:
        is_there, frame = video.read()
        if not is_there:
            return
        yield frame


def decode(path: Path) -> int:
    return sum(1 for _ in frames_of(path))


def write_flow(path: Path, out: Path) -> int:
    folder = out / path.parent.name / path.stem
    folder.mkdir(parents=True)
    module: Any = cv2.optflow
    finder = module.DualTVL1OpticalFlow_create()
    before: np.ndarray | None = None
    number = 0
    for number, frame in enumerate(frames_of(path), start=1):
        cv2.imwrite(str(folder / f"img_{number:05d}.jpg"), frame, QUALITY)
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        if before is not None:
            flow = finder.calc(before, grey, None)
            codes = np.rint((np.clip(flow, -BOUND, BOUND) + BOUND) * (255 / (2 * BOUND))).astype(np.uint8)
            for axis, name in enumerate("xy"):
                cv2.imwrite(str(folder / f"flow_{name}_{number - 1:05d}.jpg"), codes[..., axis], QUALITY)
        before = grey
    return number


if __name__ == "__main__":
    main()
