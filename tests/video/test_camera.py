"""The camera's motion taken out of flow: of known motions the ground stands still, and what moves is left."""

from __future__ import annotations

import importlib.util
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.errors import CallError
from attcell.flow import dequantize
from attcell.video.flow_source import ComputedFlow, FlowInput
from attcell.video.input_spec import InputSpec
from attcell.video.modalities import modality
from attcell.video.optical_flow import FlowSpec, flow_method, video_flow, without_camera
from tests.moving import moving_frames, write_frames

HEIGHT, WIDTH = 48, 64
SQUARE = (slice(20, 32), slice(30, 42))
OWN = torch.tensor([5.0, -3.0])  # what the square moves by itself
PAN = np.array([[1, 0, 3.0], [0, 1, -2.0], [0, 0, 1]])
ZOOM = np.array([[1.06, 0, -1.9], [0, 1.06, -1.4], [0, 0, 1]])
TURN = np.array([[0.998, -0.06, 1.4], [0.06, 0.998, -1.9], [0, 0, 1]])
TILT = np.array([[1.02, 0.01, 0.5], [0, 1.03, 0.2], [4e-4, 6e-4, 1]])  # nearer below than above


def seen_by(matrix: np.ndarray, noise: float = 0.0) -> torch.Tensor:
    """(1, 2, H, W): what a plane does before a camera, with a square that moves by itself."""
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    after = np.einsum("ij,jhw->ihw", matrix, np.stack([x, y, np.ones_like(x)]))
    field = torch.from_numpy(after[:2] / after[2] - np.stack([x, y])).float()
    field[:, *SQUARE] += OWN[:, None, None]
    return (field + noise * torch.randn(field.shape, generator=torch.Generator().manual_seed(0)))[None]


def ground_and_square(field: torch.Tensor) -> tuple[float, torch.Tensor]:
    """How fast the ground still moves at most, and the square's mean motion."""
    ground = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    ground[SQUARE] = False
    return float(field[0].norm(dim=0)[ground].max()), field[0, :, *SQUARE].mean((1, 2))


@pytest.mark.parametrize("camera", ["median", "homography"])
def test_of_a_pan_the_square_alone_is_left(camera):
    if camera == "homography":
        pytest.importorskip("cv2")
    ground, square = ground_and_square(without_camera(seen_by(PAN), camera))
    assert ground < 1e-3
    torch.testing.assert_close(square, OWN, atol=1e-3, rtol=0)


@pytest.mark.parametrize("matrix", [ZOOM, TURN, TILT], ids=["zoom", "turn", "tilt"])
def test_of_a_zoom_a_homography_leaves_the_square_alone_and_a_median_does_not(matrix):
    pytest.importorskip("cv2")
    field = seen_by(matrix)
    ground, square = ground_and_square(without_camera(field, "homography"))
    assert ground < 0.02
    torch.testing.assert_close(square, OWN, atol=0.02, rtol=0)
    assert ground_and_square(without_camera(field, "median"))[0] > 1


def test_noise_in_the_field_moves_the_ground_little():
    pytest.importorskip("cv2")
    clean, noisy = seen_by(ZOOM), seen_by(ZOOM, noise=0.05)
    found = noisy - without_camera(noisy, "homography")
    exact = clean - without_camera(clean, "homography")
    assert (found - exact).abs().max() < 0.15
    assert torch.equal(found, noisy - without_camera(noisy, "homography")), "the same field, the same camera"


def test_each_field_has_a_camera_of_its_own():
    both = torch.cat([seen_by(PAN), seen_by(ZOOM)])
    alone = torch.cat([without_camera(of[None], "median") for of in both])
    assert torch.equal(without_camera(both, "median"), alone)


@given(st.floats(-15, 15), st.floats(-15, 15), st.integers(0, 20))
@settings(max_examples=30, deadline=None)
def test_a_median_knows_no_pan(x, y, seed):
    field = torch.randn(1, 2, 6, 9, generator=torch.Generator().manual_seed(seed)).double()
    panned = field + torch.tensor([x, y], dtype=torch.float64)[:, None, None]
    torch.testing.assert_close(
        without_camera(panned, "median"), without_camera(field, "median"), atol=1e-9, rtol=0
    )


