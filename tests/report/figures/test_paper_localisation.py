"""Fig. 6: the mean of the streams' attention beside true boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attcell.errors import CallError, ModelError
from attcell.report.figures.paper import localization_strip


def drawn(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_streams_of_any_number_make_one_row(make_prediction, tmp_path: Path) -> None:
    one, two = make_prediction(), make_prediction(streams=("frame", "flow"))
    localization_strip(one, tmp_path / "one.png")
    localization_strip(two, tmp_path / "two.png")
    first, second = drawn(tmp_path / "one.png"), drawn(tmp_path / "two.png")
    assert first.shape[0] == pytest.approx(second.shape[0], abs=2)


def test_the_mean_glows_where_both_streams_look(make_prediction, tmp_path: Path) -> None:
    maps = {name: np.zeros((4, 4, 4)) for name in ("frame", "flow")}
    maps["frame"][:, 0, 0] = maps["flow"][:, 3, 3] = 1
    dark = np.zeros((4, 36, 64, 3), np.uint8)
    prediction = make_prediction(spatial_attention=maps, frames=dark, attended_area=(0, 0, 1, 1))
    localization_strip(prediction, tmp_path / "mean.png")
    picture = drawn(tmp_path / "mean.png")
    # The dark frames above, the attention below: find the cells by the black of the first row.
    rows, columns = np.nonzero((picture == 0).all(axis=-1))
    top, left = rows.min(), columns[rows == rows.min() + 30].min()
    cell = picture[top + 90 : top + 90 + 84, left : left + 150]
    assert cell[10, 18, 0] > 120
    assert cell[73, 131, 0] > 120
    assert cell[42, 75].max() < 30
    assert abs(cell[10, 18] - cell[73, 131]).max() < 40


def test_true_boxes_are_drawn(make_prediction, tmp_path: Path) -> None:
    boxes = np.full((4, 1, 4), np.nan)
    boxes[1, 0] = 0.2, 0.2, 0.6, 0.8
    localization_strip(make_prediction(), tmp_path / "plain.png")
    localization_strip(make_prediction(), tmp_path / "boxes.png", boxes)
    cyan = np.array([0x22, 0xD3, 0xEE])
    counts = [
        (np.abs(drawn(tmp_path / name) - cyan).max(axis=-1) < 8).sum() for name in ("plain.png", "boxes.png")
    ]
    assert counts[0] == 0
    assert counts[1] > 100


def test_of_many_segments_an_even_choice_keeps_its_boxes(make_prediction, tmp_path: Path) -> None:
    boxes = np.full((20, 1, 4), np.nan)
    boxes[5, 0] = 0.2, 0.2, 0.6, 0.8  # of 20, five are shown: 2, 6, 10, 14, 18
    localization_strip(make_prediction(num_segments=20), tmp_path / "none.png", boxes, max_segments=5)
    boxes[6] = boxes[5]
    localization_strip(make_prediction(num_segments=20), tmp_path / "one.png", boxes, max_segments=5)
    assert (drawn(tmp_path / "none.png") != drawn(tmp_path / "one.png")).any()


def test_bad_calls(make_prediction, tmp_path: Path) -> None:
    path = tmp_path / "strip.png"
    with pytest.raises(CallError, match="holds no spatial attention; nothing to average"):
        localization_strip(make_prediction(spatial_attention={}), path)
    with pytest.raises(CallError, match=r"boxes have shape \(3, 4\); 4 segments ask for \(4, M, 4\)"):
        localization_strip(make_prediction(), path, np.zeros((3, 4)))
    with pytest.raises(CallError, match="max_segments is 0"):
        localization_strip(make_prediction(), path, max_segments=0)
    with pytest.raises(ModelError, match="scores holds values that are not finite"):
        localization_strip(make_prediction(scores=np.full(7, np.nan)), path)
    assert list(tmp_path.iterdir()) == []
