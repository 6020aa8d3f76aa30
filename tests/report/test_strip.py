from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attcell.errors import CallError, ModelError
from attcell.records import Prediction
from attcell.report.strip import attention_strip, chosen_segments


def test_the_strip_is_one_column_a_segment(
    make_prediction: Callable[..., Prediction], tmp_path: Path
) -> None:
    attention_strip(make_prediction(num_segments=3), tmp_path / "three.png")
    attention_strip(make_prediction(num_segments=6), tmp_path / "six.png")
    with Image.open(tmp_path / "three.png") as three, Image.open(tmp_path / "six.png") as six:
        assert three.format == six.format == "PNG"
    assert six.height == pytest.approx(three.height, abs=2)
    assert six.width == pytest.approx(2 * three.width, rel=0.1)


def test_the_strip_shows_the_attention_of_the_asked_stream(
    make_prediction: Callable[..., Prediction], tmp_path: Path
) -> None:
    prediction = make_prediction(streams=("frame", "flow"))
    attention_strip(prediction, tmp_path / "frame.png")
    attention_strip(prediction, tmp_path / "flow.png", stream="flow")
    assert (tmp_path / "frame.png").read_bytes() != (tmp_path / "flow.png").read_bytes()


def test_many_segments_are_chosen_evenly() -> None:
    assert chosen_segments(4, 10) == [0, 1, 2, 3]
    assert chosen_segments(25, 5) == [2, 7, 12, 17, 22]
    assert chosen_segments(70, 1) == [35]


def test_labels_are_shown_as_they_are(make_prediction: Callable[..., Prediction], tmp_path: Path) -> None:
    attention_strip(make_prediction(labels=("$x_{", "走る 🏃")), tmp_path / "strip.png")
    assert (tmp_path / "strip.png").exists()


def test_bad_calls(make_prediction: Callable[..., Prediction], tmp_path: Path) -> None:
    path = tmp_path / "strip.png"
    with pytest.raises(CallError, match=r"no attention of a stream 'sound' .* it has 'frame', 'flow'"):
        attention_strip(make_prediction(streams=("frame", "flow")), path, stream="sound")
    with pytest.raises(CallError, match="max_segments is 0; a strip needs at least 1"):
        attention_strip(make_prediction(), path, max_segments=0)
    with pytest.raises(ModelError, match="temporal_attention holds values that are not finite"):
        attention_strip(make_prediction(temporal_attention=np.full(4, np.nan)), path)
    assert list(tmp_path.iterdir()) == []
