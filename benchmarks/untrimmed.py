"""Untrimmed generated videos: STAN against SAN against average pooling, and attention against the truth.

    uv run python -m benchmarks.untrimmed [--out DIR] [--seeds 3]

Each seed draws its own videos and its own training. All three networks are trained by the demo's recipe,
from nothing, on the same videos; only ``model.kind`` differs. The test videos are used once, at the end.
A broken-off benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from attcell.config import check_recipe
from attcell.data.synth.truth import read_truth
from attcell.data.synth.write import write_dataset
from attcell.demo import KIND, NUM_VIDEOS, demo_recipe
from attcell.engine.evaluation import evaluate_model, listing_of
from attcell.engine.inference import best_device
from attcell.engine.localising import attention_figures
from attcell.engine.model import load
from attcell.engine.training import train
from attcell.files import write_text
from benchmarks.machine import machine

NAMES = {"average": "average pooling", "san": "SAN", "stan": "STAN"}
RESULTS = Path(__file__).parent / "results"
VIDEOS = {**NUM_VIDEOS, "test": 20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/untrimmed"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    rows = [run(options.out, kind, seed) for seed in range(options.seeds) for kind in NAMES]
    text = table(rows, options.seeds)
    write_text(RESULTS / "untrimmed.md", text)
    write_text(RESULTS / "untrimmed.json", json.dumps(rows, indent=1) + "\n")
    print(text)


def run(out: Path, kind: str, seed: int) -> dict[str, object]:
    """Train and test one network on one seed's videos."""
    result = out / f"seed{seed}" / f"{kind}.json"
    if result.is_file():
        return dict(json.loads(result.read_text(encoding="utf-8")))
    videos = write_dataset(out / f"seed{seed}" / "videos", KIND, seed=seed, videos=VIDEOS)
    values = demo_recipe(videos)
    values["model"]["kind"] = kind
    values["train"]["seed"] = seed
    recipe = check_recipe(values, source="benchmark")
    run_folder = out / f"seed{seed}" / kind
    outcome = train(recipe, run_folder, resume=run_folder.exists())
    model = load(outcome.model_folder).to(best_device())
    evaluation = evaluate_model(model.saved, listing_of(model.saved, "test"), device=best_device())
    truth = read_truth(videos)
    found = (
        (model.predict(videos / name), video)
        for name, video in truth.videos.items()
        if name.startswith("test/")
    )
    row = {
        "kind": kind,
        "seed": seed,
        **evaluation.figures(),
        **asdict(attention_figures(found, truth)),
    }
    write_text(result, json.dumps(row) + "\n")
    print(row, flush=True)
    return row


def table(rows: list[dict[str, object]], num_seeds: int) -> str:
    """Means and deviations over the seeds, as Markdown."""
    lines = [
        f"Untrimmed generated videos, 6 classes, frames only, {num_seeds} seeds (videos and training); "
        f"mean ± sample deviation. {6 * VIDEOS['train']} training, {6 * VIDEOS['val']} validation, "
        f"{6 * VIDEOS['test']} test videos a seed; 24 segments, centre crop. Trained from nothing by the "
        f"demo's recipe, the best of its checkpoints by validation accuracy. {machine()}.",
        "",
        "| network | top-1 % | each seed | peak on the actor % (chance) | temporal ROC area (chance .50) |",
        "|---|---|---|---|---|",
    ]
    for kind, name in NAMES.items():
        own = [row for row in rows if row["kind"] == kind]
        pointing = _spread([100 * float(row["pointing"]) for row in own])  # type: ignore[arg-type]
        chance = np.mean([100 * float(row["pointing_chance"]) for row in own])  # type: ignore[arg-type]
        top1 = [float(row["top1"]) for row in own]  # type: ignore[arg-type]
        auc = _spread([float(row["auc"]) for row in own], digits=3)  # type: ignore[arg-type]
        where = "no spatial attention" if kind == "average" else f"{pointing} ({chance:.1f})"
        when = auc if kind == "stan" else "no temporal attention"
        lines.append(
            f"| {name} | {_spread(top1)} | {', '.join(f'{v:.1f}' for v in top1)} | {where} | {when} |"
        )
    return "\n".join(lines) + "\n"


def _spread(values: list[float], digits: int = 1) -> str:
    deviation = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return f"{np.mean(values):.{digits}f} ± {deviation:.{digits}f}"


if __name__ == "__main__":
    main()
