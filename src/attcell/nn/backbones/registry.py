"""The registry of backbones: CNNs that turn a picture or a clip into a feature map.

Everything about a backbone is in its one :class:`BackboneEntry`. :func:`register` adds one of your own::

    def build(tap: str, in_channels: int) -> Built:
        return Built(my_layers(in_channels), out_channels=64)

    register(BackboneEntry(name="mine", taps=("last",), build=build))

Nothing is loaded here: a backbone is built with random weights, and its entry says where others are.
"""

from __future__ import annotations

import difflib
import importlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from attcell.errors import AttcellError, CallError

Colour = tuple[float, ...]  # a figure each for red, green and blue, of values from 0 to 1
IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION: Colour = (0.229, 0.224, 0.225)


class Built(NamedTuple):
    """What an entry's builder gives.

    Attributes:
        body: the network up to the tap, with random weights.
        out_channels: of the feature map.
        weight_keys: every key of the whole network, before it was cut off: what a weights file may hold; by
            default the keys of what was built.
        published_as: the submodule of ``body`` whose state dict has the keys of the published files; by
            default the body itself.
    """

    body: nn.Module
    out_channels: int
    weight_keys: frozenset[str] | None = None
    published_as: str = ""


@dataclass(frozen=True)
class FC6Entry:
    """What follows a backbone's last map in the published network: the first fully connected layer.

    Attributes:
        layer: its name in the published files.
        taps: those whose maps it takes.
        dim: numbers that it gives.
        regions: the K of the K×K regions that a fully connected layer takes; None for a 1×1 convolution.
    """

    layer: str
    taps: tuple[str, ...]
    dim: int
    regions: int | None = None


@dataclass(frozen=True)
class SoundFigures:
    """The log-mel pictures that the weights of a network for sound were trained on.

    Attributes:
        form: whose pictures they are.
        bands: columns; None for those of the form.
        rows: of time, 10 ms each; None for those of the form.
    """

    form: str
    bands: int | None = None
    rows: int | None = None


@dataclass(frozen=True, kw_only=True)
class BackboneEntry:
    """Everything about a backbone.

    Attributes:
        name: as in a recipe.
        taps: the layers whose output can be the feature map, the default first.
        build: (tap, channels of the input) to the network.
        more_taps: the builder knows taps that are not listed, and refuses what is none.
        takes: ``picture``, (N, C, H, W), ``clip``, (N, C, L, H, W), or ``features``, (N, C, 1, 1).
        gives: ``regions``, (N, F, K, K), or ``regions x time``, (N, F, L', K, K), of which the mean over time
            is taken, or each step kept.
        in_channels: the only number of channels that its input can have; None for any.
        size: the side of the pictures that it was made for, in pixels.
        frames: of the clips that it was made for.
        fixed_frames: it takes clips of no other length.
        at_size: the side of other pictures to the entry of the same network for them, where weights depend on
            it, such as a transformer's for the places of its patches; None where it takes any.
        mean, deviation: of the colours that its weights were trained on. Inputs of 3 channels come with
            ImageNet's figures, and are brought to these.
        prepare: makes the layer that does so, where these two figures do not say it all.
        weights: where its pre-trained weights are: ``torchvision:`` and a name such as
            ``VGG16_Weights.IMAGENET1K_V1``, ``timm:`` and a model's name, a file's path, or a function that
            gives them.
        key_map: published weights, to weights with the keys of the network that is built.
        key_names: whose key names its files have, in words, for messages.
        naming: published weights, to which of several such namings they have, in words; it is told when they
            are loaded. None where there is but one.
        fc6: what follows its last map, where that can be loaded.
        sound: of a network for sound, the pictures (N, 1, F, M) that its weights were trained on.
        at_rows: of such, rows of time to the entry of the same network for them, where weights depend on it.
    """

    name: str
    taps: tuple[str, ...]
    build: Callable[[str, int], Built]
    more_taps: bool = False
    takes: Literal["picture", "clip", "features"] = "picture"
    gives: Literal["regions", "regions x time"] = "regions"
    in_channels: int | None = None
    size: int = 224
    frames: int = 16
    fixed_frames: bool = False
    at_size: Callable[[int], BackboneEntry] | None = None
    mean: Colour = IMAGENET_MEAN
    deviation: Colour = IMAGENET_DEVIATION
    prepare: Callable[[], nn.Module] | None = None
    weights: str | Callable[[], Mapping[str, Tensor]] | None = None
    key_map: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] = dict
    key_names: str = "torchvision's or timm's"
    naming: Callable[[Mapping[str, Tensor]], str] | None = None
    fc6: FC6Entry | None = None
    sound: SoundFigures | None = None
    at_rows: Callable[[int], BackboneEntry] | None = None


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


# What features that were computed elsewhere go through: nothing is left to compute.
GIVEN = BackboneEntry(
    name="given", taps=("rows",), build=lambda _, channels: Built(nn.Identity(), channels), takes="features"
)
_ENTRIES: dict[str, BackboneEntry] = {}
_FAMILIES: dict[str, Callable[[str], BackboneEntry]] = {}


