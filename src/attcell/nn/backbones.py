"""CNNs that turn a picture into a feature map, with the name of the layer where the map is taken.

Nothing is loaded here: a backbone is built with random weights, and says by which keys its weights are known
in the files of torchvision and timm.
"""

from __future__ import annotations

import difflib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from attcell.errors import CallError
from attcell.nn.small import small_cnn

# Layers of torchvision's VGG-16 ``features`` after which a map is taken; conv5_3 includes its ReLU.
VGG16_TAPS = {"pool5": 30, "conv5_3": 29, "pool4": 23, "pool3": 16}


class Backbone(nn.Module):
    """A CNN cut off behind one layer.

    Attributes:
        name: as in a recipe, for example ``vgg16`` or ``timm/resnet18``.
        tap: the layer whose output is the feature map.
        out_channels: its channels.
        weight_keys: every key of the whole network, before it was cut off: what a weights file may hold.
    """

    def __init__(
        self, name: str, tap: str, body: nn.Module, out_channels: int, weight_keys: frozenset[str]
    ) -> None:
        super().__init__()
        self.name = name
        self.tap = tap
        self.body = body
        self.out_channels = out_channels
        self.weight_keys = weight_keys

    @property
    def named_as_published(self) -> nn.Module:
        """The module whose state dict has the keys that torchvision or timm uses in its files."""
        return self.body.network if isinstance(self.body, _TimmFeatures) else self.body

    def forward(self, pictures: Float[Tensor, "N C H W"]) -> Float[Tensor, "N F K K"]:
        """Pictures to feature maps."""
        return self.body(pictures)

    def train_from(self, layer: str) -> None:
        """Freeze everything before ``layer``; ``all`` freezes nothing, ``none`` freezes everything.

        Raises:
            CallError: no parameter's name starts with ``layer``.
        """
        trainable = layer == "all"
        parameters = dict(self.named_as_published.named_parameters())
        for key, parameter in parameters.items():
            trainable = trainable or key.startswith(layer + ".")
            parameter.requires_grad_(trainable)
        if not trainable and layer != "none":
            allowed = list(OrderedDict.fromkeys(key.rsplit(".", 1)[0] for key in parameters))
            raise CallError(
                f"backbone {self.name} has no layer {layer!r} to train from; "
                f"use all, none, or one of its layers: {', '.join(allowed)}"
            )
        self.train(self.training)

    @property
    def frozen(self) -> bool:
        """True if no parameter is trained, so that the feature maps can be computed once and kept."""
        return not any(parameter.requires_grad for parameter in self.body.parameters())

    def train(self, mode: bool = True) -> Backbone:
        """Switch to training, but leave frozen layers as at test: their statistics must not drift."""
        super().train(mode)
        if self.frozen:
            self.body.eval()
            return self
        for module in self.body.modules():
            own = list(module.parameters(recurse=False))
            if own and not any(parameter.requires_grad for parameter in own):
                module.eval()
        return self


def build_backbone(name: str, tap: str | None = None) -> Backbone:
    """Build a backbone with random weights.

    Args:
        name: one of :func:`backbone_names`, or ``timm/NAME`` for any timm model that gives a feature map.
        tap: the layer to take the map from; by default the last one that keeps its regions.

    Raises:
        CallError: no such backbone or tap.
    """
    if name.startswith("timm/"):
        return _timm(name, tap)
    if name not in _BUILDERS:
        close = difflib.get_close_matches(name, _BUILDERS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise CallError(f"unknown backbone {name!r}{hint} Allowed: {', '.join(_BUILDERS)}, timm/NAME")
    builder, taps = _BUILDERS[name]
    tap = taps[0] if tap is None else tap
    if tap not in taps:
        raise CallError(f"backbone {name} has no tap {tap!r}; allowed: {', '.join(taps)}")
    body, out_channels, weight_keys = builder(tap)
    return Backbone(name, tap, body, out_channels, weight_keys)


def backbone_names() -> list[str]:
    """The backbones that are known by a name of their own (timm's come on top)."""
    return list(_BUILDERS)


_Built = tuple[nn.Module, int, frozenset[str]]


def _vgg16(tap: str) -> _Built:
    from torchvision.models import vgg16

    network = vgg16(init_weights=False)
    body = nn.Sequential(OrderedDict(features=network.features[: VGG16_TAPS[tap] + 1]))
    return body, 256 if tap == "pool3" else 512, frozenset(network.state_dict())


def _resnet152(tap: str) -> _Built:
    from torchvision.models import resnet152

    network = resnet152()
    return _until(network, tap), {"layer4": 2048, "layer3": 1024}[tap], frozenset(network.state_dict())


def _googlenet(tap: str) -> _Built:
    from torchvision.models import googlenet

    network = googlenet(init_weights=False, aux_logits=True)
    keys = frozenset(network.state_dict())
    network.aux1 = network.aux2 = None
    body = nn.Sequential(OrderedDict(transform=_GoogLeNetInput()))
    for child, module in _until(network, tap).named_children():
        body.add_module(child, module)
    return body, {"inception5b": 1024, "inception4e": 832}[tap], keys


def _squeezenet(tap: str) -> _Built:
    from torchvision.models import squeezenet1_0

    network = squeezenet1_0()
    layers = OrderedDict[str, nn.Module](features=network.features)
    if tap == "fire9_pool":
        layers["pool"] = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)  # 13×13 to 7×7
    return nn.Sequential(layers), 512, frozenset(network.state_dict())


def _small(tap: str) -> _Built:
    body, out_channels = small_cnn()
    return body, out_channels, frozenset(body.state_dict())


_BUILDERS: dict[str, tuple[Callable[[str], _Built], tuple[str, ...]]] = {
    "vgg16": (_vgg16, tuple(VGG16_TAPS)),
    "resnet152": (_resnet152, ("layer4", "layer3")),
    "googlenet": (_googlenet, ("inception5b", "inception4e")),
    "squeezenet": (_squeezenet, ("fire9_pool", "fire9")),
    "small": (_small, ("block4",)),
}


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


class _TimmFeatures(nn.Module):
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


def _timm(name: str, tap: str | None) -> Backbone:
    """A timm model; the tap is the number of a stage, counted from 0 or from the end by -1, -2, …"""
    import timm

    model_name = name.removeprefix("timm/")
    if not timm.is_model(model_name.split(".")[0]):
        close = difflib.get_close_matches(model_name, timm.list_models(), n=3)
        hint = f" Close to it: {', '.join(close)}." if close else ""
        raise CallError(f"timm has no model {model_name!r}.{hint} timm.list_models() lists them all")
    network: Any = timm.create_model(model_name, pretrained=False)
    if not hasattr(network, "forward_intermediates") or not hasattr(network, "feature_info"):
        raise CallError(f"timm model {model_name!r} gives no feature map; choose one with feature_info")
    stages = list(network.feature_info)
    tap = "-1" if tap is None else tap
    if not tap.lstrip("-").isdigit() or not -len(stages) <= int(tap) < len(stages):
        raise CallError(f"{name} has no tap {tap!r}; it is a stage from {-len(stages)} to {len(stages) - 1}")
    stage = int(tap) % len(stages)
    keys = frozenset(network.state_dict())
    network.prune_intermediate_layers([stage], prune_norm=True, prune_head=True)
    return Backbone(name, tap, _TimmFeatures(network, stage), int(stages[stage]["num_chs"]), keys)
