"""Image networks that can be backbones: torchvision's and timm's, and their weights for other inputs."""

from __future__ import annotations

import difflib
from collections import OrderedDict
from functools import partial
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attcell.errors import CallError
from attcell.nn.backbones.entry import IMAGENET_DEVIATION, IMAGENET_MEAN, BackboneEntry, Built, FC6Entry

# Layers of torchvision's VGG-16 ``features`` after which a map is taken; conv5_3 includes its ReLU.
VGG16_TAPS = {"pool5": 30, "conv5_3": 29, "pool4": 23, "pool3": 16}

Network = TypeVar("Network", bound=nn.Module)


def _vgg16(tap: str, in_channels: int) -> Built:
    from torchvision.models import vgg16

    network = with_channels(vgg16(init_weights=False), in_channels)
    body = nn.Sequential(OrderedDict(features=network.features[: VGG16_TAPS[tap] + 1]))
    return Built(body, 256 if tap == "pool3" else 512, frozenset(network.state_dict()))


def _resnet152(tap: str, in_channels: int) -> Built:
    from torchvision.models import resnet152

    network = with_channels(resnet152(), in_channels)
    channels = {"layer4": 2048, "layer3": 1024}[tap]
    return Built(nn.Sequential(layers_until(network, tap)), channels, frozenset(network.state_dict()))


def _squeezenet(tap: str, in_channels: int) -> Built:
    from torchvision.models import squeezenet1_0

    network = with_channels(squeezenet1_0(), in_channels)
    layers = OrderedDict[str, nn.Module](features=network.features)
    if tap == "fire9_pool":
        layers["pool"] = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)  # 13×13 to 7×7
    return Built(nn.Sequential(layers), 512, frozenset(network.state_dict()))


ENTRIES = (
    BackboneEntry(
        name="vgg16",
        taps=tuple(VGG16_TAPS),
        build=_vgg16,
        weights="torchvision:VGG16_Weights.IMAGENET1K_V1",
        fc6=FC6Entry("classifier.0", ("pool5",), 4096, regions=7),
    ),
    BackboneEntry(
        name="resnet152",
        taps=("layer4", "layer3"),
        build=_resnet152,
        weights="torchvision:ResNet152_Weights.IMAGENET1K_V1",
    ),
    BackboneEntry(
        name="squeezenet",
        taps=("fire9_pool", "fire9"),
        build=_squeezenet,
        weights="torchvision:SqueezeNet1_0_Weights.IMAGENET1K_V1",
        fc6=FC6Entry("classifier.1", ("fire9_pool", "fire9"), 1000),
    ),
)


def with_channels(network: Network, in_channels: int) -> Network:
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


def layers_until(network: nn.Module, last: str) -> OrderedDict[str, nn.Module]:
    """The network's children up to and with ``last``, under their own names."""
    kept = OrderedDict[str, nn.Module]()
    for name, module in network.named_children():
        kept[name] = module
        if name == last:
            break
    return kept


# timm


class TimmFeatures(nn.Module):
    """One intermediate feature map of a timm model, channels first whatever the model uses inside."""

    def __init__(self, network: Any, index: int) -> None:
        super().__init__()
        self.network = network
        self.index = index

    def forward(self, pictures: Float[Tensor, "N C H W"]) -> Float[Tensor, "N F R K"]:
        maps = self.network.forward_intermediates(
            pictures, indices=[self.index], intermediates_only=True, output_fmt="NCHW"
        )
        return maps[0]


def timm_entry(model_name: str, size: int | None = None) -> BackboneEntry:
    """The entry of any timm model. A tap is a stage's number, from 0, or from the end by -1, -2, …

    Mean, deviation and size are the model's own. One that is made for a fixed size, as most transformers are,
    is made for another one by timm's ``img_size``, which brings the published weights to it.

    Args:
        model_name: such as ``vit_small_patch14_dinov2``.
        size: the side of the pictures, in pixels, where it is not the model's own.

    Raises:
        CallError: timm has no such model.
    """
    import timm

    if not timm.is_model(model_name.split(".", maxsplit=1)[0]):
        close = difflib.get_close_matches(model_name, timm.list_models(), n=3)
        hint = f" Close to it: {', '.join(close)}." if close else ""
        raise CallError(f"timm has no model {model_name!r}.{hint} timm.list_models() lists them all")
    figures = timm.get_pretrained_cfg(model_name)
    own = 224 if figures is None else figures.input_size[-1]
    is_fixed = figures is not None and figures.fixed_input_size
    return BackboneEntry(
        name=f"timm/{model_name}",
        taps=("-1",),
        more_taps=True,
        build=partial(_build_timm, model_name, size),
        size=own if size is None else size,
        at_size=partial(timm_entry, model_name) if is_fixed else None,
        mean=IMAGENET_MEAN if figures is None else figures.mean,
        deviation=IMAGENET_DEVIATION if figures is None else figures.std,
        weights=f"timm:{model_name}" if size is None else f"timm:{model_name}@{size}",
    )


def timm_network(model_name: str, size: int | None, **options: Any) -> Any:
    """A timm model for pictures of its own size, or of another one.

    Raises:
        CallError: it cannot be made for this size.
    """
    import timm

    if size is None:
        return timm.create_model(model_name, **options)
    try:
        return timm.create_model(model_name, img_size=size, **options)
    except (TypeError, ValueError, AssertionError) as error:
        raise _no_such_size(model_name, size, error) from error


def _no_such_size(model_name: str, size: int, error: Exception) -> CallError:
    own = timm_entry(model_name).size
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return CallError(
        f"timm/{model_name} cannot look at pictures of {size}×{size} ({reason}); set input.size to {own}, "
        "its own, or to another whole number of its patches"
    )


def _build_timm(model_name: str, size: int | None, tap: str, in_channels: int) -> Built:
    network = timm_network(model_name, size, pretrained=False, in_chans=in_channels)
    if not hasattr(network, "forward_intermediates") or not hasattr(network, "feature_info"):
        raise CallError(f"timm model {model_name!r} gives no feature map; choose one with feature_info")
    stages = list(network.feature_info)
    if not tap.lstrip("-").isdigit() or not -len(stages) <= int(tap) < len(stages):
        raise CallError(
            f"timm/{model_name} has no tap {tap!r}; it is a stage from {-len(stages)} to {len(stages) - 1}"
        )
    stage = int(tap) % len(stages)
    keys = frozenset(network.state_dict())
    network.prune_intermediate_layers([stage], prune_norm=True, prune_head=True)
    features = TimmFeatures(network, stage)
    if size is not None:
        _refuse_size(features, model_name, size, in_channels)
    return Built(features, int(stages[stage]["num_chs"]), keys, published_as="network")


def _refuse_size(features: TimmFeatures, model_name: str, size: int, in_channels: int) -> None:
    """Raise a CallError for pictures of a size that the network cannot look at; only shapes are computed."""
    tensors = dict([*features.named_parameters(), *features.named_buffers()])
    shapes = {key: value.to("meta") for key, value in tensors.items()}
    pictures = torch.empty(1, in_channels, size, size, device="meta")
    try:
        torch.func.functional_call(features, shapes, (pictures,))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise _no_such_size(model_name, size, error) from error


# The weights of a network for colour pictures, in one whose input is something else


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
    """A picture convolution's weights for clips: where nothing moves it answers alike, but weaker near a
    clip's ends, where it pads by zeros.

    The weights are copied to each of ``length`` frames and divided by it (Carreira and Zisserman, "Quo
    Vadis, Action Recognition?", 2017; neither of our papers does so).
    """
    return (weight / length)[:, :, None].repeat(1, 1, length, 1, 1)
