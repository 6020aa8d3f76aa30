"""Untrimmed generated videos: STAN against SAN against average pooling, and attention against the truth.

    uv run python -m benchmarks.untrimmed [--out DIR] [--seeds 3]

The motions are postures, which one frame tells. For each seed a backbone is trained from nothing on trimmed
videos. Then all three networks are trained on untrimmed videos of that seed, with this backbone frozen; only
``model.kind`` differs. The recipes are the demo's with more videos, segments and epochs; these settings were
chosen on videos of another seed, never tested on. Videos and trainings differ from seed to seed. The test
videos are used once, at the end. A broken-off benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attcell._files import write_text
from attcell.config.recipe import check_recipe
from attcell.data.truth import generated_boxes
from attcell.inference.localization import attention_figures
from attcell.inference.model import load
from attcell.inference.run import best_device
from attcell.research.demo import TRIMMED, attention_recipe, backbone_recipe
from attcell.synth.truth import read_truth
from attcell.synth.write import write_dataset
from attcell.training.run import train
from benchmarks.machine import machine

NAMES = {"average": "average pooling", "san": "SAN", "stan": "STAN"}
RESULTS = Path(__file__).parent / "results"
VIDEOS = {"train": 60, "val": 10, "test": 50}
FIRST_SEED = 100  # not among the seeds that the generator and the recipes were tried with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/untrimmed"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)  # the networks are small, and another number of threads gives other figures
    rows = [
        run(options.out, kind, seed)
        for seed in range(FIRST_SEED, FIRST_SEED + options.seeds)
        for kind in NAMES
    ]
    text = table(rows, options.seeds)
    write_text(RESULTS / "untrimmed.md", text)
    write_text(RESULTS / "untrimmed.json", json.dumps(rows, indent=1) + "\n")
    print(text)


def run(out: Path, kind: str, seed: int) -> dict[str, object]:
    """Train and test one network on one seed's videos."""
    folder = out / f"seed{seed}"
    trimmed = write_dataset(folder / "trimmed", "trimmed", seed=seed + 1000, videos=TRIMMED)
    videos = write_dataset(folder / "untrimmed", "untrimmed", seed=seed, videos=VIDEOS)
    values = backbone_recipe(trimmed, "frame")
    values["segments"], values["train"]["epochs"] = {"train": 6, "test": 6}, 40
    backbone = _train(values, seed, folder / "backbone")
    values = attention_recipe(videos, {"frame": backbone}, folder / "features")
    values["model"]["kind"] = kind
    values["segments"]["train"], values["train"]["epochs"] = 24, 32
    values["cache"]["positions"] = 2
    trained = _train(values, seed, folder / kind)
    model = load(trained).to(best_device())
    evaluation = model.evaluate()
    truth = generated_boxes(read_truth(videos))
    found = [
        (model.predict(videos / name).segments, video)
        for name, video in truth.items()
        if name.startswith("test/")
    ]
    row = {
        "kind": kind,
        "seed": seed,
        **evaluation.figures(),
        **asdict(attention_figures(found)),
    }
    print(row, flush=True)
    return row


def _train(values: dict[str, Any], seed: int, run_folder: Path) -> Path:
    values["train"]["seed"] = seed
    recipe = check_recipe(values, source="benchmark")
    return train(recipe, run_folder, resume=run_folder.exists()).model_folder


def table(rows: list[dict[str, object]], num_seeds: int) -> str:
    """Means and deviations over the seeds, as Markdown."""
    lines = [
        f"Untrimmed generated videos, 6 classes, frames only, {num_seeds} seeds (videos and training); "
        f"mean ± sample deviation. {6 * VIDEOS['train']} training, {6 * VIDEOS['val']} validation and "
        f"{6 * VIDEOS['test']} test videos a seed; 24 segments, centre crop. Frozen backbone, trained from "
        f"nothing on {6 * TRIMMED['train']} trimmed videos; of each network the best checkpoint by "
        f"validation accuracy. One thread. {machine()}.",
        "",
        "| network | top-1 % | each seed | peak on the actor % (chance) | temporal ROC area (chance .50) |",
        "|---|---|---|---|---|",
    ]
    for kind, name in NAMES.items():
        own = [row for row in rows if row["kind"] == kind]
        pointing = spread([100 * float(row["pointing"]) for row in own])  # type: ignore[arg-type]
        chance = np.mean([100 * float(row["pointing_chance"]) for row in own])  # type: ignore[arg-type]
        top1 = [float(row["top1"]) for row in own]  # type: ignore[arg-type]
        auc = spread([float(row["auc"]) for row in own], digits=3)  # type: ignore[arg-type]
        where = "no spatial attention" if kind == "average" else f"{pointing} ({chance:.1f})"
        when = auc if kind == "stan" else "no temporal attention"
        lines.append(
            f"| {name} | {spread(top1)} | {', '.join(f'{v:.1f}' for v in top1)} | {where} | {when} |"
        )
    return "\n".join(lines) + "\n"


def spread(values: list[float], digits: int = 1) -> str:
    """Mean ± sample deviation."""
    deviation = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return f"{np.mean(values):.{digits}f} ± {deviation:.{digits}f}"


if __name__ == "__main__":
    main()
