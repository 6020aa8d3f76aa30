"""What is told of a backbone: everything about it is in its one :class:`BackboneEntry`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor, nn

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
