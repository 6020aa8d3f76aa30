"""What weights the segments of a video, against plain NumPy, and its gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from attcell.nn import STAN, AttCell, EncoderDecoder, SelfAttention, Stream, TemporalAttention
from attcell.nn.temporal import of_all_classes, positions
from tests.nn import reference, reference_temporal
from tests.nn.networks import passing_backbone, random_maps, randomised

DECODERS = [
    {"score": score, "bidirectional": bidirectional, "num_classes": num_classes}
    for score in ("additive", "dot")
    for bidirectional in (False, True)
    for num_classes in (None, 3)
]


def values(module: nn.Module) -> dict[str, np.ndarray]:
    return {key: value.numpy() for key, value in module.state_dict().items()}


def segments_of(num: int, dim: int = 5, videos: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(num)
    return torch.randn(videos, num, dim, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("options", DECODERS, ids=str)
@settings(max_examples=4, deadline=None)
@given(num=st.integers(1, 7), seed=st.integers(0, 9))
def test_an_encoder_decoder_is_the_equations(options, num, seed):
    temporal = randomised(EncoderDecoder(5, 4, **options).double(), seed)
    segments = segments_of(num)
    scores, attention = temporal(segments)
    for b in range(2):
        expected = reference_temporal.encoder_decoder(
            segments[b].numpy(),
            values(temporal),
            bidirectional=options["bidirectional"],
            additive=options["score"] == "additive",
        )
        for found, wanted in zip((scores[b], attention[b]), expected, strict=True):
            of_all = wanted[0] if options["num_classes"] is None else wanted
            np.testing.assert_allclose(found.detach(), of_all, atol=1e-9)


@settings(max_examples=6, deadline=None)
@given(num=st.integers(1, 7), seed=st.integers(0, 9))
@pytest.mark.parametrize("learns", [True, False])  # without gradients PyTorch takes another way
def test_self_attention_is_the_equations(learns, num, seed):
    temporal = randomised(SelfAttention(5, 8).double(), seed).eval()
    segments = segments_of(num)
    with torch.set_grad_enabled(learns):
        scores, attention = temporal(segments)
    for b in range(2):
        expected = reference_temporal.self_attention(segments[b].numpy(), values(temporal), heads=4)
        np.testing.assert_allclose(scores[b].detach(), expected[0], atol=1e-9)
        np.testing.assert_allclose(attention[b].detach(), expected[1], atol=1e-9)


@pytest.mark.parametrize("options", DECODERS, ids=str)
def test_gradients_of_an_encoder_decoder(options):
    temporal = randomised(EncoderDecoder(2, 2, **options).double())
    segments = segments_of(3, 2, 1).requires_grad_()
    own = list(temporal.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: temporal(x)[1], (segments, *own), fast_mode=True)


def test_gradients_of_self_attention():
    temporal = randomised(SelfAttention(2, 4).double()).eval()
    segments = segments_of(3, 2, 1).requires_grad_()
    own = list(temporal.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: temporal(x)[1], (segments, *own), fast_mode=True)


def stan_of(temporal: nn.Module, num_classes: int = 3) -> STAN:
    streams = {"frame": Stream(passing_backbone(3), 5)}
    network = STAN(streams, num_classes, dropout=0.0, temporal=temporal).double()
    return randomised(network).eval()


@pytest.mark.parametrize("segments", [1, 6])
def test_eq_8_of_each_class_is_the_equation(segments):
    network = stan_of(EncoderDecoder(5, 4, num_classes=3))
    maps = random_maps({"frame": 3}, segments=segments)
    out = network(maps)
    assert out.temporal_scores_by_class.shape == (2, 3, segments)
    for b in range(2):
        rows = out.segments[b].detach().numpy()
        k, beta = reference_temporal.encoder_decoder(
            rows, values(network.temporal), bidirectional=False, additive=True
        )
        logits = reference_temporal.by_class(rows, beta, values(network.classifier))
        np.testing.assert_allclose(out.temporal_scores_by_class[b].detach(), k, atol=1e-9)
        np.testing.assert_allclose(out.logits[b].detach(), logits, atol=1e-9)
        mean = reference.softmax(logits) @ beta
        np.testing.assert_allclose(out.temporal_attention[b].detach(), mean, atol=1e-9)
        np.testing.assert_allclose(out.video[b].detach(), mean @ rows, atol=1e-9)
        own = network.classifier(out.segments[b]).detach().numpy()  # (T, A): weighted by β it is the same
        np.testing.assert_allclose(logits, (beta.T * own).sum(axis=0), atol=1e-9)
    torch.testing.assert_close(out.temporal_scores.softmax(-1), out.temporal_attention)


def test_where_all_classes_attend_alike_it_is_eq_8():
    network = stan_of(EncoderDecoder(5, 4, num_classes=3))
    network.temporal.classes.weight.data[:] = network.temporal.classes.weight[0]
    out = network(random_maps({"frame": 3}))
    torch.testing.assert_close(out.logits, network.classifier(out.video))
    torch.testing.assert_close(out.temporal_attention, out.temporal_scores_by_class[:, 0].softmax(-1))


def test_the_attention_of_a_sure_class_is_what_is_told():
    scores = segments_of(6, 3).transpose(1, 2)
    sure = torch.tensor([[0.0, 60.0, 0.0], [0.0, 0.0, 60.0]], dtype=torch.float64)
    told = of_all_classes(scores, sure).softmax(-1)
    torch.testing.assert_close(told[0], scores[0, 1].softmax(-1))
    torch.testing.assert_close(told[1], scores[1, 2].softmax(-1))


FORMS = {
    "encoder-decoder": lambda: EncoderDecoder(5, 4),
    "dot": lambda: EncoderDecoder(5, 4, score="dot"),
    "of classes": lambda: EncoderDecoder(5, 4, num_classes=3),
    "self-attention": lambda: SelfAttention(5, 8),
    "attcell": lambda: AttCell(5),
    "lstm": lambda: TemporalAttention(5, 4),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_starts_uniform_and_learns(form):
    temporal = FORMS[form]().double().eval()
    segments = segments_of(5)
    _, attention = temporal(segments)
    torch.testing.assert_close(attention, torch.full_like(attention, 0.2))
    (attention * torch.arange(5)).sum().backward()
    assert max(float(of.grad.abs().max()) for of in temporal.parameters() if of.grad is not None) > 0
    other = FORMS[form]().double().eval()
    randomised(other)
    assert other(segments)[1].std() > 0


@pytest.mark.parametrize("form", FORMS)
def test_every_parameter_learns_but_what_moves_all_scores_alike(form):
    network = stan_of(FORMS[form]())
    network(random_maps({"frame": 3})).logits.square().sum().backward()
    idle = {name for name, of in network.temporal.named_parameters() if of.grad.abs().max() < 1e-12}
    alike = {"attcell": {"score.bias"}, "lstm": {"attention.score.bias"}}
    alike["self-attention"] = {"attention.score.bias", "layer.norm2.bias"}
    assert idle == alike.get(form, set())


def test_a_decoder_hears_the_end_of_the_video_and_an_lstm_does_not():
    segments = segments_of(6, videos=1)
    changed = segments.clone()
    changed[:, -1] += 1
    for temporal, hears in ((EncoderDecoder(5, 4), True), (TemporalAttention(5, 4), False)):
        randomised(temporal.double())
        same = torch.allclose(temporal(segments)[0][:, :-1], temporal(changed)[0][:, :-1])
        assert same is not hears


def test_an_attcell_alone_does_not_know_of_order_and_self_attention_does():
    segments = segments_of(6)
    turned = segments.flip(1)
    alone, together = randomised(AttCell(5).double()), randomised(SelfAttention(5, 8).double()).eval()
    torch.testing.assert_close(alone(turned)[1].flip(1), alone(segments)[1])
    assert not torch.allclose(together(turned)[1].flip(1), together(segments)[1])


def test_positions_lie_alike_in_videos_of_any_length():
    torch.testing.assert_close(positions(0, 25, 25, 4)[:, 0], torch.sin(torch.arange(25).double() + 0.5))
    few, many = positions(0, 4, 4, 8), positions(0, 12, 12, 8)
    torch.testing.assert_close(few, many[1::3])  # the middle of three
    torch.testing.assert_close(positions(5, 3, 12, 8), many[5:8])
