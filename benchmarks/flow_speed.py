"""Pairs a second of TV-L1 beside OpenCV's DualTVL1, what its parts cost, and how the cost grows.

    uv run python -m benchmarks.flow_speed [--seconds 20]

OpenCV runs as it is fastest on the CPU, as one single-threaded process a core; attcell as one process with a
thread a core, a batch of pairs in a call. They take turns. The pairs are neighbouring frames of real clips:
of 320×240, of 720×480 resized to 640×480, and of 1280×720. "paper, lengths in float32" is ``paper`` without
one of OpenCV's roundings, that of lengths of the flow's gradient. Haswell (AVX2) and Nehalem (SSE) are this
machine with the kernels compiled for those processors. ``benchmarks.flow_cuda`` measures GPUs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attcell._files import write_text
from attcell.flow import PRESETS, TVL1, grey, tvl1
from attcell.video.decode import read_frames
from attcell.video.optical_flow import flow_fields, flow_method
from benchmarks.machine import data_folder, machine

RESULTS = Path(__file__).parent / "results"
CLIPS = {
    (240, 320): "clips/v_BaseballPitch_g01_c01.avi",
    (480, 640): "ut_interaction_set1/0_1_4.avi",
    (720, 1280): "clips/juggle_720p.mp4",
}
FRAMES = 24  # of a clip
HERE = "this processor"
PROCESSORS = {HERE: None, "Haswell": "haswell", "Nehalem": "nehalem"}
SETTINGS = {
    "fast": PRESETS["fast"],
    "fine": PRESETS["fine"],
    "paper": PRESETS["paper"],
    "paper, lengths in float32": replace(PRESETS["paper"], exact_length=False),
}


@dataclass(frozen=True)
class Kind:
    """OpenCV, or settings of attcell on a processor."""

    settings: str
    processor: str = HERE

    def __str__(self) -> str:
        return self.settings if self.processor == HERE else f"{self.settings}, {self.processor}"


@dataclass(frozen=True)
class Rate:
    """Pairs a second of wall time, and processor seconds of a pair."""

    a_second: float
    processor: float


OPENCV = Kind("OpenCV")
KINDS = (
    OPENCV,
    *map(Kind, SETTINGS),
    *(Kind(settings, name) for name in PROCESSORS if name != HERE for settings in ("fast", "paper")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="each kind runs at least so long")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folder = data_folder()
    if folder is None:
        raise SystemExit("no real clips at ../shared/data; set ATTCELL_DATA to their folder")
    cores = os.cpu_count() or 1
    loads = [os.getloadavg()[0]]
    tables = []
    with ExitStack() as stack:
        pools = {name: stack.enter_context(_pool(1, cores, cpu)) for name, cpu in PROCESSORS.items()}
        opencv = stack.enter_context(_pool(cores, 1, None))
        for size, clip in CLIPS.items():
            pictures = _pictures(folder / clip, size)
            rates = _rates(pictures, opencv, pools, options.seconds / options.rounds, options.rounds)
            tables.append(_table(rates, size, cores))
        loads.append(os.getloadavg()[0])
        pictures = _pictures(folder / CLIPS[240, 320], (240, 320))
        parts = {name: pool.submit(_parts, pictures).result() for name, pool in pools.items()}
    with _pool(1, 1, None) as pool:
        growth = pool.submit(_growth, pictures).result()
    with _pool(1, 1, None) as pool:
        growth += pool.submit(_memory, pictures).result()
    note = f"The load was {loads[0]:.1f} before and {loads[1]:.1f} after, on {cores} cores: {cores} are ours."
    text = "\n".join([f"# Speed of TV-L1\n\n{machine()}\n\n{note}\n", *tables, _parts_table(parts), growth])
    write_text(RESULTS / "flow_speed.md", text)
    print(text)


def _pictures(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Grey frames (FRAMES, H, W)."""
    images = np.stack(read_frames(path, lambda num: np.arange(min(num, FRAMES))).images)
    pictures = grey(torch.from_numpy(images).movedim(-1, 1))
    if pictures.shape[-2:] == size:
        return pictures.numpy()
    resized = torch.nn.functional.interpolate(
        pictures[:, None].float(), size, mode="bilinear", antialias=True
    )
    return resized[:, 0].round().byte().numpy()


@contextmanager
def _pool(processes: int, threads: int, cpu: str | None) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _start, (threads, cpu)) as pool:
        yield pool


def _start(threads: int, cpu: str | None) -> None:
    torch.set_num_threads(threads)
    if cpu is not None:
        os.environ["NUMBA_CPU_NAME"] = cpu


def _rates(
    pictures: np.ndarray,
    opencv: ProcessPoolExecutor,
    pools: dict[str, ProcessPoolExecutor],
    seconds: float,
    rounds: int,
) -> dict[Kind, list[Rate]]:
    """Of each kind in each turn."""
    cores = os.cpu_count() or 1
    rates: dict[Kind, list[Rate]] = {kind: [] for kind in KINDS}
    for turn in range(rounds + 1):
        for kind in KINDS:
            if kind == OPENCV:
                lasts = [seconds if turn else 0.1] * cores
                each = list(opencv.map(_rate_of_opencv, [pictures] * cores, lasts, range(cores)))
                rate = Rate(sum(of.a_second for of in each), statistics.mean(of.processor for of in each))
            else:
                rate = (
                    pools[kind.processor].submit(_rate, kind.settings, pictures, seconds / 4, cores).result()
                )
            if turn:  # the first only makes all warm
                rates[kind].append(rate)
    return rates


