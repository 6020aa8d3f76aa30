"""A figure by the number of test segments: the picture is drawn, and the CSV holds every run."""

from __future__ import annotations

import csv

import numpy as np
from PIL import Image

from attcell.report.figures.curves import segment_csv, segment_curve

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
