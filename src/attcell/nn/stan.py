"""STAN: one temporal attention for all modalities, over spatially attended segments (Eq. 4-8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attcell.nn.attention import attended_sum
from attcell.nn.class_evidence import weighted_regions
from attcell.nn.network import Network, along_time
from attcell.nn.outputs import STANOutput
from attcell.nn.streams import Stream
from attcell.nn.temporal import TemporalAttention, of_all_classes


@dataclass(frozen=True)
class STANEncoded:
    """What STAN makes of consecutive segments, each by itself (Eq. 3-6).

    Attributes:
        spatial_scores: stream → s of Eq. 4, before the softmax.
        spatial_attention: stream → α of Eq. 4; each K×K map sums to 1.
        segments: f_att^t of Eq. 6, the streams' attended descriptors side by side.
        region_scores: stream → what each region adds to each class, before β; empty where nobody asked.
    """

    spatial_scores: dict[str, Float[Tensor, "B T _ _"]]
    spatial_attention: dict[str, Float[Tensor, "B T _ _"]]
    segments: Float[Tensor, "B T MD"]
    region_scores: dict[str, Float[Tensor, "B T A _ _"]] = field(default_factory=dict)

    @classmethod
    def joined(cls, parts: Sequence[STANEncoded]) -> STANEncoded:
        """Consecutive parts as one."""
        if len(parts) == 1:
            return parts[0]
        names = parts[0].spatial_scores
        return cls(
            {name: along_time([part.spatial_scores[name] for part in parts]) for name in names},
            {name: along_time([part.spatial_attention[name] for part in parts]) for name in names},
            along_time([part.segments for part in parts]),
            {
                name: along_time([part.region_scores[name] for part in parts])
                for name in parts[0].region_scores
            },
        )


class STAN(Network[STANEncoded, STANOutput]):
    """The whole network, for any streams and any number of segments T.

    Args:
        streams: name → stream, in the order in which their descriptors are put side by side (Eq. 6).
        num_classes: A.
        lstm_hidden: hidden states of the LSTM (the paper's 1,024).
        dropout: before the classifier. *Reading*: 0.5; the paper gives no number.
        temporal: what weights the segments, one of :mod:`attcell.nn.temporal`; by default
            :class:`~attcell.nn.temporal.TemporalAttention`.

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

    def stream_names(self) -> Iterable[str]:
        return self.streams.keys()

    def stream(self, name: str) -> Stream:
        return cast(Stream, self.streams[name])

    def encode(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> STANEncoded:
        """Spatial attention and attended descriptors of consecutive segments (Eq. 3-6)."""
        return self.attention_pool({name: self.stream(name).descriptors(maps[name]) for name in self.streams})

    def encode_with_evidence(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> STANEncoded:
        """The same, with what each region adds to each class (:mod:`attcell.nn.class_evidence`)."""
        local = {name: self.stream(name).descriptors(maps[name]) for name in self.streams}
        return self.attention_pool(local, with_evidence=True)

    def attention_pool(
        self, local: Mapping[str, Float[Tensor, "B T D _ _"]], *, with_evidence: bool = False
    ) -> STANEncoded:
        """The same from the streams' local descriptors, conv6's (Eq. 4-6)."""
        weights = self._weights_by_stream() if with_evidence else {}
        pooled = {
            name: self.stream(name).attention_pool(local[name], weights.get(name)) for name in self.streams
        }
        return STANEncoded(
            {name: output.scores for name, output in pooled.items()},
            {name: output.attention for name, output in pooled.items()},
            torch.cat([output.segments for output in pooled.values()], dim=-1),  # Eq. 6: early fusion
            {name: of.region_scores for name, of in pooled.items() if of.region_scores is not None},
        )

    def _weights_by_stream(self) -> dict[str, Float[Tensor, "A _"]]:
        """Stream → the part of the classifier's weights that its descriptor meets."""
        dims = [self.stream(name).out_channels for name in self.streams]
        return dict(zip(self.streams, self.classifier.weight.split(dims, dim=1), strict=True))

    def decide(self, parts: Sequence[STANEncoded]) -> STANOutput:
        """Temporal attention over all segments, and the classes (Eq. 7-8)."""
        encoded = STANEncoded.joined(parts)
        scores, attention = self.temporal(encoded.segments)  # Eq. 7
        evidence = None
        if encoded.region_scores:
            evidence = weighted_regions(encoded.region_scores, attention, self.classifier.bias)
        by_class = scores if scores.ndim == 3 else None
        if by_class is None:
            video = attended_sum(attention, encoded.segments)  # Eq. 8: the segments, not the LSTM's outputs
            logits = self.classifier(self.dropout(video))
        else:
            logits = self.classes_of(self.dropout(attention @ encoded.segments))
            scores = of_all_classes(by_class, logits)
            attention = scores.softmax(dim=-1)
            video = attended_sum(attention, encoded.segments)
        return STANOutput(
            logits=logits,
            evidence=evidence,
            spatial_scores=encoded.spatial_scores,
            spatial_attention=encoded.spatial_attention,
            temporal_scores=scores,
            temporal_attention=attention,
            segments=encoded.segments,
            video=video,
            temporal_scores_by_class=by_class,
        )

    def classes_of(self, videos: Float[Tensor, "B A MD"]) -> Float[Tensor, "B A"]:
        """Class scores where each class sees its own f_att of Eq. 8."""
        return torch.einsum("bad,ad->ba", videos, self.classifier.weight) + self.classifier.bias
