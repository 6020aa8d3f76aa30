"""The pooled rivals of STAN: a stream's feature maps as one vector a video, without attention.

They are the first four runs of its Table I. A linear SVM (:mod:`attcell.nn.svm`) classifies the vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from attcell.choices import PoolingKind
from attcell.errors import CallError
from attcell.nn.backbones.backbone import Backbone
from attcell.nn.backbones.registry import backbone_entry, backbone_names
from attcell.nn.network import Network
from attcell.nn.outputs import PooledOutput
from attcell.nn.streams import BackboneStream, Normalise


@dataclass(frozen=True)
class PooledPart:
    """What a pooling makes of consecutive segments: numbers from which their representation follows.

    Attributes:
        values: one row a video.
        num_segments: of these segments.
    """

    values: Float[Tensor, "B _"]
    num_segments: int


class PooledStream(BackboneStream):
    """One modality: backbone and pooling.

    Args:
        backbone: pictures (N, C, H, W), or clips (N, C, L, H, W), to a feature map
            (N, backbone.out_channels, K, K).
        pooling: a video's feature maps to its representation.
        normalise: what the backbone's input goes through first; by default nothing.

    Attributes:
        dim: numbers of a representation.

    A pooling takes the maps as they are; the SVM standardises what comes out.
    """

    def __init__(self, backbone: Backbone, pooling: Pooling, *, normalise: Normalise | None = None) -> None:
        super().__init__(backbone, normalise=normalise)
        self.pooling = pooling
        self.dim = pooling.dim

    def encode(self, maps: Float[Tensor, "B T F R K"]) -> PooledPart:
        """What the pooling makes of consecutive segments.

        Raises:
            CallError: maps that the pooling is not made for.
        """
        return PooledPart(self.pooling.encode(maps), maps.shape[1])

    def forward(self, inputs: Shaped[Tensor, "B T C *L H W"]) -> Float[Tensor, "B D"]:
        """The representation of each video, from every segment's picture or clip."""
        return self.pooling(self.feature_maps(inputs))


