"""Networks for log-mel pictures (N, 1, T, M) of sound: rows are time, columns frequency, the lowest first.

CNN14 of PANNs and VGGish, in the layouts in which AudioSet's weights are published; and MFCCs and statistics
of the bands, which are no networks: the plain rivals of these, for kind ``pooled``.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attcell.errors import ModelError
from attcell.nn.backbones.entry import BackboneEntry, Built, SoundFigures

BANDS = 64  # of the pictures of all of these
NUM_CEPSTRA = 20

# CNN14


class ConvBlock(nn.Module):
    """Two convolutions of 3×3, each with batch normalisation and ReLU, and the mean of 2×2 regions.

    What is left over at an odd side is dropped. The last block takes no mean.
    """

    def __init__(self, in_channels: int, filters: int, *, is_last: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, filters, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.pool = nn.Identity() if is_last else nn.AvgPool2d(2)
        self.dropout = nn.Dropout(0.2)

    def forward(self, maps: Float[Tensor, "N C R K"]) -> Float[Tensor, "N F _ _"]:
        maps = self.bn1(self.conv1(maps)).relu_()
        return self.dropout(self.pool(self.bn2(self.conv2(maps)).relu_()))


class CNN14(nn.Module):
    """CNN14 of PANNs up to a block (Kong et al., "PANNs", TASLP 2020, Table I): 96×64 to 3×2 regions.

    Each band has a batch normalisation of its own before the first block.

    Args:
        num_blocks: of six.
        filters: of each block.
        bands: M.
    """

    def __init__(self, num_blocks: int, filters: Sequence[int], bands: int = BANDS) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(bands)
        channels = 1
        for number in range(1, num_blocks + 1):
            block = ConvBlock(channels, filters[number - 1], is_last=number == len(filters))
            self.add_module(f"conv_block{number}", block)
            channels = filters[number - 1]

    def forward(self, pictures: Float[Tensor, "N 1 T M"]) -> Float[Tensor, "N F R K"]:
        maps = self.bn0(pictures.transpose(1, 3)).transpose(1, 3)
        for name, block in self.named_children():
            maps = maps if name == "bn0" else block(maps)
        return maps


CNN14_FILTERS = (64, 128, 256, 512, 1024, 2048)
_CNN14_TAPS = tuple(f"conv_block{number}" for number in (6, 5, 4, 3))
# In the published files, and not used here: what made pictures, and the classifiers.
_CNN14_REST = re.compile(r"(spectrogram_extractor|logmel_extractor|fc1|fc_audioset|att_block)\.")
_KHZ = {129: 8, 257: 16, 513: 32}  # of the sound, by the bins of the spectra


def _cnn14(tap: str, in_channels: int) -> Built:
    number = int(tap.removeprefix("conv_block"))
    with torch.device("meta"):
        keys = frozenset(CNN14(len(CNN14_FILTERS), CNN14_FILTERS).state_dict())
    return Built(CNN14(number, CNN14_FILTERS), CNN14_FILTERS[number - 1], keys)


def cnn14_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published weights, without what made the pictures and without the classifiers.

    Raises:
        ModelError: they were trained on sound of another rate, or on other bands, which the file tells by its
            own filters.
    """
    filters = state.get("logmel_extractor.melW")
    if filters is not None and tuple(filters.shape) != (257, BANDS):
        bins, bands = filters.shape
        rate = f"sound of {_KHZ[bins]} kHz" if bins in _KHZ else f"spectra of {bins} bins"
        raise ModelError(
            f"these weights of CNN14 were trained on {rate} and {bands} bands, and here sound has 16 kHz and "
            "64 bands; give those that PANNs published for 16 kHz: Cnn14_16k_mAP=0.438.pth"
        )
    return {key: value for key, value in state.items() if not _CNN14_REST.match(key)}


# VGGish

# Convolutions by their names in the first release, with their filters; a pooling follows where a stage ends.
VGGISH_STAGES = (
    (("conv1", 64),),
    (("conv2", 128),),
    (("conv3/conv3_1", 256), ("conv3/conv3_2", 256)),
    (("conv4/conv4_1", 512), ("conv4/conv4_2", 512)),
)
_VGGISH_TAPS = {"pool4": 16, "conv4_2": 15, "pool3": 11, "conv3_2": 10}  # layers until then
_VGGISH_PLACES = (0, 3, 6, 8, 11, 13)  # of the convolutions among the layers of the ports
# The fully connected layers and what follows them: in the published files, and not used here.
_VGGISH_REST = re.compile(r"(vggish/)?(fc1|fc2|embeddings?|pproc|pca_\w+)(/|\.|$)")


