"""Late fusion: one network a stream, their probabilities summed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.errors import CallError
from attcell.nn import LateFusion, LateOutput
from tests.nn import reference
from tests.nn.networks import random_maps, small_late, small_stan

THREE = {"frame": 2, "flow": 3, "clip": 4}


def simplex(num: int) -> st.SearchStrategy[torch.Tensor]:
    """Weights of streams, some of them 0."""
    parts = st.lists(st.floats(0, 1), min_size=num, max_size=num).filter(lambda values: sum(values) > 0.01)
    return parts.map(lambda values: torch.tensor(values, dtype=torch.float64))


def run(weights: torch.Tensor | None = None, **options: int) -> tuple[LateFusion, LateOutput]:
    network = small_late(THREE)
    if weights is not None:
        network.set_weights(weights)
    return network, network(random_maps(THREE, **options))


@settings(max_examples=20, deadline=None)
@given(simplex(3))
def test_the_softmax_of_the_logits_is_the_weighted_sum_of_probabilities(weights: torch.Tensor) -> None:
    _, out = run(weights)
    parts = [one.logits.softmax(-1) for one in out.streams.values()]
    expected = sum(weight * part for weight, part in zip(weights / weights.sum(), parts, strict=True))
    torch.testing.assert_close(out.logits.softmax(-1), expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(out.logits.exp(), expected, atol=1e-12, rtol=0)


@settings(max_examples=20, deadline=None)
@given(simplex(3))
def test_attention_is_averaged_by_the_weights_and_sums_to_1(weights: torch.Tensor) -> None:
    _, out = run(weights, segments=5)
    share = weights / weights.sum()
    for name in ("temporal_attention", "temporal_scores"):
        parts = [getattr(one, name) for one in out.streams.values()]
        expected = sum(weight * part for weight, part in zip(share, parts, strict=True))
        torch.testing.assert_close(getattr(out, name), expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(out.temporal_attention.sum(1), torch.ones(2, dtype=torch.float64))
    assert list(out.temporal_attention_by_stream) == list(out.spatial_attention) == list(THREE)
    for name, one in out.streams.items():
        assert torch.equal(out.temporal_attention_by_stream[name], one.temporal_attention)
        assert torch.equal(out.spatial_attention[name], one.spatial_attention[name])


@pytest.mark.parametrize("segments", [1, 4])
def test_late_fusion_is_the_equations(segments: int) -> None:
    weights = [0.2, 0.5, 0.3]
    network, out = run(torch.tensor(weights, dtype=torch.float64), segments=segments)
    state = {key: value.numpy() for key, value in network.state_dict().items()}
    maps = random_maps(THREE, segments=segments)
    for b in range(2):
        expected = reference.late_fusion({name: maps[name][b].numpy() for name in maps}, weights, state)
        np.testing.assert_allclose(out.logits[b].softmax(-1).detach(), expected["probabilities"], atol=1e-9)
        np.testing.assert_allclose(out.temporal_scores[b].detach(), expected["temporal_scores"], atol=1e-9)
        np.testing.assert_allclose(
            out.temporal_attention[b].detach(), expected["temporal_attention"], atol=1e-9
        )
        for name, attention in expected["spatial_attention"].items():
            np.testing.assert_allclose(out.spatial_attention[name][b].detach(), attention, atol=1e-9)


def test_each_network_sees_its_own_stream_alone() -> None:
    network = small_late(THREE)
    maps = random_maps(THREE)
    out = network(maps)
    for name in THREE:
        alone = network.network(name)({name: maps[name]})
        torch.testing.assert_close(out.streams[name].logits, alone.logits)
        torch.testing.assert_close(out.streams[name].video, alone.video)
    changed = network({**maps, "flow": maps["flow"] + 1})
    assert torch.equal(changed.streams["frame"].logits, out.streams["frame"].logits)
    assert not torch.allclose(changed.streams["flow"].logits, out.streams["flow"].logits)


def test_all_count_alike_until_they_are_weighed_and_the_weights_are_saved() -> None:
    network = small_late(THREE)
    torch.testing.assert_close(network.weights, torch.full((3,), 1 / 3, dtype=torch.float64))
    network.set_weights(torch.tensor([0.0, 0.25, 0.75]))
    other = small_late(THREE)
    other.load_state_dict(network.state_dict())
    assert other.weights.tolist() == [0, 0.25, 0.75]
    assert "weights" not in dict(network.named_parameters())


def test_weights_are_brought_to_a_sum_of_1() -> None:
    network = small_late(THREE)
    network.set_weights(torch.tensor([1.0, 1.0, 2.0]))
    assert network.weights.tolist() == [0.25, 0.25, 0.5]


@pytest.mark.parametrize("weights", [[0.0, 0.0, 0.0], [0.5, -0.5, 1.0], [float("nan"), 1.0, 1.0], [1.0, 1.0]])
def test_weights_that_cannot_be_are_refused(weights: list[float]) -> None:
    network = small_late(THREE)
    with pytest.raises(CallError) as caught:
        network.set_weights(torch.tensor(weights))
    assert str(caught.value) == (
        f"the streams' weights are {torch.tensor(weights).tolist()}; "
        "give one for each of frame, flow, clip, none below 0 and not all 0"
    )
    torch.testing.assert_close(network.weights, torch.full((3,), 1 / 3, dtype=torch.float64))


def test_gradients_flow_into_each_network_by_its_weight() -> None:
    network, out = run(torch.tensor([0.6, 0.4, 0.0]))
    torch.nn.functional.cross_entropy(out.logits, torch.tensor([0, 2])).backward()
    size = {
        name: sum(float(parameter.grad.abs().sum()) for parameter in network.network(name).parameters())
        for name in THREE
    }
    assert size["frame"] > 0
    assert size["flow"] > 0
    assert size["clip"] == 0, "a network that does not count gets a gradient of 0, not NaN"


def test_gradients_are_right() -> None:
    channels = {"frame": 2, "flow": 1}
    network = small_late(channels, num_classes=2, hidden=2, conv6=2)
    network.set_weights(torch.tensor([0.3, 0.7]))
    maps = random_maps(channels, videos=1, segments=2)

    def logits(frame: torch.Tensor, flow: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return network({"frame": frame, "flow": flow}).logits

    given_maps = [maps[name].requires_grad_() for name in channels]
    assert torch.autograd.gradcheck(logits, (*given_maps, *network.parameters()), fast_mode=True)


def test_sure_networks_stay_finite() -> None:
    network = small_late(THREE)
    for name in THREE:
        network.network(name).classifier.weight.data.mul_(1e4)
    network.set_weights(torch.tensor([0.5, 0.5, 0.0]))
    out = network(random_maps(THREE))
    assert out.logits.softmax(-1).isfinite().all()
    torch.testing.assert_close(out.logits.softmax(-1).sum(-1), torch.ones(2, dtype=torch.float64))


def test_early_and_late_fusion_have_streams_of_the_same_names() -> None:
    late, early = small_late(THREE), small_stan(THREE)
    for network in (late, early):
        assert [network.stream(name).backbone.out_channels for name in THREE] == [2, 3, 4]
    assert early(random_maps(THREE)).temporal_attention_by_stream == {}
    assert all(one is not other for one, other in pairwise([late.stream(name) for name in THREE]))