class Pooled(Network[dict[str, PooledPart], PooledOutput]):
    """The streams' representations side by side; :class:`attcell.nn.svm.SVMNetwork` makes classes of them.

    Args:
        streams: name → stream, in the order in which their representations are put side by side.

    Attributes:
        dim: numbers of all representations together.
    """

    def __init__(self, streams: Mapping[str, PooledStream]) -> None:
        super().__init__()
        self.streams = nn.ModuleDict(streams)
        self.dim = sum(stream.dim for stream in streams.values())

    def stream_names(self) -> Iterable[str]:
        return self.streams.keys()

    def stream(self, name: str) -> PooledStream:
        return cast(PooledStream, self.streams[name])

    def encode(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> dict[str, PooledPart]:
        """Stream → what its pooling makes of consecutive segments.

        Raises:
            CallError: maps that a pooling is not made for.
        """
        return {name: self.stream(name).encode(maps[name]) for name in self.streams}

    def decide(self, parts: Sequence[Mapping[str, PooledPart]]) -> PooledOutput:
        """The representations of all segments."""
        video = [self.stream(name).pooling.decide([part[name] for part in parts]) for name in self.streams]
        first = next(iter(self.streams))
        return PooledOutput(
            torch.cat(video, dim=-1), num_segments=sum(part[first].num_segments for part in parts)
        )


class Pooling(nn.Module):
    """A way from a video's feature maps (B, T, F, K, K) to one vector (B, ``dim``) (STAN, Section V-B).

    Like a network it encodes consecutive segments and decides on all of them. Unless a subclass says
    otherwise, the representation of a video is the mean of those of its segments.
    """

    dim: int

    def encode(self, maps: Float[Tensor, "B T F R K"]) -> Float[Tensor, "B _"]:
        """What :meth:`decide` needs of consecutive segments; by default the mean of their representations.

        Raises:
            CallError: maps that the pooling is not made for.
        """
        raise NotImplementedError

    def decide(self, parts: Sequence[PooledPart]) -> Float[Tensor, "B dim"]:
        """The representation of each video from what :meth:`encode` gave for all of its segments."""
        if len(parts) == 1:
            return parts[0].values
        total = sum(part.num_segments for part in parts)
        weighted = [part.values * (part.num_segments / total) for part in parts]
        return torch.stack(weighted).sum(dim=0)

    def forward(self, maps: Float[Tensor, "B T F R K"]) -> Float[Tensor, "B dim"]:
        """The representation of each video whose maps are all there.

        Raises:
            CallError: maps that the pooling is not made for.
        """
        return self.decide([PooledPart(self.encode(maps), maps.shape[1])])


class Average(Pooling):
    """pool5_512+ave: the mean over regions and segments."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dim = channels

    def encode(self, maps: Float[Tensor, "B T F R K"]) -> Float[Tensor, "B dim"]:
        return maps.mean(dim=(1, 3, 4))


class Flat(Pooling):
    """pool5_25088: each segment's map as one long vector, averaged over segments.

    Args:
        channels: F.
        regions: R and K; the vector has F·R·K numbers.
    """

    def __init__(self, channels: int, regions: tuple[int, int]) -> None:
        super().__init__()
        self.regions = regions
        self.dim = channels * regions[0] * regions[1]

    def encode(self, maps: Float[Tensor, "B T F R K"]) -> Float[Tensor, "B dim"]:
        _refuse_other_regions("flat", self.regions, maps)
        return maps.mean(dim=1).flatten(1)


class FC6(Pooling):
    """fc6: the first fully connected layer on each segment's map, its ReLU, averaged over segments.

    *Reading*, since SqueezeNet has no such layer: its last map is followed by a 1×1 convolution to ImageNet's
    1,000 classes, which is taken with its ReLU and averaged over the regions too.

    Args:
        name: whose layer it is, for messages.
        layer: the layer; its weights are random until they are loaded.
        side: the K that a fully connected layer is made for; None for a convolution.
        published: the layer's name in the published files.
    """

    def __init__(self, name: str, layer: nn.Linear | nn.Conv2d, side: int | None, published: str) -> None:
        super().__init__()
        self.name = name
        self.layer = layer
        self.side = side
        self.published = published
        self.dim = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels

    def encode(self, maps: Float[Tensor, "B T F R K"]) -> Float[Tensor, "B dim"]:
        if self.side is not None:
            _refuse_other_regions(f"fc6 of {self.name}", (self.side, self.side), maps)
            return self.layer(maps.flatten(2)).relu().mean(dim=1)  # (F, K, K) in this order, as published
        values = self.layer(maps.flatten(0, 1)).relu().mean(dim=(-2, -1))
        return values.unflatten(0, maps.shape[:2]).mean(dim=1)


class VLAD(Pooling):
    """pool5_512+VLAD: what the local descriptors of all regions and segments lack to their nearest centre.

    They are brought to fewer dimensions by a PCA; each centre then gets the sum of (descriptor − centre) over
    the descriptors that it is nearest to.

    *Reading*: the signed square root of the sums, the whole then scaled to length 1; the PCA does not whiten.

    Args:
        channels: F.
        dims: what the PCA leaves of them (the paper's 256).
        centres: of k-means (the paper's 128).
    """

    mean: Tensor
    components: Tensor
    centres: Tensor

    def __init__(self, channels: int, dims: int = 256, centres: int = 128) -> None:
        super().__init__()
        self.dim = dims * centres
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("components", torch.zeros(dims, channels))
        self.register_buffer("centres", torch.zeros(centres, dims))

    def fit(
        self,
        mean: Float[Tensor, " F"],
        components: Float[Tensor, "dims F"],
        centres: Float[Tensor, "centres dims"],
    ) -> None:
        """Set the PCA's mean and components, and the centres in its dimensions.

        Raises:
            CallError: they are of other sizes.
        """
        given = {"mean": mean, "components": components, "centres": centres}
        for name, value in given.items():
            wanted = tuple(getattr(self, name).shape)
            if tuple(value.shape) != wanted:
                raise CallError(f"{name} of VLAD is {tuple(value.shape)}; this one takes {wanted}")
        for name, value in given.items():
            getattr(self, name).copy_(value)

    def encode(self, maps: Float[Tensor, "B T F R K"]) -> Float[Tensor, "B dim"]:
        """The sums of the segments' differences from their centres.

        Raises:
            CallError: nothing was fitted or loaded.
        """
        if not self.components.any():
            raise CallError("VLAD has no components and centres; fit it to training descriptors first")
        rows = maps.flatten(3).transpose(2, 3).flatten(1, 2)  # (B, T·K², F)
        local = (rows - self.mean) @ self.components.T
        # ‖y − c‖² without ‖y‖², which is the same for all centres
        distances = self.centres.square().sum(dim=1) - 2 * local @ self.centres.T
        nearest = F.one_hot(distances.argmin(dim=-1), len(self.centres)).to(local)
        sums = nearest.transpose(1, 2) @ local - nearest.sum(dim=1)[..., None] * self.centres
        return sums.flatten(1)

    def decide(self, parts: Sequence[PooledPart]) -> Float[Tensor, "B dim"]:
        """Add the sums of all segments, and bring the signed roots to length 1."""
        sums = sum((part.values for part in parts[1:]), parts[0].values)
        return F.normalize(sums.sign() * sums.abs().sqrt(), dim=-1)


def build_pooling(
    kind: PoolingKind,
    backbone: Backbone,
    shape: tuple[int, int],
    *,
    frames: int = 16,
    dims: int = 256,
    centres: int = 128,
) -> Pooling:
    """Build a pooling for what a backbone gives; fc6 has random weights, VLAD is not fitted.

    Args:
        kind: ``fc6``, ``flat``, ``average`` or ``vlad``.
        backbone: whose maps are pooled.
        shape: rows and columns of its pictures.
        frames: of its clips; of no account for pictures.
        dims: what VLAD's PCA leaves of the channels.
        centres: of VLAD's k-means.

    Raises:
        CallError: fc6 of a backbone that has none, or on pictures of a size that it is not made for; more
            ``dims`` than channels; or another kind.
    """
    channels = backbone.out_channels
    if kind == "average":
        return Average(channels)
    if kind == "flat":
        return Flat(channels, regions_of_maps(backbone, shape, frames))
    if kind == "fc6":
        return _build_fc6(backbone, shape, frames)
    if kind != "vlad":
        raise CallError(f"unknown pooling {kind!r}; allowed: fc6, flat, average, vlad")
    if not 1 <= dims <= channels or centres < 1:
        raise CallError(
            f"VLAD with {dims} dimensions and {centres} centres; give 1 to {channels} dimensions (the "
            f"channels of {backbone.name}) and at least 1 centre"
        )
    return VLAD(channels, dims, centres)


def regions_of_maps(backbone: Backbone, shape: tuple[int, int], frames: int = 16) -> tuple[int, int]:
    """R and K of the maps that a backbone gives of pictures, or clips of so many frames, with these rows and
    columns.

    Only shapes are computed, so this costs next to nothing.
    """
    length = (frames,) if backbone.takes == "clip" else ()
    pictures = torch.empty(1, backbone.in_channels, *length, *shape, device="meta")
    tensors = dict([*backbone.named_parameters(), *backbone.named_buffers()])
    shapes = {key: value.to("meta") for key, value in tensors.items()}
    maps: Tensor = torch.func.functional_call(backbone, shapes, (pictures,))
    rows, columns = maps.shape[-2:]
    return rows, columns


def _build_fc6(backbone: Backbone, shape: tuple[int, int], frames: int) -> FC6:
    entry, name, channels = backbone.entry, backbone.name, backbone.out_channels
    fc6 = entry.fc6
    if fc6 is None or backbone.tap not in fc6.taps:
        raise CallError(
            f"backbone {name} at {backbone.tap} has no fc6; those that have one are {_backbones_with_fc6()}. "
            "Take one of these, or the pooling flat, average or vlad"
        )
    if fc6.regions is None:
        return FC6(name, nn.Conv2d(channels, fc6.dim, kernel_size=1), None, fc6.layer)
    found = regions_of_maps(backbone, shape, frames)
    if found != (fc6.regions, fc6.regions):
        raise CallError(
            f"fc6 of {name} looks at {fc6.regions}×{fc6.regions} regions, as pictures of {entry.size}² give, "
            f"and pictures of {_squared(shape)} give {_times(found)}; take {entry.size}² for this stream, or "
            "the pooling flat, average or vlad"
        )
    return FC6(name, nn.Linear(channels * fc6.regions**2, fc6.dim), fc6.regions, fc6.layer)


def _backbones_with_fc6() -> str:
    """The backbones that have an fc6 and the taps that it takes; fully connected layers first."""
    having = [(entry.name, entry.fc6) for entry in map(backbone_entry, backbone_names()) if entry.fc6]
    having.sort(key=lambda one: one[1].regions is None)
    return "; ".join(f"{name} at {' or '.join(fc6.taps)}" for name, fc6 in having)


def _times(shape: tuple[int, int]) -> str:
    return f"{shape[0]}×{shape[1]}"


def _squared(shape: tuple[int, int]) -> str:
    return f"{shape[0]}²" if shape[0] == shape[1] else _times(shape)


def _refuse_other_regions(name: str, regions: tuple[int, int], maps: Float[Tensor, "B T F R K"]) -> None:
    found = (maps.shape[-2], maps.shape[-1])
    if found != regions:
        raise CallError(
            f"{name} was made for maps of {_times(regions)} regions, and these have {_times(found)}; give "
            "pictures of the same size"
        )
