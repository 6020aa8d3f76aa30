"""Untrimmed generated videos: frame, flow and clip, each alone, in early and in late fusion.

    uv run python -m benchmarks.fusion [--out DIR] [--seeds 3]

For each seed three backbones are trained from nothing, each alone, on trimmed videos. They are frozen, and
STAN is trained on untrimmed videos of that seed with every set of streams; only ``model.streams`` and
``model.fusion`` differ. The weights of late fusion are tuned on the validation videos. The settings were
chosen on validation videos of another seed. The test videos are used once, at the end. Two trainings run side
by side, each on one thread; what they say goes to ``log.txt`` beside them. A broken-off benchmark goes on
where it was.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch

from attcell.config import check_recipe
from attcell.data.sources import read_source
from attcell.data.synth.write import write_dataset
from attcell.demo import TRAINING, TRIMMED
from attcell.engine.evaluation import evaluate_model, listing_of
from attcell.engine.extract_flow import FlowRecipe, extract_flow
from attcell.engine.inference import best_device
from attcell.engine.model import load
from attcell.engine.training import train
from attcell.errors import DataError
from attcell.files import write_text
from attcell.progress import say, track
from benchmarks.machine import machine
from benchmarks.untrimmed import spread

T = TypeVar("T")
RESULTS = Path(__file__).parent / "results"
VIDEOS = {"train": 40, "val": 10, "test": 30}
FIRST_SEED = 200  # not among the seeds that the generator and the recipes were tried with
BACKBONES = {"frame": "small", "flow": "small", "clip": "small3d"}
# Of each backbone's own training: epochs, and segments of a video.
TRAININGS = {"frame": (40, 6), "flow": (20, 6), "clip": (40, 4)}
FLOW = FlowRecipe("fast", short_side=56, frames=False)
INPUT: dict[str, dict[str, Any]] = {
    "input": {"size": 112, "short_side": 112},
    "flow": {"method": FLOW.method, "short_side": FLOW.short_side},
    "clip": {"frames": 8},
}
WORKERS = 2


@dataclass(frozen=True)
class Fused:
    """Some streams, and how they are joined."""

    streams: tuple[str, ...]
    fusion: Literal["early", "late"] = "early"

    @property
    def name(self) -> str:
        """As the table and the run's folder have it."""
        joined = "+".join(self.streams)
        return joined if len(self.streams) == 1 else f"{joined} {self.fusion}"


