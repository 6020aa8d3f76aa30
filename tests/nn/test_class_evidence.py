"""What regions and segments add to a class: it adds up to the score, and is what the equations say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from attcell.nn import STAN, Stream
from attcell.nn.attention import UniformAttention
from attcell.nn.class_evidence import ClassEvidence
from attcell.nn.network import Network
from attcell.nn.outputs import Output
from attcell.nn.temporal import EncoderDecoder, SelfAttention
from tests.nn import reference
from tests.nn.networks import passing_backbone, random_maps, randomised, small_late, small_stan
from tests.nn.test_tan import CHANNELS as TAN_CHANNELS
from tests.nn.test_tan import small_tan

TWO = {"frame": 3, "flow": 2}
THREE = {"frame": 2, "flow": 3, "clip": 4}


def explained(
    network: Network, maps: dict[str, Tensor], *, in_parts: bool = False
) -> tuple[Output, ClassEvidence]:
    """The output, and its evidence."""
    rows = [slice(0, 1), slice(1, None)] if in_parts else [slice(None)]
    network.eval()
    with torch.no_grad():
        parts = [
            network.encode_with_evidence({name: of[:, some] for name, of in maps.items()}) for some in rows
        ]
        out = network.decide(parts)
    assert out.evidence is not None
    return out, out.evidence


def assert_sums(evidence: ClassEvidence, scores: Tensor) -> None:
    """Regions to segments, and segments to scores, to 1e-9."""
    torch.testing.assert_close(evidence.scores, scores, atol=1e-9, rtol=0)
    for name, of in evidence.regions.items():
        torch.testing.assert_close(of.sum(dim=(-2, -1)), evidence.segments[name], atol=1e-9, rtol=0)


@pytest.mark.parametrize("channels", [{"frame": 3}, TWO, THREE])
@pytest.mark.parametrize("segments", [1, 4])
def test_of_stan_it_adds_up_to_the_logits(channels, segments):
    out, evidence = explained(small_stan(channels), random_maps(channels, segments=segments))
    assert list(evidence.regions) == list(evidence.segments) == list(channels)
    assert_sums(evidence, out.logits)


def test_of_stan_each_summand_is_the_equation():
    network, maps = small_stan(TWO), random_maps(TWO, videos=1, segments=3)
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    _, evidence = explained(network, maps)
    video = {name: of[0].numpy() for name, of in maps.items()}
    expected = reference.stan(video, list(TWO), weights)
    beta = np.asarray(expected["temporal_attention"])
    for first, name in ((0, "frame"), (5, "flow")):
        conv6 = [weights[f"streams.{name}.conv6.{of}"] for of in ("weight", "bias")]
        local = [reference.conv6(step, *conv6) for step in video[name]]
        alpha = expected["spatial_attention"][name]
        found = evidence.regions[name][0].numpy()
        for t, a, i, j in np.ndindex(found.shape):
            of_class = weights["classifier.weight"][a, first : first + 5]
            one = beta[t] * alpha[t, i, j] * (of_class @ local[t][:, i, j])
            assert found[t, a, i, j] == pytest.approx(one, abs=1e-12)


@pytest.mark.parametrize("temporal", [UniformAttention(), EncoderDecoder(10, 4), SelfAttention(10, 4)])
def test_also_of_san_and_of_other_attention_over_time(temporal):
    streams = {name: Stream(passing_backbone(width), 5) for name, width in TWO.items()}
    network = randomised(STAN(streams, 3, dropout=0.5, temporal=temporal).double())
    out, evidence = explained(network, random_maps(TWO))
    assert_sums(evidence, out.logits)


def test_where_each_class_has_its_own_attention_over_time():
    streams = {name: Stream(passing_backbone(width), 5) for name, width in TWO.items()}
    network = randomised(STAN(streams, 3, temporal=EncoderDecoder(10, 4, num_classes=3)).double())
    out, evidence = explained(network, random_maps(TWO))
    assert out.temporal_scores_by_class is not None
    assert_sums(evidence, out.logits)


def test_of_a_stream_that_keeps_time_the_steps_are_summed_in_each_region():
    network, maps = small_stan({"clip": 3}), random_maps({"clip": 3})
    network.stream("clip").backbone.keeps_time = True
    out, evidence = explained(network, {"clip": torch.cat([maps["clip"], 2 * maps["clip"]], dim=3)})
    assert evidence.regions["clip"].shape == (2, 4, 3, 5, 5)
    assert_sums(evidence, out.logits)


def test_above_the_mean_it_adds_up_to_what_the_softmax_sees():
    out, evidence = explained(small_stan(TWO), random_maps(TWO))
    above = evidence.above_mean
    assert_sums(above, out.logits - out.logits.mean(dim=1, keepdim=True))
    torch.testing.assert_close(above.scores.softmax(dim=1), out.logits.softmax(dim=1), atol=1e-12, rtol=0)


def test_of_a_video_in_parts_it_is_the_same():
    network, maps = small_stan(TWO), random_maps(TWO)
    (_, whole), (_, parts) = explained(network, maps), explained(network, maps, in_parts=True)
    for name in TWO:
        torch.testing.assert_close(whole.regions[name], parts.regions[name], atol=1e-12, rtol=0)


def test_of_late_fusion_it_adds_up_to_the_weighted_mean_of_the_streams_logits():
    network = small_late(THREE)
    network.set_weights(torch.tensor([0.5, 0.2, 0.3]))
    out, evidence = explained(network, random_maps(THREE))
    own = [out.logits_by_stream[name] for name in THREE]
    expected = sum(weight * logits for weight, logits in zip(network.weights, own, strict=True))
    assert_sums(evidence, expected)
    assert list(evidence.regions) == list(THREE)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("asks", ["other", "own"])
def test_of_tan_it_adds_up_to_the_mean_of_the_branches_logits(cell, asks):
    out, evidence = explained(small_tan(cell, asks=asks), random_maps(TAN_CHANNELS, segments=5))
    assert_sums(evidence, (out.logits_by_stream["frame"] + out.logits_by_stream["flow"]) / 2)
    assert evidence.regions == {}, "TAN pools the regions before its recurrent layers"


def test_without_being_asked_there_is_none():
    maps = random_maps(TWO)
    assert small_stan(TWO)(maps).evidence is None
    assert small_late(TWO)(maps).evidence is None
    network = small_tan().train()
    assert network(random_maps(TAN_CHANNELS)).evidence is None
