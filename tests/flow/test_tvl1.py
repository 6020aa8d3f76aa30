"""TV-L1 against NumPy, against known motion, and on what it should not trip over."""

from __future__ import annotations

import platform
import resource
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.errors import CallError
from attcell.flow import PRESETS, TVL1, tvl1
from attcell.flow._tvl1 import keep_freed_memory
from tests.flow import reference
from tests.flow.conftest import known_pair

SHORT = TVL1(num_scales=3, num_warps=2, rounds=2, round_iterations=10)


@pytest.mark.parametrize(
    "chosen",
    [
        SHORT,
        replace(SHORT, epsilon=0.05),
        replace(SHORT, epsilon=0.0, warp="bilinear", scale_step=0.5, num_scales=2),
        replace(SHORT, median=False, attachment=0.05, theta=0.2, tau=0.2),
    ],
    ids=["paper's steps", "stops early", "fast's steps", "other weights"],
)
@pytest.mark.parametrize("size", [(33, 41), (20, 16)])
def test_agrees_with_the_equations(chosen, size):
    pair = known_pair(*size, shift=(1.3, -0.7), turn=0.03, seed=3)
    expected = reference.tvl1(pair.previous.numpy(), pair.following.numpy(), **asdict(chosen))
    found = tvl1(pair.previous[None], pair.following[None], chosen)[0]
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("preset", ["paper", "fast", "fine"])
@pytest.mark.parametrize(
    "motion",
    [{"shift": (0.5, 0.25)}, {"shift": (-3.0, 2.0)}, {"turn": 0.05}, {"zoom": 1.05}],
    ids=["subpixel", "shift", "turn", "zoom"],
)
def test_finds_known_motion(preset, motion):
    pair = known_pair(96, 128, **motion)
    flow = tvl1(pair.previous[None].float(), pair.following[None].float(), preset)
    assert flow.shape == (1, 2, 96, 128)
    assert flow.dtype == torch.float32
    assert pair.error(flow[0]) < 0.15


def test_fine_finds_larger_motion_than_fast():
    pair = known_pair(120, 160, shift=(17.0, -9.0), turn=0.1)
    previous, following = pair.previous[None].float(), pair.following[None].float()
    assert pair.error(tvl1(previous, following, "fine")[0]) < 0.8 * pair.error(
        tvl1(previous, following, "fast")[0]
    )


def test_a_pair_does_not_depend_on_the_pairs_beside_it():
    pairs = [known_pair(40, 56, shift=(shift, 0), seed=seed) for seed, shift in enumerate((0.0, 0.4, 3.0))]
    previous = torch.stack([pair.previous for pair in pairs]).float()
    following = torch.stack([pair.following for pair in pairs]).float()
    together = tvl1(previous, following)
    for number in range(3):
        alone = tvl1(previous[number : number + 1], following[number : number + 1])
        torch.testing.assert_close(together[number : number + 1], alone, atol=1e-5, rtol=0)


def test_two_threads_find_what_one_finds():
    """The other tests run on one."""
    pair = known_pair(192, 256, shift=(1.3, -0.7), turn=0.03)  # large enough to be shared out
    previous, following = pair.previous[None].float(), pair.following[None].float()
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(tvl1(previous, following, "fast"))
    torch.set_num_threads(before)
    torch.testing.assert_close(found[1], found[0])


def test_takes_bytes_and_an_empty_batch():
    pair = known_pair()
    previous, following = (p.round().clamp(0, 255)[None] for p in (pair.previous, pair.following))
    whole = tvl1(previous.float(), following.float(), "fast")
    torch.testing.assert_close(tvl1(previous.byte(), following.byte(), "fast"), whole)
    assert tvl1(torch.zeros(0, 8, 9), torch.zeros(0, 8, 9)).shape == (0, 2, 8, 9)


@pytest.mark.parametrize("preset", ["paper", "fast", "fine"])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 2), (24, 1), (5, 40)])
def test_tiny_pictures_have_finite_flow(preset, size):
    rng = torch.Generator().manual_seed(0)
    previous, following = torch.rand(2, 3, *size, generator=rng) * 255
    flow = tvl1(previous, following, preset)
    assert flow.shape == (3, 2, *size)
    assert flow.isfinite().all()


@pytest.mark.parametrize("grey", [0, 90, 255])
@pytest.mark.parametrize("preset", ["paper", "fast"])
def test_nothing_moves_where_there_is_nothing_to_see(grey, preset):
    flat = torch.full((2, 30, 40), grey, dtype=torch.uint8)
    assert (tvl1(flat, flat, preset) == 0).all()
    assert (tvl1(flat, 255 - flat, preset).abs() < 1e-3).all()