ALONE = tuple(Fused((name,)) for name in BACKBONES)
JOINED = (
    Fused(("frame", "flow")),
    Fused(("frame", "clip")),
    Fused(("flow", "clip")),
    Fused(("frame", "flow", "clip")),
    Fused(("frame", "flow"), "late"),
    Fused(("frame", "flow", "clip"), "late"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/fusion"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    start = time.perf_counter()
    rows = [row for seed in range(FIRST_SEED, FIRST_SEED + options.seeds) for row in run(options.out, seed)]
    text = table(rows, options.seeds, (time.perf_counter() - start) / 60)
    write_text(RESULTS / "fusion.md", text)
    write_text(RESULTS / "fusion.json", json.dumps(rows, indent=1) + "\n")
    print(text)


def run(out: Path, seed: int) -> list[dict[str, Any]]:
    """Everything of one seed."""
    folder = out / f"seed{seed}"
    write_dataset(folder / "trimmed", "trimmed", seed=seed + 1000, videos=TRIMMED)
    write_dataset(folder / "untrimmed", "untrimmed", seed=seed, videos=VIDEOS)
    for source in (*(f"trimmed/{split}" for split in TRIMMED), *(f"untrimmed/{split}" for split in VIDEOS)):
        listing = read_source(folder / source, None, None)
        outcome = extract_flow(listing, folder / "fields" / source, FLOW, form="zip", workers=WORKERS)
        if outcome.failed:
            raise DataError(f"{source}: {outcome.failed}")
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn"), _start_worker) as pool:
        _side_by_side(pool, _train_backbone, tuple(BACKBONES), folder, seed)
        _side_by_side(pool, _measure, ALONE, folder, seed)  # these keep the features of their stream
        _side_by_side(pool, _measure, JOINED, folder, seed)
    rows = [json.loads(_result(folder, fused).read_text()) for fused in (*ALONE, *JOINED)]
    for row in rows:
        say(f"seed {seed}: {row['network']} {row['top1']:.1f}")
    return rows


def _side_by_side(
    pool: ProcessPoolExecutor,
    work: Callable[[T, Path, int], None],
    jobs: Sequence[T],
    folder: Path,
    seed: int,
) -> None:
    futures = [pool.submit(work, job, folder, seed) for job in jobs]
    for future in track(as_completed(futures), len(futures), f"seed {seed}"):
        future.result()


def _start_worker() -> None:
    torch.set_num_threads(1)


def _train_backbone(stream: str, folder: Path, seed: int) -> None:
    """One stream's STAN from nothing, on trimmed videos."""
    epochs, segments = TRAININGS[stream]
    videos = folder / "trimmed"
    values = {
        **INPUT,
        "data": {"train": str(videos / "train"), "val": str(videos / "val"), "workers": 0},
        "flow": {**INPUT["flow"], "store": str(folder / "fields" / "trimmed")},
        "segments": {"train": segments, "test": segments},
        "model": {**_network({stream: {"weights": "none"}})},
        "train": {**TRAINING, "epochs": epochs, "checkpoint_every": 150, "seed": seed},
    }
    _train(values, folder / "backbones" / stream)


def _measure(fused: Fused, folder: Path, seed: int) -> None:
    """Train on untrimmed videos, and test; what is measured already stays."""
    result = _result(folder, fused)
    if result.is_file():
        return
    videos, features = folder / "untrimmed", folder / "features"
    streams = {
        name: {
            "weights": str(folder / "backbones" / name / "model"),
            "train_from": "none",
            "standardise": True,
        }
        for name in fused.streams
    }
    values = {
        **INPUT,
        "data": {split: str(videos / split) for split in VIDEOS} | {"workers": 0},
        "flow": {**INPUT["flow"], "store": str(folder / "fields" / "untrimmed")},
        "segments": {"train": 12, "test": 24},
        "cache": {"folder": str(features), "positions": 2, "mirrored": True},
        "model": {**_network(streams), "fusion": fused.fusion},
        "train": {**TRAINING, "epochs": 32, "checkpoint_every": 60, "seed": seed},
    }
    saved = load(_train(values, _result(folder, fused).with_name("run"))).saved
    device = best_device()
    evaluation = evaluate_model(saved, listing_of(saved, "test"), cache_folder=features, device=device)
    row = {"network": fused.name, "seed": seed, **evaluation.figures()}
    write_text(result, json.dumps(row) + "\n")


def _result(folder: Path, fused: Fused) -> Path:
    return folder / "networks" / fused.name.replace(" ", "-") / "result.json"


def _network(streams: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": "stan",
        "streams": {
            name: {"backbone": BACKBONES[name], "conv6_channels": 128, **values}
            for name, values in streams.items()
        },
        "lstm_hidden": 128,
        "dropout": 0.3,
    }


def _train(values: dict[str, Any], run_folder: Path) -> Path:
    """Train, with what is said in a log: several do so at once."""
    run_folder.parent.mkdir(parents=True, exist_ok=True)
    recipe = check_recipe(values, source="benchmark")
    with (run_folder.parent / "log.txt").open("a") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
        return train(recipe, run_folder, resume=(run_folder / "recipe.yaml").exists()).model_folder


def table(rows: list[dict[str, Any]], num_seeds: int, minutes: float) -> str:
    """Means and deviations over the seeds, as Markdown."""
    lines = [
        f"STAN on untrimmed generated videos of 6 classes, {num_seeds} seeds (videos and training); mean ± "
        f"sample deviation. {6 * VIDEOS['train']} training, {6 * VIDEOS['val']} validation and "
        f"{6 * VIDEOS['test']} test videos a seed; 12 segments in training and 24 at test, centre crop. "
        f"Flow: TV-L1, preset {FLOW.method}, at {FLOW.short_side} pixels. Frozen backbones, each trained "
        f"alone from nothing on {6 * TRIMMED['train']} trimmed videos; of each network the best checkpoint "
        f"by validation accuracy. {machine()}; {minutes:.0f} minutes.",
        "",
        "| streams | top-1 % | each seed |",
        "|---|---|---|",
    ]
    for fused in (*ALONE, *JOINED):
        top1 = [float(row["top1"]) for row in rows if row["network"] == fused.name]
        lines.append(f"| {fused.name} | {spread(top1)} | {', '.join(f'{v:.1f}' for v in top1)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
