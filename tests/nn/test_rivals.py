"""SAN and average pooling."""

from __future__ import annotations

import torch

from attcell.nn import Stream, UniformAttention, san
from tests.nn.networks import passing_backbone, randomised


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
