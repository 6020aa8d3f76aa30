"""Two pictures as people have them: the flow between them, and whether it is good."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from attcell.errors import CallError
from attcell.flow import brightness_error, flow_between, grey, tvl1, warped
from attcell.flow.pair import grey_levels
from tests.flow.conftest import known_pair


@pytest.fixture(scope="module")
def coloured():
    """A textured RGB picture (H, W, 3) twice, two pixels to the right and one down; uint8."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (1, 3, 12, 15))).float()
    large = torch.nn.functional.interpolate(coarse, (60, 80), mode="bicubic").clamp(0, 255)[0]
    large = large.round().byte().movedim(0, -1).numpy()
    return large[4:52, 4:68], large[3:51, 2:66]


def test_arrays_and_tensors_in_colour_have_the_flow_of_their_grey_levels(coloured):
    previous, following = coloured
    found = flow_between(previous, following, "fast")
    tensors = [torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1) for picture in coloured]
    batch = [grey(tensor)[None] for tensor in tensors]
    assert isinstance(found, np.ndarray)
    assert found.shape == (2, 48, 64)
    assert np.array_equal(flow_between(*tensors, "fast").numpy(), found)
    assert np.array_equal(tvl1(*batch, "fast")[0].numpy(), found)
    assert np.median(found, axis=(1, 2)) == pytest.approx([2, 1], abs=0.1)


def test_grey_pictures_may_be_of_any_number_type(coloured):
    previous, following = (grey_levels(picture) for picture in coloured)
    found = flow_between(previous, following)
    assert np.array_equal(found, flow_between(previous, following, "fast"))
    assert np.array_equal(flow_between(previous.astype(float), following.astype(float)), found)
    assert np.array_equal(
        flow_between(torch.from_numpy(previous), torch.from_numpy(following)).numpy(), found
    )


def test_grey_is_bt601():
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[0, 0], picture[0, 1], picture[1, 2] = (255, 0, 0), (0, 255, 0), (10, 20, 30)
    levels = [[76, 150, 0], [0, 0, 18]]  # 0.299 r + 0.587 g + 0.114 b
    assert grey_levels(picture).tolist() == levels
    assert grey(torch.from_numpy(picture).permute(2, 0, 1)).tolist() == levels


