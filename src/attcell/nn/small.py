"""A small CNN for small videos: it learns from nothing in minutes on a CPU, for the demo and the tests."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

CHANNELS = (32, 64, 96, 128)


def small_cnn() -> tuple[nn.Module, int]:
    """Four blocks that each halve the picture (112² to 7×7), and the number of channels that come out.

    Group normalisation, not batch normalisation: a sample's result does not depend on the others of its
    batch, so that accumulated, distributed and plain training agree.
    """
    blocks = OrderedDict[str, nn.Module]()
    channels = 3
    for number, width in enumerate(CHANNELS, start=1):
        blocks[f"block{number}"] = nn.Sequential(
            nn.Conv2d(
                channels,
                width,
                kernel_size=5 if number == 1 else 3,
                stride=2,
                padding=2 if number == 1 else 1,
            ),
            nn.GroupNorm(8, width),
            nn.ReLU(inplace=True),
        )
        channels = width
    return nn.Sequential(blocks), channels