@pytest.mark.parametrize("preset", ["paper", "fast"])
def test_a_still_picture_does_not_move(preset):
    still = known_pair(48, 64).previous[None].float()
    assert (tvl1(still, still, preset) == 0).all()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_flow_is_finite_for_any_pictures(height, width, seed):
    rng = torch.Generator().manual_seed(seed)
    pictures = torch.randint(0, 256, (2, 2, height, width), generator=rng, dtype=torch.uint8)
    assert tvl1(pictures[0], pictures[1], "fast").isfinite().all()


@pytest.mark.parametrize(
    ("previous", "following", "message"),
    [
        ((1, 4, 5), (1, 4, 6), r"shapes \(1, 4, 5\) and \(1, 4, 6\)"),
        ((1, 4, 5), (2, 4, 5), r"shapes \(1, 4, 5\) and \(2, 4, 5\)"),
        ((1, 0, 5), (1, 0, 5), r"shape \(1, 0, 5\); a picture needs at least one pixel"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(previous, following, message):
    with pytest.raises(CallError, match=message):
        tvl1(torch.zeros(previous), torch.zeros(following))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", [torch.Tensor.float, torch.Tensor.double, torch.Tensor.numpy])
def test_numbers_that_are_none_are_refused(value, kind):
    pictures = torch.zeros(3, 4, 5)
    spoilt = pictures.clone()
    spoilt[1, 2, 3] = value
    with pytest.raises(CallError, match="following picture of pair 1 holds NaN or an infinite number"):
        tvl1(kind(pictures), kind(spoilt))
    with pytest.raises(CallError, match="previous picture of pair 1 holds NaN"):
        tvl1(kind(spoilt), kind(pictures))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int64])
def test_takes_arrays(dtype):
    pair = known_pair(40, 56, shift=(1.0, 0.5))
    previous, following = (p.round().clamp(0, 255)[None] for p in (pair.previous, pair.following))
    found = tvl1(previous.numpy().astype(dtype), following.numpy().astype(dtype), "fast")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, tvl1(previous.float(), following.float(), "fast").numpy())


def test_an_array_and_a_tensor_are_refused():
    with pytest.raises(CallError, match="one picture is a NumPy array and the other a tensor"):
        tvl1(np.zeros((1, 4, 5)), torch.zeros(1, 4, 5))


def test_pictures_may_be_views_and_need_gradients():
    pair = known_pair(41, 56, shift=(1.0, 0.5))
    previous, following = pair.previous.float(), pair.following.float()
    expected = tvl1(previous[None, 1::2, ::3].contiguous(), following[None, 1::2, ::3].contiguous())
    found = tvl1(previous[None, 1::2, ::3].requires_grad_(), following[None, 1::2, ::3])
    assert torch.equal(found, expected)


def test_an_unknown_preset_is_refused():
    with pytest.raises(CallError, match="preset is 'slow'; allowed: 'paper', 'fast'"):
        tvl1(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), "slow")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"round_iterations": 7}, "a multiple of 5"),
        ({"num_warps": 0}, "1 or more"),
        ({"tau": 0.3}, r"tau in \(0, 0.25\]"),
        ({"epsilon": -1.0}, "epsilon at least 0"),
        ({"scale_step": 1.0}, "scale_step is 1.0"),
        ({"warp": "nearest"}, "warp is 'nearest'"),
    ],
)
def test_settings_that_cannot_work_are_refused(values, message):
    with pytest.raises(CallError, match=message):
        TVL1(**values)


def test_paper_has_the_defaults_of_opencv():
    assert asdict(PRESETS["paper"]) == {
        "tau": 0.25, "attachment": 0.15, "theta": 0.3, "num_scales": 5, "scale_step": 0.8, "num_warps": 5,
        "rounds": 10, "round_iterations": 30, "epsilon": 0.01, "median": True, "warp": "bicubic",
        "exact_length": True,
    }  # fmt: skip


# Freed memory stays with the process.

ROUNDS, BLOCKS, NUMBERS = 20, 8, 2**18  # a megabyte each
PAGE = resource.getpagesize()


def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(ROUNDS):
        blocks = [torch.ones(NUMBERS) for _ in range(BLOCKS)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's heap is known")
def test_memory_that_is_freed_and_taken_again_costs_no_page_faults() -> None:
    keep_freed_memory()
    faults()
    pages_of_a_round = BLOCKS * 4 * NUMBERS // PAGE
    assert faults() < pages_of_a_round, "of the pages of 20 rounds not even one round's came anew"
