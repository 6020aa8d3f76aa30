"""Claims: how they are judged, and how the outcome is shown."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from attcell.metrics.statistics import mean_and_deviation
from attcell.research.claims import Claim, judge
from attcell.research.claims_report import as_csv, as_markdown, claims_picture

FIGURES = {"a": [90.0, 94.0], "b": [80.0, 80.0], "c": [70.0, 89.0], "wrong": [float("nan"), 1.0]}


def claim(better: str, worse: tuple[str, ...] = (), bound: float = 0.0, **more: Any) -> Claim:
    return Claim("better is better", "Table 1", better, worse, bound, **more)


@pytest.mark.parametrize(
    ("better", "worse", "bound", "is_held", "rule"),
    [
        ("a", ("b",), 0.0, True, "mean difference > 0"),
        ("a", ("b",), 12.0, True, "mean difference ≥ 12"),
        ("a", ("b",), 12.5, False, "mean difference ≥ 12.5"),
        ("b", ("a",), 0.0, False, "mean difference > 0"),
        ("a", ("a",), 0.0, False, "mean difference > 0"),
        ("a", (), 92.0, True, "mean ≥ 92"),
        ("a", (), 92.1, False, "mean ≥ 92.1"),
        ("wrong", ("b",), 0.0, False, "mean difference > 0"),
        ("a", ("wrong",), 0.0, False, "mean difference > 0"),
    ],
)
def test_a_claim_is_judged_by_its_rule(
    better: str, worse: tuple[str, ...], bound: float, is_held: bool, rule: str
) -> None:
    verdict = judge(claim(better, worse, bound), FIGURES)
    assert verdict.is_held is is_held
    assert verdict.claim.rule == rule
    assert verdict.is_failure is not is_held
    assert not judge(claim(better, worse, bound, is_expected=False), FIGURES).is_failure


def test_the_highest_mean_stands_for_several_rivals() -> None:
    verdict = judge(claim("a", ("c", "b")), FIGURES)
    assert verdict.worse == "b"
    assert verdict.gaps == (10.0, 14.0)


def test_mean_and_deviation() -> None:
    assert mean_and_deviation([1.0]) == "1.0"
    assert mean_and_deviation([90.0, 94.0]) == "92.0 ± 2.8"


def test_the_table_says_everything() -> None:
    verdicts = [
        judge(claim("a", ("b",)), FIGURES),
        judge(claim("b", ("a",)), FIGURES),
        judge(claim("c", (), 99, is_expected=False), FIGURES),
    ]
    text = as_markdown("Title", "What was measured.", verdicts, {"a|b": [1.0, 2.0]})
    assert "1 of 3 claims held; **1 that were expected to did not**." in text
    ours = "| better is better | Table 1 | a: 92.0 ± 2.8 | b: 80.0 ± 0.0 | 12.0 ± 2.8 | 10.0, 14.0 |"
    assert f"{ours} mean difference > 0 | held |" in text
    assert "| mean difference > 0 | **not held** |" in text
    assert "| – | – | 70.0, 89.0 | mean ≥ 99 | **not held** (not expected) |" in text
    assert "| a\\|b | 1.5 ± 0.7 | 1.0, 2.0 |" in text
    rows = list(csv.DictReader(io.StringIO(as_csv(verdicts))))
    assert rows[0]["difference_mean"] == "12.0000"
    assert rows[0]["by_seed"] == "10.0000 14.0000"
    assert [row["outcome"] for row in rows] == ["held", "not held", "not held"]
    assert [row["p"] for row in rows] == ["", "", ""]
    assert [row["expected"] for row in rows] == ["yes", "yes", "no"]
    assert (rows[2]["rival"], rows[2]["rival_mean"]) == ("", "")


def test_the_picture_has_a_row_a_claim(tmp_path: Path) -> None:
    verdicts = [judge(claim("a", ("b",), 5), FIGURES), judge(claim("c", (), 99), FIGURES)]
    heights = []
    for number in (1, 4):
        claims_picture(verdicts * number, tmp_path / "claims.png", "Claims")
        with Image.open(tmp_path / "claims.png") as picture:
            heights.append(picture.height)
    assert heights[1] - heights[0] == pytest.approx(6 * 0.44 * 150, abs=12)


def test_a_figure_that_no_seed_changes_stands_against_each() -> None:
    verdict = judge(claim("a", ("floor",)), {**FIGURES, "floor": [50.0]})
    assert verdict.gaps == (40.0, 44.0)
    assert "| floor: 50.0 | 42.0 ± 2.8 |" in as_markdown("Claims", "Setting.", [verdict], FIGURES)


def test_held_with_every_seed_and_held_in_the_mean_are_told_apart() -> None:
    figures = {"a": [90.0, 94.0], "b": [80.0, 95.0]}
    in_the_mean, throughout = judge(claim("a", ("b",)), figures), judge(claim("a", ("c",)), FIGURES)
    assert (in_the_mean.is_held, in_the_mean.is_held_throughout) == (True, False)
    assert throughout.is_held_throughout
    assert "| held in the mean |" in as_markdown("Claims", "Setting.", [in_the_mean], figures)
    assert "| held |" in as_markdown("Claims", "Setting.", [throughout], FIGURES)


@pytest.mark.parametrize(
    ("groups", "is_held", "shown"),
    [
        ([9.0, 9.5, 11.0, 12.0, 9.0, 12.0], True, "p = 0.031 "),  # 2 of 64 ways to flip signs
        ([9.0, 9.5, 11.0, 12.0, 9.0, 7.5], False, "p = 0.062 "),
    ],
)
def test_a_paired_test_over_groups_is_part_of_the_rule(
    groups: list[float], is_held: bool, shown: str
) -> None:
    by_group = {"a": groups, "b": [8.0] * 6}
    verdict = judge(claim("a", ("b",), significance_level=0.05), FIGURES, by_group)
    assert (verdict.is_held, verdict.is_held_throughout) == (is_held, is_held)
    assert verdict.claim.rule == "mean difference > 0, p ≤ 0.05"
    assert shown in as_markdown("Claims", "Setting.", [verdict], FIGURES)
    assert not judge(claim("a", ("b",), significance_level=0.05), FIGURES).is_held  # no test was made
