"""Pictures of predictions in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from attcell.data.truth import BoxedVideo
from attcell.errors import CallError
from attcell.report.figures.paper import picture_names, write_pictures


@pytest.mark.parametrize(
    ("videos", "names"),
    [
        (["a/b/x.mp4"], ["x"]),
        (["a/b/x.mp4", "a/c/x.mp4"], ["b-x", "c-x"]),
        (["a/x.mp4", "a/x.mp4", "a/x.mp4"], ["x", "x-2", "x-3"]),
        (["x.mp4", "x.avi"], ["x", "x-2"]),
        (["a/x-2.mp4", "a/x.mp4", "a/x.avi"], ["x-2", "x", "x-3"]),
        (["a.b.mp4"], ["a.b"]),
        (["/"], ["video"]),
    ],
)
def test_names_differ(videos: list[str], names: list[str]) -> None:
    assert picture_names(videos) == names


def test_two_pictures_of_each(make_prediction, tmp_path: Path) -> None:
    write_pictures([make_prediction(), make_prediction(video="b.mp4")], tmp_path / "looks")
    assert sorted(path.name for path in (tmp_path / "looks").iterdir()) == [
        "b-attention.png",
        "b-mean.png",
        "some video-attention.png",
        "some video-mean.png",
    ]


def test_the_truth_is_drawn_in_the_mean_alone(make_prediction, tmp_path: Path) -> None:
    prediction = make_prediction()
    boxes = np.tile([0.2, 0.2, 0.8, 0.8], (120, 1, 1))
    truth = {prediction.video: BoxedVideo(10.0, boxes, np.ones(120, bool))}
    write_pictures([prediction], tmp_path / "with", truth)
    write_pictures([prediction], tmp_path / "without")
    for name, alike in (("attention", True), ("mean", False)):
        pair = [(tmp_path / place / f"some video-{name}.png").read_bytes() for place in ("with", "without")]
        assert (pair[0] == pair[1]) is alike


def test_a_prediction_without_attention_is_refused_before_anything_is_written(
    make_prediction, tmp_path: Path
) -> None:
    blind = make_prediction(video="b.mp4", spatial_attention={})
    with pytest.raises(CallError, match=r"^b\.mp4: the prediction holds no attention; there is nothing"):
        write_pictures([make_prediction(), blind], tmp_path)
    assert not list(tmp_path.iterdir())
