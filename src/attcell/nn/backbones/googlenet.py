"""GoogLeNet (Szegedy et al. 2015), TAN's CNN: torchvision's, and as it was published, without batch norm.

The latter is the literal reading. Its layers have the names of torchvision's, whose weights fit too: there
each convolution is followed by a batch norm, which at test is the same as other weights and a bias
(:func:`without_batch_norm`). ``googlenet_caffe`` are the same layers with the input of the weights that Caffe
published: blue, green, red of 0 to 255, less 104, 117, 123 (:func:`from_caffe`).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from attcell.errors import ModelError
from attcell.nn.backbones.backbone import FromImageNet
from attcell.nn.backbones.entry import BackboneEntry, Built
from attcell.nn.backbones.image import layers_until, with_channels

_EPSILON = 1e-3  # of torchvision's batch norms
_CAFFES_MEAN = (123 / 255, 117 / 255, 104 / 255)
_CAFFES_SCALE = (
    58.0  # about the deviation of a colour in 0..255, so that untrained layers get inputs of size 1
)
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

    Raises:
        ModelError: Caffe's weights, which look at another input.
    """
    if any(_LAYER.fullmatch(key.rpartition(".")[0]) for key in state):
        raise ModelError(
            "these are Caffe's weights of GoogLeNet, which look at blue, green, red of 0 to 255 less 104, "
            "117, 123; take the backbone googlenet_caffe, which has the same layers and this input"
        )
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


# Caffe's names: conv1/7x7_s2 and inception_3a/3x3_reduce; also with _ in the place of /, or as modules
# conv1, conv2_reduce and inception_3a.conv_3x3_reduce.
_LAYER = re.compile(r"(inception_[345][a-e])[/_.](?:conv_)?([135]x[135](?:_reduce)?|pool_proj)")
_PARTS = {
    "1x1": "branch1",
    "3x3_reduce": "branch2.0",
    "3x3": "branch2.1",
    "5x5_reduce": "branch3.0",
    "5x5": "branch3.1",
    "pool_proj": "branch4.1",
}
_FIRST = {
    "conv1_7x7_s2": "conv1.conv",
    "conv1": "conv1.conv",
    "conv2_3x3_reduce": "conv2.conv",
    "conv2_reduce": "conv2.conv",
    "conv2_3x3": "conv3.conv",
    "conv2": "conv3.conv",
    "loss3_classifier": "fc",
    **{
        f"loss{number}_{layer}": f"aux{number}.{name}"
        for number in (1, 2)
        for layer, name in {"conv": "conv.conv", "fc": "fc1", "classifier": "fc2"}.items()
    },
}


def from_caffe(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Caffe's weights of GoogLeNet (``bvlc_googlenet``) for these layers, from the names of any of the common
    ports; the first convolution is scaled to what :class:`BlueFirst` gives. Other keys are left as they are.

    Raises:
        ModelError: no layer has one of these names: other weights look at another input.
    """
    renamed = {}
    if not any(_LAYER.fullmatch(key.rpartition(".")[0]) for key in state):
        raise ModelError(
            "no layer has one of Caffe's names, such as inception_3a/1x1, inception_3a_1x1 or "
            "inception_3a.conv_1x1; give a conversion of bvlc_googlenet.caffemodel, or for torchvision's "
            "weights take the backbone googlenet_v1"
        )
    for key, value in state.items():
        layer, _, part = key.rpartition(".")
        name = _caffes_name(layer)
        found = value.flatten() if part == "bias" else value  # some files hold biases as (1, 1, 1, F)
        scale = _CAFFES_SCALE if (name, part) == ("conv1.conv", "weight") else 1
        renamed[f"{name}.{part}" if name else key] = found * scale if name else value
    return renamed


def _caffes_name(layer: str) -> str:
    """The name here; empty for a layer that is none of Caffe's."""
    found = _LAYER.fullmatch(layer)
    if found is None:
        return _FIRST.get(layer.replace("/", "_"), "")
    return f"{found[1].replace('_', '')}.{_PARTS[found[2]]}.conv"


def caffes_naming(state: Mapping[str, Tensor]) -> str:
    """Which port's names Caffe's weights have, and what they look at, in words."""
    named = {"inception_3a/1x1": "Caffe's own names", "inception_3a_1x1": "Caffe's names with _ for /"}
    own = next((words for layer, words in named.items() if f"{layer}.weight" in state), "names of modules")
    return f"{own}; blue, green, red of 0 to 255, less 104, 117, 123"


class BlueFirst(nn.Module):
    """From ImageNet's mean and deviation to blue, green, red around Caffe's mean, over 58."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = FromImageNet(_CAFFES_MEAN, (_CAFFES_SCALE / 255,) * 3)

    def forward(self, pictures: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N 3 H W"]:
        colours: Tensor = self.colours(pictures)
        return colours.flip(1)


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
    BackboneEntry(
        name="googlenet_caffe",
        taps=("inception5b", "inception4e"),
        build=_googlenet_v1,
        mean=_CAFFES_MEAN,
        deviation=(_CAFFES_SCALE / 255,) * 3,
        prepare=BlueFirst,
        key_map=from_caffe,
        key_names="Caffe's",
        naming=caffes_naming,
    ),
)
