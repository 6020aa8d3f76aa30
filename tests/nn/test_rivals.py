"""SAN and average pooling."""

from __future__ import annotations

import pytest
import torch

from attcell.nn import Stream, UniformAttention, san
from tests.nn import reference
from tests.nn.networks import assert_is_reference, passing_backbone, random_maps, randomised


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
