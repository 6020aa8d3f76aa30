"""STAN: one temporal attention for all modalities, over spatially attended segments (Eq. 4-8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from attcell.nn.attention import AttCell, attended_sum
from attcell.nn.streams import Stream

Memory = tuple[Tensor, Tensor]  # an LSTM's output and cell


@dataclass(frozen=True)
class STANOutput:
    """Everything that STAN computes on its way to the classes.

    Attributes:
        logits: class scores before the softmax.
        spatial_scores: stream → s of Eq. 4, before the softmax.
        spatial_attention: stream → α of Eq. 4; each K×K map sums to 1.
        temporal_scores: k of Eq. 7, before the softmax.
        temporal_attention: β of Eq. 7; sums to 1 over the segments.
        segments: f_att^t of Eq. 6, the streams' attended descriptors side by side.
        video: f_att of Eq. 8.
    """

    logits: Float[Tensor, "B A"]
    spatial_scores: dict[str, Float[Tensor, "B T K K"]]
    spatial_attention: dict[str, Float[Tensor, "B T K K"]]
    temporal_scores: Float[Tensor, "B T"]
    temporal_attention: Float[Tensor, "B T"]
    segments: Float[Tensor, "B T MD"]
    video: Float[Tensor, "B MD"]

    @property
    def logits_by_stream(self) -> dict[str, Float[Tensor, "B A"]]:
        """Empty: no stream says anything by itself."""
        return {}

    @property
    def learnt_logits(self) -> tuple[Float[Tensor, "B 1 A"], ...]:
        """The class scores whose losses are summed: the network's own."""
        return (self.logits[:, None],)

    @property
    def temporal_attention_by_stream(self) -> dict[str, Float[Tensor, "B T"]]:
        """Empty: one β serves all streams. Late fusion has one for each."""
        return {}

    @property
    def gates(self) -> dict[str, Float[Tensor, "B T T"]]:
        """Empty: only TAN has sharing gates."""
        return {}

    @property
    def stream_weights(self) -> dict[str, float]:
        """Empty: one network looks at all streams. In late fusion each has one, with a weight."""
        return {}


class TemporalAttention(nn.Module):
    """An LSTM over the segments and an AttCell on its outputs: k_t and β of Eq. 7.

    *Reading* ``layers``, ``bidirectional``: one layer and one direction; PyTorch's LSTM has no peepholes.
    """

    def __init__(
        self,
        dim: int,
        hidden: int = 1024,
        *,
        layers: int = 1,
        bidirectional: bool = False,
        uniform_start: bool = True,
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dim, hidden, layers, batch_first=True, bidirectional=bidirectional)
        self.attention = AttCell(2 * hidden if bidirectional else hidden, uniform_start=uniform_start)

    def forward(self, segments: Float[Tensor, "B T MD"]) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
        """Return the raw scores k and the attention β over the segments."""
        scores, attention, _ = self.go_on(segments, None)
        return scores, attention

    def go_on(
        self, segments: Float[Tensor, "B T MD"], memory: Memory | None
    ) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"], Memory]:
        """The same for the next segments of a longer row; the attention is over these alone.

        Args:
            segments: those that follow.
            memory: what the LSTM remembers of the segments before; None at the beginning.
        """
        outputs, memory = self.lstm(segments, memory)
        return (*self.attention(outputs), memory)


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
