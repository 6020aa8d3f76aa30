"""A small CNN for small videos: it learns from nothing in minutes on a CPU, for the demo and the tests."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

# Of each block: filters, kernel size, stride. 112² becomes 7×7.
BLOCKS = ((24, 7, 4), (48, 3, 2), (96, 3, 2), (128, 3, 1))


def small_cnn() -> tuple[nn.Module, int]:
    """Four blocks, and the number of channels that come out.

    Group normalisation, not batch normalisation: a sample's result does not depend on the others of its
    batch, so that accumulated, distributed and plain training agree.
    """
    blocks = OrderedDict[str, nn.Module]()
    channels = 3
    for number, (filters, kernel, stride) in enumerate(BLOCKS, start=1):
        blocks[f"block{number}"] = nn.Sequential(
            nn.Conv2d(channels, filters, kernel, stride, padding=kernel // 2, bias=False),
            nn.GroupNorm(8, filters),
            nn.ReLU(inplace=True),
        )
        channels = filters
    return nn.Sequential(blocks), channels
