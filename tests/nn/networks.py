"""Small networks with random weights in double precision, for the tests of this folder."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from attcell.choices import Conv6Kernel
from attcell.nn import STAN, Backbone, LateFusion, Stream
from attcell.nn.backbones import BackboneEntry, Built
from attcell.nn.outputs import STANOutput


class Passing(nn.Module):
    """A body that gives its input as its feature map."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures


def passing_backbone(channels: int) -> Backbone:
    entry = BackboneEntry(
        name="passing", taps=("input",), build=lambda _, channels: Built(Passing(), channels)
    )
    return Backbone(entry, "input", channels)


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """All parameters drawn anew, for AttCell starts at zero."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype) * 0.5
    return module


def small_stan(
    channels: dict[str, int], num_classes: int = 3, hidden: int = 6, conv6: int = 5, kernel: Conv6Kernel = 3
) -> STAN:
    streams = {
        name: Stream(passing_backbone(width), conv6, conv6_kernel=kernel) for name, width in channels.items()
    }
    network = STAN(streams, num_classes, lstm_hidden=hidden, dropout=0.0).double()
    randomised(network)
    return network


def small_late(channels: dict[str, int], num_classes: int = 3, hidden: int = 6, conv6: int = 5) -> LateFusion:
    alone = {
        name: STAN(
            {name: Stream(passing_backbone(width), conv6)}, num_classes, lstm_hidden=hidden, dropout=0.0
        )
        for name, width in channels.items()
    }
    network = LateFusion(alone).double()
    randomised(network)
    return network


def random_maps(
    channels: dict[str, int], videos: int = 2, segments: int = 4, seed: int = 1
) -> dict[str, Tensor]:
    """Stream → (B, T, F, 5, 5) feature maps."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(videos, segments, width, 5, 5, dtype=torch.float64, generator=generator)
        for name, width in channels.items()
    }


def assert_is_reference(out: STANOutput, b: int, expected: dict[str, Any]) -> None:
    """Video ``b`` of a batch: everything that the network returns, to 1e-9 of what plain NumPy computes."""
    for name in ("logits", "temporal_scores", "temporal_attention", "segments", "video"):
        np.testing.assert_allclose(getattr(out, name)[b].detach(), expected[name], atol=1e-9, err_msg=name)
    for name, attention in expected["spatial_attention"].items():
        np.testing.assert_allclose(out.spatial_attention[name][b].detach(), attention, atol=1e-9)
