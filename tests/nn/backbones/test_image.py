"""Weights of colour pictures for another number of input channels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from attcell.nn.backbones.image import cross_modality, inflated


def plain(weight: np.ndarray, in_channels: int) -> np.ndarray:
    """The definition in loops: each new channel gets the mean of the old ones."""
    new = np.empty((len(weight), in_channels, *weight.shape[2:]))
    for filter_, channel in np.ndindex(new.shape[:2]):
        new[filter_, channel] = sum(weight[filter_, old] for old in range(weight.shape[1])) / weight.shape[1]
    return new


@given(
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 24),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
)
def test_it_is_the_definition(filters: int, old: int, new: int, kernel: list[int]) -> None:
    generator = torch.Generator().manual_seed(filters + old + new)
    weight = torch.randn(filters, old, *kernel, dtype=torch.float64, generator=generator)
    found = cross_modality(weight, new)
    assert found.is_contiguous()
    np.testing.assert_allclose(found, plain(weight.numpy(), new), atol=1e-12)


def test_the_new_channels_share_no_memory() -> None:
    found = cross_modality(torch.randn(2, 3, 3, 3), 20)
    found[:, 0] = 0
    assert found[:, 1].abs().min() > 0


@pytest.mark.parametrize("channels", [2, 20])
def test_a_grey_input_is_seen_as_before_but_for_the_number_of_channels(channels: int) -> None:
    weight, grey = torch.randn(4, 3, 3, 3), torch.randn(1, 1, 9, 9)
    before = nn.functional.conv2d(grey.expand(-1, 3, -1, -1), weight)
    after = nn.functional.conv2d(grey.expand(-1, channels, -1, -1), cross_modality(weight, channels))
    torch.testing.assert_close(after, before * channels / 3, rtol=1e-4, atol=1e-5)


@given(
    st.integers(1, 4), st.integers(1, 3), st.integers(1, 5), st.tuples(st.integers(1, 4), st.integers(1, 4))
)
def test_an_inflated_convolution_sees_a_still_clip_as_the_picture(
    filters: int, channels: int, length: int, kernel: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(filters + channels + length)
    weight = torch.randn(filters, channels, *kernel, dtype=torch.float64, generator=generator)
    picture = torch.randn(1, channels, 6, 7, dtype=torch.float64, generator=generator)
    clip = picture[:, :, None].expand(-1, -1, length + 2, -1, -1)
    found = nn.functional.conv3d(clip, inflated(weight, length))
    expected = nn.functional.conv2d(picture, weight)[:, :, None].expand_as(found)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
