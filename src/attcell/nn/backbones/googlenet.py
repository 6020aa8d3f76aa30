"""GoogLeNet as it was published (Szegedy et al. 2015), without batch norm: the literal reading of TAN's CNN.

The layers have the names of torchvision's, whose weights fit too: there each convolution is followed by a
batch norm, which at test is the same as other weights and a bias (:func:`without_batch_norm`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

_EPSILON = 1e-3  # of torchvision's batch norms
# Filters of 1×1; of 3×3 and the 1×1 before it; of 5×5 and the 1×1 before it; of the 1×1 behind the pooling.
_INCEPTIONS = {
    "inception3a": (192, 64, 96, 128, 16, 32, 32),
    "inception3b": (256, 128, 128, 192, 32, 96, 64),
    "inception4a": (480, 192, 96, 208, 16, 48, 64),
    "inception4b": (512, 160, 112, 224, 24, 64, 64),
    "inception4c": (512, 128, 128, 256, 24, 64, 64),
    "inception4d": (512, 112, 144, 288, 32, 64, 64),
    "inception4e": (528, 256, 160, 320, 32, 128, 128),
    "inception5a": (832, 256, 160, 320, 32, 128, 128),
    "inception5b": (832, 384, 192, 384, 48, 128, 128),
}


class Convolution(nn.Module):
    """A convolution with a bias, and a ReLU."""

    def __init__(self, channels: int, filters: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, size, stride, padding=size // 2)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, maps: Float[Tensor, "N C H W"]) -> Float[Tensor, "N F _ _"]:
        return F.relu(self.conv(maps), inplace=True)


class Inception(nn.Module):
    """Four ways to look at a map, side by side."""

    def __init__(
        self, channels: int, one: int, to_three: int, three: int, to_five: int, five: int, pooled: int
    ) -> None:
        super().__init__()
        self.branch1 = Convolution(channels, one, 1)
        self.branch2 = nn.Sequential(Convolution(channels, to_three, 1), Convolution(to_three, three, 3))
        self.branch3 = nn.Sequential(Convolution(channels, to_five, 1), Convolution(to_five, five, 5))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), Convolution(channels, pooled, 1))

    def forward(self, maps: Float[Tensor, "N C H W"]) -> Float[Tensor, "N F H W"]:
        return torch.cat([branch(maps) for branch in self.children()], dim=1)


def googlenet_layers(in_channels: int) -> OrderedDict[str, nn.Module]:
    """The layers up to ``inception5b``, which gives 1,024 maps of 7×7 for a picture of 224×224."""
    pool = partial(nn.MaxPool2d, kernel_size=3, stride=2, ceil_mode=True)
    norm = partial(nn.LocalResponseNorm, size=5, alpha=1e-4, beta=0.75)
    layers = OrderedDict[str, nn.Module](
        conv1=Convolution(in_channels, 64, 7, stride=2),
        maxpool1=pool(),
        norm1=norm(),
        conv2=Convolution(64, 64, 1),
        conv3=Convolution(64, 192, 3),
        norm2=norm(),
        maxpool2=pool(),
    )
    for name, sizes in _INCEPTIONS.items():
        if name in ("inception4a", "inception5a"):
            layers[f"maxpool{int(name[9]) - 1}"] = pool()
        layers[name] = Inception(*sizes)
    return layers


def without_batch_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's GoogLeNet weights for these layers: batch norms become biases, 3×3 becomes 5×5.

    Where torchvision has 3×3 in the place of 5×5, the rim is 0. Weights without batch norm are left as they
    are.
    """
    folded: dict[str, Tensor] = {}
    for key, value in state.items():
        place = key.removesuffix(".conv.weight")
        if place != key and f"{place}.bn.weight" in state:
            norm = {part: state[f"{place}.bn.{part}"] for part in ("weight", "bias", "running_mean")}
            scale = norm["weight"] / (state[f"{place}.bn.running_var"] + _EPSILON).sqrt()
            weight = value * scale[:, None, None, None]
            in_five = ".branch3.1" in key and weight.shape[-1] == 3
            folded[key] = F.pad(weight, (1, 1, 1, 1)) if in_five else weight
            folded[f"{place}.conv.bias"] = norm["bias"] - norm["running_mean"] * scale
        elif ".bn." not in key:
            folded[key] = value
    return folded
