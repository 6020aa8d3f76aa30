"""A network on a video that comes part by part: what it says of each part and of the whole.

Memory stays constant, however long the video is.

The LSTM of Eq. 7 hands its memory from part to part, and the sum of Eq. 8 is kept together with the largest
score and the sum of the weights so far, so that β is never needed before the end. What weights segments by
the whole video does so when all of it has come (:mod:`attcell.nn.whole_video`).
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
from attcell.nn.temporal import Memory, TemporalAttention, of_all_classes
from attcell.nn.whole_video import PART, Growing, Keep, as_rows, needs_whole_video, scores_of_whole

Maps = Mapping[str, Float[Tensor, "1 T F _ _"]]


@dataclass(frozen=True)
class Part:
    """What the network says of some samples that follow each other, as they come.

    Attributes:
        strength: by which the strongest of some samples is chosen, to be shown: k of Eq. 7 where it is known
            as they come; else how sure the classifier is of its best class.
        logits: of the network's own classifier on each f_att^t.
        segments: f_att^t of Eq. 6, the streams side by side.
        spatial_attention: stream → α of Eq. 4.
        evidence: what each f_att^t would add to each class if it were the only one, without the bias
            (:mod:`attcell.nn.class_evidence`).
    """

    strength: Float[Tensor, " T"]
    logits: Float[Tensor, "T A"]
    segments: Float[Tensor, "T MD"]
    spatial_attention: dict[str, Float[Tensor, "T _ _"]]
    evidence: Float[Tensor, "T A"]


@dataclass(frozen=True)
class Whole:
    """What the network says of a video when all of it has come.

    Attributes:
        temporal_scores: k of Eq. 7 of every sample; 0 without temporal attention.
        logits: class scores of the whole video (Eq. 8).
        temporal_scores_by_class: k of each class, where the network has one a class.
    """

    temporal_scores: Float[Tensor, " T"]
    logits: Float[Tensor, " A"]
    temporal_scores_by_class: Float[Tensor, "T A"] | None = None


class STANStreamer:
    """One STAN on one video, part by part, in order.

    Args:
        network: in test mode.
        keep: makes the places where f_att of all samples is kept, and what is computed from it, for a network
            that weights them by the whole video: in memory, by default.
    """

    def __init__(self, network: STAN, keep: Keep = Growing) -> None:
        self._network = network
        self._keep = keep
        self._segments = keep() if needs_whole_video(network.temporal) else None
        self._scores = Growing()  # the k so far
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
        attention = {name: of[0] for name, of in encoded.spatial_attention.items()}
        logits = network.classifier(segments[0])
        evidence = logits - network.classifier.bias
        if self._segments is not None:
            self._segments.add(as_rows(segments[0]))
            strength = logits.log_softmax(dim=-1).amax(dim=-1)
            return Part(strength, logits, segments[0], attention, evidence)
        if isinstance(network.temporal, TemporalAttention):
            k, _, self._memory = network.temporal.go_on(segments, self._memory)  # Eq. 7
        else:
            k, _ = network.temporal(segments)
        self._add(k[0], segments[0])
        return Part(k[0], logits, segments[0], attention, evidence)

    @torch.inference_mode()
    def whole(self) -> Whole:
        """What it says of all samples so far."""
        like = self._network.classifier.weight
        if self._segments is None:
            k = torch.from_numpy(self._scores.rows).to(like)
            return Whole(k, self._network.classifier(self._video / self._weights))
        k = scores_of_whole(self._network.temporal, self._segments, self._keep)
        beta, num = k.softmax(dim=0), len(k)
        video = k.new_zeros(k.shape[1], self._network.dim)
        for start in range(0, num, PART):
            rows = slice(start, min(start + PART, num))
            part = torch.from_numpy(self._segments.part(rows.start, rows.stop)).to(like)
            video = video + beta[rows].T @ part  # Eq. 8
        if k.shape[1] == 1:
            return Whole(k[:, 0], self._network.classifier(video[0]))
        logits = self._network.classes_of(video[None])
        return Whole(of_all_classes(k.T[None], logits)[0], logits[0], k)

    def _add(self, k: Float[Tensor, " T"], segments: Float[Tensor, "T MD"]) -> None:
        """Add to the sum of Eq. 8, with all weights relative to the largest score so far."""
        self._scores.add(as_rows(k))
        before = self._largest.to(k)
        self._largest = torch.maximum(before, k.max())
        shrink, weights = (before - self._largest).exp(), (k - self._largest).exp()
        self._weights = shrink * self._weights.to(k) + weights.sum()
        self._video = shrink * self._video.to(k) + weights @ segments


class LateFusionStreamer:
    """A STAN for each stream, joined as :class:`~attcell.nn.outputs.LateOutput` joins them."""

    def __init__(self, network: LateFusion, keep: Keep = Growing) -> None:
        self._network = network
        self._streamers = {name: STANStreamer(network.network(name), keep) for name in network.networks}

    @torch.inference_mode()
    def step(self, maps: Maps) -> Part:
        """What the networks say of the next samples."""
        return self.step_encoded(self._network.encode(maps))

    @torch.inference_mode()
    def step_encoded(self, encoded: Mapping[str, STANEncoded]) -> Part:
        """The same from what each network makes of the next samples."""
        parts = {name: one.step_encoded(encoded[name]) for name, one in self._streamers.items()}
        return Part(
            self._network.average([part.strength for part in parts.values()]),
            self._network.fuse([part.logits for part in parts.values()]),
            torch.cat([part.segments for part in parts.values()], dim=-1),
            {name: part.spatial_attention[name] for name, part in parts.items()},
            self._network.average([part.evidence for part in parts.values()]),
        )

    @torch.inference_mode()
    def whole(self) -> Whole:
        """What they say of all samples so far."""
        wholes = [one.whole() for one in self._streamers.values()]
        by_class = [of.temporal_scores_by_class for of in wholes if of.temporal_scores_by_class is not None]
        return Whole(
            self._network.average([of.temporal_scores for of in wholes]),
            self._network.fuse([of.logits[None] for of in wholes])[0],
            self._network.average(by_class) if by_class else None,
        )


Streamer = STANStreamer | LateFusionStreamer


def streamer(network: Network, keep: Keep = Growing) -> Streamer:
    """What runs a network in test mode on one video, part by part; ``keep`` as of :class:`STANStreamer`.

    Raises:
        CallError: a network that does not score single segments.
    """
    if isinstance(network, LateFusion):
        return LateFusionStreamer(network, keep)
    if isinstance(network, STAN):
        return STANStreamer(network, keep)
    raise CallError(
        f"this {type(network).__name__} does not score the segments of a video by themselves; detect with a "
        "model of kind stan, san or average, and of classifier linear"
    )
