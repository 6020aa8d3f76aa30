"""The image networks that can be backbones: torchvision's, timm's, and a small one."""

from __future__ import annotations

import difflib
from collections import OrderedDict
from typing import Any, TypeVar

from jaxtyping import Float
from torch import Tensor, nn

from attcell.errors import CallError
from attcell.nn.backbones.googlenet import googlenet_layers
from attcell.nn.backbones.small import small_cnn

# Layers of torchvision's VGG-16 ``features`` after which a map is taken; conv5_3 includes its ReLU.
VGG16_TAPS = {"pool5": 30, "conv5_3": 29, "pool4": 23, "pool3": 16}

# Blocks of the small CNN until a map is taken: 7 × 7, 7 × 7 and 14 × 14 regions of a picture of 112 × 112.
SMALL_TAPS = {"block4": 4, "block3": 3, "block2": 2}

Built = tuple[nn.Module, int, frozenset[str]]  # a network up to the tap, its channels, keys of all weights
Network = TypeVar("Network", bound=nn.Module)


def vgg16(tap: str, in_channels: int) -> Built:
    from torchvision.models import vgg16 as build

    network = _looking_at(build(init_weights=False), in_channels)
    body = nn.Sequential(OrderedDict(features=network.features[: VGG16_TAPS[tap] + 1]))
    return body, 256 if tap == "pool3" else 512, frozenset(network.state_dict())


def resnet152(tap: str, in_channels: int) -> Built:
    from torchvision.models import resnet152 as build

    network = _looking_at(build(), in_channels)
    return _until(network, tap), {"layer4": 2048, "layer3": 1024}[tap], frozenset(network.state_dict())


def googlenet(tap: str, in_channels: int) -> Built:
    from torchvision.models import googlenet as build

    network = _looking_at(build(init_weights=False, aux_logits=True), in_channels)
    keys = frozenset(network.state_dict())
    network.aux1 = network.aux2 = None
    body = nn.Sequential(OrderedDict(input=_GoogLeNetInput()) if in_channels == 3 else OrderedDict())
    for child, module in _until(network, tap).named_children():
        body.add_module(child, module)
    return body, {"inception5b": 1024, "inception4e": 832}[tap], keys


def googlenet_v1(tap: str, in_channels: int) -> Built:
    body = nn.Sequential(OrderedDict(input=_GoogLeNetInput()) if in_channels == 3 else OrderedDict())
    for name, layer in googlenet_layers(in_channels).items():
        body.add_module(name, layer)
        if name == tap:
            break
    _, channels, published = googlenet(tap, in_channels)
    convolutions = [key.removesuffix("weight") for key in published if key.endswith(".conv.weight")]
    plain = [key for key in published if ".bn." not in key]
    return body, channels, frozenset(plain) | {f"{key}bias" for key in convolutions}


def squeezenet(tap: str, in_channels: int) -> Built:
    from torchvision.models import squeezenet1_0

    network = _looking_at(squeezenet1_0(), in_channels)
    layers = OrderedDict[str, nn.Module](features=network.features)
    if tap == "fire9_pool":
        layers["pool"] = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)  # 13×13 to 7×7
    return nn.Sequential(layers), 512, frozenset(network.state_dict())


def small(tap: str, in_channels: int) -> Built:
    body, out_channels = small_cnn(in_channels, SMALL_TAPS[tap])
    return body, out_channels, frozenset(small_cnn(in_channels)[0].state_dict())


def _looking_at(network: Network, in_channels: int) -> Network:
    """The network with a first convolution for so many input channels; its weights are random."""
    if in_channels == 3:
        return network
    name, old = next((name, part) for name, part in network.named_modules() if isinstance(part, nn.Conv2d))
    new = nn.Conv2d(
        in_channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    network.set_submodule(name, new)
    return network


def _until(network: nn.Module, last: str) -> nn.Sequential:
    """The network's children up to and with ``last``, under their own names."""
    kept = OrderedDict[str, nn.Module]()
    for name, module in network.named_children():
        kept[name] = module
        if name == last:
            break
    return nn.Sequential(kept)


class _GoogLeNetInput(nn.Module):
    """From ImageNet's mean and deviation to the ±1 range that torchvision's GoogLeNet weights expect."""

    def forward(self, pictures: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N 3 H W"]:
        mean = pictures.new_tensor([0.485, 0.456, 0.406])[:, None, None]
        deviation = pictures.new_tensor([0.229, 0.224, 0.225])[:, None, None]
        return (pictures * deviation + mean - 0.5) / 0.5


class TimmFeatures(nn.Module):
    """One intermediate feature map of a timm model, channels first whatever the model uses inside."""

    def __init__(self, network: Any, index: int) -> None:
        super().__init__()
        self.network = network
        self.index = index

    def forward(self, pictures: Float[Tensor, "N C H W"]) -> Float[Tensor, "N F K K"]:
        maps = self.network.forward_intermediates(
            pictures, indices=[self.index], intermediates_only=True, output_fmt="NCHW"
        )
        return maps[0]


def timm_network(name: str, tap: str, in_channels: int) -> Built:
    """A timm model; the tap is the number of a stage, counted from 0 or from the end by -1, -2, …"""
    import timm

    model_name = name.removeprefix("timm/")
    if not timm.is_model(model_name.split(".")[0]):
        close = difflib.get_close_matches(model_name, timm.list_models(), n=3)
        hint = f" Close to it: {', '.join(close)}." if close else ""
        raise CallError(f"timm has no model {model_name!r}.{hint} timm.list_models() lists them all")
    network: Any = timm.create_model(model_name, pretrained=False, in_chans=in_channels)
    if not hasattr(network, "forward_intermediates") or not hasattr(network, "feature_info"):
        raise CallError(f"timm model {model_name!r} gives no feature map; choose one with feature_info")
    stages = list(network.feature_info)
    if not tap.lstrip("-").isdigit() or not -len(stages) <= int(tap) < len(stages):
        raise CallError(f"{name} has no tap {tap!r}; it is a stage from {-len(stages)} to {len(stages) - 1}")
    stage = int(tap) % len(stages)
    keys = frozenset(network.state_dict())
    network.prune_intermediate_layers([stage], prune_norm=True, prune_head=True)
    return TimmFeatures(network, stage), int(stages[stage]["num_chs"]), keys


# A network that was trained on colour pictures, made to look at something else.


def cross_modality(
    weight: Float[Tensor, "F C *kernel"], in_channels: int
) -> Float[Tensor, "F in_channels *kernel"]:
    """The first convolution's weights for another number of input channels.

    *Reading* (the paper names no initialisation of its flow stream): the weights are averaged over the input
    channels and copied to all the new ones.
    """
    mean = weight.mean(dim=1, keepdim=True)
    return mean.expand(-1, in_channels, *weight.shape[2:]).contiguous()


def inflated(weight: Float[Tensor, "F C kH kW"], length: int) -> Float[Tensor, "F C length kH kW"]:
    """A convolution over pictures as one over clips that answers alike where nothing moves; near a clip's
    ends, where it pads by zeros, weaker.

    The weights are copied to each of ``length`` frames and divided by it (Carreira and Zisserman, "Quo
    Vadis, Action Recognition?", 2017; neither of our papers does so).
    """
    return (weight / length)[:, :, None].repeat(1, 1, length, 1, 1)
