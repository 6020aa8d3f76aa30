"""The pooled rivals of STAN: a stream's feature maps as one vector a video, without attention.

They are the first four runs of its Table I. A linear SVM (:mod:`attcell.nn.svm`) classifies the vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from attcell.nn.backbones import Backbone
from attcell.nn.poolings import Pooling
from attcell.nn.streams import Normalise, maps_of_segments


class PooledStream(nn.Module):
    """One modality: backbone and pooling.

    Args:
        backbone: pictures (N, C, H, W), or clips (N, C, L, H, W), to a feature map
            (N, backbone.out_channels, K, K).
        pooling: a video's feature maps to its representation.
        normalise: what the backbone's input goes through first; by default nothing.

    Attributes:
        dim: numbers of a representation.
        standardise: nothing; a pooling takes the maps as they are, and the SVM standardises what comes out.
    """

    def __init__(self, backbone: Backbone, pooling: Pooling, *, normalise: Normalise | None = None) -> None:
        super().__init__()
        self.normalise = normalise
        self.backbone = backbone
        self.standardise = nn.Identity()
        self.pooling = pooling
        self.dim = pooling.dim

    def feature_maps(self, pictures: Shaped[Tensor, "B T C *L H W"]) -> Float[Tensor, "B T F K K"]:
        """The backbone's feature map of every segment; ``pictures`` may be clips, (B, T, C, L, H, W)."""
        return maps_of_segments(self.backbone, self.normalise, pictures)

    def represent(self, maps: Float[Tensor, "B T F K K"]) -> Float[Tensor, "B D"]:
        """The representation of each video.

        Raises:
            CallError: maps that the pooling is not made for.
        """
        return self.pooling(maps)

    def forward(self, pictures: Shaped[Tensor, "B T C *L H W"]) -> Float[Tensor, "B D"]:
        """Pictures, or clips, of every segment to the representation of each video."""
        return self.represent(self.feature_maps(pictures))


@dataclass(frozen=True)
class PooledOutput:
    """What pooling says of videos: a vector each, and no attention.

    Attributes:
        video: the streams' representations side by side.
        num_segments: T.
    """

    video: Float[Tensor, "B D"]
    num_segments: int

    @property
    def spatial_attention(self) -> dict[str, Float[Tensor, "B T K K"]]:
        """Empty: no attention over regions."""
        return {}

    @property
    def temporal_scores(self) -> Float[Tensor, "B T"]:
        """Zeros: no attention over segments."""
        return self.video.new_zeros(len(self.video), self.num_segments)

    @property
    def temporal_attention(self) -> Float[Tensor, "B T"]:
        """1/T: no attention over segments."""
        return self.temporal_scores.softmax(dim=-1)


class Pooled(nn.Module):
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

    def stream(self, name: str) -> PooledStream:
        """The stream of a modality."""
        return cast(PooledStream, self.streams[name])

    def feature_maps(
        self, pictures: Mapping[str, Shaped[Tensor, "B T ..."]]
    ) -> dict[str, Float[Tensor, "B T F _ _"]]:
        """Each stream's backbone on its own input: the part that can be computed once and kept."""
        return {name: self.stream(name).feature_maps(pictures[name]) for name in self.streams}

    def attend(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> PooledOutput:
        """From the backbones' feature maps to the representations; named as in the other networks.

        Raises:
            CallError: maps that a pooling is not made for.
        """
        parts = [self.stream(name).represent(maps[name]) for name in self.streams]
        return PooledOutput(torch.cat(parts, dim=-1), num_segments=maps[next(iter(self.streams))].shape[1])

    def forward(self, pictures: Mapping[str, Shaped[Tensor, "B T ..."]]) -> PooledOutput:
        """Stream → (B, T, C, H, W) pictures or (B, T, C, L, H, W) clips, to the representations."""
        return self.attend(self.feature_maps(pictures))
