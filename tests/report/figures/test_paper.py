"""Fig. 4: segments, each stream's attention, temporal attention."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attcell.data.truth import BoxedVideo
from attcell.errors import CallError, ModelError
from attcell.report.figures.paper import attention_strip, localization_strip, picture_names, write_pictures
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


def test_bad_calls_of_the_mean(make_prediction, tmp_path: Path) -> None:
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


def test_a_stream_that_hears_has_a_row_of_its_own_and_is_over_no_frame(
    make_hearing, make_prediction, tmp_path: Path
) -> None:
    attention_strip(make_prediction(), tmp_path / "seen.png")
    attention_strip(make_hearing(), tmp_path / "heard.png")
    seen, heard = drawn(tmp_path / "seen.png"), drawn(tmp_path / "heard.png")
    assert heard.shape[0] - seen.shape[0] == pytest.approx(90, abs=3)
    rows = 30 + 2 * 90  # title, frames, and the attention over them
    assert heard[:rows, -600:].mean() == pytest.approx(seen[:rows, -600:].mean(), abs=1)
    row = heard[rows + 5 : rows + 80, -600:]
    assert (row[..., 0] > row[..., 2] + 80).any()  # warm where the attention is
    for name, make in (("seen", make_prediction), ("heard", make_hearing)):
        localization_strip(make(), tmp_path / f"{name}-mean.png")
    np.testing.assert_array_equal(drawn(tmp_path / "seen-mean.png"), drawn(tmp_path / "heard-mean.png"))


def test_where_all_streams_hear_there_is_no_mean_over_frames(make_hearing, tmp_path: Path) -> None:
    write_pictures([make_hearing(streams=())], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["some video-attention.png"]
