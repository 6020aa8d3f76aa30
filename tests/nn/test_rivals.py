"""STAN's and TAN's rivals against plain NumPy, and what each gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from attcell.errors import CallError
from attcell.nn import (
    Branch,
    BranchNetwork,
    Stream,
    UniformAttention,
    branch_selection,
    cnn,
    fc_fusion,
    san,
    soft_attention,
    spatial_attention,
    two_stream,
)
from tests.nn import reference
from tests.nn import reference_branches as branch_reference
from tests.nn.networks import assert_is_reference, passing_backbone, random_maps, randomised
from tests.nn.reference import softmax


def test_san_averages_the_segments() -> None:
    network = randomised(san({"frame": Stream(passing_backbone(3), 4)}, 5, dropout=0.0))
    out = network({"frame": torch.randn(2, 6, 3, 5, 5)})
    torch.testing.assert_close(out.video, out.segments.mean(dim=1))
    torch.testing.assert_close(out.temporal_attention, torch.full((2, 6), 1 / 6))
    assert out.spatial_attention["frame"].std() > 0


def test_uniform_streams_make_it_average_pooling() -> None:
    stream = Stream(passing_backbone(3), 4, attention=UniformAttention())
    network = san({"frame": stream}, 5, dropout=0.0)
    maps = torch.randn(2, 6, 3, 5, 5)
    torch.testing.assert_close(
        network({"frame": maps}).video, stream.descriptors(maps).mean(dim=(1, 3, 4)), atol=1e-6, rtol=1e-5
    )


@pytest.mark.parametrize("channels", [{"frame": 3}, {"frame": 2, "flow": 3, "clip": 4}])
def test_san_is_the_equations(channels: dict[str, int]) -> None:
    streams = {name: Stream(passing_backbone(width), 4) for name, width in channels.items()}
    network = randomised(san(streams, 5, dropout=0.0).double())
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    maps = random_maps(channels)
    out = network(maps)
    for b in range(2):
        expected = reference.san({name: maps[name][b].numpy() for name in maps}, list(channels), weights)
        assert_is_reference(out, b, expected)


CHANNELS = {"frame": 3, "flow": 2}
RIVALS = [cnn, two_stream, fc_fusion, branch_selection, spatial_attention, soft_attention]


def small(rival: Any, cell: str = "gru") -> BranchNetwork:
    names = ["frame"] if rival is soft_attention else list(CHANNELS)
    cell = "none" if rival is cnn else cell
    branches = {name: Branch(passing_backbone(CHANNELS[name]), 4, cell=cell) for name in names}
    network = rival(branches, 3, dropout=0.0).double()
    return randomised(network)  # type: ignore[return-value]


def weights_of(network: BranchNetwork) -> dict[str, np.ndarray]:
    return {key: value.numpy() for key, value in network.state_dict().items()}


def expected(rival: Any, maps: dict[str, np.ndarray], weights: dict[str, np.ndarray], cell: str) -> Any:
    """Probabilities at test, and attention over regions."""
    if rival in (cnn, two_stream):
        outputs = branch_reference.outputs_of(maps, weights, "none" if rival is cnn else cell)
        logits = branch_reference.averaging(outputs, weights)
        counted = [row for of in logits.values() for row in (of if rival is cnn else of[-1:])]
        return np.mean([softmax(row) for row in counted], axis=0), {}
    if rival is fc_fusion:
        return softmax(branch_reference.fc(branch_reference.outputs_of(maps, weights, cell), weights)[-1]), {}
    if rival is branch_selection:
        return softmax(
            branch_reference.selection(branch_reference.outputs_of(maps, weights, cell), weights)[0][-1]
        ), {}
    asks = {"frame": "flow", "flow": "frame"} if rival is spatial_attention else {"frame": "frame"}
    outputs, attention = branch_reference.looking(maps, asks, weights, cell)
    logits = branch_reference.averaging(outputs, weights)
    return np.mean([softmax(of[-1]) for of in logits.values()], axis=0), attention


@pytest.mark.parametrize("rival", RIVALS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("steps", [1, 4])
def test_a_rival_is_what_it_says(rival: Any, cell: str, steps: int) -> None:
    network = small(rival, cell)
    maps = {
        name: of for name, of in random_maps(CHANNELS, segments=steps).items() if name in network.branches
    }
    out = network(maps)
    for b in range(2):
        of_video = {name: value[b].numpy() for name, value in maps.items()}
        probabilities, attention = expected(rival, of_video, weights_of(network), cell)
        np.testing.assert_allclose(out.logits[b].detach().softmax(0), probabilities, atol=1e-9, rtol=0)
        if rival in (two_stream, cnn, spatial_attention, soft_attention):  # the logarithm of an average
            np.testing.assert_allclose(out.logits[b].detach().exp(), probabilities, atol=1e-9, rtol=0)
        assert out.spatial_attention.keys() == attention.keys()
        for name, of in attention.items():
            np.testing.assert_allclose(out.spatial_attention[name][b].detach(), of, atol=1e-9, rtol=0)
    torch.testing.assert_close(out.temporal_attention, torch.full((2, steps), 1 / steps).double())


@pytest.mark.parametrize("rival", RIVALS)
def test_gradients(rival: Any) -> None:
    network = small(rival)
    maps = {n: of.requires_grad_() for n, of in random_maps(CHANNELS, 1, 3).items() if n in network.branches}

    def learnt(*values: Tensor) -> tuple[Tensor, ...]:
        return network(dict(zip(maps, values, strict=False))).learnt_logits

    assert torch.autograd.gradcheck(learnt, (*maps.values(), *network.parameters()), fast_mode=True)


def test_branches_alone_and_together() -> None:
    maps = random_maps(CHANNELS)
    out = small(two_stream)(maps)
    assert len(out.learnt_logits) == 2
    assert out.stream_weights == {"frame": 0.5, "flow": 0.5}
    parts = out.logits_by_stream
    torch.testing.assert_close(
        out.logits.softmax(1), (parts["frame"].softmax(1) + parts["flow"].softmax(1)) / 2
    )

    joint = small(fc_fusion)
    out = joint(maps)
    assert len(out.learnt_logits) == 1
    assert out.stream_weights == {}
    without_flow = joint.head({"frame": torch.ones(1, 1, 4).double(), "flow": torch.zeros(1, 1, 4).double()})
    torch.testing.assert_close(without_flow.together, without_flow.alone["frame"])


def test_branch_selection_says_how_much_each_branch_counts() -> None:
    network, maps = small(branch_selection), random_maps(CHANNELS)
    out = network(maps)
    gates = []
    for b in range(2):
        outputs = branch_reference.outputs_of(
            {n: of[b].numpy() for n, of in maps.items()}, weights_of(network), "gru"
        )
        gates.append(branch_reference.selection(outputs, weights_of(network))[1][-1])
    assert list(out.stream_weights.values()) == pytest.approx(np.mean(gates, axis=0))
    network.head.gate.bias.data = torch.tensor([100.0, -100.0]).double()  # type: ignore[union-attr]
    out = network(maps)
    torch.testing.assert_close(out.joined.together, out.joined.alone["frame"])


def test_who_asks_where_to_look() -> None:
    network = small(spatial_attention)
    maps = {name: value.requires_grad_() for name, value in random_maps(CHANNELS).items()}
    looked = network(maps).spatial_attention["frame"]
    (of_flow,) = torch.autograd.grad(looked[:, 2].square().sum(), maps["flow"])
    assert of_flow[:, :2].abs().sum() > 0  # the other branch's steps before
    assert of_flow[:, 2:].abs().sum() == 0


@pytest.mark.parametrize("rival", [two_stream, spatial_attention])
def test_unequal_steps_are_refused(rival: Any) -> None:
    maps = random_maps(CHANNELS)
    with pytest.raises(CallError, match=r"^the frame branch has 4 steps and the flow branch has 3 steps"):
        small(rival)({"frame": maps["frame"], "flow": maps["flow"][:, :3]})