def test_arrays_need_no_pytorch():
    code = (
        "import sys, numpy as np; from attcell.flow import flow_between\n"
        "flow_between(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8), 'fast')\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def slowly_warped(picture, flow):
    """Pixel by pixel."""
    height, width = picture.shape
    seen = np.full((height, width), np.nan)
    for y in range(height):
        for x in range(width):
            at_x, at_y = x + float(flow[0, y, x]), y + float(flow[1, y, x])
            if not (0 <= at_x <= width - 1 and 0 <= at_y <= height - 1):
                continue
            left, top = min(int(at_x), max(width - 2, 0)), min(int(at_y), max(height - 2, 0))
            right, below, a, b = min(left + 1, width - 1), min(top + 1, height - 1), at_x - left, at_y - top
            upper = (1 - a) * picture[top, left] + a * picture[top, right]
            lower = (1 - a) * picture[below, left] + a * picture[below, right]
            seen[y, x] = (1 - b) * upper + b * lower
    return seen


@settings(max_examples=40)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_warping_is_bilinear(height, width, seed):
    rng = np.random.default_rng(seed)
    picture = rng.uniform(0, 255, (height, width)).astype(np.float32)
    flow = rng.uniform(-3, 3, (2, height, width)).astype(np.float32)
    # where a target lies within rounding of the border, either answer is right
    for axis, side in ((0, width), (1, height)):
        target = flow[axis] + (np.arange(width) if axis == 0 else np.arange(height)[:, None])
        flow[axis] += 0.01 * (np.minimum(abs(target), abs(target - (side - 1))) < 1e-3)
    np.testing.assert_allclose(warped(picture, flow), slowly_warped(picture, flow), atol=2e-2)


def test_colours_are_warped_alike(coloured):
    picture = np.ascontiguousarray(coloured[0])
    flow = np.full((2, 48, 64), 1.5, np.float32)
    seen = warped(picture, flow)
    assert seen.shape == (48, 64, 3)
    for colour in range(3):
        np.testing.assert_array_equal(seen[..., colour], warped(picture[..., colour], flow))
    as_tensors = warped(torch.from_numpy(picture).permute(2, 0, 1), torch.from_numpy(flow))
    np.testing.assert_array_equal(as_tensors.permute(1, 2, 0).numpy(), seen)


def test_right_flow_leaves_little_error(coloured):
    previous, following = coloured
    without = brightness_error(previous, following)
    with_flow = brightness_error(previous, following, flow_between(previous, following))
    assert without > 10
    assert with_flow < without / 10
    wrong = brightness_error(previous, following, np.full((2, 48, 64), -3.0, np.float32))
    assert wrong > without


def test_known_motion_leaves_the_rounding_alone():
    pair = known_pair(48, 64, shift=(2.0, 1.0))
    first, second = pair.previous, pair.following
    true = torch.tensor([2.0, 1.0])[:, None, None].expand(2, 48, 64)
    assert brightness_error(first, second, true) < 0.05 * brightness_error(first, second)


def test_error_without_a_pixel_in_the_picture_is_nan(coloured):
    far = np.full((2, 48, 64), 1000.0, np.float32)
    assert math.isnan(brightness_error(*coloured, far))
    assert np.isnan(warped(grey_levels(coloured[0]), far)).all()


def test_one_pixel_and_black_pictures_do_not_move():
    for size in ((1, 1), (1, 1, 3), (20, 30), (20, 30, 3)):
        black = np.zeros(size, np.uint8)
        assert not flow_between(black, black).any()
        assert brightness_error(black, black, flow_between(black, black)) == 0


PICTURE = np.zeros((4, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("previous", "following", "message"),
    [
        (PICTURE, torch.zeros(4, 5), "one picture is a NumPy array and the other a tensor"),
        (PICTURE, PICTURE[:3], r"pictures have the shapes \(4, 5, 3\) and \(3, 5, 3\); allowed: two of one"),
        (PICTURE[0, 0], PICTURE[0, 0], r"a picture has the shape \(3,\); allowed: NumPy arrays \(H, W\)"),
        (PICTURE[..., :2], PICTURE[..., :2], r"shape \(4, 5, 2\); .* for batches of grey pictures there is"),
        (torch.zeros(8, 4, 5), torch.zeros(8, 4, 5), r"shape \(8, 4, 5\); allowed: .*attcell\.flow\.tvl1"),
        (np.full((4, 5), 0.5), np.ones((4, 5)), "largest number is 1; allowed: 0 to 255. Multiply pictures"),
        (
            np.full((4, 5), np.nan),
            np.ones((4, 5)),
            "a picture holds NaN or an infinite number",
        ),
        (np.zeros((0, 5)), np.zeros((0, 5)), "a picture needs at least one pixel"),
        (PICTURE / 255 + 0.5, PICTURE + 1.0, "largest number is 1; allowed: 0 to 255"),
        (PICTURE + np.inf, PICTURE + 1.0, "a picture holds NaN or an infinite number"),
        (torch.full((3, 4, 5), torch.nan), torch.zeros(3, 4, 5), "a picture holds NaN or an infinite number"),
        (
            np.full((4, 5, 3), 65535, np.uint16),
            np.zeros((4, 5, 3), np.uint16),
            "largest number is 65535; .*by 257",
        ),
        (
            Image.new("RGB", (5, 4)),
            Image.new("RGB", (5, 4)),
            r"a picture is a Image; allowed: NumPy arrays, such as",
        ),
        ([[1.0]], [[1.0]], "a picture is a list; allowed: NumPy arrays"),
        (PICTURE[..., 0] + 1j, PICTURE[..., 0] + 1j, "values of the type complex128; allowed: real numbers"),
        (PICTURE.astype(str), PICTURE.astype(str), "values of the type <U3; allowed: real numbers"),
    ],
)
def test_bad_pictures_are_refused(previous, following, message):
    with pytest.raises(CallError, match=message):
        flow_between(previous, following)


@pytest.mark.parametrize(
    ("picture", "flow", "message"),
    [
        (
            PICTURE,
            np.zeros((4, 5, 2)),
            r"flow has the shape \(4, 5, 2\); of a picture of 5×4 it has \(2, 4, 5\)",
        ),
        (PICTURE, torch.zeros(2, 4, 5), "one picture is a NumPy array and the other a tensor"),
        (torch.zeros(3, 4, 5), torch.zeros(1, 2, 4, 5), r"flow has the shape \(1, 2, 4, 5\)"),
    ],
)
def test_bad_flow_is_refused(picture, flow, message):
    with pytest.raises(CallError, match=message):
        warped(picture, flow)


def test_flow_may_be_learnt_from_and_changed():
    pictures = torch.rand(2, 20, 24) * 255
    flow = flow_between(*pictures)
    weight = torch.ones(2, 1, 1, requires_grad=True)
    (weight * flow).sum().backward()
    flow += 1
    assert weight.grad is not None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_tensors_of_any_precision_are_judged(dtype):
    first, second = (torch.rand(2, 20, 24) * 255).to(dtype)
    assert brightness_error(first, second, flow_between(first, second)) > 0


def test_arrays_may_be_read_only_and_of_another_byte_order(coloured):
    given = [np.ascontiguousarray(picture).astype(">f4") for picture in coloured]
    for picture in given:
        picture.flags.writeable = False
    flow = flow_between(*given)
    assert brightness_error(*given, flow) == pytest.approx(brightness_error(*coloured, flow))
