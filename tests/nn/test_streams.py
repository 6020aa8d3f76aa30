"""One stream: conv6 and spatial attention."""

from __future__ import annotations

import numpy as np
import torch

from attcell.nn import Stream, build_backbone
from attcell.nn.streams import Standardise
from tests.nn import reference
from tests.nn.networks import passing_backbone, randomised


def test_spatial_attention_is_the_equation() -> None:
    stream = randomised(Stream(passing_backbone(4), 5).double())
    maps = torch.randn(2, 3, 4, 6, 6, dtype=torch.float64)
    out = stream(maps)
    weight, bias = stream.conv6.weight.detach().numpy(), stream.conv6.bias.detach().numpy()
    cell = stream.attention.score
    for b, t in np.ndindex(2, 3):
        local = reference.conv6(maps[b, t].numpy(), weight, bias)
        scores, attention, attended = reference.spatial_attention(
            local, cell.weight[0].detach().numpy(), cell.bias.item()
        )
        np.testing.assert_allclose(stream.descriptors(maps)[b, t].detach(), local, atol=1e-9)
        np.testing.assert_allclose(out.scores[b, t].detach(), scores, atol=1e-9)
        np.testing.assert_allclose(out.attention[b, t].detach(), attention, atol=1e-9)
        np.testing.assert_allclose(out.segments[b, t].detach(), attended, atol=1e-9)
    torch.testing.assert_close(out.attention.sum(dim=(-1, -2)), torch.ones(2, 3, dtype=torch.float64))


def test_spatial_attention_gradients() -> None:
    stream = randomised(Stream(passing_backbone(2), 3).double())
    maps = torch.randn(1, 2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: stream(x).segments, (maps, *stream.parameters()))


def test_segments_share_the_attention_cell() -> None:
    stream = randomised(Stream(passing_backbone(4), 5))
    maps = torch.randn(1, 1, 4, 6, 6).expand(1, 3, 4, 6, 6)
    attention = stream(maps).attention
    torch.testing.assert_close(attention[:, 0], attention[:, 2])


def test_standardise_gives_each_channel_mean_0_and_deviation_1() -> None:
    maps = torch.randn(50, 3, 4, 4) * torch.tensor([1.0, 5.0, 0.0])[:, None, None] + 2
    layer = Standardise(3)
    torch.testing.assert_close(layer(maps), maps)
    layer.fit(maps.mean(dim=(0, 2, 3)), maps.std(dim=(0, 2, 3), correction=0))
    out = layer(maps)
    torch.testing.assert_close(out.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std(dim=(0, 2, 3), correction=0), torch.tensor([1.0, 1.0, 0.0]))


def test_pictures_go_through_the_backbone_segment_by_segment() -> None:
    stream = Stream(build_backbone("small"), 8).eval()
    pictures = torch.randn(2, 3, 3, 112, 112)
    maps = stream.feature_maps(pictures)
    assert maps.shape == (2, 3, 128, 7, 7)
    torch.testing.assert_close(maps[1, 2], stream.backbone(pictures[1, 2][None])[0])