def register(entry: BackboneEntry) -> None:
    """Make a backbone known under its name: recipes and :func:`build_backbone` take it from then on.

    Raises:
        CallError: another backbone has this name, the name has a slash, or there is no tap.
    """
    if _ENTRIES.get(entry.name, entry) is not entry:
        raise CallError(
            f"there is a backbone {entry.name} already; choose a name that is none of {', '.join(_ENTRIES)}"
        )
    if "/" in entry.name:
        raise CallError(
            f"the backbone's name {entry.name!r} has a slash, as the models of a family such as timm/NAME "
            "have; choose one without"
        )
    if not entry.taps:
        raise CallError(f"backbone {entry.name} has no taps; name at least one layer, the default first")
    _ENTRIES[entry.name] = entry


def register_family(prefix: str, entry: Callable[[str], BackboneEntry]) -> None:
    """Make every ``prefix/NAME`` a backbone whose entry is made from NAME when it is asked for."""
    _FAMILIES[prefix] = entry


def backbone_entry(name: str) -> BackboneEntry:
    """The entry of a backbone.

    Args:
        name: one that is registered; a family's, such as ``timm/NAME``; or ``mypackage.module:build``.

    Raises:
        CallError: no such backbone.
    """
    if ":" in name:
        return _own_entry(name)
    family, slash, of_family = name.partition("/")
    if slash and family in _FAMILIES:
        return _FAMILIES[family](of_family)
    if name not in _ENTRIES:
        close = difflib.get_close_matches(name, _ENTRIES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        families = [f"{prefix}/NAME" for prefix in _FAMILIES]
        allowed = [*_ENTRIES, *families, "mypackage.module:build"]
        raise CallError(f"unknown backbone {name!r}{hint} Allowed: {', '.join(allowed)}")
    return _ENTRIES[name]


def _own_entry(path: str) -> BackboneEntry:
    """The entry at a Python path: one, or what a function that gives a :class:`Built` builds.

    A recipe may come from a stranger's model, so no function is called that does not say so.
    """
    module_name, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), name, None)
    except ImportError as error:
        raise CallError(
            f"backbone {path}: {module_name} cannot be imported ({type(error).__name__}: {error}); install "
            "it, or put its folder on PYTHONPATH"
        ) from error
    except (Exception, SystemExit) as error:  # whatever a user's module raises
        raise CallError(
            f"backbone {path}: importing {module_name} fails ({type(error).__name__}: {error}); mend it"
        ) from error
    if isinstance(found, BackboneEntry):
        return replace(found, name=path)
    returned = getattr(found, "__annotations__", {}).get("return")
    is_builder = returned is Built or str(returned).rpartition(".")[2] == Built.__name__
    if is_builder and callable(found):
        return BackboneEntry(name=path, taps=("last",), build=partial(_own, path, found), more_taps=True)
    what = f"has no {name}" if found is None else f"has a {type(found).__name__} of that name"
    raise CallError(
        f"backbone {path}: {module_name} {what}; give a BackboneEntry, or a function "
        "build(tap, in_channels) -> Built, both of attcell.nn.backbones"
    )


def _own(path: str, build: Callable[[str, int], Any], tap: str, in_channels: int) -> Built:
    """What a user's function builds."""
    try:
        built = build(tap, in_channels)
    except AttcellError:
        raise
    except Exception as error:  # whatever it raises
        raise CallError(
            f"backbone {path}: build({tap!r}, {in_channels}) fails ({type(error).__name__}: {error}); mend it"
        ) from error
    if not isinstance(built, Built):
        raise CallError(
            f"backbone {path}: build({tap!r}, {in_channels}) gives a {type(built).__name__}; it must give a "
            "Built of attcell.nn.backbones"
        )
    return built


def build_backbone(
    name: str | BackboneEntry,
    tap: str | None = None,
    in_channels: int = 3,
    size: int | None = None,
    *,
    keeps_time: bool = False,
) -> Backbone:
    """The backbone of this name, with random weights.

    Args:
        name: one of :func:`backbone_names`, ``timm/NAME`` for any timm model that gives a feature map,
            ``mypackage.module:build``; or an entry.
        tap: the layer to take the map from; by default the first that its entry names.
        in_channels: of its input; of a network for clips always 3.
        size: the side of its pictures, in pixels; by default its own.
        keeps_time: keep each step of time of its maps, where they have several.

    Raises:
        CallError: no such backbone or tap, or another number of channels or size than it can take.
    """
    entry = backbone_entry(name) if isinstance(name, str) else name
    name = entry.name
    if size is not None and size != entry.size and entry.at_size is not None:
        entry = entry.at_size(size)
    tap = entry.taps[0] if tap is None else tap
    if tap not in entry.taps and not entry.more_taps:
        raise CallError(f"backbone {name} has no tap {tap!r}; allowed: {', '.join(entry.taps)}")
    if entry.in_channels not in (None, in_channels):
        raise CallError(
            f"backbone {name} looks at {entry.takes}s of {entry.in_channels} channels, not of {in_channels}"
        )
    if keeps_time and entry.gives == "regions":
        raise CallError(f"backbone {name} gives maps without a dimension of time; leave time out")
    return Backbone(entry, tap, in_channels, keeps_time=keeps_time)


def backbone_names() -> list[str]:
    """The backbones that are registered by a name of their own; families such as timm's come on top."""
    return list(_ENTRIES)


def backbone_taps(name: str) -> tuple[str, ...]:
    """The layers of a backbone that a map can be taken from, the default first; none where it is not one of
    :func:`backbone_names`."""
    return _ENTRIES[name].taps if name in _ENTRIES else ()
