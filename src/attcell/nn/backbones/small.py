"""Small CNNs for small videos: they learn from nothing in minutes on a CPU, for the demo and the tests.

Group normalisation, not batch normalisation: a sample's result does not depend on the others of its batch, so
that accumulated, distributed and plain training agree.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from attcell.nn.backbones.registry import BackboneEntry, Built

# Of each block: filters, kernel size, stride. 112² becomes 7×7.
BLOCKS = ((24, 7, 4), (48, 3, 2), (96, 3, 2), (128, 3, 1))
# Of each block of the same for clips: kernel size and stride in time. In space they are alike, so that the
# weights of pictures can be inflated. 8 frames become 2, and cost about five times what one picture does.
TIMES = ((1, 2), (3, 1), (3, 2), (1, 1))


def small_cnn(in_channels: int = 3, num_blocks: int = len(BLOCKS)) -> tuple[nn.Sequential, int]:
    """So many blocks for pictures, and the number of channels that come out."""
    blocks = OrderedDict[str, nn.Module]()
    channels = in_channels
    for number, (filters, kernel, stride) in enumerate(BLOCKS[:num_blocks], start=1):
        blocks[f"block{number}"] = nn.Sequential(
            nn.Conv2d(channels, filters, kernel, stride, padding=kernel // 2, bias=False),
            nn.GroupNorm(8, filters),
            nn.ReLU(inplace=True),
        )
        channels = filters
    return nn.Sequential(blocks), channels


def small_3d_cnn() -> tuple[nn.Sequential, int]:
    """Four blocks for clips, and the number of channels that come out; what is left of time stays."""
    blocks = OrderedDict[str, nn.Module]()
    channels = 3
    for number, ((filters, kernel, stride), (length, step)) in enumerate(zip(BLOCKS, TIMES, strict=True), 1):
        size, padding = (length, kernel, kernel), (length // 2, kernel // 2, kernel // 2)
        blocks[f"block{number}"] = nn.Sequential(
            nn.Conv3d(channels, filters, size, (step, stride, stride), padding, bias=False),
            nn.GroupNorm(8, filters),
            nn.ReLU(inplace=True),
        )
        channels = filters
    return nn.Sequential(blocks), channels


# Blocks until a map is taken: 7×7, 7×7 and 14×14 regions of a picture of 112×112.
_TAPS = {"block4": 4, "block3": 3, "block2": 2}


def _small(tap: str, in_channels: int) -> Built:
    body, out_channels = small_cnn(in_channels, _TAPS[tap])
    return Built(body, out_channels, frozenset(small_cnn(in_channels)[0].state_dict()))


def _small3d(tap: str, in_channels: int) -> Built:
    return Built(*small_3d_cnn())


ENTRIES = (
    BackboneEntry(name="small", taps=tuple(_TAPS), build=_small, size=112),
    BackboneEntry(
        name="small3d",
        taps=("block4",),
        build=_small3d,
        takes="clip",
        gives="regions x time",
        in_channels=3,
        size=112,
    ),
)
