"""The demo on three seeds of videos and training: what it finds and how long it takes.

    uv run python -m benchmarks.demo [--seeds 0 1 2] [--out runs/demo]

Everything is made anew. Nothing was tuned on the videos of these seeds: settings were tried on others.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attcell._files import write_text
from attcell._log import messages_on_stderr
from attcell._parallel import one_thread
from attcell.config.recipe import check_recipe
from attcell.inference.model import Model
from attcell.research.demo import STREAMS, DemoOutcome, demo_recipe, run_demo
from attcell.training.run import train
from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """One seed's outcome, the processor seconds of all of its processes, and what averaging reaches."""

    seed: int
    outcome: DemoOutcome
    processor_seconds: float
    without_attention: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/demo"))
    options = parser.parse_args()
    with messages_on_stderr():
        rows = [_run(seed, options.out / f"seed{seed}") for seed in options.seeds]
    write_text(RESULTS / "demo.md", _text(rows))
    sys.stdout.write(_text(rows))


def _run(seed: int, out: Path) -> Row:
    shutil.rmtree(out, ignore_errors=True)
    before = _processor_seconds()
    outcome = run_demo(out, seed=seed)
    used = _processor_seconds() - before
    return Row(seed, outcome, used, _accuracy_without_attention(out, seed))


def _accuracy_without_attention(out: Path, seed: int) -> float:
    """In percent, of the same network that averages over regions and segments, on the same features."""
    recipe = demo_recipe(out / "videos", out / "features", seed)
    values = recipe.model_dump(mode="json")
    values["model"]["kind"] = "average"
    with one_thread():
        trained = train(check_recipe(values, source="the benchmark's recipe"), out / "run-without-attention")
        model = Model.from_pretrained(trained.model_folder)
        return model.evaluate(cache=out / "features").figures()["top1"]


def _processor_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _of_stream(stream: str) -> Callable[[Row], float]:
    return lambda row: 100 * row.outcome.attention[stream].pointing


def _chance(row: Row) -> float:
    return row.outcome.chance


def _pointing_chance(row: Row) -> float:
    return 100 * row.outcome.attention["frame"].pointing_chance


# What is told of each seed, and what chance would give.
FIGURES: dict[str, tuple[Callable[[Row], float], Callable[[Row], float] | None]] = {
    "accuracy %": (lambda row: row.outcome.accuracy, _chance),
    "the same without attention (averages) %": (lambda row: row.without_attention, _chance),
    "videos of the page told right, of six": (
        lambda row: sum(row.outcome.page_right),
        lambda row: len(row.outcome.page_right) * row.outcome.chance / 100,
    ),
    **{f"peak on the actor, {stream} %": (_of_stream(stream), _pointing_chance) for stream in STREAMS},
    "temporal ROC area": (lambda row: row.outcome.attention["frame"].auc, lambda _: 0.5),
    "seconds": (lambda row: row.outcome.seconds, None),
    "processor seconds": (lambda row: row.processor_seconds, None),
}


def _text(rows: list[Row]) -> str:
    seeds = [f"seed {row.seed}" for row in rows]
    lines = [
        "# The demo",
        "",
        f"`uv run python -m benchmarks.demo`, {machine()}. Each seed has its own videos and trainings, and",
        f"{rows[0].outcome.num_videos} test videos; attention is held against the truth in all of them.",
        "",
        f"| | {' | '.join(seeds)} | mean | chance |",
        f"|---|{'---|' * (len(rows) + 2)}",
    ]
    for name, (figure, chance) in FIGURES.items():
        values = [figure(row) for row in rows]
        digits = 3 if name.endswith("area") else 0 if name.startswith(("videos", "sec", "proc")) else 1
        by_chance = "–" if chance is None else f"{np.mean([chance(row) for row in rows]):.{max(digits, 1)}f}"
        cells = [f"{value:.{digits}f}" for value in values]
        lines.append(f"| {name} | {' | '.join(cells)} | {np.mean(values):.{max(digits, 1)}f} | {by_chance} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
