"""A network on a video that comes part by part: what it says of each part and of the whole.

Memory stays constant, however long the video is.

The LSTM of Eq. 7 hands its memory from part to part, and the sum of Eq. 8 is kept together with the largest
score and the sum of the weights so far, so that β is never needed before the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from attcell.errors import CallError
from attcell.nn.fusion import LateFusion
from attcell.nn.network import Network
from attcell.nn.stan import STAN, STANEncoded
from attcell.nn.temporal import EncoderDecoder, Memory, SelfAttention, TemporalAttention

Maps = Mapping[str, Float[Tensor, "1 T F _ _"]]


@dataclass(frozen=True)
class Part:
    """What the network says of some samples that follow each other.

    Attributes:
        temporal_scores: k of Eq. 7; 0 without temporal attention.
        logits: of the network's own classifier on each f_att^t.
        segments: f_att^t of Eq. 6, the streams side by side.
        spatial_attention: stream → α of Eq. 4.
    """

    temporal_scores: Float[Tensor, " T"]
    logits: Float[Tensor, "T A"]
    segments: Float[Tensor, "T MD"]
    spatial_attention: dict[str, Float[Tensor, "T _ _"]]


class STANStreamer:
    """One STAN on one video, part by part, in order.

    Raises:
        CallError: its LSTM also runs backwards.
    """

    def __init__(self, network: STAN) -> None:
        temporal = network.temporal
        if isinstance(temporal, EncoderDecoder | SelfAttention):
            raise CallError("this model weights segments by the whole video, which is not read in parts yet")
        if isinstance(temporal, TemporalAttention) and temporal.lstm.bidirectional:
            raise CallError(
                "this model's LSTM also runs from the end of the video to its beginning, and a long video is "
                "read once, from the beginning; train one with model.lstm_bidirectional=false"
            )
        self._network = network
        self._memory: Memory | None = None
        self._largest = torch.tensor(-torch.inf)  # of the k so far
        self._weights = torch.tensor(0.0)  # the sum of exp(k - largest)
        self._video = torch.zeros(())  # f_att times this sum

    @torch.inference_mode()
    def step(self, maps: Maps) -> Part:
        """What the network says of the next samples, from the feature maps of each stream's backbone."""
        return self.step_encoded(self._network.encode(maps))

    @torch.inference_mode()
    def step_encoded(self, encoded: STANEncoded) -> Part:
        """The same from what the network makes of the next samples, each by itself."""
        network, segments = self._network, encoded.segments
        if isinstance(network.temporal, TemporalAttention):
            k, _, self._memory = network.temporal.go_on(segments, self._memory)  # Eq. 7
        else:
            k, _ = network.temporal(segments)
        self._add(k[0], segments[0])
        attention = {name: of[0] for name, of in encoded.spatial_attention.items()}
        return Part(k[0], network.classifier(segments[0]), segments[0], attention)

    @torch.inference_mode()
    def logits(self) -> Float[Tensor, " A"]:
        """Class scores of all samples so far (Eq. 8)."""
        return self._network.classifier(self._video / self._weights)

    def _add(self, k: Float[Tensor, " T"], segments: Float[Tensor, "T MD"]) -> None:
        """Add to the sum of Eq. 8, with all weights relative to the largest score so far."""
        before = self._largest.to(k)
        self._largest = torch.maximum(before, k.max())
        shrink, weights = (before - self._largest).exp(), (k - self._largest).exp()
        self._weights = shrink * self._weights.to(k) + weights.sum()
        self._video = shrink * self._video.to(k) + weights @ segments


class LateFusionStreamer:
    """A STAN for each stream, joined as :class:`~attcell.nn.outputs.LateOutput` joins them."""

    def __init__(self, network: LateFusion) -> None:
        self._network = network
        self._streamers = {name: STANStreamer(network.network(name)) for name in network.networks}

    @torch.inference_mode()
    def step(self, maps: Maps) -> Part:
        """What the networks say of the next samples."""
        return self.step_encoded(self._network.encode(maps))

    @torch.inference_mode()
    def step_encoded(self, encoded: Mapping[str, STANEncoded]) -> Part:
        """The same from what each network makes of the next samples."""
        parts = {name: one.step_encoded(encoded[name]) for name, one in self._streamers.items()}
        return Part(
            self._network.average([part.temporal_scores for part in parts.values()]),
            self._network.fuse([part.logits for part in parts.values()]),
            torch.cat([part.segments for part in parts.values()], dim=-1),
            {name: part.spatial_attention[name] for name, part in parts.items()},
        )

    @torch.inference_mode()
    def logits(self) -> Float[Tensor, " A"]:
        """Class scores of all samples so far."""
        return self._network.fuse([one.logits()[None] for one in self._streamers.values()])[0]


Streamer = STANStreamer | LateFusionStreamer


def streamer(network: Network) -> Streamer:
    """What runs a network in test mode on one video, part by part.

    Raises:
        CallError: a network that does not score single segments, or one whose LSTM also runs backwards.
    """
    if isinstance(network, LateFusion):
        return LateFusionStreamer(network)
    if isinstance(network, STAN):
        return STANStreamer(network)
    raise CallError(
        f"a {type(network).__name__} does not score the segments of a video by themselves; detect with a "
        "model of kind stan, san or average, and of classifier linear"
    )
