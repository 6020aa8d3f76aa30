"""Charts: the confusion matrix, accuracy class by class, and a figure by the number of test segments."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attcell.errors import CallError
from attcell.report.colours import ACCENT
from attcell.report.figures.charts import (
    confusion_picture,
    per_class_picture,
    row_shares,
    segment_csv,
    segment_curve,
)
from attcell.report.figures.style import shortened
from attcell.report.lines import class_lines
from attcell.results.recognition_metrics import ClassAccuracies


@pytest.mark.parametrize("num_classes", [1, 2, 20, 21, 101])
def test_a_picture_that_grows_with_the_classes(num_classes: int, tmp_path: Path) -> None:
    matrix = np.diag(np.arange(num_classes))
    confusion_picture(matrix, [f"class {n}" for n in range(num_classes)], tmp_path / "new" / "c.png", "Test")
    with Image.open(tmp_path / "new" / "c.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) >= num_classes * 22
        assert max(picture.size) < 4000


def test_dark_cells_lie_where_the_counts_are(tmp_path: Path) -> None:
    for name, matrix in (("right", np.eye(2, dtype=int)), ("wrong", 1 - np.eye(2, dtype=int))):
        confusion_picture(5 * matrix, ["a", "b"], tmp_path / f"{name}.png", "Test")
    right, wrong = (
        np.asarray(Image.open(tmp_path / f"{name}.png").convert("L")) for name in ("right", "wrong")
    )
    assert right.shape == wrong.shape
    rows, columns = np.nonzero(right.astype(int) - wrong < -100)
    first = (rows < rows.mean()) == (columns < columns.mean())
    assert first.all()


def test_rows_are_shares_and_a_class_without_videos_is_not_zero() -> None:
    shares = row_shares(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 2]]))
    np.testing.assert_allclose(shares[[0, 2]], [[0.75, 0.25, 0], [0, 0, 1]])
    assert np.isnan(shares[1]).all()


def test_long_labels_are_shortened() -> None:
    assert shortened("two\n lines") == "two lines"
    assert shortened("a" * 41) == "a" * 39 + "…"


def test_labels_are_shown_as_they_are(tmp_path: Path) -> None:
    confusion_picture(np.eye(2, dtype=int), ["$x_{", "走る 🏃"], tmp_path / "c.png", "$ and %")
    assert (tmp_path / "c.png").exists()


def test_bad_calls(tmp_path: Path) -> None:
    path = tmp_path / "c.png"
    with pytest.raises(CallError, match=r"shape \(2, 3\) does not fit 2 labels"):
        confusion_picture(np.zeros((2, 3), int), ["a", "b"], path, "Test")
    with pytest.raises(CallError, match=r"shape \(0, 0\) does not fit 0 labels"):
        confusion_picture(np.zeros((0, 0), int), [], path, "Test")
    with pytest.raises(CallError, match="none below 0; the least here is -1"):
        confusion_picture(np.array([[1, -1], [0, 1]]), ["a", "b"], path, "Test")
    assert not path.exists()


@pytest.mark.parametrize("num_classes", [1, 12, 101, 487])
def test_bars_that_grow_with_the_classes(num_classes: int, tmp_path: Path) -> None:
    values = np.linspace(0, 100, num_classes)
    found = ClassAccuracies([f"class {n}" for n in range(num_classes)], np.ones(num_classes, int), values)
    per_class_picture(found, tmp_path / "a.png", "Test")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert 100 < picture.height < 5100


def accented(path: Path) -> np.ndarray:
    """(H, W) where the picture has the bars' colour."""
    colour = [int(ACCENT[place : place + 2], 16) for place in (1, 3, 5)]
    return (np.abs(np.asarray(Image.open(path).convert("RGB")).astype(int) - colour) < 12).all(axis=2)


def test_bars_are_as_long_as_the_gains(tmp_path: Path) -> None:
    own, rival = np.array([40.0, 90.0, 20.0, np.nan]), np.array([20.0, 50.0, 30.0, np.nan])
    found = ClassAccuracies(["a", "b", "c", "none"], np.array([1, 1, 1, 0]), own, rival)
    per_class_picture(found, tmp_path / "g.png", "Test", ("tan", "two stream"))
    bars = accented(tmp_path / "g.png").sum(axis=1)
    lengths = [int(run.max()) for run in np.split(bars, np.flatnonzero(np.diff(bars > 0)) + 1) if run[0] > 0]
    assert len(lengths) == 2, "the third is a loss, in another colour"
    assert lengths[0] / lengths[1] == pytest.approx(2, abs=0.05)


def test_all_figures_alike_and_no_gain_at_all(tmp_path: Path) -> None:
    one = np.array([1])
    per_class_picture(ClassAccuracies(["a"], one, np.array([0.0])), tmp_path / "a.png", "Test")
    alike = ClassAccuracies(["a"], one, np.array([50.0]), np.array([50.0]))
    per_class_picture(alike, tmp_path / "b.png", "Test")
    assert not accented(tmp_path / "a.png").any()


def test_csv_and_lines() -> None:
    labels, counts = ["a", "b, c", "none"], np.array([3, 2, 0])
    own, rival = np.array([100 / 3, 50.0, np.nan]), np.array([0.0, 50.0, np.nan])
    beside, alone = ClassAccuracies(labels, counts, own, rival), ClassAccuracies(labels, counts, own)
    assert beside.to_csv() == (
        "class,videos,accuracy,rival,gain\n"
        'a,3,33.3333,0.0000,33.3333\n"b, c",2,50.0000,50.0000,0.0000\nnone,0,,,\n'
    )
    assert alone.to_csv().splitlines()[:2] == ["class,videos,accuracy", '"b, c",2,50.0000']
    assert class_lines(beside) == [
        "a     33.33 % of 3 videos, +33.33 against 0.00 %",
        "b, c  50.00 % of 2 videos, +0.00 against 50.00 %",
        "mean of 2 classes: 41.67 %, +16.67 against 25.00 %",
    ]
    assert class_lines(alone)[-1] == "mean of 2 classes: 41.67 %"


FIGURES = {5: [60.0, 64.0], 25: [70.0, 75.0], 10: [66.0, 65.0]}


def test_the_csv_has_a_row_for_each_number_in_order(tmp_path):
    segment_csv(FIGURES, "top1", tmp_path / "curve.csv")
    with (tmp_path / "curve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["segments"] for row in rows] == ["5", "10", "25"]
    assert [float(row["top1_mean"]) for row in rows] == [62, 65.5, 72.5]
    assert (rows[2]["top1_run1"], rows[2]["top1_run2"]) == ("70.0000", "75.0000")


def test_the_curve_rises_in_the_picture(tmp_path):
    """The mean's line is the only one in its colour: its right end is above its left end."""
    segment_curve(FIGURES, "top1", tmp_path / "curve.png", "mine")
    pixels = np.asarray(Image.open(tmp_path / "curve.png").convert("RGB")).astype(int)
    rows, columns = np.nonzero((np.abs(pixels - (0xC2, 0x41, 0x0C)) < 20).all(axis=2))
    assert len(rows) > 200
    left, right = columns <= columns.min() + 3, columns >= columns.max() - 3
    assert rows[right].mean() < rows[left].mean() - 50


def test_a_single_number_and_a_single_run_can_be_drawn(tmp_path):
    segment_curve({25: [50.0]}, "map", tmp_path / "one.png", "mine")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
