"""From frames to flow."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from attcell.errors import CallError
from attcell.flow import tvl1
from attcell.video.motion import METHODS, flow_fields, flow_method, grey
from tests.flow.conftest import known_pair


def coloured(picture: torch.Tensor) -> np.ndarray:
    return np.repeat(picture.round().clamp(0, 255).byte().numpy()[..., None], 3, axis=-1)


@pytest.mark.parametrize("pairs_at_once", [1, 2, 3, 16])
@pytest.mark.parametrize("num_frames", [0, 1, 2, 5, 6])
def test_a_field_for_each_two_frames_whatever_the_batches(num_frames, pairs_at_once):
    def difference(previous, following):
        return (following.float() - previous.float())[:, None].expand(-1, 2, -1, -1)

    frames = [np.full((4, 5, 3), 10 * number**2, np.uint8) for number in range(num_frames)]
    fields = list(flow_fields(iter(frames), difference, pairs_at_once))
    assert [field[0, 0, 0].item() for field in fields] == [
        10 * (2 * number + 1) for number in range(max(0, num_frames - 1))
    ]


def test_frames_are_taken_only_when_they_are_needed():
    taken = []

    def frames():
        for number in range(100):
            taken.append(number)
            yield np.zeros((4, 4, 3), np.uint8)

    fields = flow_fields(frames(), lambda previous, following: torch.zeros(len(previous), 2, 4, 4), 8)
    next(fields)
    assert len(taken) == 8


@pytest.mark.parametrize("name", METHODS)
def test_each_method_finds_known_motion(name):
    if name == "dis":
        pytest.importorskip("cv2")
    pair = known_pair(96, 128, shift=(2.0, -1.0))
    frames = [coloured(pair.previous), coloured(pair.following)]
    (field,) = flow_fields(frames, flow_method(name))
    assert field.dtype == torch.float32
    assert pair.error(field) < 0.3


def test_tvl1_methods_are_the_presets():
    pair = known_pair(32, 40, shift=(1.0, 0.0))
    previous, following = (grey(coloured(picture))[None] for picture in (pair.previous, pair.following))
    torch.testing.assert_close(flow_method("fast")(previous, following), tvl1(previous, following, "fast"))


def test_grey_weighs_colours_as_opencv():
    image = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    cv2 = pytest.importorskip("cv2")
    expected = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    assert np.abs(grey(image).numpy().astype(int) - expected).max() <= 1


def test_an_unknown_method_is_refused():
    with pytest.raises(CallError, match="flow method is 'farneback'; allowed: paper, fast, dis"):
        flow_method("farneback")


def test_dis_without_opencv_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(CallError, match=r"pip install 'attcell\[opencv\]'"):
        flow_method("dis")
