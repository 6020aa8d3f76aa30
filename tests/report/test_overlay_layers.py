"""What is drawn of each stream."""

from __future__ import annotations

import numpy as np
import pytest

from attcell.flow.colours import flow_colours
from attcell.report.overlay import RAMP, SHADE, layers_of, overlay


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
