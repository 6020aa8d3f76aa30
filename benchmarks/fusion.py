"""Untrimmed generated videos: frame, flow and clip, each alone, in early and in late fusion.

    uv run python -m benchmarks.fusion [--out DIR] [--seeds 3]

The motions are paths: a frame shows the colour of the figure that acts, flow shows how it moves, and the
class is both. For each seed three backbones are trained, each alone, on trimmed videos: those of frame and
flow from nothing, that of clips from the frame's, inflated. They are frozen, and STAN is trained on untrimmed
videos of that seed with every set of streams; only ``model.streams`` and ``model.fusion`` differ. The weights
of late fusion are tuned on the validation videos. The settings were chosen on validation videos of another
seed. The test videos are used once, at the end. Two trainings run side by side, each on one thread; what they
say goes to ``log.txt`` beside them. A broken-off benchmark goes on where it was.
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
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from attcell._files import write_text
from attcell._log import logger, track
from attcell.config.recipe import check_recipe
from attcell.inference.model import load
from attcell.inference.run import best_device
from attcell.research.demo import BACKBONES, INPUT, TRIMMED, attention_recipe, backbone_recipe
from attcell.synth.write import write_dataset
from attcell.training.run import train
from benchmarks.machine import machine
from benchmarks.untrimmed import spread

RESULTS = Path(__file__).parent / "results"
VIDEOS = {"train": 40, "val": 10, "test": 30}
FIRST_SEED = 300  # not among the seeds that the generator and the recipes were tried with
TRAININGS = {"frame": 25, "flow": 10, "clip": 10}  # epochs of each backbone's own training
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
    Fused(("frame", "flow"), "late"),
    Fused(("frame", "clip")),
    Fused(("flow", "clip")),
    Fused(("frame", "flow", "clip")),
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
    write_dataset(folder / "trimmed", "trimmed", seed=seed + 1000, motions="paths", videos=TRIMMED)
    write_dataset(folder / "untrimmed", "untrimmed", seed=seed, motions="paths", videos=VIDEOS)
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn"), _start_worker) as pool:
        frame, flow, clip = (partial(_train_backbone, stream) for stream in BACKBONES)
        alone = [partial(_measure, fused) for fused in ALONE]  # they keep the features of their stream
        joined = [partial(_measure, fused) for fused in JOINED]
        for jobs in ([frame, flow], [clip, *alone[:2]], [alone[2], *joined]):  # clip begins as frame's
            _in_parallel(pool, jobs, folder, seed)
    rows = [json.loads(_result(folder, fused).read_text()) for fused in (*ALONE, *JOINED)]
    for row in rows:
        logger.info(f"seed {seed}: {row['network']} {row['top1']:.1f}")
    return rows


def _in_parallel(
    pool: ProcessPoolExecutor, jobs: Sequence[Callable[[Path, int], None]], folder: Path, seed: int
) -> None:
    futures = [pool.submit(job, folder, seed) for job in jobs]
    for future in track(as_completed(futures), len(futures), f"seed {seed}"):
        future.result()


def _start_worker() -> None:
    torch.set_num_threads(1)


def _train_backbone(stream: str, folder: Path, seed: int) -> None:
    """One stream's STAN on trimmed videos."""
    weights = str(folder / "backbones" / "frame" / "model") if stream == "clip" else "none"
    values = backbone_recipe(folder / "trimmed", stream, weights)
    values["train"].update(epochs=TRAININGS[stream], seed=seed)
    _train(values, folder / "backbones" / stream)


def _measure(fused: Fused, folder: Path, seed: int) -> None:
    """Train on untrimmed videos, and test; what is measured already stays."""
    result = _result(folder, fused)
    if result.is_file():
        return
    features = folder / "features"
    backbones = {name: folder / "backbones" / name / "model" for name in fused.streams}
    values = attention_recipe(folder / "untrimmed", backbones, features)
    values["model"]["fusion"], values["train"]["seed"] = fused.fusion, seed
    values["cache"]["positions"], values["train"]["epochs"] = 2, 24
    model = load(_train(values, _result(folder, fused).with_name("run"))).to(best_device())
    evaluation = model.evaluate(cache=features)
    row = {"network": fused.name, "seed": seed, **evaluation.figures()}
    write_text(result, json.dumps(row) + "\n")


def _result(folder: Path, fused: Fused) -> Path:
    return folder / "networks" / fused.name.replace(" ", "-") / "result.json"


def _train(values: dict[str, Any], run_folder: Path) -> Path:
    """Train, with what is said in a log: several do so at once."""
    values["data"]["workers"] = 0
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
        f"Motions told by their path. Flow: {INPUT['flow']['method'].upper()} at "
        f"{INPUT['flow']['short_side']} pixels. Frozen backbones, each trained alone on "
        f"{6 * TRIMMED['train']} trimmed videos, those of frame and flow from nothing, that of clips "
        f"from the frame's; of each network the best checkpoint by validation accuracy. {machine()}; "
        f"{minutes:.0f} minutes.",
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
