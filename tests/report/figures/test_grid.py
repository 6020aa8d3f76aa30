"""Pictures of segments side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attcell.errors import CallError, ModelError
from attcell.report.figures.grid import PictureRow, chosen_segments, draw_grid, segments_to_show

CYAN = np.array([0x22, 0xD3, 0xEE])


def drawn(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(int)


def plain(colour: tuple[int, int, int], count: int) -> list[np.ndarray]:
    return [np.full((36, 64, 3), colour, np.uint8)] * count


def share_of(picture: np.ndarray, colour: np.ndarray) -> float:
    return float((np.abs(picture - colour).max(axis=-1) < 8).mean())


def test_many_segments_are_chosen_evenly() -> None:
    assert chosen_segments(4, 10) == [0, 1, 2, 3]
    assert chosen_segments(25, 5) == [2, 7, 12, 17, 22]
    assert chosen_segments(70, 1) == [35]


def test_bad_calls(make_prediction) -> None:
    with pytest.raises(CallError, match="max_segments is 0; a strip needs at least 1"):
        segments_to_show(make_prediction(), 0)
    with pytest.raises(ModelError, match="temporal_attention holds values that are not finite"):
        segments_to_show(make_prediction(temporal_attention=np.full(4, np.nan)), 10)
    assert segments_to_show(make_prediction(num_segments=6), 3) == [1, 3, 5]


def test_a_row_of_pictures_is_one_cell_higher(make_prediction, tmp_path: Path) -> None:
    prediction, shown = make_prediction(), [0, 1, 2, 3]
    row = PictureRow("video", "detail", plain((10, 20, 30), 4))
    draw_grid(prediction, shown, [row], tmp_path / "one.png")
    draw_grid(prediction, shown, [row, row], tmp_path / "two.png")
    one, two = drawn(tmp_path / "one.png"), drawn(tmp_path / "two.png")
    assert two.shape[0] - one.shape[0] == pytest.approx(100 * (1.5 * 36 / 64 + 0.06), abs=2)
    assert two.shape[1] == one.shape[1]
    colour = np.array([10, 20, 30])
    assert share_of(one, colour) * one.size == pytest.approx(share_of(two, colour) * two.size / 2, rel=0.03)


def test_a_box_is_drawn_where_it_is_and_only_there(make_prediction, tmp_path: Path) -> None:
    boxes = np.full((4, 1, 4), np.nan)
    boxes[2, 0] = 0.25, 0.5, 0.75, 1.0
    for name, given in (("with", boxes), ("without", None)):
        row = PictureRow("video", "", plain((128, 128, 128), 4), given)
        draw_grid(make_prediction(), [0, 1, 2, 3], [row], tmp_path / f"{name}.png")
    without, with_ = drawn(tmp_path / "without.png"), drawn(tmp_path / "with.png")
    assert share_of(without, CYAN) == 0
    grey = np.nonzero((without == 128).all(axis=-1))
    top, bottom, left, right = grey[0].min(), grey[0].max(), grey[1].min(), grey[1].max()
    rows, columns = np.nonzero(np.abs(with_ - CYAN).max(axis=-1) < 8)
    width, height = (right - left + 1 - 3 * 6) / 4, bottom - top + 1
    start = left + 2 * (width + 6)
    assert (columns.min() - start) / width == pytest.approx(0.25, abs=0.03)
    assert (columns.max() - start) / width == pytest.approx(0.75, abs=0.03)
    assert (rows.min() - top) / height == pytest.approx(0.5, abs=0.05)
    assert (rows.max() - top) / height == pytest.approx(1.0, abs=0.05)


def test_late_fusion_has_bars_for_each_stream_on_one_scale(make_prediction, tmp_path: Path) -> None:
    row = PictureRow("video", "", plain((128, 128, 128), 2))
    weights = {"frame": np.array([0.8, 0.2]), "flow": np.array([0.6, 0.4])}
    mean = np.array([0.7, 0.3])
    late = make_prediction(num_segments=2, temporal_attention=mean, temporal_attention_by_stream=weights)
    early = make_prediction(num_segments=2, temporal_attention=mean)
    draw_grid(late, [0, 1], [row], tmp_path / "late.png")
    draw_grid(early, [0, 1], [row], tmp_path / "early.png")
    picture = drawn(tmp_path / "late.png")
    assert picture.shape[0] - drawn(tmp_path / "early.png").shape[0] == pytest.approx(160, abs=2)
    bars = np.abs(picture - np.array([0xC2, 0x41, 0x0C])).max(axis=-1) < 8
    columns = np.nonzero(bars.any(axis=0))[0]
    middles = columns[0] + 37, columns[-1] - 37
    areas = [[bars[start:stop, x].sum() for x in middles] for start, stop in runs(bars[:, middles[0]])]
    heights = np.array(areas) / areas[0][0] * 0.8
    np.testing.assert_allclose(heights, [[0.8, 0.2], [0.6, 0.4], [0.7, 0.3]], atol=0.06)


def runs(marks: np.ndarray) -> list[tuple[int, int]]:
    """Where each run of marks begins and ends; a gap of a few pixels, as the dashed line leaves, joins."""
    at = np.nonzero(marks)[0]
    breaks = np.nonzero(np.diff(at) > 8)[0]
    starts, stops = [at[0], *at[breaks + 1]], [*at[breaks], at[-1]]
    return [(int(start), int(stop) + 1) for start, stop in zip(starts, stops, strict=True)]


def test_a_wheel_stands_beside_a_row_of_flow(make_prediction, tmp_path: Path) -> None:
    for name, scale in (("plain", None), ("wheel", 2.5)):
        row = PictureRow("flow", "", plain((128, 128, 128), 4), scale=scale)
        draw_grid(make_prediction(), [0, 1, 2, 3], [row], tmp_path / f"{name}.png")
    plain_width, picture = drawn(tmp_path / "plain.png").shape[1], drawn(tmp_path / "wheel.png")
    assert picture.shape[1] > plain_width + 30
    right = picture[:, plain_width - 20 :]
    saturated = (right.max(axis=-1) - right.min(axis=-1)) > 200
    assert saturated.sum() > 200
