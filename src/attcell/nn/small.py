"""Small CNNs for small videos: they learn from nothing in minutes on a CPU, for the demo and the tests.

Group normalisation, not batch normalisation: a sample's result does not depend on the others of its batch, so
that accumulated, distributed and plain training agree.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

# Of each block: filters, kernel size, stride. 112² becomes 7×7.
BLOCKS = ((24, 7, 4), (48, 3, 2), (96, 3, 2), (128, 3, 1))
# The same for clips, in time and space, after 112² was averaged to 56². 8 frames of it take about four times
# the multiplications of one picture above.
BLOCKS_3D = (
    (16, (3, 5, 5), (2, 2, 2)),
    (48, (3, 3, 3), (2, 2, 2)),
    (96, (3, 3, 3), (1, 2, 2)),
    (128, (1, 3, 3), (1, 1, 1)),
)


def small_cnn(in_channels: int = 3) -> tuple[nn.Module, int]:
    """Four blocks for pictures, and the number of channels that come out."""
    blocks = OrderedDict[str, nn.Module]()
    channels = in_channels
    for number, (filters, kernel, stride) in enumerate(BLOCKS, start=1):
        blocks[f"block{number}"] = nn.Sequential(
            nn.Conv2d(channels, filters, kernel, stride, padding=kernel // 2, bias=False),
            nn.GroupNorm(8, filters),
            nn.ReLU(inplace=True),
        )
        channels = filters
    return nn.Sequential(blocks), channels


def small_3d_cnn() -> tuple[nn.Sequential, int]:
    """Four blocks for clips, and the number of channels that come out; what is left of time stays."""
    blocks = OrderedDict[str, nn.Module](smaller=nn.AvgPool3d((1, 2, 2), ceil_mode=True))
    channels = 3
    for number, (filters, kernel, stride) in enumerate(BLOCKS_3D, start=1):
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        blocks[f"block{number}"] = nn.Sequential(
            nn.Conv3d(channels, filters, kernel, stride, padding, bias=False),
            nn.GroupNorm(8, filters),
            nn.ReLU(inplace=True),
        )
        channels = filters
    return nn.Sequential(blocks), channels
