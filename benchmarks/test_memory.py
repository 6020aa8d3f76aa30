"""``attcell test`` of a clip stream on one long video with ten crops, at T = 25, 200 and 700: peak memory.

    uv run python -m benchmarks.test_memory [--out DIR] [--segments 25 200 700]

A STAN of one clip stream (small3d, clips of 8 frames, 112²) with random weights, and a generated video of
eight minutes. Each T runs as a command of its own; every few milliseconds the memory of its processes, the
one that tests and those that decode, is added up. What they share is counted once, and libraries, which are
files, by the process that holds the most of them: whoever else runs the same libraries changes nothing.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch

from attcell._files import write_text, written_whole
from attcell._log import logger
from attcell.config import check_recipe
from attcell.inference.model import Model
from attcell.models.build import build_network
from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"
SECONDS, RATE, SIZE = 480, 25, (160, 120)
LABELS = ("left", "right")
MEGABYTE = 2**20
FLAT = 1.10  # so much more of the least is still flat


@dataclass(frozen=True)
class Run:
    """One test: T, the most memory in bytes, and how long it took."""

    segments: int
    peak: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/test_memory"))
    parser.add_argument("--segments", type=int, nargs="+", default=[25, 200, 700])
    options = parser.parse_args()
    write_model(options.out / "model")
    write_video(options.out / "videos" / LABELS[0] / "long.mp4")
    runs = [run_test(options.out, count) for count in options.segments]
    text = table(runs)
    write_text(RESULTS / "test_memory.md", text)
    print(text)


def write_model(folder: Path) -> None:
    """Random weights: what the network says does not matter here."""
    stream = {"backbone": "small3d", "weights": "none", "conv6_channels": 64}
    values = {
        "data": {"train": "videos", "workers": 1},
        "input": {"size": 112, "short_side": 120},
        "clip": {"frames": 8},
        "model": {"kind": "stan", "streams": {"clip": stream}, "lstm_hidden": 64},
        "train": {"iterations": 1},
    }
    recipe = check_recipe(values, source="benchmark")
    torch.manual_seed(0)
    network = build_network(recipe, len(LABELS), load_weights=False).eval()
    Model(network, LABELS, recipe).save_pretrained(folder)


def write_video(path: Path) -> None:
    """A bright square that moves from left to right over noise, again and again."""
    if path.exists():
        return
    rng = np.random.default_rng(0)
    width, height = SIZE
    noise = rng.integers(0, 128, (height, width, 3), dtype=np.uint8)
    with written_whole(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(SECONDS * RATE):
            image = noise.copy()
            left = 2 * number % (width - 24)
            image[48:72, left : left + 24] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


def run_test(out: Path, segments: int) -> Run:
    """``attcell test`` in a process of its own, whose memory is watched from here."""
    result = out / f"test-{segments}"
    shutil.rmtree(result, ignore_errors=True)
    command = [sys.executable, "-m", "attcell.cli.app", "test", str(out / "model")]
    command += ["--data", str(out / "videos"), "--segments", str(segments), "--crops", "10"]
    start, peak = time.perf_counter(), 0
    with subprocess.Popen([*command, "--out", str(result)], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, memory_of(_tree(process.pid)))
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"attcell test ended with {process.returncode}")
    run = Run(segments, peak, time.perf_counter() - start)
    logger.info(f"T = {segments}: {peak / MEGABYTE:.0f} MB in {run.seconds:.0f} s")
    return run


def _tree(process: int) -> list[int]:
    """A process and all that it started, by their numbers."""
    found = [process]
    for number in found:
        try:
            for thread in Path(f"/proc/{number}/task").iterdir():
                children = (thread / "children").read_text(encoding="ascii")
                found += [int(child) for child in children.split()]
        except OSError:  # it has ended
            continue
    return found


def memory_of(processes: list[int]) -> int:
    """What these processes hold together, in bytes."""
    own = sum(_kilobytes(number, "smaps_rollup", ("Pss_Anon:", "Pss_Shmem:")) for number in processes)
    libraries = max((_kilobytes(number, "status", ("RssFile:",)) for number in processes), default=0)
    return 1024 * (own + libraries)


def _kilobytes(process: int, file: str, keys: tuple[str, ...]) -> int:
    """The sum of some lines of a file about a process; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{process}/{file}").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(keys))


def table(runs: list[Run]) -> str:
    """The runs as Markdown, and whether memory is flat."""
    least, most = min(run.peak for run in runs), max(run.peak for run in runs)
    rows = [f"| {run.segments} | {run.peak / MEGABYTE:.0f} | {run.seconds:.0f} |" for run in runs]
    verdict = "flat" if most <= FLAT * least else "not flat"
    return "\n".join(
        [
            "# Memory of `attcell test` on a long video",
            "",
            f"One clip stream (small3d, clips of 8 frames, 112²), ten crops, a generated video of "
            f"{SECONDS} s at {RATE} frames a second; one process decodes, another one tests; {machine()}.",
            "",
            "| segments T | peak memory of all processes, MB | seconds |",
            "|---|---|---|",
            *rows,
            "",
            f"The largest is {most / least:.3f} times the least: {verdict} within {100 * FLAT - 100:.0f} %.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
