"""PyTorch's threads that have nothing to do: asleep, as the command line asks for, or turning in a circle.

    uv run python -m benchmarks.waiting [--videos 300] [--turns 3]

Whole commands, in turns with ``OMP_WAIT_POLICY`` passive and active (by default threads spin for
some milliseconds); a figure is the least, in seconds on the clock and, behind it, of the processor.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from attcell._files import write_text
from benchmarks.cluster_world import Words, write_model
from benchmarks.machine import machine
from benchmarks.walls import videos_in

RESULTS = Path(__file__).parent / "results"
WAYS = ("passive", "active")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/waiting"))
    parser.add_argument("--videos", type=int, default=300)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    out = options.out.absolute()
    videos = videos_in(out / "clips", [f"{number:04}.mp4" for number in range(options.videos)])
    lines = [
        "# PyTorch's waiting threads asleep (passive) or not (active)",
        "",
        f"{options.videos} clips of 50 frames of 160×120; the least of {options.turns} turns, seconds on the "
        f"clock (of the processor); {machine()}; load {os.getloadavg()[0]:.1f} at the beginning.",
        "",
        "| command | passive | active | passive ÷ active | of the processor's time |",
        "|---|---|---|---|---|",
    ]
    for name, words in commands(videos, write_model(out / "model", videos), out / "written").items():
        taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for _ in range(options.turns):
            for way in WAYS:
                taken[way].append(timed(words, way, out / "written"))
        clock, processor = ({way: min(of[number] for of in taken[way]) for way in WAYS} for number in (0, 1))
        shown = " | ".join(f"{clock[way]:.1f} ({processor[way]:.1f})" for way in WAYS)
        ratios = " | ".join(f"{of['passive'] / of['active']:.2f}" for of in (clock, processor))
        lines.append(f"| {name} | {shown} | {ratios} |")
        print(lines[-1], flush=True)
    text = "\n".join([*lines, ""])
    print(text)
    write_text(RESULTS / "waiting.md", text)


def commands(videos: Path, model: Path, out: Path) -> dict[str, Words]:
    """Processes that decode beside one with a network."""
    paths = sorted(videos.rglob("*.mp4"))
    return {
        "predict": ["predict", *paths, "--model", model, "--json", out / "predict.jsonl"],
        "test": ["test", model, "--data", videos, "--out", out / "test"],
    }


def timed(words: Words, way: str, out: Path) -> tuple[float, float]:
    """Seconds on the clock and of the processor, the command's children among them."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    environment = {name: of for name, of in os.environ.items() if name != "OMP_NUM_THREADS"}  # of the tests
    begun, before = time.perf_counter(), os.times()
    done = subprocess.run(
        [sys.executable, "-m", "attcell.cli.app", *map(str, words)],
        env={**environment, "OMP_WAIT_POLICY": way},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stderr)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - begun, spent


if __name__ == "__main__":
    main()
