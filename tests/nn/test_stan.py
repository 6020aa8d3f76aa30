"""The whole of STAN against plain NumPy, and what it returns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attcell.nn import STAN, AttCell, Stream, attended_sum
from attcell.nn.stan import TemporalAttention
from tests.nn import reference
from tests.nn.networks import passing_backbone, randomised, small_stan


def _maps(
    channels: dict[str, int], videos: int = 2, segments: int = 4, seed: int = 1
) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(videos, segments, width, 5, 5, dtype=torch.float64, generator=generator)
        for name, width in channels.items()
    }


@pytest.mark.parametrize(
    "channels", [{"frame": 3}, {"frame": 3, "flow": 2}, {"frame": 2, "flow": 2, "clip": 4}]
)
@pytest.mark.parametrize("segments", [1, 4, 9])
def test_stan_is_the_equations(channels: dict[str, int], segments: int) -> None:
    network = small_stan(channels)
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    maps = _maps(channels, segments=segments)
    out = network(maps)
    for b in range(2):
        expected = reference.stan({name: maps[name][b].numpy() for name in maps}, list(channels), weights)
        for name in ("logits", "temporal_scores", "temporal_attention", "segments", "video"):
            np.testing.assert_allclose(
                getattr(out, name)[b].detach(), expected[name], atol=1e-9, err_msg=name
            )
        for name, attention in expected["spatial_attention"].items():
            np.testing.assert_allclose(out.spatial_attention[name][b].detach(), attention, atol=1e-9)
    torch.testing.assert_close(out.temporal_attention.sum(dim=1), torch.ones(2, dtype=torch.float64))


def test_temporal_attention_is_the_equation() -> None:
    temporal = randomised(TemporalAttention(5, hidden=4).double())
    segments = torch.randn(2, 6, 5, dtype=torch.float64)
    scores, attention = temporal(segments)
    weights = {key: value.numpy() for key, value in temporal.lstm.state_dict().items()}
    cell = temporal.attention.score
    for b in range(2):
        expected = reference.att_cell(
            reference.lstm(segments[b].numpy(), weights), cell.weight[0].detach().numpy(), cell.bias.item()
        )
        np.testing.assert_allclose(scores[b].detach(), expected[0], atol=1e-9)
        np.testing.assert_allclose(attention[b].detach(), expected[1], atol=1e-9)


def test_the_video_sums_segments_and_not_lstm_outputs() -> None:
    network = small_stan({"frame": 3}, hidden=5, conv6=5)  # of one size, so that a mix-up would run
    out = network(_maps({"frame": 3}))
    torch.testing.assert_close(out.video, attended_sum(out.temporal_attention, out.segments))
    lstm_outputs, _ = network.temporal.lstm(out.segments)
    assert not torch.allclose(out.video, attended_sum(out.temporal_attention, lstm_outputs))


def test_gradients_of_the_whole_network() -> None:
    network = small_stan({"frame": 2, "flow": 1}, num_classes=2, hidden=2, conv6=2)
    maps = {name: value.requires_grad_() for name, value in _maps({"frame": 2, "flow": 1}, 1, 2).items()}

    def logits(frame: torch.Tensor, flow: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return network({"frame": frame, "flow": flow}).logits

    assert torch.autograd.gradcheck(logits, (maps["frame"], maps["flow"], *network.parameters()))


def test_every_parameter_but_the_biases_of_attention_is_trained() -> None:
    network = small_stan({"frame": 3})
    network(_maps({"frame": 3})).logits.square().sum().backward()
    idle = {key for key, parameter in network.named_parameters() if parameter.grad.abs().max() < 1e-12}
    assert idle == {"streams.frame.attention.score.bias", "temporal.attention.score.bias"}


def test_dropout_acts_before_the_classifier_only() -> None:
    network = small_stan({"frame": 3})
    network.dropout.p = 0.5
    network.train()
    first, second = network(_maps({"frame": 3})), network(_maps({"frame": 3}))
    torch.testing.assert_close(first.video, second.video)
    assert not torch.allclose(first.logits, second.logits)


def test_attention_starts_uniform() -> None:
    network = STAN({"frame": Stream(passing_backbone(3), 5)}, 3, lstm_hidden=6).double()
    out = network(_maps({"frame": 3}))
    torch.testing.assert_close(out.temporal_attention, torch.full((2, 4), 0.25, dtype=torch.float64))
    torch.testing.assert_close(
        out.spatial_attention["frame"], torch.full((2, 4, 5, 5), 0.04, dtype=torch.float64)
    )


def test_readings_can_be_switched() -> None:
    maps = _maps({"frame": 3})
    bare = Stream(passing_backbone(3), 5, conv6_relu=False).double()
    assert bare.descriptors(maps["frame"]).min() < 0
    assert AttCell(5, uniform_start=False).score.weight.abs().max() > 0
    temporal = TemporalAttention(5, 4, layers=2, bidirectional=True).double()
    scores, attention = temporal(torch.randn(2, 6, 5, dtype=torch.float64))
    assert scores.shape == attention.shape == (2, 6)
