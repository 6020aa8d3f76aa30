"""What must be true of a prediction before it is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attcell.errors import CallError, ModelError
from attcell.flow.colours import flow_colours
from attcell.metrics.localization import mean_maps
from attcell.report.colours import OUTSIDE_BRIGHTNESS, RAMP, SHADE
from attcell.report.overlay import (
    check,
    heat_levels,
    layers_of,
    overlay,
    peak_weight,
    pixel_box,
)


def one_hot(row: int, column: int, num_regions: int = 7) -> np.ndarray:
    attention = np.zeros((num_regions, num_regions))
    attention[row, column] = 1
    return attention


def test_the_scale_grows_in_opacity_and_brightness() -> None:
    opacity, light = RAMP[:, 3].astype(int), RAMP[:, :3].astype(int) @ np.array([2, 7, 1])
    assert opacity[0] == 0
    assert opacity[-1] == 255
    assert (np.diff(opacity) >= 0).all()
    assert (np.diff(light) >= 0).all()


def test_heat_is_hottest_at_the_attended_region_and_clear_elsewhere() -> None:
    heat = RAMP[heat_levels(one_hot(1, 5), peak=1.0)]
    assert heat.shape == (112, 112, 4)
    assert heat.dtype == np.uint8
    y, x = np.unravel_index(heat[..., 3].argmax(), heat.shape[:2])
    assert (y // 16, x // 16) == (1, 5)
    assert heat[24, 88, 3] > 250
    assert heat[80:, :48, 3].max() == 0


@given(num_regions=st.integers(1, 14), peak=st.floats(1e-4, 1), data=st.data())
def test_no_weights_are_clear_and_weights_from_the_peak_on_are_opaque(num_regions, peak, data) -> None:
    weight = data.draw(st.floats(peak, 2))
    shape = (num_regions, num_regions)
    assert RAMP[heat_levels(np.zeros(shape), peak)][..., 3].max() == 0
    assert RAMP[heat_levels(np.full(shape, weight), peak)][..., 3].min() >= 253


def test_the_peak_is_the_largest_weight_but_even_attention_does_not_glow() -> None:
    even = np.full((3, 7, 7), 1 / 49)
    assert peak_weight(even) == pytest.approx(5 / 49)
    assert RAMP[heat_levels(even[0], peak_weight(even))][..., 3].max() < 110
    maps = even.copy()
    maps[1] = one_hot(3, 3)
    assert peak_weight(maps) == 1.0


def test_overlay_changes_only_what_was_attended_and_dims_what_was_not_seen() -> None:
    frame = np.full((40, 80, 3), 100, np.uint8)
    before = frame.copy()
    picture = overlay(frame, one_hot(0, 0, 4), (0.25, 0.0, 0.75, 1.0), peak=1.0)
    assert picture.shape == frame.shape
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(frame, before)
    np.testing.assert_array_equal(picture[:, :20], round(100 * OUTSIDE_BRIGHTNESS))
    np.testing.assert_array_equal(picture[:, 60:], round(100 * OUTSIDE_BRIGHTNESS))
    np.testing.assert_array_equal(picture[25:, 45:60], 100)
    assert picture[5, 25, 0] > 170


def test_no_strength_leaves_the_frame() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(overlay(frame, one_hot(2, 2), (0, 0, 1, 1), 1.0, strength=0), frame)


@given(sides=st.tuples(*[st.floats(-0.1, 1.1)] * 4), width=st.integers(1, 50), height=st.integers(1, 50))
def test_the_box_lies_in_the_frame_and_is_never_empty(sides, width, height) -> None:
    x0, y0, x1, y1 = pixel_box(sides, width, height)
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height


@pytest.mark.parametrize(
    ("num_regions", "side"), [(1, 16), (4, 64), (7, 112), (14, 112), (28, 112), (50, 200)]
)
def test_heat_stays_small_for_fine_maps(num_regions: int, side: int) -> None:
    assert RAMP[heat_levels(np.zeros((num_regions, num_regions)), 1.0)].shape == (side, side, 4)


def test_the_shade_is_black_that_clears_up() -> None:
    assert (SHADE[:, :3] == 0).all()
    assert SHADE[[0, -1], 3].tolist() == [255, 0]
    assert (np.diff(SHADE[:, 3].astype(int)) <= 0).all()


def test_a_shade_lights_what_was_attended_and_keeps_its_colours() -> None:
    frame = np.full((40, 80, 3), (200, 100, 0), np.uint8)
    picture = overlay(frame, one_hot(0, 0, 4), (0.25, 0.0, 0.75, 1.0), 0.8, 0.75, SHADE)
    np.testing.assert_array_equal(picture[3, 23], (200, 100, 0))
    np.testing.assert_array_equal(picture[35, 55], (50, 25, 0))
    np.testing.assert_array_equal(picture[:, :20], np.broadcast_to((50, 25, 0), (40, 20, 3)))


def test_the_mean_of_maps_of_one_size_is_the_mean() -> None:
    maps = np.random.default_rng(0).dirichlet(np.ones(49), (2, 3)).reshape(2, 3, 7, 7)
    np.testing.assert_allclose(mean_maps(list(maps)), maps.mean(axis=0), rtol=1e-5)


def test_the_mean_of_maps_of_several_sizes_is_of_the_largest_and_sums_to_one() -> None:
    fine, coarse = one_hot(1, 5)[None], one_hot(1, 0, 2)[None]
    mean = mean_maps([coarse, fine])
    assert mean.shape == (1, 7, 7)
    assert mean.sum() == pytest.approx(1)
    assert mean[0, 1, 5] == pytest.approx(0.5, abs=0.02)
    assert mean[0, 4:, :3].sum() > 0.3


def test_whole_predictions_pass(make_prediction):
    check(make_prediction())
    check(
        make_prediction(
            num_segments=3,
            streams=("frame", "flow"),
            flow=np.zeros((3, 2, 5, 6)),
            temporal_attention_by_stream={"frame": np.full(3, 1 / 3), "flow": np.full(3, 1 / 3)},
        )
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": np.ones(3)}, r"scores has shape \(3,\), but 4 frames and 7 labels ask for \(7,\)"),
        ({"spatial_attention": {"flow": np.ones((3, 7, 7))}}, r"spatial_attention\['flow'\] has shape"),
        (
            {"temporal_attention_by_stream": {"flow": np.ones(5)}},
            r"temporal_attention_by_stream\['flow'\] has shape \(5,\), but 4 frames",
        ),
        ({"flow": np.zeros((4, 3, 8, 8))}, r"flow has shape \(4, 3, 8, 8\), but 4 .* \(4, 2, 8, 8\)"),
        ({"flow": np.zeros((2, 2, 8, 8))}, r"flow has shape \(2, 2, 8, 8\), but 4 .* \(4, 2, 8, 8\)"),
        ({"frames": np.zeros((0, 8, 8, 3), np.uint8)}, "the prediction holds no pictures"),
        (
            {"frames": np.zeros((0, 8, 8, 3), np.uint8), "segments_seconds": np.zeros((0, 2))},
            "the prediction holds no segment",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(make_prediction, changes, message):
    with pytest.raises(CallError, match=message):
        check(make_prediction(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"flow": np.full((4, 2, 8, 8), np.inf)},
        {"temporal_attention_by_stream": {"flow": np.full(4, np.nan)}},
    ],
)
def test_values_that_are_not_finite_are_refused(make_prediction, changes):
    with pytest.raises(ModelError, match="holds values that are not finite numbers"):
        check(make_prediction(**changes))


@pytest.fixture
def flow() -> np.ndarray:
    """Four segments: the left half moves 3 pixels a frame to the right, at the end 6."""
    flow = np.zeros((4, 2, 18, 32), np.float32)
    flow[:, 0, :, :16] = 3
    flow[3] *= 2
    return flow


def test_flow_is_seen_in_colours_and_other_streams_on_the_frame(make_prediction, flow):
    prediction = make_prediction(streams=("frame", "flow", "clip"), flow=flow)
    layers = layers_of(prediction)
    assert [layer.name for layer in layers] == ["frame", "flow", "clip"]
    assert [layer.scale for layer in layers] == [None, 6.0, None]
    for layer in (layers[0], layers[2]):
        assert layer.ramp is RAMP
        np.testing.assert_array_equal(layer.picture(prediction, 1), prediction.frames[1])
    assert layers[1].ramp is SHADE
    np.testing.assert_array_equal(layers[1].picture(prediction, 3), flow_colours(flow[3], 6.0))
    assert layers[1].picture(prediction, 1)[0, 0].tolist() == [255, 127, 127]


def test_each_stream_has_its_own_scale_of_attention(make_prediction):
    maps = {"frame": np.full((4, 7, 7), 1 / 49), "clip": np.zeros((4, 2, 2))}
    maps["clip"][:, 0, 0] = 1
    frame, clip = layers_of(make_prediction(spatial_attention=maps))
    assert (frame.even, frame.peak) == pytest.approx((1 / 49, 5 / 49))
    assert (clip.even, clip.peak) == (0.25, 1.0)


def test_a_flow_stream_without_its_flow_is_shown_on_the_frame(make_prediction):
    prediction = make_prediction(streams=("flow",))
    (layer,) = layers_of(prediction)
    assert layer.ramp is RAMP
    np.testing.assert_array_equal(layer.picture(prediction, 0), prediction.frames[0])


def test_the_attended_picture_is_the_overlay_on_what_was_seen(make_prediction, flow):
    prediction = make_prediction(streams=("frame", "flow"), flow=flow)
    frame, moved = layers_of(prediction)
    area = prediction.attended_area
    np.testing.assert_array_equal(
        frame.attended(prediction, 2), overlay(prediction.frames[2], frame.maps[2], area, frame.peak, 0.75)
    )
    seen = flow_colours(flow[2], 6.0)
    np.testing.assert_array_equal(
        moved.attended(prediction, 2), overlay(seen, moved.maps[2], area, moved.peak, 0.75, SHADE)
    )
