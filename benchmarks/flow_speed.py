"""Pairs a second of TV-L1 beside OpenCV's DualTVL1, and how the cost grows.

    uv run python -m benchmarks.flow_speed [--seconds 20]

OpenCV runs as it is fastest on the CPU, as one single-threaded process a core; so does attcell on the CPU, as
``attcell extract flow`` does it. They take turns. The pairs are neighbouring frames of a real clip, 320×240.
"Lengths in float32" is ``paper`` without one of OpenCV's roundings, that of lengths of the flow's gradient.
On a CUDA device attcell runs there too, in one process.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attcell._files import write_text
from attcell.flow import PRESETS, tvl1
from attcell.video.decode import read_frames
from attcell.video.optical_flow import flow_fields, flow_method, grey
from benchmarks.machine import data_folder, machine

RESULTS = Path(__file__).parent / "results"
CLIP = "clips/v_BaseballPitch_g01_c01.avi"
INEXACT = "paper, lengths in float32"
KINDS = ("OpenCV", "paper", "fast", INEXACT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="each kind runs at least so long")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folder = data_folder()
    if folder is None:
        raise SystemExit("no real clips at ../shared/data; set ATTCELL_DATA to their folder")
    images = np.stack(read_frames(folder / CLIP, np.arange).images)
    pictures = grey(torch.from_numpy(images).movedim(-1, 1)).numpy()
    cores = os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with ProcessPoolExecutor(cores, mp_context=context, initializer=_one_thread) as pool:
        for kind in KINDS:  # warm
            list(pool.map(_rate, [kind] * cores, [pictures] * cores, [1.0] * cores))
        for _ in range(options.rounds):
            for kind in KINDS:
                seconds = options.seconds / options.rounds
                rates[kind].append(
                    sum(pool.map(_rate, [kind] * cores, [pictures] * cores, [seconds] * cores))
                )
        growth = pool.submit(_growth, pictures).result()
    with ProcessPoolExecutor(1, mp_context=context, initializer=_one_thread) as pool:
        growth += pool.submit(_memory, pictures).result()
    text = f"# Speed of TV-L1\n\n{machine()}\n\n{_table(rates, cores)}\n{growth}"
    if torch.cuda.is_available():
        text += _on_cuda(pictures)
    write_text(RESULTS / "flow_speed.md", text)
    print(text)


def _one_thread() -> None:
    torch.set_num_threads(1)


def _flow_of(kind: str) -> Callable[[np.ndarray, np.ndarray, None], Any]:
    if kind == "OpenCV":
        import cv2

        cv2.setNumThreads(1)
        module: Any = cv2.optflow
        return module.DualTVL1OpticalFlow_create().calc
    preset = kind.partition(", ")[0]
    settings = replace(PRESETS[preset], exact_length=PRESETS[preset].exact_length and kind != INEXACT)

    def flow(previous: np.ndarray, following: np.ndarray, _: None) -> torch.Tensor:
        first, second = (torch.from_numpy(picture)[None] for picture in (previous, following))
        return tvl1(first, second, settings)

    return flow


def _rate(kind: str, pictures: np.ndarray, seconds: float) -> float:
    """Pairs a second of one process."""
    flow = _flow_of(kind)
    flow(pictures[0], pictures[1], None)
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        at = done * 7 % (len(pictures) - 1)
        flow(pictures[at], pictures[at + 1], None)
        done += 1
    return done / (time.perf_counter() - start)


def _table(rates: dict[str, list[float]], cores: int) -> str:
    lines = [
        f"320×240, {cores} processes of one thread each; medians of {len(rates['OpenCV'])} turns.\n",
        "| | pairs a second | times OpenCV |",
        "|---|---|---|",
    ]
    base = statistics.median(rates["OpenCV"])
    for kind, found in rates.items():
        rate = statistics.median(found)
        lines.append(f"| {kind} | {rate:.1f} | {rate / base:.1f} |")
    return "\n".join(lines) + "\n"


def _growth(pictures: np.ndarray) -> str:
    """The fast preset on one thread: cost by pixels, by batch, and memory by length."""
    frames = torch.from_numpy(pictures)
    lines = [
        "## How the cost grows (fast, one thread)\n",
        "| pixels | batch | milliseconds a pair |",
        "|---|---|---|",
    ]
    for height, width in ((60, 80), (120, 160), (240, 320), (480, 640), (720, 1280)):
        scaled = torch.nn.functional.interpolate(frames[:9, None].float(), (height, width))[:, 0]
        lines.append(f"| {height}×{width} | 1 | {_milliseconds(scaled[:1], scaled[1:2]):.1f} |")
    for batch in (1, 2, 4, 8, 32):
        lines.append(
            f"| 240×320 | {batch} | {_milliseconds(frames[:batch], frames[1 : batch + 1]) / batch:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _memory(pictures: np.ndarray) -> str:
    """What longer videos add to the peak memory of a process that has seen 50 frames."""
    lines = ["", "| frames of 240×320 | more peak memory than for 50, MiB |", "|---|---|"]
    method = flow_method("fast")
    colours = [np.repeat(picture[..., None], 3, axis=-1) for picture in pictures[:20]]
    peaks = []
    for length in (50, 200, 800):
        for _ in flow_fields((colours[number % 20] for number in range(length)), method):
            pass
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        lines.append(f"| {length} | {peaks[-1] - peaks[0]:.0f} |")
    return "\n".join(lines) + "\n"


def _milliseconds(previous: torch.Tensor, following: torch.Tensor) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        tvl1(previous, following, "fast")
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def _on_cuda(pictures: np.ndarray) -> str:
    frames = torch.from_numpy(pictures).cuda()
    lines = [
        f"\n## On {torch.cuda.get_device_name()}\n",
        "| preset | batch | pairs a second |",
        "|---|---|---|",
    ]
    for preset in ("paper", "fast"):
        for batch in (16, 64):
            previous, following = frames[:batch], frames[1 : batch + 1]
            tvl1(previous, following, PRESETS[preset])
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(5):
                tvl1(previous, following, PRESETS[preset])
            torch.cuda.synchronize()
            lines.append(f"| {preset} | {batch} | {5 * batch / (time.perf_counter() - start):.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
