"""A video that comes part by part gives what it gives at once."""

from __future__ import annotations

from collections.abc import Sequence
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from attcell.errors import CallError
from attcell.nn import LinearSVM, Stream, SVMNetwork, san, whole_video
from attcell.nn.stan import STANEncoded
from attcell.nn.streaming import Part, Streamer, streamer
from attcell.nn.temporal import EncoderDecoder, SelfAttention, TemporalAttention
from tests.nn.networks import passing_backbone, random_maps, randomised, small_late, small_stan

TWO = {"frame": 2, "flow": 3}
SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=5)


def seen(watching: Streamer, maps: dict[str, Tensor], sizes: Sequence[int]) -> list[Part]:
    """Look at one video in parts of these sizes."""
    parts = zip(*(whole.split(list(sizes), dim=1) for whole in maps.values()), strict=True)
    return [watching.step(dict(zip(maps, part, strict=True))) for part in parts]


@settings(max_examples=30, deadline=None)
@given(SIZES)
def test_stan_in_parts_is_stan_at_once(sizes: list[int]) -> None:
    network = small_stan(TWO)
    maps = random_maps(TWO, videos=1, segments=sum(sizes))
    whole = network.attend(maps)
    watching = streamer(network)
    parts = seen(watching, maps, sizes)
    torch.testing.assert_close(watching.whole().temporal_scores, whole.temporal_scores[0])
    torch.testing.assert_close(torch.cat([part.strength for part in parts]), whole.temporal_scores[0])
    torch.testing.assert_close(torch.cat([part.segments for part in parts]), whole.segments[0])
    for name in TWO:
        together = torch.cat([part.spatial_attention[name] for part in parts])
        torch.testing.assert_close(together, whole.spatial_attention[name][0])
    torch.testing.assert_close(watching.whole().logits, whole.logits[0], atol=1e-10, rtol=1e-10)
    own = torch.cat([part.logits for part in parts])
    torch.testing.assert_close(own, network.classifier(whole.segments[0]))
    evidence = torch.cat([part.evidence for part in parts])
    torch.testing.assert_close(evidence, of_segments_alone(network.encode_with_evidence(maps)))


@settings(max_examples=20, deadline=None)
@given(SIZES)
def test_late_fusion_in_parts_is_late_fusion_at_once(sizes: list[int]) -> None:
    network = small_late(TWO)
    network.set_weights(torch.tensor([0.3, 0.7], dtype=torch.float64))
    maps = random_maps(TWO, videos=1, segments=sum(sizes))
    whole = network.attend(maps)
    watching = streamer(network)
    parts = seen(watching, maps, sizes)
    torch.testing.assert_close(watching.whole().temporal_scores, whole.temporal_scores[0])
    torch.testing.assert_close(watching.whole().logits, whole.logits[0], atol=1e-10, rtol=1e-10)
    every = torch.cat([part.logits for part in parts]).exp()
    expected = sum(
        weight * network.network(name).classifier(whole.streams[name].segments[0]).softmax(-1)
        for name, weight in zip(TWO, (0.3, 0.7), strict=True)
    )
    torch.testing.assert_close(every, expected)
    encoded = network.encode_with_evidence(maps)
    evidence = sum(
        weight * of_segments_alone(encoded[name]) for name, weight in zip(TWO, (0.3, 0.7), strict=True)
    )
    torch.testing.assert_close(torch.cat([part.evidence for part in parts]), evidence)


def of_segments_alone(encoded: STANEncoded) -> Tensor:
    """(T, A) what each segment of one video would add to each class if it were the only one."""
    return sum(of[0].sum(dim=(-2, -1)) for of in encoded.region_scores.values())


def test_san_averages_what_it_saw() -> None:
    streams = {name: Stream(passing_backbone(width), 5) for name, width in TWO.items()}
    network = san(streams, 3, dropout=0.0).double()
    maps = random_maps(TWO, videos=1, segments=7)
    watching = streamer(network)
    parts = seen(watching, maps, [3, 4])
    assert all(part.strength.eq(0).all() for part in parts)
    assert watching.whole().temporal_scores.eq(0).all()
    torch.testing.assert_close(watching.whole().logits, network.attend(maps).logits[0])


@pytest.mark.parametrize("shift", [-300.0, 300.0])
def test_large_scores_do_not_overflow(shift: float) -> None:
    network = small_stan(TWO)
    maps = random_maps(TWO, videos=1, segments=6)
    expected = network.attend(maps).logits[0]
    network.temporal.attention.score.bias.data += shift
    watching = streamer(network)
    seen(watching, maps, [1, 2, 3])
    torch.testing.assert_close(watching.whole().logits, expected)


WHOLE = {
    "lstm of two directions": lambda: TemporalAttention(10, 6, layers=2, bidirectional=True),
    "encoder-decoder": lambda: EncoderDecoder(10, 6),
    "of two directions and layers": lambda: EncoderDecoder(10, 6, layers=2, bidirectional=True, score="dot"),
    "of classes": lambda: EncoderDecoder(10, 6, num_classes=3, bidirectional=True),
    "self-attention": lambda: SelfAttention(10, 8),
}


@pytest.mark.parametrize("form", WHOLE)
@settings(max_examples=6, deadline=None)
@given(sizes=SIZES, most=st.integers(1, 7))
def test_what_looks_at_the_whole_video_is_the_same_in_parts(form: str, sizes: list[int], most: int) -> None:
    network = small_stan(TWO)
    network.temporal = randomised(WHOLE[form]().double())
    network.eval()
    maps = random_maps(TWO, videos=1, segments=sum(sizes))
    out = network.attend(maps)
    watching = streamer(network)
    with mock.patch.object(whole_video, "PART", most):  # so many at once
        parts, found = seen(watching, maps, sizes), watching.whole()
    torch.testing.assert_close(found.temporal_scores, out.temporal_scores[0], atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(found.logits, out.logits[0], atol=1e-10, rtol=1e-10)
    if out.temporal_scores_by_class is None:
        assert found.temporal_scores_by_class is None
    else:
        torch.testing.assert_close(found.temporal_scores_by_class, out.temporal_scores_by_class[0].T)
    own = network.classifier(out.segments[0])
    torch.testing.assert_close(torch.cat([part.logits for part in parts]), own)
    best = own.log_softmax(-1).amax(-1)  # by which something is shown before k is known
    torch.testing.assert_close(torch.cat([part.strength for part in parts]), best)


def test_late_fusion_of_decoders_is_the_same_in_parts() -> None:
    network = small_late(TWO)
    for name in TWO:
        network.network(name).temporal = randomised(EncoderDecoder(5, 6, num_classes=3).double())
    network.set_weights(torch.tensor([0.3, 0.7], dtype=torch.float64))
    maps = random_maps(TWO, videos=1, segments=7)
    out, watching = network.attend(maps), streamer(network)
    seen(watching, maps, [3, 4])
    found = watching.whole()
    torch.testing.assert_close(found.temporal_scores, out.temporal_scores[0])
    torch.testing.assert_close(found.logits, out.logits[0])
    own = [out.streams[name].temporal_scores_by_class[0].T for name in TWO]
    torch.testing.assert_close(found.temporal_scores_by_class, 0.3 * own[0] + 0.7 * own[1])


def test_a_network_without_segments_of_its_own_is_refused() -> None:
    network = SVMNetwork(small_stan(TWO), LinearSVM(10, 3))
    said = r"this SVMNetwork does not score the segments .*; detect with a model of kind stan"
    with pytest.raises(CallError, match=said):
        streamer(network)
