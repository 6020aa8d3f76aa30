"""Accuracy class by class, as a picture and as CSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attcell.report.figures.classes import per_class_csv, per_class_picture
from attcell.report.figures.style import ACCENT
from attcell.report.lines import class_lines


@pytest.mark.parametrize("num_classes", [1, 12, 101, 487])
def test_a_picture_that_grows_with_the_classes(num_classes: int, tmp_path: Path) -> None:
    values = np.linspace(0, 100, num_classes)
    per_class_picture([f"class {n}" for n in range(num_classes)], values, tmp_path / "a.png", "Test")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert 100 < picture.height < 5100


def accented(path: Path) -> np.ndarray:
    """(H, W) where the picture has the bars' colour."""
    colour = [int(ACCENT[place : place + 2], 16) for place in (1, 3, 5)]
    return (np.abs(np.asarray(Image.open(path).convert("RGB")).astype(int) - colour) < 12).all(axis=2)


def test_bars_are_as_long_as_the_gains(tmp_path: Path) -> None:
    own, rival = np.array([40.0, 90.0, 20.0, np.nan]), np.array([20.0, 50.0, 30.0, np.nan])
    per_class_picture(["a", "b", "c", "none"], own, tmp_path / "g.png", "Test", rival, ("tan", "two stream"))
    bars = accented(tmp_path / "g.png").sum(axis=1)
    lengths = [int(run.max()) for run in np.split(bars, np.flatnonzero(np.diff(bars > 0)) + 1) if run[0] > 0]
    assert len(lengths) == 2, "the third is a loss, in another colour"
    assert lengths[0] / lengths[1] == pytest.approx(2, abs=0.05)


def test_all_figures_alike_and_no_gain_at_all(tmp_path: Path) -> None:
    per_class_picture(["a"], np.array([0.0]), tmp_path / "a.png", "Test")
    per_class_picture(["a"], np.array([50.0]), tmp_path / "b.png", "Test", np.array([50.0]))
    assert not accented(tmp_path / "a.png").any()


def test_csv_and_lines(tmp_path: Path) -> None:
    labels, counts = ["a", "b, c", "none"], np.array([3, 2, 0])
    own, rival = np.array([100 / 3, 50.0, np.nan]), np.array([0.0, 50.0, np.nan])
    per_class_csv(labels, counts, own, tmp_path / "g.csv", rival)
    assert (tmp_path / "g.csv").read_text() == (
        "class,videos,accuracy,rival,gain\n"
        'a,3,33.3333,0.0000,33.3333\n"b, c",2,50.0000,50.0000,0.0000\nnone,0,,,\n'
    )
    per_class_csv(labels, counts, own, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().splitlines()[:2] == ["class,videos,accuracy", '"b, c",2,50.0000']
    assert class_lines(labels, counts, own, rival) == [
        "a     33.33 % of 3 videos, +33.33 against 0.00 %",
        "b, c  50.00 % of 2 videos, +0.00 against 50.00 %",
        "mean of 2 classes: 41.67 %, +16.67 against 25.00 %",
    ]
    assert class_lines(labels, counts, own)[-1] == "mean of 2 classes: 41.67 %"
