"""The whole of STAN against plain NumPy, and what it returns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attcell.choices import Conv6Kernel
from attcell.nn import STAN, AttCell, Stream, attended_sum, build_backbone
from attcell.nn.temporal import TemporalAttention
from tests.nn import reference
from tests.nn.networks import assert_is_reference, passing_backbone, random_maps, randomised, small_stan


@pytest.mark.parametrize(
    "channels", [{"frame": 3}, {"frame": 3, "flow": 2}, {"frame": 2, "flow": 2, "clip": 4}]
)
@pytest.mark.parametrize("segments", [1, 4, 9])
@pytest.mark.parametrize("kernel", [1, 3])
def test_stan_is_the_equations(channels: dict[str, int], segments: int, kernel: Conv6Kernel) -> None:
    network = small_stan(channels, kernel=kernel)
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    maps = random_maps(channels, segments=segments)
    out = network(maps)
    for b in range(2):
        expected = reference.stan({name: maps[name][b].numpy() for name in maps}, list(channels), weights)
        assert_is_reference(out, b, expected)
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
    out = network(random_maps({"frame": 3}))
    torch.testing.assert_close(out.video, attended_sum(out.temporal_attention, out.segments))
    lstm_outputs, _ = network.temporal.lstm(out.segments)
    assert not torch.allclose(out.video, attended_sum(out.temporal_attention, lstm_outputs))


def test_gradients_of_the_whole_network() -> None:
    network = small_stan({"frame": 2, "flow": 1}, num_classes=2, hidden=2, conv6=2)
    maps = {
        name: value.requires_grad_() for name, value in random_maps({"frame": 2, "flow": 1}, 1, 2).items()
    }

    def logits(frame: torch.Tensor, flow: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return network({"frame": frame, "flow": flow}).logits

    assert torch.autograd.gradcheck(logits, (maps["frame"], maps["flow"], *network.parameters()))


def test_gradients_with_three_streams() -> None:
    channels = {"frame": 2, "flow": 1, "clip": 3}
    network = small_stan(channels, num_classes=2, hidden=2, conv6=2)
    maps = [value.requires_grad_() for value in random_maps(channels, 1, 3).values()]

    def looked(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        out = network(dict(zip(channels, values[:3], strict=True)))
        return out.logits, out.temporal_attention, *out.spatial_attention.values()

    assert torch.autograd.gradcheck(looked, (*maps, *network.parameters()), fast_mode=True)


@pytest.mark.parametrize("channels", [{"frame": 2, "flow": 3, "clip": 4}, {"clip": 1, "flow": 2}])
def test_each_stream_has_an_attention_over_regions_and_all_share_one_over_time(
    channels: dict[str, int],
) -> None:
    out = small_stan(channels)(random_maps(channels, videos=3, segments=6))
    assert list(out.spatial_attention) == list(out.spatial_scores) == list(channels)
    ones = torch.ones(3, 6, dtype=torch.float64)
    for attention in out.spatial_attention.values():
        assert attention.min() >= 0
        torch.testing.assert_close(attention.sum(dim=(-1, -2)), ones, atol=1e-12, rtol=0)
    maps = list(out.spatial_attention.values())
    assert not torch.allclose(maps[0], maps[1]), "each stream looks for itself"
    assert out.temporal_attention.shape == (3, 6)
    torch.testing.assert_close(out.temporal_attention.sum(1), ones[:, 0], atol=1e-12, rtol=0)
    assert out.segments.shape == (3, 6, 5 * len(channels))


def test_the_attention_over_time_hears_every_stream() -> None:
    channels = {"frame": 2, "flow": 2, "clip": 2}
    network, maps = small_stan(channels), random_maps(channels)
    before = network(maps)
    for name in channels:
        after = network({**maps, name: maps[name].flip(1)})
        assert not torch.allclose(after.temporal_attention, before.temporal_attention)
        unchanged = [other for other in channels if other != name]
        assert all(
            torch.equal(after.spatial_attention[other], before.spatial_attention[other])
            for other in unchanged
        )


def test_streams_of_pictures_and_clips_go_through_one_network() -> None:
    streams = {
        "frame": Stream(build_backbone("small"), 8),
        "flow": Stream(build_backbone("small", in_channels=4), 8),
        "clip": Stream(build_backbone("small3d"), 8),
    }
    network = randomised(STAN(streams, 3, lstm_hidden=6, dropout=0.0)).eval()
    inputs = {
        "frame": torch.randn(2, 3, 3, 48, 48),
        "flow": torch.randn(2, 3, 4, 48, 48),
        "clip": torch.randn(2, 3, 3, 8, 48, 48),
    }
    with torch.inference_mode():
        out, maps = network(inputs), network.feature_maps(inputs)
        one = streams["clip"].backbone(inputs["clip"][1, 2][None])
    assert {name: tuple(value.shape) for name, value in maps.items()} == dict.fromkeys(
        streams, (2, 3, 128, 3, 3)
    )
    torch.testing.assert_close(maps["clip"][1, 2], one[0], rtol=1e-4, atol=1e-5)
    assert out.logits.shape == (2, 3)
    weights = {key: value.double().numpy() for key, value in network.state_dict().items()}
    expected = reference.stan({name: maps[name][1].double().numpy() for name in maps}, list(maps), weights)
    np.testing.assert_allclose(out.logits[1], expected["logits"], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(out.temporal_attention[1], expected["temporal_attention"], atol=1e-4)


def test_every_parameter_but_the_biases_of_attention_is_trained() -> None:
    network = small_stan({"frame": 3})
    network(random_maps({"frame": 3})).logits.square().sum().backward()
    idle = {key for key, parameter in network.named_parameters() if parameter.grad.abs().max() < 1e-12}
    assert idle == {"streams.frame.attention.score.bias", "temporal.attention.score.bias"}


def test_dropout_acts_before_the_classifier_only() -> None:
    network = small_stan({"frame": 3})
    network.dropout.p = 0.5
    network.train()
    first, second = network(random_maps({"frame": 3})), network(random_maps({"frame": 3}))
    torch.testing.assert_close(first.video, second.video)
    assert not torch.allclose(first.logits, second.logits)


def test_attention_starts_uniform() -> None:
    network = STAN({"frame": Stream(passing_backbone(3), 5)}, 3, lstm_hidden=6).double()
    out = network(random_maps({"frame": 3}))
    torch.testing.assert_close(out.temporal_attention, torch.full((2, 4), 0.25, dtype=torch.float64))
    torch.testing.assert_close(
        out.spatial_attention["frame"], torch.full((2, 4, 5, 5), 0.04, dtype=torch.float64)
    )


def test_with_filters_of_one_region_no_descriptor_sees_its_neighbours() -> None:
    maps = random_maps({"frame": 3})["frame"]
    other = maps.clone()
    other[..., 2, 3] += 1
    for kernel, changed in ((1, 1), (3, 9)):
        stream = Stream(passing_backbone(3), 64, conv6_kernel=kernel, conv6_relu=False).double()
        differs = (stream.descriptors(maps) != stream.descriptors(other)).any(dim=2)
        assert differs[0, 0].sum() == changed
        assert differs[0, 0, 2, 3]


def test_readings_can_be_switched() -> None:
    maps = random_maps({"frame": 3})
    bare = Stream(passing_backbone(3), 5, conv6_relu=False).double()
    assert bare.descriptors(maps["frame"]).min() < 0
    assert AttCell(5, uniform_start=False).score.weight.abs().max() > 0
    temporal = TemporalAttention(5, 4, layers=2, bidirectional=True).double()
    scores, attention = temporal(torch.randn(2, 6, 5, dtype=torch.float64))
    assert scores.shape == attention.shape == (2, 6)
