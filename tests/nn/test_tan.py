"""The whole of TAN against plain NumPy, its gates, and what it returns."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from attcell.errors import CallError
from attcell.nn import TAN, Branch, build_backbone
from attcell.nn.outputs import TANOutput
from tests.nn import reference_tan
from tests.nn.networks import passing_backbone, random_maps, randomised

CHANNELS = {"frame": 3, "flow": 2}


def small_tan(
    cell: str = "gru",
    layers: int = 1,
    hidden: tuple[int, int] = (4, 5),
    seed: int = 0,
    asks: Literal["other", "own"] = "other",
) -> TAN:
    branches = {
        name: Branch(passing_backbone(width), size, cell=cell, layers=layers)
        for (name, width), size in zip(CHANNELS.items(), hidden, strict=True)
    }
    network = TAN(**branches, num_classes=3, dropout=0.0, asks=asks).double()
    randomised(network, seed)
    return network


def _found(out: TANOutput, name: str) -> Tensor:
    return out.logits.softmax(dim=1) if name == "probabilities" else getattr(out, name)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("asks", ["other", "own"])
def test_tan_is_the_equations(cell: str, layers: int, steps: int, asks: Literal["other", "own"]) -> None:
    network, maps = small_tan(cell, layers, asks=asks), random_maps(CHANNELS, segments=steps)
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    out = network(maps)
    for b in range(2):
        torch.testing.assert_close(out.logits.exp().sum(dim=1), torch.ones(2, dtype=torch.float64))
        of_video = {name: value[b].numpy() for name, value in maps.items()}
        for name, expected in reference_tan.tan(
            **of_video, weights=weights, cell=cell, layers=layers, asks=asks
        ).items():
            found = _found(out, name)[b].detach()
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, atol=1e-9, rtol=0, err_msg=name)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_gradients_of_the_whole_network(cell: str) -> None:
    network = small_tan(cell, hidden=(2, 3))
    maps = [value.requires_grad_() for value in random_maps(CHANNELS, 1, 3).values()]

    def looked(frame: Tensor, flow: Tensor, *_: Tensor) -> tuple[Tensor, ...]:
        out = network({"frame": frame, "flow": flow})
        return out.frame_logits, out.flow_logits, out.frame_gates, out.flow_gates

    assert torch.autograd.gradcheck(looked, (*maps, *network.parameters()), fast_mode=True)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_each_gates_column_sums_to_one(cell: str) -> None:
    out = small_tan(cell)(random_maps(CHANNELS, segments=6))
    for gates in (out.frame_gates, out.flow_gates):
        assert gates.shape == (2, 6, 6)
        assert gates.min() >= 0
        torch.testing.assert_close(gates.sum(dim=1), torch.ones(2, 6, dtype=torch.float64))
    assert not torch.allclose(out.frame_gates, out.flow_gates)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_swapping_the_branches_and_their_weights_swaps_the_outputs(cell: str) -> None:
    network, maps = small_tan(cell), random_maps(CHANNELS)
    swapped = TAN(network.stream("flow"), network.stream("frame"), 3, dropout=0.0).double()
    for name in ("gates", "classifiers"):
        ours, theirs = getattr(swapped, name), getattr(network, name)
        ours["frame"].load_state_dict(theirs["flow"].state_dict())
        ours["flow"].load_state_dict(theirs["frame"].state_dict())
    out, other = network(maps), swapped({"frame": maps["flow"], "flow": maps["frame"]})
    for name in ("logits", "gates"):
        torch.testing.assert_close(getattr(out, f"frame_{name}"), getattr(other, f"flow_{name}"))
        torch.testing.assert_close(getattr(out, f"flow_{name}"), getattr(other, f"frame_{name}"))
    torch.testing.assert_close(out.logits, other.logits)


def test_the_other_branch_says_where_to_look() -> None:
    network, maps = small_tan(), random_maps(CHANNELS)
    before, after = network(maps), network({**maps, "flow": maps["flow"].flip(1)})
    assert not torch.allclose(before.frame_gates, after.frame_gates)
    assert not torch.allclose(before.frame_logits, after.frame_logits)


def test_own_gates_share_nothing() -> None:
    network, maps = small_tan(asks="own"), random_maps(CHANNELS)
    before, after = network(maps), network({**maps, "flow": maps["flow"].flip(1)})
    assert torch.equal(before.frame_logits, after.frame_logits)
    assert not torch.allclose(before.flow_logits, after.flow_logits)


def test_only_the_last_step_counts_at_test() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 2, 4, 3, generator=generator)
    gates = dict.fromkeys(CHANNELS, torch.full((2, 4, 4), 0.25))
    out = TANOutput.of(dict(zip(CHANNELS, logits, strict=True)), gates, gates).logits
    logits[:, :, :-1] = 0
    torch.testing.assert_close(
        out, TANOutput.of(dict(zip(CHANNELS, logits, strict=True)), gates, gates).logits
    )


def test_the_attention_over_time_is_the_last_steps() -> None:
    out = small_tan("lstm")(random_maps(CHANNELS, segments=6))
    both = out.temporal_attention_by_stream
    assert torch.equal(both["frame"], out.frame_gates[:, :, -1])
    assert torch.equal(both["flow"], out.flow_gates[:, :, -1])
    torch.testing.assert_close(out.temporal_attention, (both["frame"] + both["flow"]) / 2)
    torch.testing.assert_close(out.temporal_attention.sum(1), torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(out.frame_scores.softmax(1), out.frame_gates)
    torch.testing.assert_close(out.flow_scores.softmax(1), out.flow_gates)
    assert out.temporal_scores.shape == (2, 6)


def test_unequal_numbers_of_steps_are_refused() -> None:
    maps = random_maps(CHANNELS, segments=4)
    with pytest.raises(
        CallError,
        match=r"^the frame branch has 4 steps and the flow branch has 3 steps; give both equally many$",
    ):
        small_tan()({**maps, "flow": maps["flow"][:, :3]})


def test_pictures_of_one_flow_field_and_of_ten_go_in() -> None:
    for channels in (3, 20):
        branches = (
            Branch(build_backbone("small"), 8),
            Branch(build_backbone("small", in_channels=channels), 8),
        )
        network = TAN(*branches, num_classes=4).eval()
        frame, flow = torch.zeros(1, 2, 3, 56, 56), torch.zeros(1, 2, channels, 56, 56)
        assert network({"frame": frame, "flow": flow}).frame_logits.shape == (1, 2, 4)
