"""20 frames of a video of 5 minutes: from key frame to key frame, beside decoding everything.

    uv run python -m benchmarks.keyframes [--out DIR] [--repeats 5]

Generated videos of 320×240, H.264 of 25 frames a second with three B-frames between others, of which every
12th, 50th or 250th frame is a key frame, in an MP4 and in a Matroska file. One frame in the middle of each
twentieth part is read at its own size, as ``predict`` and training do. The ways take turns; a figure is the
least processor time, user and system, of all threads. *All* decodes every frame; *one pass* goes through an
MP4 without jumps and passes over the frames that no other is built on. The pictures and the times of all ways
are compared, bit by bit.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar
from unittest import mock

import av
import numpy as np

from attcell._files import write_text, written_whole
from attcell._log import track
from attcell.video import _packet_index, _passes
from attcell.video._container import opened
from attcell.video._packet_index import read_packet_index
from attcell.video.decode import DecodedFrames, read_frames
from attcell.video.sampling import centre_frames
from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"
RATE, SIZE, MINUTES, WANTED = 25, (320, 240), 5, 20
GROUPS = (12, 50, 250)
NUM_FRAMES = MINUTES * 60 * RATE

Found = TypeVar("Found")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/keyframes"))
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    lines = [
        f"# {WANTED} frames of {MINUTES} minutes: from key frame to key frame, beside decoding everything",
        "",
        f"{SIZE[0]}×{SIZE[1]} H.264, {NUM_FRAMES:,} frames, three B-frames between others; the least of "
        f"{options.repeats} turns, in processor seconds; {machine()}; load {os.getloadavg()[0]:.1f} at the "
        "beginning.",
        "",
        "| file | a key frame every | packets decoded | key to key | one pass | all | "
        "one pass ÷ key to key | all ÷ key to key | looking through the packets |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for suffix in ("mp4", "mkv"):
        for group in GROUPS:
            path = write_video(options.out / f"{group}.{suffix}", group)
            lines.append(row(path, group, options.repeats))
            print(lines[-1])
    lines += ["", "Pictures and times were the same, bit by bit, in every turn.", "", rule(options.out)]
    text = "\n".join([*lines, ""])
    write_text(RESULTS / "keyframes.md", text)
    print(text)


def write_video(path: Path, group: int) -> Path:
    """A texture that moves, with a patch that moves otherwise."""
    if path.exists():
        return path
    width, height = SIZE
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 256, (height // 8 + 20, width // 8 + 20, 3), dtype=np.uint8)
    scene = scene.repeat(8, 0).repeat(8, 1)
    options = {"preset": "veryfast", "crf": "26", "g": str(group), "bf": "3", "sc_threshold": "0"}
    with written_whole(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in track(range(NUM_FRAMES), NUM_FRAMES, f"writing {path.name}"):
            top, left = int(60 + 50 * np.sin(number / 17)), int(60 + 50 * np.cos(number / 23))
            picture = scene[top : top + height, left : left + width].copy()
            picture[number * 3 % 200 :][:30, number * 5 % 280 :][:, :30] = (number % 255, 128, 60)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def wanted(num_frames: int) -> np.ndarray:
    return centre_frames(num_frames, WANTED)


@contextmanager
def one_pass() -> Iterator[None]:
    """No jumps."""
    with mock.patch.object(_packet_index, "LEAST_SPARED", NUM_FRAMES + 1):
        yield


@contextmanager
def everything() -> Iterator[None]:
    """Every frame is decoded."""
    with (
        mock.patch.object(_passes, "CODECS", frozenset()),
        mock.patch.object(_passes, "may_skip", return_value=False),
    ):
        yield


@contextmanager
def key_to_key() -> Iterator[None]:
    """As it is."""
    yield


def row(path: Path, group: int, repeats: int) -> str:
    """One line of the table."""
    ways = {"key": key_to_key, "one": one_pass, "all": everything}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        reference: DecodedFrames | None = None
        for name, way in ways.items():
            with way():
                spent, found = timed(lambda: read_frames(path, wanted))
            seconds[name].append(spent)
            reference = found if reference is None else reference
            assert_same(found, reference)
    looking = []
    for _ in range(repeats):
        with opened(path, None) as (container, video):
            spent, table = timed(lambda: read_packet_index(container, video))
        looking.append(spent)
    assert table is not None, "the packets leave no doubt"
    fed = sum(end - start for start, end in table.plan(wanted(NUM_FRAMES).tolist()))
    key, one, every = (min(seconds[name]) for name in ways)
    cells = [path.suffix[1:], str(group), f"{fed:,}", f"{key:.3f}", f"{one:.3f}", f"{every:.3f}"]
    cells += [f"{one / key:.1f}", f"{every / key:.1f}", f"{min(looking):.3f}"]
    return "| " + " | ".join(cells) + " |"


def timed(work: Callable[[], Found]) -> tuple[float, Found]:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def assert_same(found: DecodedFrames, other: DecodedFrames) -> None:
    assert all((one == two).all() for one, two in zip(found.images, other.images, strict=True))
    assert (found.info.frame_seconds == other.info.frame_seconds).all()
    assert found.info.end_seconds == other.info.end_seconds
    assert len(found.images) == WANTED


def rule(folder: Path) -> str:
    """What a jump costs, in frames, by few and many stretches of 8 packets."""
    path, counts = folder / "12.mp4", (20, 300)
    spent = []
    for count in counts:
        places = np.arange(count) * 24 + 7
        with mock.patch.object(_packet_index, "JUMP_COST", 0):
            spent.append(min(timed(partial(read_frames, path, lambda _: places))[0] for _ in range(5)))  # noqa: B023
    jump = (spent[1] - spent[0]) / (counts[1] - counts[0])
    with everything():
        seconds = min(timed(lambda: read_frames(path, wanted))[0] for _ in range(5))
    frames = jump * NUM_FRAMES / seconds
    return (
        f"A jump, the 8 packets behind it and one picture take {1000 * jump:.2f} ms, in which {frames:.0f} "
        f"frames are decoded where all are. The rule counts {_packet_index.JUMP_COST} frames for a jump "
        f"alone, and jumps where {_packet_index.LEAST_SPARED} frames are spared."
    )


if __name__ == "__main__":
    main()
