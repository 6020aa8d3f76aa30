"""A network up to one of its layers: pictures or clips to feature maps, wholly or partly frozen."""

from __future__ import annotations

from collections import OrderedDict

from jaxtyping import Float
from torch import Tensor, nn

from attcell.errors import CallError
from attcell.nn.backbones.entry import IMAGENET_DEVIATION, IMAGENET_MEAN, BackboneEntry, Colour


class FromImageNet(nn.Module):
    """From ImageNet's mean and deviation to those that a network's weights were trained with."""

    def __init__(self, mean: Colour, deviation: Colour) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation

    def forward(self, inputs: Float[Tensor, "N 3 *L H W"]) -> Float[Tensor, "N 3 *L H W"]:
        def column(values: Colour) -> Tensor:
            return inputs.new_tensor(values).view(1, 3, *[1] * (inputs.ndim - 2))

        colours = inputs * column(IMAGENET_DEVIATION) + column(IMAGENET_MEAN)
        return (colours - column(self.mean)) / column(self.deviation)


class Backbone(nn.Module):
    """A CNN cut off behind one layer.

    Args:
        entry: of the registry, or one of your own.
        tap: the layer whose output is the feature map.
        in_channels: of its input.
        keeps_time: of maps that still have a dimension of time, keep each step: they come below each other,
            (N, F, L'·K, K).

    Attributes:
        name: as in a recipe, for example ``vgg16`` or ``timm/resnet18``.
        out_channels: of the feature map.
        weight_keys: every key of the whole network, before it was cut off: what a weights file may hold.
        published_as: the submodule of ``body`` whose keys are those of the published files.
        takes: as of the entry.
        expects_imagenet: whether its first layer turns ImageNet's mean and deviation into those of its own
            weights.
    """

    def __init__(
        self, entry: BackboneEntry, tap: str, in_channels: int = 3, *, keeps_time: bool = False
    ) -> None:
        super().__init__()
        self.entry = entry
        self.name = entry.name
        self.tap = tap
        self.in_channels = in_channels
        self.takes = entry.takes
        self.keeps_time = keeps_time
        self.body, self.out_channels, keys, self.published_as = entry.build(tap, in_channels)
        self.weight_keys = frozenset(self.named_as_published.state_dict()) if keys is None else keys
        figures = (entry.mean, entry.deviation)
        self.expects_imagenet = in_channels == 3 and figures != (IMAGENET_MEAN, IMAGENET_DEVIATION)
        self.input: nn.Module = nn.Identity()
        if self.expects_imagenet:
            self.input = FromImageNet(*figures) if entry.prepare is None else entry.prepare()

    @property
    def named_as_published(self) -> nn.Module:
        """The module whose state dict has the keys of the published files."""
        return self.body.get_submodule(self.published_as)

    @property
    def first_convolution(self) -> str:
        """The published key of the weights that the input goes through first."""
        modules = self.named_as_published.named_modules()
        return next(f"{name}.weight" for name, part in modules if isinstance(part, nn.Conv2d | nn.Conv3d))

    def forward(self, inputs: Float[Tensor, "N C *L H W"]) -> Float[Tensor, "N F R K"]:
        """The feature maps of pictures or clips: R is K, or where time is kept so many times K."""
        maps: Tensor = self.body(self.input(inputs))
        if self.entry.gives == "regions":
            return maps
        return maps.flatten(2, 3) if self.keeps_time else maps.mean(dim=2)

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
            inside = list(module.parameters())
            if inside and not any(parameter.requires_grad for parameter in inside):
                module.eval()  # a frozen block with its dropout, which has no parameters
        return self