def test_kept_is_what_it_was():
    field = seen_by(PAN)
    assert without_camera(field, "keep") is field
    assert flow_method("fast", camera="keep") is flow_method("fast", camera="keep")
    assert without_camera(field[:0], "median").shape == (0, 2, HEIGHT, WIDTH)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 2), (3, 2), (40, 1)])
def test_in_the_smallest_pictures_nothing_breaks(size):
    pytest.importorskip("cv2")
    field = torch.randn(2, 2, *size, generator=torch.Generator().manual_seed(0))
    found = without_camera(field, "homography")
    assert found.shape == field.shape
    assert found.isfinite().all()


def test_where_no_homography_is_found_it_is_the_median():
    pytest.importorskip("cv2")
    line = torch.randn(1, 2, 1, 40, generator=torch.Generator().manual_seed(1))  # all places on one line
    middle = torch.from_numpy(np.median(line.numpy(), axis=(2, 3), keepdims=True))
    torch.testing.assert_close(without_camera(line, "homography"), line - middle)


def test_what_is_no_way_is_refused(monkeypatch):
    said = re.escape("camera is 'stabilise'; allowed: keep, median, homography")
    with pytest.raises(CallError, match=said):
        without_camera(seen_by(PAN), "stabilise")
    with pytest.raises(CallError, match=said):
        FlowSpec(camera="stabilise")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CallError, match=r"homography of flow needs OpenCV; .*attcell\[opencv\].*median"):
        without_camera(seen_by(PAN), "homography")


def panned_pictures() -> torch.Tensor:
    """(2, 3, 64, 96) uint8: waves that go 3 pixels to the right, and a square that stays where it is."""
    x = torch.arange(96.0) - torch.tensor([[0.0], [3.0]])
    y = torch.arange(64.0)[:, None]
    waves = (
        128 + 50 * torch.sin(x[:, None] / 5) + 40 * torch.cos(y / 6) + 20 * torch.sin((x[:, None] + y) / 4)
    )
    waves[:, 20:44, 36:60] = 128 + 90 * torch.sin(torch.arange(24.0) / 2) * torch.cos(
        torch.arange(24.0)[:, None] / 2
    )
    return waves.round().clamp(0, 255).to(torch.uint8)[:, None].expand(2, 3, 64, 96)


@pytest.mark.parametrize("camera", ["median", "homography"])
def test_codes_that_are_computed_as_it_goes_are_without_it(camera):
    if camera == "homography":
        pytest.importorskip("cv2")
    pair, pictures = np.array([[0, 1]]), panned_pictures()
    codes = {
        way: ComputedFlow(FlowSpec("fast", camera=way)).codes(pair, pair, pictures)
        for way in ("keep", camera)
    }
    ground = {way: dequantize(of[0, 0, 4:-4, 8:28]).mean() for way, of in codes.items()}
    square = {way: dequantize(of[0, 0, 26:38, 42:54]).mean() for way, of in codes.items()}
    assert ground["keep"] == pytest.approx(3, abs=0.3)
    assert square["keep"] == pytest.approx(0, abs=0.4)
    assert ground[camera] == pytest.approx(0, abs=0.3)
    assert square[camera] == pytest.approx(-3, abs=0.4)


def test_the_fields_of_a_whole_video_are_without_it(tmp_path):
    path = write_frames(tmp_path / "a.avi", moving_frames(4))
    kept, without = (list(video_flow(path, FlowSpec(camera=camera))) for camera in ("keep", "median"))
    assert [torch.equal(one, without_camera(of[None])[0]) for one, of in zip(without, kept, strict=True)] == [
        True
    ] * 3


def test_it_is_named_where_it_is_not_kept():
    flow = modality("flow")
    kept, without = (
        InputSpec(("flow",), flow=FlowInput(FlowSpec(camera=camera))) for camera in ("keep", "median")
    )
    assert "flow.camera" not in flow.described(kept), "features that are kept already serve"
    assert flow.described(without)["flow.camera"] == "median"
    assert [flow.words(spec)["flow"] for spec in (kept, without)] == [
        "fast computed from the resized frames, 10 fields, bound 20",
        "fast computed from the resized frames, 10 fields, camera motion taken out (median), bound 20",
    ]
