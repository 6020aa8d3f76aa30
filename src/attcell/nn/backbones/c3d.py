"""C3D (Tran et al. 2015): 16 frames to one feature map, and the published weights of all its ports."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attcell.nn.backbones.entry import IMAGENET_DEVIATION, IMAGENET_MEAN, BackboneEntry, Built, FC6Entry

# The convolutions by their published names, with their filters; a pooling follows where a stage ends.
STAGES = (
    (("conv1", 64),),
    (("conv2", 128),),
    (("conv3a", 256), ("conv3b", 256)),
    (("conv4a", 512), ("conv4b", 512)),
    (("conv5a", 512), ("conv5b", 512)),
)
LAYERS = tuple(name for stage in STAGES for name, _ in stage)
CLASSIFIER = ("fc6", "fc7", "fc8")  # in the published files, and not used here
_SCALE = 58.0  # about the deviation of a colour in 0..255, so that untrained layers get inputs of size 1
_MEAN_BGR = (90.0, 98.0, 102.0)
_MMACTIONS_MEAN = (104.0, 117.0, 128.0)  # of red, green, blue, in the networks that MMAction trained further
_NUMBERED = dict(
    zip(
        [f"features.{number}" for number in (0, 3, 6, 8, 11, 13, 16, 18)]
        + [f"classifier.{number}" for number in (0, 3, 6)],
        (*LAYERS, *CLASSIFIER),
        strict=True,
    )
)


class C3DInput(nn.Module):
    """From ImageNet's mean and deviation to blue, green, red around the mean of Sports-1M, over 58.

    *Reading*: the published weights expect 0..255 less the mean picture of Sports-1M, which the common ports
    replace by one number a colour, (90, 98, 102) for blue, green, red.
    """

    def forward(self, clips: Float[Tensor, "N 3 L H W"]) -> Float[Tensor, "N 3 L H W"]:
        shape = (1, 3, 1, 1, 1)
        deviation = clips.new_tensor(IMAGENET_DEVIATION).view(shape)
        mean = clips.new_tensor(IMAGENET_MEAN).view(shape)
        colours = (clips * deviation + mean).flip(1) * 255
        return (colours - clips.new_tensor(_MEAN_BGR).view(shape)) / _SCALE


def _c3d(tap: str, in_channels: int) -> Built:
    """C3D up to pool5.

    All kernels are 3×3×3 with a padding of 1. pool1 is 1×2×2, the others 2×2×2; they round up and pad
    nothing, so that 16 frames of 224² give 1×7×7×512, and of 112² 1×4×4×512.
    """
    layers = OrderedDict[str, nn.Module]()
    channels = in_channels
    for number, stage in enumerate(STAGES, start=1):
        for name, filters in stage:
            layers[name] = nn.Conv3d(channels, filters, kernel_size=3, padding=1)
            layers[f"{name}_relu"] = nn.ReLU(inplace=True)
            channels = filters
        layers[f"pool{number}"] = nn.MaxPool3d((1 if number == 1 else 2, 2, 2), ceil_mode=True)
    keys = frozenset(f"{name}.{part}" for name in (*LAYERS, *CLASSIFIER) for part in ("weight", "bias"))
    return Built(nn.Sequential(layers), channels, keys)


def from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published Sports-1M weights for C3D here, from the naming of any of the common PyTorch ports.

    Known are ``conv1.weight``, ``features.0.weight`` (as in torchvision's VGG) and
    ``backbone.conv1a.conv.weight`` (MMAction). The first convolution is scaled to what :class:`C3DInput`
    gives, so that the network computes what it was published for. Keys of other networks are left as they
    are.

    A network that MMAction trained further has its classifier, ``cls_head``, and looks at red, green, blue
    less another mean. Its first convolution is turned to our order, and takes the mean into its bias, which
    is the same but at the pictures' rim, where it pads by zeros.
    """
    renamed = {_published_name(key): value for key, value in state.items()}
    if "conv1.weight" not in renamed:
        return renamed
    if _is_trained_further(state) and "conv1.bias" in renamed:
        weight = renamed["conv1.weight"].flip(1)
        theirs, ours = weight.new_tensor(_MMACTIONS_MEAN).flip(0), weight.new_tensor(_MEAN_BGR)
        shift = torch.einsum("fcthw,c->f", weight, ours - theirs)
        renamed |= {"conv1.weight": weight, "conv1.bias": renamed["conv1.bias"] + shift}
    renamed["conv1.weight"] = renamed["conv1.weight"] * _SCALE
    return renamed


def _is_trained_further(state: Mapping[str, Tensor]) -> bool:
    return any(key.startswith("cls_head.") for key in state)


def naming_of(state: Mapping[str, Tensor]) -> str:
    """Which port's names weights have, and what they look at, in words."""
    published = "blue, green, red of 0 to 255, less their mean"
    if _is_trained_further(state):
        return (
            "MMAction's names, trained further by it on red, green, blue of 0 to 255 less 104, 117, 128: "
            "turned to our order, the mean taken into the first bias"
        )
    if any(key.endswith("conv1a.conv.weight") for key in state):
        return f"MMAction's names conv1a.conv to conv5b.conv; {published}"
    if "features.0.weight" in state:
        return f"the names features.0 to features.18; {published}"
    return f"the names conv1 to conv5b; {published}"


def _published_name(key: str) -> str:
    layer, _, part = key.rpartition(".")
    if layer in _NUMBERED:
        return f"{_NUMBERED[layer]}.{part}"
    layer = layer.removeprefix("backbone.").removesuffix(".conv")
    layer = {"conv1a": "conv1", "conv2a": "conv2", "cls_head.fc_cls": "fc8"}.get(layer, layer)
    return f"{layer}.{part}" if re.fullmatch(r"conv\d[ab]?|fc[678]", layer) else key


ENTRY = BackboneEntry(
    name="c3d",
    taps=("pool5",),
    build=_c3d,
    takes="clip",
    gives="regions x time",  # one step of time for 16 frames
    in_channels=3,
    size=112,
    mean=(_MEAN_BGR[2] / 255, _MEAN_BGR[1] / 255, _MEAN_BGR[0] / 255),
    deviation=(_SCALE / 255,) * 3,
    prepare=C3DInput,
    key_map=from_published,
    key_names="one of the PyTorch ports'",
    naming=naming_of,
    fc6=FC6Entry("fc6", ("pool5",), 4096, regions=4),
)
