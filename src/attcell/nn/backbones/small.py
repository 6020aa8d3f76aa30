"""Small CNNs for small videos and their sound: they learn from nothing in minutes on a CPU, for the demo and
the tests.

Group normalisation, not batch normalisation: a sample's result does not depend on the others of its batch, so
that accumulated, distributed and plain training agree.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from attcell.nn.backbones.entry import BackboneEntry, Built

# Of each block: filters, kernel size, stride. 112² becomes 7×7.
BLOCKS = ((24, 7, 4), (48, 3, 2), (96, 3, 2), (128, 3, 1))
# Of each block of the same for clips: kernel size and stride in time. In space they are alike, so that the
# weights of pictures can be inflated. 8 frames become 2, and cost about five times what one picture does.
TIMES = ((1, 2), (3, 1), (3, 2), (1, 1))
# Filters of each block for log-mel pictures of sound. Each halves time and frequency by a mean of 2×2, which
# keeps the middle of a region where it is drawn, so that a map tells when and at which pitch.
SOUND_FILTERS = (16, 32, 64)


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


def small_sound_cnn(in_channels: int = 1, num_blocks: int = len(SOUND_FILTERS)) -> tuple[nn.Sequential, int]:
    """So many blocks for pictures of sound, time × frequency, and the number of channels that come out."""
    blocks = OrderedDict[str, nn.Module]()
    channels = in_channels
    for number, filters in enumerate(SOUND_FILTERS[:num_blocks], start=1):
        blocks[f"block{number}"] = nn.Sequential(
            nn.Conv2d(channels, filters, 3, padding=1, bias=False),
            nn.GroupNorm(8, filters),
            nn.ReLU(inplace=True),
            nn.AvgPool2d(2),
        )
        channels = filters
    return nn.Sequential(blocks), channels


# Blocks until a map is taken: 7×7, 7×7 and 14×14 regions of a picture of 112×112.
_TAPS = {"block4": 4, "block3": 3, "block2": 2}
_SOUND_TAPS = {"block3": 3, "block2": 2}  # 12×8 and 24×16 regions of 96 rows × 64 bands


def _small(tap: str, in_channels: int) -> Built:
    body, out_channels = small_cnn(in_channels, _TAPS[tap])
    return Built(body, out_channels, frozenset(small_cnn(in_channels)[0].state_dict()))


def _small3d(tap: str, in_channels: int) -> Built:
    return Built(*small_3d_cnn())


def _small_sound(tap: str, in_channels: int) -> Built:
    body, out_channels = small_sound_cnn(in_channels, _SOUND_TAPS[tap])
    return Built(body, out_channels, frozenset(small_sound_cnn(in_channels)[0].state_dict()))


ENTRIES = (
    BackboneEntry(name="small", taps=tuple(_TAPS), build=_small, size=112),
    BackboneEntry(name="small_sound", taps=tuple(_SOUND_TAPS), build=_small_sound),
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
