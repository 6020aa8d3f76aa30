"""The CPU's kernels beside the plain version."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.flow import PRESETS, TVL1, quantize, tvl1
from attcell.flow._plain import tvl1_plain
from attcell.flow._tvl1 import _kernel_for, _on_cpu
from tests.flow.conftest import known_pair

rounds_once = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() == "DEFAULT", reason="PyTorch's addcmul rounds twice here"
)
SIZES = [(1, 1), (1, 9), (9, 1), (2, 3), (16, 16), (17, 15), (31, 33), (48, 64), (50, 81)]


def noisy_pair(height, width, seed=0, **motion):
    """Whole grey levels with noise, (1, H, W) float32 twice."""
    pair = known_pair(height, width, seed=seed, **motion)
    noise = torch.Generator().manual_seed(seed)
    return [
        (picture + 2 * torch.randn(height, width, generator=noise)).round().clamp(0, 255).float()[None]
        for picture in (pair.previous, pair.following)
    ]


def test_the_kernels_are_what_tvl1_takes():
    assert _kernel_for("cpu", torch.float32) is _on_cpu
    assert _kernel_for("cpu", torch.float64) is not _on_cpu
    assert _kernel_for("mps", torch.float32) is not _on_cpu


@rounds_once
@pytest.mark.parametrize("size", SIZES)
def test_paper_has_the_bits_of_the_plain_version(size):
    first, second = noisy_pair(*size, shift=(1.3, -0.7), turn=0.02)
    assert torch.equal(tvl1(first, second), tvl1_plain(first, second, PRESETS["paper"]))


@pytest.mark.parametrize("size", SIZES)
def test_fast_is_the_plain_version_to_a_thousandth_of_a_pixel(size):
    first, second = noisy_pair(*size, shift=(1.3, -0.7), turn=0.02)
    found, plain = tvl1(first, second, "fast"), tvl1_plain(first, second, PRESETS["fast"])
    assert (found - plain).abs().mean() < 1e-3
    assert (quantize(found).int() - quantize(plain).int()).abs().max() <= 1


@pytest.mark.parametrize("motion", [{"shift": (2.5, -1.0)}, {"turn": 0.05}, {"zoom": 1.06}])
def test_fast_errs_no_more_than_the_plain_version(motion):
    pair = known_pair(120, 160, seed=1, **motion)
    first, second = noisy_pair(120, 160, seed=1, **motion)
    plain = tvl1_plain(first, second, PRESETS["fast"])[0]
    assert pair.error(tvl1(first, second, "fast")[0]) < pair.error(plain) + 5e-4


@settings(max_examples=40)
@given(
    st.builds(
        TVL1,
        tau=st.sampled_from([0.25, 0.2]),
        attachment=st.sampled_from([0.15, 0.04]),
        theta=st.sampled_from([0.3, 0.2]),
        num_scales=st.integers(1, 4),
        scale_step=st.sampled_from([0.8, 0.5, 0.63]),
        num_warps=st.integers(1, 4),
        rounds=st.integers(1, 3),
        round_iterations=st.sampled_from([5, 10, 25]),
        epsilon=st.sampled_from([0.0, 0.01, 0.1]),
        median=st.booleans(),
        warp=st.sampled_from(["bicubic", "bilinear"]),
        exact_length=st.booleans(),
    ),
    st.tuples(st.integers(1, 50), st.integers(1, 50)),
    st.integers(0, 100),
)
def test_any_settings_give_what_the_plain_version_gives(chosen, size, seed):
    first, second = noisy_pair(*size, seed, shift=(0.6, -0.4))
    found, plain = tvl1(first, second, chosen), tvl1_plain(first, second, chosen)
    if chosen.exact_length and chosen.warp == "bicubic":
        assert torch.equal(found, plain)
    assert (found - plain).abs().mean() < 2e-3
    assert (quantize(found).int() - quantize(plain).int()).abs().max() <= 1
