"""CNNs that turn a picture or a clip into a feature map, with the name of the layer where the map is taken.

Nothing is loaded here: a backbone is built with random weights, and says by which keys its weights are known
in the files of torchvision and timm.
"""

from __future__ import annotations

import difflib
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from attcell.errors import CallError
from attcell.nn.backbones import image as image_networks
from attcell.nn.backbones import video as video_networks
from attcell.nn.backbones.image import VGG16_TAPS, Built, TimmFeatures


class Backbone(nn.Module):
    """A CNN cut off behind one layer.

    Attributes:
        name: as in a recipe, for example ``vgg16`` or ``timm/resnet18``.
        tap: the layer whose output is the feature map.
        out_channels: its channels.
        weight_keys: every key of the whole network, before it was cut off: what a weights file may hold.
        in_channels: of its input.
        takes: ``picture``, (N, C, H, W), or ``clip``, (N, C, L, H, W).
    """

    def __init__(
        self,
        name: str,
        tap: str,
        built: Built,
        in_channels: int = 3,
        takes: Literal["picture", "clip"] = "picture",
    ) -> None:
        super().__init__()
        self.name = name
        self.tap = tap
        self.body, self.out_channels, self.weight_keys = built
        self.in_channels = in_channels
        self.takes = takes

    @property
    def named_as_published(self) -> nn.Module:
        """The module whose state dict has the keys that torchvision or timm uses in its files."""
        return self.body.network if isinstance(self.body, TimmFeatures) else self.body

    @property
    def first_convolution(self) -> str:
        """The published key of the weights that look at the input."""
        modules = self.named_as_published.named_modules()
        return next(f"{name}.weight" for name, part in modules if isinstance(part, nn.Conv2d | nn.Conv3d))

    @property
    def expects_imagenet(self) -> bool:
        """Whether its first layer turns ImageNet's mean and deviation into those of its own weights."""
        return hasattr(self.body, "input")

    def forward(self, pictures: Float[Tensor, "N C *L H W"]) -> Float[Tensor, "N F K K"]:
        """Pictures, or clips, to feature maps."""
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


def build_backbone(name: str, tap: str | None = None, in_channels: int = 3) -> Backbone:
    """Build a backbone with random weights.

    Args:
        name: one of :func:`backbone_names`, or ``timm/NAME`` for any timm model that gives a feature map.
        tap: the layer to take the map from; by default the last one that keeps its regions.
        in_channels: of its input; of a network for clips always 3.

    Raises:
        CallError: no such backbone or tap, or another number of channels for clips.
    """
    if name.startswith("timm/"):
        tap = "-1" if tap is None else tap
        return Backbone(name, tap, image_networks.timm_network(name, tap, in_channels), in_channels)
    if name not in _TAPS:
        close = difflib.get_close_matches(name, _TAPS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise CallError(f"unknown backbone {name!r}{hint} Allowed: {', '.join(_TAPS)}, timm/NAME")
    taps = _TAPS[name]
    tap = taps[0] if tap is None else tap
    if tap not in taps:
        raise CallError(f"backbone {name} has no tap {tap!r}; allowed: {', '.join(taps)}")
    if name in _OF_PICTURES:
        return Backbone(name, tap, _OF_PICTURES[name](tap, in_channels), in_channels)
    if in_channels != 3:
        raise CallError(f"backbone {name} looks at clips of 3 channels, not of {in_channels}")
    return Backbone(name, tap, _OF_CLIPS[name](tap), in_channels, "clip")


def backbone_names() -> list[str]:
    """The backbones that are known by a name of their own (timm's come on top)."""
    return list(_TAPS)


def backbone_taps(name: str) -> tuple[str, ...]:
    """The layers of a backbone that a map can be taken from, the default first; none of timm's are known."""
    return _TAPS.get(name, ())


_OF_PICTURES: dict[str, Callable[[str, int], Built]] = {
    "vgg16": image_networks.vgg16,
    "resnet152": image_networks.resnet152,
    "googlenet": image_networks.googlenet,
    "googlenet_v1": image_networks.googlenet_v1,
    "squeezenet": image_networks.squeezenet,
    "small": image_networks.small,
}
_OF_CLIPS: dict[str, Callable[[str], Built]] = {
    "c3d": video_networks.c3d_network,
    "r3d_18": partial(video_networks.resnet_18, "r3d_18"),
    "mc3_18": partial(video_networks.resnet_18, "mc3_18"),
    "r2plus1d_18": partial(video_networks.resnet_18, "r2plus1d_18"),
    "s3d": video_networks.s3d_network,
    "small3d": video_networks.small3d,
}
_TAPS: dict[str, tuple[str, ...]] = {  # the first is the default
    "vgg16": tuple(VGG16_TAPS),
    "resnet152": ("layer4", "layer3"),
    "googlenet": ("inception5b", "inception4e"),
    "googlenet_v1": ("inception5b", "inception4e"),
    "squeezenet": ("fire9_pool", "fire9"),
    "small": tuple(image_networks.SMALL_TAPS),
    "c3d": ("pool5",),
    "r3d_18": ("layer4", "layer3"),
    "mc3_18": ("layer4", "layer3"),
    "r2plus1d_18": ("layer4", "layer3"),
    "s3d": ("features",),
    "small3d": ("block4",),
}