def _rate_of_opencv(pictures: np.ndarray, seconds: float, first: int) -> Rate:
    import cv2

    cv2.setNumThreads(1)
    module: Any = cv2.optflow
    finder = module.DualTVL1OpticalFlow_create()
    start, processor, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < seconds:
        at = (first + done * 7) % (len(pictures) - 1)
        finder.calc(pictures[at], pictures[at + 1], None)
        done += 1
    return Rate(done / (time.perf_counter() - start), (time.process_time() - processor) / done)


def _rate(settings: str, pictures: np.ndarray, seconds: float, cores: int) -> Rate:
    """Pairs a second of one process with all the cores."""
    batch = 4 * cores
    start, processor, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < seconds:
        at = (np.arange(batch) + done) * 7 % (len(pictures) - 1)
        tvl1(pictures[at], pictures[at + 1], SETTINGS[settings])
        done += batch
    return Rate(done / (time.perf_counter() - start), (time.process_time() - processor) / done)


def _table(rates: dict[Kind, list[Rate]], size: tuple[int, int], cores: int) -> str:
    lines = [
        f"## {size[1]}×{size[0]}, {cores} cores\n",
        f"Medians of {len(rates[OPENCV])} turns; in brackets the least and the most.\n",
        "| | pairs a second | times OpenCV | processor milliseconds a pair | of OpenCV's, one in |",
        "|---|---|---|---|---|",
    ]
    base = rates[OPENCV]
    for kind, found in rates.items():
        times = sorted(ours.a_second / theirs.a_second for ours, theirs in zip(found, base, strict=True))
        parts = [theirs.processor / ours.processor for ours, theirs in zip(found, base, strict=True)]
        lines.append(
            f"| {kind} | {statistics.median(of.a_second for of in found):.2f} | "
            f"{statistics.median(times):.1f} ({times[0]:.1f} to {times[-1]:.1f}) | "
            f"{1000 * statistics.median(of.processor for of in found):.1f} | {statistics.median(parts):.1f} |"
        )
    return "\n".join(lines) + "\n"


# What the parts cost, by what more of each costs.


def _parts(pictures: np.ndarray) -> dict[str, float]:
    """Nanoseconds of one thread for each pixel of each scale: an iteration, both medians, a warp."""
    torch.set_num_threads(1)
    quick = replace(PRESETS["fast"], num_scales=1, num_warps=4, round_iterations=20)
    careful = replace(quick, exact_length=True)
    cubic = replace(quick, warp="bicubic")

    def more(settings: TVL1, times: int, **changes: Any) -> float:
        extra = _seconds(replace(settings, **changes), pictures) - _seconds(settings, pictures)
        return 1e9 * extra / (times * pictures[0].size)

    medians = more(replace(quick, median=False), 4, median=True)
    return {
        "an iteration, fast": more(quick, 4 * 40, round_iterations=60),
        "an iteration, paper": more(careful, 4 * 40, round_iterations=60),
        "medians of x and y": medians,
        "a bilinear warp": more(quick, 4, num_warps=8, round_iterations=10) - medians,
        "a bicubic warp": more(cubic, 4, num_warps=8, round_iterations=10) - medians,
    }


def _seconds(settings: TVL1, pictures: np.ndarray) -> float:
    """Least processor time of a pair."""
    previous, following = torch.from_numpy(pictures[:1]), torch.from_numpy(pictures[1:2])
    times = []
    for _ in range(15):
        start = time.thread_time()
        tvl1(previous, following, settings)
        times.append(time.thread_time() - start)
    return min(times)


def _parts_table(parts: dict[str, dict[str, float]]) -> str:
    lines = [
        "## What the parts cost\n",
        "Nanoseconds of one core for each pixel, at 320×240: what more of a part adds.\n",
        f"| | {' | '.join(parts)} |",
        f"|---|{'---|' * len(parts)}",
    ]
    for part in parts[HERE]:
        lines.append(f"| {part} | " + " | ".join(f"{of[part]:.2f}" for of in parts.values()) + " |")
    return "\n".join(lines) + "\n"


def _growth(pictures: np.ndarray) -> str:
    """The fast preset on one thread: cost by pixels, and by batch."""
    frames = torch.from_numpy(pictures)
    lines = [
        "## How the cost grows (fast, one thread)\n",
        "| pixels | batch | milliseconds a pair | nanoseconds a pixel |",
        "|---|---|---|---|",
    ]
    sizes = ((60, 80), (120, 160), (240, 320), (480, 640), (720, 1280), (2160, 3840), (4320, 7680))
    for height, width in sizes:
        scaled = torch.nn.functional.interpolate(frames[:2, None].float(), (height, width))[:, 0]
        found = _milliseconds(scaled[:1], scaled[1:2])
        lines.append(f"| {width}×{height} | 1 | {found:.1f} | {found * 1e6 / (height * width):.0f} |")
    for batch in (2, 8, 16):
        found = _milliseconds(frames[:batch], frames[1 : batch + 1]) / batch
        lines.append(f"| 320×240 | {batch} | {found:.1f} | {found * 1e6 / (240 * 320):.0f} |")
    return "\n".join(lines) + "\n"


def _memory(pictures: np.ndarray) -> str:
    """What longer videos add to the peak memory of a process that has seen 50 frames."""
    lines = ["", "| frames of 320×240 | more peak memory than for 50, MiB |", "|---|---|"]
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
    for _ in range(3):
        start = time.thread_time()
        tvl1(previous, following, "fast")
        times.append(time.thread_time() - start)
    return 1000 * min(times)


if __name__ == "__main__":
    main()
