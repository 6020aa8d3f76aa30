"""Fig. 4: segments, each stream's attention, temporal attention."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attcell.errors import CallError, ModelError
from attcell.report.figures.paper import attention_strip
from attcell.types import Prediction


def test_the_strip_is_one_column_a_segment_up_to_the_most(
    make_prediction: Callable[..., Prediction], tmp_path: Path
) -> None:
    widths, heights = {}, set()
    for count in (3, 6, 9, 25):
        attention_strip(make_prediction(num_segments=count), tmp_path / "strip.png", max_segments=9)
        with Image.open(tmp_path / "strip.png") as strip:
            assert strip.format == "PNG"
            widths[count] = strip.width
            heights.add(strip.height)
    assert max(heights) - min(heights) <= 2
    assert widths[9] - widths[6] == pytest.approx(widths[6] - widths[3], abs=3)
    assert widths[25] == pytest.approx(widths[9], abs=10)


def test_the_strip_has_a_row_for_each_stream(
    make_prediction: Callable[..., Prediction], tmp_path: Path
) -> None:
    heights = []
    for streams in (("frame",), ("frame", "flow"), ("frame", "flow", "clip")):
        flow = np.full((4, 2, 9, 16), 1.0) if "flow" in streams else None
        attention_strip(make_prediction(streams=streams, flow=flow), tmp_path / "strip.png")
        with Image.open(tmp_path / "strip.png") as strip:
            heights.append(strip.height)
    assert heights[2] - heights[1] == pytest.approx(heights[1] - heights[0], abs=2)
    assert heights[1] - heights[0] == pytest.approx(90, abs=3)


def test_flow_is_drawn_in_colours(make_prediction: Callable[..., Prediction], tmp_path: Path) -> None:
    maps = np.full((4, 1, 1), 1.0)
    flow = np.zeros((4, 2, 9, 16))
    flow[:, 0] = 3.0
    attention_strip(
        make_prediction(spatial_attention={"flow": maps}, flow=flow, attended_area=(0, 0, 1, 1)),
        tmp_path / "strip.png",
    )
    with Image.open(tmp_path / "strip.png") as strip:
        picture = np.asarray(strip.convert("RGB")).astype(int)
    red = (np.abs(picture - np.array([255, 0, 0])).max(axis=-1) < 8).sum()
    assert red == pytest.approx(4 * 150 * 150 * 36 / 64, rel=0.05)


def test_labels_are_shown_as_they_are(make_prediction: Callable[..., Prediction], tmp_path: Path) -> None:
    attention_strip(make_prediction(labels=("$x_{", "走る 🏃")), tmp_path / "strip.png")
    assert (tmp_path / "strip.png").exists()


def test_bad_calls(make_prediction: Callable[..., Prediction], tmp_path: Path) -> None:
    path = tmp_path / "strip.png"
    with pytest.raises(CallError, match="max_segments is 0; a strip needs at least 1"):
        attention_strip(make_prediction(), path, max_segments=0)
    with pytest.raises(ModelError, match="temporal_attention holds values that are not finite"):
        attention_strip(make_prediction(temporal_attention=np.full(4, np.nan)), path)
    assert list(tmp_path.iterdir()) == []
