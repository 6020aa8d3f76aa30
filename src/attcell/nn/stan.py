"""STAN: one temporal attention for all modalities, over spatially attended segments (Eq. 4-8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from attcell.nn.attention import TemporalAttention, attended_sum
from attcell.nn.outputs import STANOutput
from attcell.nn.streams import Stream


class STAN(nn.Module):
    """The whole network, for any streams and any number of segments T.

    Args:
        streams: name → stream, in the order in which their descriptors are put side by side (Eq. 6).
        num_classes: A.
        lstm_hidden: hidden states of the LSTM (the paper's 1,024).
        dropout: before the classifier. *Reading*: 0.5; the paper gives no number.
        temporal: what looks at the segments; by default :class:`TemporalAttention`.

    Attributes:
        dim: numbers of f_att^t and f_att, the streams' D together.
    """

    def __init__(
        self,
        streams: Mapping[str, Stream],
        num_classes: int,
        *,
        lstm_hidden: int = 1024,
        dropout: float = 0.5,
        temporal: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.streams = nn.ModuleDict(streams)
        self.dim = sum(stream.out_channels for stream in streams.values())
        self.temporal = TemporalAttention(self.dim, lstm_hidden) if temporal is None else temporal
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(self.dim, num_classes)

    def stream(self, name: str) -> Stream:
        """The stream of a modality."""
        return cast(Stream, self.streams[name])

    def feature_maps(
        self, pictures: Mapping[str, Shaped[Tensor, "B T ..."]]
    ) -> dict[str, Float[Tensor, "B T F _ _"]]:
        """Each stream's backbone on its own input: the part that can be computed once and kept."""
        return {name: self.stream(name).feature_maps(pictures[name]) for name in self.streams}

    def attend(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> STANOutput:
        """From the backbones' feature maps to the classes (Eq. 3-8)."""
        return self.look({name: self.stream(name).descriptors(maps[name]) for name in self.streams})

    def look(self, local: Mapping[str, Float[Tensor, "B T D _ _"]]) -> STANOutput:
        """From the streams' local descriptors, conv6's, to the classes (Eq. 4-8)."""
        looked = {name: self.stream(name).look(local[name]) for name in self.streams}
        segments = torch.cat([output.segments for output in looked.values()], dim=-1)  # Eq. 6
        scores, attention = self.temporal(segments)  # Eq. 7
        video = attended_sum(attention, segments)  # Eq. 8: the segments, not the LSTM's outputs
        return STANOutput(
            logits=self.classifier(self.dropout(video)),
            spatial_scores={name: output.scores for name, output in looked.items()},
            spatial_attention={name: output.attention for name, output in looked.items()},
            temporal_scores=scores,
            temporal_attention=attention,
            segments=segments,
            video=video,
        )

    def forward(self, pictures: Mapping[str, Shaped[Tensor, "B T ..."]]) -> STANOutput:
        """Stream → (B, T, C, H, W) pictures or (B, T, C, L, H, W) clips, to everything that STAN computes."""
        return self.attend(self.feature_maps(pictures))
