"""Flow as bytes and as pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attcell.errors import CallError
from attcell.flow import dequantize, flow_picture, flow_stack, mirrored_codes, quantize


def test_codes_are_those_of_the_formula():
    flow = torch.tensor([-99.0, -20.0, -10.0, 0.0, 0.2, 10.0, 20.0, 99.0])
    assert quantize(flow).tolist() == [0, 0, 64, 128, 129, 191, 255, 255]
    assert quantize(torch.tensor([-5.0, 0.0, 5.0]), bound=5).tolist() == [0, 128, 255]


@given(st.floats(-20, 20), st.sampled_from([20.0]))
def test_a_round_trip_is_within_a_code(value, bound):
    flow = torch.tensor([value], dtype=torch.float64)
    assert (dequantize(quantize(flow, bound), bound) - flow).abs() <= 2 * bound / 255 + 1e-6


def test_no_motion_stays_no_motion():
    assert dequantize(quantize(torch.zeros(3))).tolist() == [0, 0, 0]


def test_every_code_survives():
    codes = torch.arange(256, dtype=torch.uint8)
    again = quantize(dequantize(codes))
    assert (again.int() - codes.int()).abs().max() <= 1


def test_a_mirror_turns_x_round():
    flow = torch.zeros(2, 3, 4)
    flow[0, :, 0], flow[1, 1] = 5.0, -3.0
    seen = mirrored_codes(quantize(flow))
    turned = torch.stack([-flow[0].flip(-1), flow[1].flip(-1)])
    assert (seen.int() - quantize(turned).int()).abs().max() <= 1
    assert seen[0, 0].tolist() == [128, 128, 128, 256 - int(quantize(torch.tensor([5.0]))[0])]
    assert mirrored_codes(torch.zeros(2, 1, 1, dtype=torch.uint8)).flatten().tolist() == [255, 0]


def test_a_stack_interleaves_x_and_y():
    fields = torch.arange(10.0).repeat_interleave(2).reshape(10, 2, 1, 1) * torch.tensor([1, -1]).reshape(
        2, 1, 1
    )
    stack = flow_stack(fields[None])
    assert stack.shape == (1, 20, 1, 1)
    assert stack[0, :6, 0, 0].tolist() == [0, 0, 1, -1, 2, -2]


def test_the_picture_has_the_quadratic_mean():
    flow = torch.tensor([3.0, -4.0]).reshape(2, 1, 1)
    x, y, mean = flow_picture(quantize(flow)).flatten().tolist()
    expected = quantize(torch.tensor([3.0, -4.0, np.sqrt(12.5)])).tolist()
    assert [x, y] == expected[:2]
    assert abs(mean - expected[2]) <= 1
    still, most = torch.full((2, 1, 1), 128, dtype=torch.uint8), torch.tensor([[[0]], [[255]]]).byte()
    assert flow_picture(still).flatten().tolist() == [128, 128, 128]
    assert flow_picture(most).flatten().tolist() == [0, 255, 255]


@given(st.tuples(st.integers(0, 255), st.integers(0, 255)))
def test_the_quadratic_mean_of_the_codes_is_that_of_two_8_bit_pictures(field):
    x, y, mean = flow_picture(torch.tensor(field).byte().reshape(2, 1, 1), "codes").flatten().tolist()
    assert (x, y) == field
    assert mean == int(np.sqrt((x**2 + y**2) / 2) + 0.5)
    assert min(field) <= mean <= max(field)


@pytest.mark.parametrize("bound", [0, -1, float("nan")])
def test_a_bound_must_be_above_zero(bound):
    with pytest.raises(CallError, match=f"bound is {bound}; allowed"):
        quantize(torch.zeros(1), bound)
    with pytest.raises(CallError, match="bound is"):
        dequantize(torch.zeros(1, dtype=torch.uint8), bound)


def test_flow_that_is_not_finite_is_refused():
    with pytest.raises(CallError, match="not finite"):
        quantize(torch.tensor([float("nan")]))


def test_arrays_of_numpy_give_arrays():
    fields = torch.linspace(-30, 30, 2 * 3 * 4 * 5).view(3, 2, 4, 5)
    codes = quantize(fields)
    for function, values in (
        *((quantize, fields), (dequantize, codes), (mirrored_codes, codes)),
        *((flow_stack, codes), (flow_picture, codes)),
    ):
        found = function(values.numpy())
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, function(values).numpy())


@pytest.mark.parametrize(
    ("values", "kind"), [([1.0], "list"), (np.array(["a"]), "an array of <U1"), (None, "NoneType")]
)
def test_what_is_neither_says_what_is_wanted(values, kind):
    with pytest.raises(
        CallError, match=f"quantize takes a tensor or a NumPy array of numbers; this is {kind}"
    ):
        quantize(values)
