"""MixUp and CutMix over videos: torchvision's formulas, two by two, whatever parts a batch is cut into."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import v2

from attcell.training.mixing import Mixing, mixed_targets

POSITIONS = torch.arange(6, 14)
TRUTH = torch.eye(3)[torch.tensor([0, 1, 2, 2, 0, 2, 1, 0])]


def videos(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """(8, 2, ...) numbers from 0 to 255."""
    generator = torch.Generator().manual_seed(len(shape))
    return torch.randint(256, (8, 2, *shape), generator=generator).to(dtype)


def by_torchvision(mix, parameters, pictures, truth):
    """What a transform of torchvision makes of two videos (2, C, H, W) and their targets."""
    mix.make_params = lambda _: parameters
    return mix(pictures, truth.argmax(1))


def test_mixup_is_torchvisions(monkeypatch):
    inputs = {"frame": videos(3, 5, 7)}
    mixed, shares = Mixing(0.7, 0.0, seed=4).mix(inputs, POSITIONS)
    targets = mixed_targets(TRUTH, shares)
    assert len(set(shares.tolist())) == 4, "a draw for each two"
    for start in range(0, 8, 2):
        pair = slice(start, start + 2)
        share = float(shares[start])
        assert 0 < share < 1
        pictures, truth = by_torchvision(
            v2.MixUp(alpha=1.0, num_classes=3),
            {"lam": share},
            inputs["frame"][pair].flatten(1, 2),
            TRUTH[pair],
        )
        found = mixed["frame"][pair].flatten(1, 2)
        torch.testing.assert_close(found, pictures, rtol=1e-5, atol=1e-4)  # of values up to 255
        torch.testing.assert_close(targets[pair], truth)


def test_cutmix_is_torchvisions():
    inputs = {"frame": videos(3, 12, 16)}
    mixed, shares = Mixing(0.0, 1.0, seed=4).mix(inputs, POSITIONS)
    targets = mixed_targets(TRUTH, shares)
    for start in range(0, 8, 2):
        pair = slice(start, start + 2)
        changed = (mixed["frame"][start] != inputs["frame"][start]).flatten(0, 1).any(0)
        rows, columns = (changed.any(axis).nonzero().flatten().tolist() for axis in (1, 0))
        box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        area = (box[2] - box[0]) * (box[3] - box[1])
        assert float(shares[start]) == pytest.approx(1 - area / (12 * 16))
        pictures, truth = by_torchvision(
            v2.CutMix(num_classes=3),
            {"box": box, "lam_adjusted": 1 - area / (12 * 16)},
            inputs["frame"][pair].flatten(1, 2),
            TRUTH[pair],
        )
        assert torch.equal(mixed["frame"][pair].flatten(1, 2), pictures)
        torch.testing.assert_close(targets[pair], truth)


@given(st.sampled_from([(0.4, 0.0), (0.0, 1.0), (0.3, 0.8)]), st.integers(0, 2**62), st.integers(1, 3))
def test_any_parts_of_even_size_are_mixed_alike(alphas, seed, pairs):
    mixing, inputs = Mixing(*alphas, seed), {"frame": videos(3, 4, 4), "clip": videos(3, 2, 6, 6)}
    whole, shares = mixing.mix(inputs, POSITIONS)
    for start in range(0, 8, 2 * pairs):
        part = slice(start, start + 2 * pairs)
        found, own = mixing.mix({name: of[part] for name, of in inputs.items()}, POSITIONS[part])
        assert all(torch.equal(found[name], whole[name][part]) for name in inputs)
        assert torch.equal(own, shares[part])
    assert torch.allclose(mixed_targets(TRUTH, shares).sum(1), torch.ones(8))


def test_with_both_a_coin_decides():
    kinds = set()
    for pair in range(0, 40, 2):
        mixed, _ = Mixing(1.0, 1.0, 0).mix({"frame": videos(1, 8, 8)[:2]}, torch.tensor([pair, pair + 1]))
        whole = set(mixed["frame"].unique().tolist()) <= set(videos(1, 8, 8)[:2].unique().tolist())
        kinds.add("cut" if whole else "mixed")
    assert kinds == {"cut", "mixed"}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32])
def test_pictures_and_kept_features_are_mixed_in_single_precision(dtype):
    mixed, shares = Mixing(0.5, 0.0, 0).mix({"frame": videos(3, 4, 4, dtype=dtype)}, POSITIONS)
    given_ = videos(3, 4, 4)
    assert mixed["frame"].dtype == torch.float32
    torch.testing.assert_close(mixed["frame"][0], shares[0] * given_[0] + (1 - shares[0]) * given_[1])


def test_maps_that_keep_time_have_the_box_in_each_step():
    inputs = {"clip": videos(4, 3 * 5, 5)}
    mixed, _ = Mixing(0.0, 1.0, 3).mix(inputs, POSITIONS)
    changed = (mixed["clip"] != inputs["clip"]).flatten(1, 2).any(1).unflatten(1, (3, 5))
    assert changed.any()
    assert torch.equal(changed[:, 0], changed[:, 1])
    assert torch.equal(changed[:, 0], changed[:, 2])


def test_streams_of_several_sizes_have_one_box_and_the_mean_share():
    inputs = {"frame": videos(3, 20, 20), "flow": videos(2, 7, 7)}
    mixed, shares = Mixing(0.0, 1.0, 1).mix(inputs, POSITIONS)
    parts = []
    for name, of in mixed.items():
        changed = (of != inputs[name]).flatten(1, 2).any(1).float()
        parts.append(1 - changed.mean(dim=(1, 2)))
    assert float((parts[0] - parts[1]).abs().max()) < 0.2
    torch.testing.assert_close(torch.stack(parts).mean(0), shares)
