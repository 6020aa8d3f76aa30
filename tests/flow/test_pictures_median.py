"""The 5×5 median."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from attcell.flow._pictures import median5
from tests.flow.reference import median_of_25


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (5, 5), (17, 23)])
def test_is_the_middle_of_25(size):
    planes = torch.randn(3, *size, generator=torch.Generator().manual_seed(1))
    expected = np.stack([median_of_25(plane.numpy()) for plane in planes])
    np.testing.assert_array_equal(median5(planes).numpy(), expected)


@given(arrays.arrays(np.float64, (5, 5), elements=st.integers(-3, 3).map(float)))
@settings(max_examples=200, deadline=None)
def test_ties_are_no_trouble(values):
    assert median5(torch.from_numpy(values)[None])[0, 2, 2] == np.median(values)
