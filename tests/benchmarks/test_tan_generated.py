"""The benchmark of TAN: its recipes are valid, and its verdicts follow from the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from attcell.config.recipe import check_recipe
from benchmarks.tan_generated import FUSION, OTHERS, STAGES, Run, _orders, _recipe, markdown

RUNS = (*STAGES, *FUSION, *OTHERS)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_each_recipe_is_valid_and_begins_with_a_run_before_it(run: Run) -> None:
    recipe = check_recipe(_recipe(run, Path("out"), 3), source="benchmark")
    assert recipe.train.seed == 3
    before = {other.name: other for other in RUNS}
    for name in (run.cnn, run.init_from):
        assert name is None or before[name] in STAGES
    if run.cnn is not None:
        assert before[run.cnn].kind == "cnn"
    if run.init_from is not None:
        assert before[run.init_from].kind == run.kind


def test_passes_over_the_target_are_alike_with_and_without_a_stage() -> None:
    stage = {run.name: run.epochs for run in STAGES}
    with_stage = {stage[run.cnn] + run.epochs for run in FUSION if run.cnn == "CNN"}
    without = {run.epochs for run in OTHERS if run.cnn is None and run.init_from is None}
    assert with_stage == without


def rows(**top1: list[float]) -> list[dict[str, float | str]]:
    """Rows of all runs, at 50 % but for some."""
    return [
        {"network": run.name, "seed": seed, "top1": top1.get(run.name, [50.0] * 3)[seed], "top1_frame": 1.0}
        | {"top1_flow": 2.0}
        for run in RUNS
        for seed in range(3)
    ]


@pytest.mark.parametrize(
    ("tan", "verdict"),
    [
        ([51, 52, 53], "held on every seed | +1.0, +2.0, +3.0"),
        ([49, 52, 53], "held in the mean | -1.0, +2.0, +3.0"),
        ([50, 50, 50], "**not held** | +0.0, +0.0, +0.0"),
    ],
)
def test_an_order_is_held_or_not(tan: list[float], verdict: str) -> None:
    assert _orders(rows(TAN=tan))[2] == f"| TAN is above averaging | {verdict} |"


def test_the_table_has_every_run() -> None:
    text = markdown(rows(), 3, 1.0)
    for run in (*FUSION, *OTHERS):
        assert f"| {run.name} | 50.0 ± 0.0 | 50.0, 50.0, 50.0 | 1.0 ± 0.0 | 2.0 ± 0.0 |" in text
