"""What walls between videos cost on 500 short clips, and what they hold: 200 videos, 20 of them hostile.

    uv run python -m benchmarks.walls [--clips 500] [--repeats 5] [--only cost|hold]

*Cost*: copies of one generated clip, decoded in this process, and behind walls in one worker, or in as many
as the command takes. The ways take turns; a figure is the least, in seconds on the clock. *The wall* is the
ratio of one worker to this process, so a worker that gains by going ahead of the network has less than 1.

*Hold*: each command as a user runs it over 200 videos, of which 8 crash their process (SIGSEGV), 8 want
40 GiB, and 4 never end; the limits are 3 s and 4 GiB. The other 180 are to be done and those 20 named.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

import av
import torch

from attcell._files import write_text
from attcell._workers import results_in_turn
from attcell.cli.app import main as attcell
from attcell.data import check
from attcell.data.datasets import PlannedParts
from attcell.data.sources import read_source
from attcell.flow import num_cores
from attcell.inference import extract_flow as flow
from attcell.inference.model import Model
from attcell.inference.predict import predict_video, predict_videos
from attcell.models.build import build_network, evaluation_plan, input_spec
from attcell.types import VideoRecord
from attcell.video.optical_flow import FlowSpec
from benchmarks.machine import machine
from benchmarks.start_many import recipe_of, write_clip
from tests.bad_decoders import bad_open

RESULTS = Path(__file__).parent / "results"
LIMIT_SECONDS, LIMIT_GIB = 3, 4
HOSTILE = {"crashes": 8, "eats": 8, "hangs": 4}  # what a file does to its decoder, and how many do it
FLOW_CLIPS = 100
Way = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/walls"))
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=("cost", "hold"))
    options = parser.parse_args()
    torch.manual_seed(0)
    load = f"{machine()}; load {os.getloadavg()[0]:.1f} at the beginning."
    lines = ["# Walls between videos", "", load, ""]
    if options.only != "hold":
        lines += cost(options.out, options.clips, options.repeats)
    if options.only != "cost":
        lines += hold(options.out)
    text = "\n".join([*lines, ""])
    if options.only is None:
        write_text(RESULTS / "walls.md", text)
    print(text)


def videos_in(folder: Path, names: list[str]) -> Path:
    """Copies of one clip, in two classes."""
    if folder.exists():
        shutil.rmtree(folder)
    for label in ("run", "wave"):
        (folder / label).mkdir(parents=True)
    write_clip(folder / "run" / names[0])
    for number, name in enumerate(names[1:], 1):
        shutil.copy(folder / "run" / names[0], folder / ("run", "wave")[number % 2] / name)
    return folder


def model_for(videos: Path) -> Model:
    recipe = recipe_of(videos, None)
    return Model(build_network(recipe, 2, load_weights=False).eval(), ("run", "wave"), recipe)


# Cost


def cost(out: Path, clips: int, repeats: int) -> list[str]:
    videos = videos_in(out / "clips", [f"{number:04}.mp4" for number in range(clips)])
    records = read_source(videos).records
    lines = [
        f"{clips} clips of 50 frames of 160×120, of which flow takes {min(clips, FLOW_CLIPS)}; seconds, the "
        f"least of {repeats} turns.",
        "",
        "| what | in this process | one worker | the wall | the command's workers | ÷ in this process |",
        "|---|---|---|---|---|---|",
    ]
    for name, ways in ways_of(videos, records, out).items():
        seconds = least(ways, repeats)
        here, one, usual = (*seconds, seconds[-1])[:3]
        lines.append(
            f"| {name} | {here:.2f} | {one:.2f} | {one / here:.3f} | {usual:.2f} | {usual / here:.3f} |"
        )
        print(lines[-1], flush=True)
    return [*lines, ""]


def ways_of(videos: Path, records: tuple[VideoRecord, ...], out: Path) -> dict[str, tuple[Way, ...]]:
    """What is done → in this process, in one worker, and where the command takes several, in these."""
    model = model_for(videos)
    planned = PlannedParts(records, input_spec(model.recipe), evaluation_plan(model.recipe))
    paths, cores = [record.path for record in records], num_cores()

    def checked(workers: int) -> None:
        list(results_in_turn(check._checked, records, lambda record: record.path, workers))

    def predicted() -> None:
        list(predict_videos(model, paths, pictures=False))

    def in_process() -> None:
        for path in paths:
            predict_video(model, path, pictures=False)

    jobs = [
        flow.Job(record, out / "flow" / str(number), FlowSpec("fast", short_side=112), flow.Layout())
        for number, record in enumerate(records[:FLOW_CLIPS])
    ]

    def flow_here() -> None:
        for job in jobs:
            list(flow._done(job, cores))

    def flow_behind(workers: int | None) -> None:
        list(flow._computed(jobs, workers, lambda _: None))

    return {
        "data check": (
            lambda: [check._checked(one) for one in records], partial(checked, 1), partial(checked, cores)
        ),
        "test: decoding for the network": (
            lambda: list(planned), lambda: list(planned.walled(1)), lambda: list(planned.walled(2))
        ),
        "predict, a small network": (in_process, predicted),
        "extract flow": (flow_here, partial(flow_behind, 1), partial(flow_behind, None)),
    }  # fmt: skip


def least(ways: tuple[Way, ...], repeats: int) -> list[float]:
    """The least seconds of each, which take turns."""
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(repeats):
        for way, spent in zip(ways, seconds, strict=True):
            begun = time.perf_counter()
            way()
            spent.append(time.perf_counter() - begun)
    return [min(spent) for spent in seconds]


# Hold


def hold(out: Path) -> list[str]:
    names = [f"{does}-{number}.mp4" for does, count in HOSTILE.items() for number in range(count)]
    good = [f"good-{number:03}.mp4" for number in range(200 - len(names))]
    videos = videos_in(out / "hostile", [*good, *names])
    model_for(videos).save_pretrained(out / "model")
    paths = sorted(videos.glob("*/*"))
    commands: dict[str, list[str | Path]] = {
        "data check": ["data", "check", videos, "--json", out / "check.json"],
        "extract flow": [
            *("extract", "flow", videos, out / "flow-hostile", "--method", "fast", "--short-side", "32"),
        ],
        "test": ["test", out / "model", "--data", videos, "--out", out / "test"],
        "predict": ["predict", *paths, "--model", out / "model", "--json", out / "predict.jsonl"],
    }  # fmt: skip
    shutil.rmtree(out / "flow-hostile", ignore_errors=True)
    lines = [
        f"200 videos, of which {HOSTILE['crashes']} crash, {HOSTILE['eats']} want 40 GiB and "
        f"{HOSTILE['hangs']} never end, each tried twice; limits {LIMIT_SECONDS} s and {LIMIT_GIB} GiB.",
        "",
        "| command | exit status | done | named | seconds |",
        "|---|---|---|---|---|",
    ]
    for name, words in commands.items():
        begun = time.perf_counter()
        status, said = run(words)
        seconds = time.perf_counter() - begun
        told = [line for line in said.splitlines() if "leave it out" in line]
        named = sum(any(bad in line for line in told) for bad in names)
        lines.append(f"| {name} | {status} | {num_done(name, out, said)} | {named} | {seconds:.1f} |")
        print(lines[-1], flush=True)
    return [*lines, ""]


def run(words: list[str | Path]) -> tuple[int, str]:
    """A command's exit status, and all that it says, with a decoder that does what files' names say."""
    said = io.StringIO()
    limits = {"ATTCELL_VIDEO_SECONDS": str(LIMIT_SECONDS), "ATTCELL_VIDEO_GIB": str(LIMIT_GIB)}
    with (
        patch.object(av, "open", bad_open),
        patch.object(sys, "argv", ["attcell", *map(str, words)]),
        patch.dict(os.environ, limits),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        try:
            attcell()
        except SystemExit as ended:
            return int(ended.code or 0), said.getvalue()
    return 0, said.getvalue()


def num_done(command: str, out: Path, said: str) -> int:
    """How many videos a command has done, by what it wrote."""

    def contents(file: Path) -> Iterator[dict[str, object]]:
        return map(json.loads, file.read_text().splitlines())

    if command == "data check":
        return sum(json.loads((out / "check.json").read_text())["sizes"].values())
    if command == "extract flow":
        return len(list((out / "flow-hostile").glob("*/*/flow.json")))
    if command == "predict":
        return sum("error" not in line for line in contents(out / "predict.jsonl"))
    scores = json.loads((out / "test" / "scores.json").read_text())
    return len(scores["videos"])


if __name__ == "__main__":
    main()
