"""GoogLeNet (Szegedy et al. 2015), TAN's CNN: torchvision's, and as it was published, without batch norm.

The latter is the literal reading. Its layers have the names of torchvision's, whose weights fit too: there
each convolution is followed by a batch norm, which at test is the same as other weights and a bias
(:func:`without_batch_norm`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from attcell.nn.backbones.image import layers_until, with_channels
from attcell.nn.backbones.registry import BackboneEntry, Built

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
    """Four convolutions of one map with kernels of several sizes, their outputs side by side."""

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
            mean, variance, scale, shift = (
                state[f"{place}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
            )
            fused, bias = fuse_conv_bn_weights(value, None, mean, variance, _EPSILON, scale, shift)
            weight = fused.detach()
            in_five = ".branch3.1" in key and weight.shape[-1] == 3
            folded[key] = F.pad(weight, (1, 1, 1, 1)) if in_five else weight
            folded[f"{place}.conv.bias"] = bias.detach()
        elif ".bn." not in key:
            folded[key] = value
    return folded


def _googlenet(tap: str, in_channels: int) -> Built:
    """torchvision's, with batch norms and without the auxiliary classifiers."""
    from torchvision.models import googlenet

    network = with_channels(googlenet(init_weights=False, aux_logits=True), in_channels)
    keys = frozenset(network.state_dict())
    network.aux1 = network.aux2 = None
    channels = {"inception5b": 1024, "inception4e": 832}[tap]
    return Built(nn.Sequential(layers_until(network, tap)), channels, keys)


def _googlenet_v1(tap: str, in_channels: int) -> Built:
    body = nn.Sequential()
    for name, layer in googlenet_layers(in_channels).items():
        body.add_module(name, layer)
        if name == tap:
            break
    _, channels, published, _ = _googlenet(tap, in_channels)
    assert published is not None, "the builder names them"
    convolutions = [key.removesuffix("weight") for key in published if key.endswith(".conv.weight")]
    plain = [key for key in published if ".bn." not in key]
    return Built(body, channels, frozenset(plain) | {f"{key}bias" for key in convolutions})


def _entry(
    name: str, build: Callable[[str, int], Built], key_map: Callable[..., dict[str, Tensor]]
) -> BackboneEntry:
    return BackboneEntry(
        name=name,
        taps=("inception5b", "inception4e"),
        build=build,
        mean=(0.5, 0.5, 0.5),  # torchvision's weights expect colours from -1 to 1
        deviation=(0.5, 0.5, 0.5),
        weights="torchvision:GoogLeNet_Weights.IMAGENET1K_V1",
        key_map=key_map,
    )


ENTRIES = (
    _entry("googlenet", _googlenet, dict),
    _entry("googlenet_v1", _googlenet_v1, without_batch_norm),  # with the batch norms as biases
)