def vggish_layers(in_channels: int, stages: Sequence[Sequence[tuple[str, int]]]) -> nn.Sequential:
    """Convolutions of 3×3, each with a ReLU, and the greatest of 2×2 regions behind each stage."""
    layers: list[nn.Module] = []
    channels = in_channels
    for stage in stages:
        for _, filters in stage:
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(inplace=True)]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def _vggish(tap: str, in_channels: int) -> Built:
    """VGGish (Hershey et al., "CNN Architectures for Large-Scale Audio Classification", ICASSP 2017)."""
    channels = 256 if tap in ("pool3", "conv3_2") else 512
    layers = vggish_layers(in_channels, VGGISH_STAGES)[: _VGGISH_TAPS[tap]]
    keys = frozenset(f"features.{place}.{part}" for place in _VGGISH_PLACES for part in ("weight", "bias"))
    return Built(nn.Sequential(OrderedDict(features=layers)), channels, keys)


def vggish_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published weights by the names of the PyTorch ports, without the fully connected layers.

    Known are ``features.0.weight``, torchaudio's ``features_network.0.weight``, and TensorFlow's
    ``vggish/conv1/weights``, whose kernels have their channels last.
    """
    names = [name for stage in VGGISH_STAGES for name, _ in stage]
    first = {f"vggish/{name}": place for name, place in zip(names, _VGGISH_PLACES, strict=True)}
    renamed = {}
    for key, value in state.items():
        layer, _, part = key.removesuffix(":0").rpartition("/")
        if layer in first:
            is_kernel = part == "weights"
            name = f"features.{first[layer]}.{'weight' if is_kernel else 'bias'}"
            renamed[name] = value.permute(3, 2, 0, 1).contiguous() if is_kernel else value
        else:
            name = re.sub(r"^(features|embedding)_network\.", r"\1.", key)
            renamed[name] = value
    return {key: value for key, value in renamed.items() if not _VGGISH_REST.match(key)}


# Plain rivals


def statistics(rows: Float[Tensor, "N T M"]) -> Float[Tensor, "N F 1 1"]:
    """Mean and deviation over time of each column, one region: F is 2·M."""
    mean = rows.mean(dim=1)
    deviation = (rows - mean[:, None]).square().mean(dim=1).sqrt()
    return torch.cat([mean, deviation], dim=1)[:, :, None, None]


class MelStatistics(nn.Module):
    """Mean and deviation over time of each band."""

    def forward(self, pictures: Float[Tensor, "N 1 T M"]) -> Float[Tensor, "N F 1 1"]:
        return statistics(pictures[:, 0])


class MFCC(nn.Module):
    """Mean and deviation over time of the first 20 cepstral coefficients, and of their slopes.

    A cepstrum is the orthonormal DCT-II of a row of log-mel bands (Davis and Mermelstein, TASSP 1980). The
    slope at a row is that of a straight line through the 5 rows around it (Furui, TASSP 1986), of the first
    and last rows through copies of these.
    """

    cosines: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("cosines", cosines(), persistent=False)

    def forward(self, pictures: Float[Tensor, "N 1 T M"]) -> Float[Tensor, "N F 1 1"]:
        rows = pictures[:, 0]
        cepstra = rows @ self.cosines
        padded = nn.functional.pad(cepstra.transpose(1, 2), (2, 2), mode="replicate")
        steps = padded.unfold(2, 5, 1)  # (N, coefficients, T, 5)
        slopes = (steps @ steps.new_tensor([-0.2, -0.1, 0.0, 0.1, 0.2])).transpose(1, 2)
        return statistics(torch.cat([cepstra, slopes], dim=2))


def cosines() -> Float[Tensor, "64 20"]:
    """The orthonormal DCT-II of the bands, its first coefficients."""
    import numpy as np
    from scipy.fft import dct

    return torch.from_numpy(dct(np.eye(BANDS), norm="ortho")[:, :NUM_CEPSTRA]).float()


ENTRIES = (
    BackboneEntry(
        name="cnn14",
        taps=_CNN14_TAPS,
        build=_cnn14,
        in_channels=1,
        key_map=cnn14_weights,
        key_names="PANNs'",
        sound=SoundFigures("panns", BANDS),
    ),
    BackboneEntry(
        name="vggish",
        taps=tuple(_VGGISH_TAPS),
        build=_vggish,
        in_channels=1,
        key_map=vggish_weights,
        key_names="TensorFlow's or one of the PyTorch ports'",
        sound=SoundFigures("vggish", BANDS),
    ),
    BackboneEntry(
        name="mfcc",
        taps=("statistics",),
        build=lambda tap, in_channels: Built(MFCC(), 4 * NUM_CEPSTRA),
        in_channels=1,
        sound=SoundFigures("vggish", BANDS),
    ),
    BackboneEntry(
        name="mel_statistics",
        taps=("statistics",),
        build=lambda tap, in_channels: Built(MelStatistics(), 2 * BANDS),
        in_channels=1,
        sound=SoundFigures("vggish", BANDS),
    ),
)
