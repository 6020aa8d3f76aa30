"""TODO."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


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


def averaged_softmax(logits: Float[Tensor, "M B T A"]) -> Float[Tensor, "B A"]:
    """The logarithm of the branches' and steps' softmax, averaged: its own softmax is this average."""
    counted = logits.log_softmax(dim=-1)
    return counted.logsumexp(dim=(0, 2)) - math.log(len(counted) * counted.shape[2])


@dataclass(frozen=True)
class TANOutput:
    """Everything that TAN computes on its way to the classes.

    Attributes:
        frame_logits: the frame branch's class scores at every step.
        flow_logits: the flow branch's.
        frame_gates: α of Eq. 4; [b, i, j] is the weight of the frame branch's step i for the flow branch's
            step j, and sums to 1 over i.
        flow_gates: β of Eq. 4; [b, k, l] is the weight of the flow branch's step k for the frame branch's
            step l, and sums to 1 over k.
        frame_scores: e of Eq. 3, before the softmax.
        flow_scores: f of Eq. 3, before the softmax.

    At test the last step alone counts, so the gates of the last step are the attention over time.
    """

    frame_logits: Float[Tensor, "B T A"]
    flow_logits: Float[Tensor, "B T A"]
    frame_gates: Float[Tensor, "B T T"]
    flow_gates: Float[Tensor, "B T T"]
    frame_scores: Float[Tensor, "B T T"]
    flow_scores: Float[Tensor, "B T T"]

    @property
    def logits(self) -> Float[Tensor, "B A"]:
        """What counts at test: their softmax is the last step's softmax, averaged over the branches
        (*reading*)."""
        return averaged_softmax(torch.stack([self.frame_logits[:, -1:], self.flow_logits[:, -1:]]))

    @property
    def logits_by_stream(self) -> dict[str, Float[Tensor, "B A"]]:
        """Branch → what it says by itself at the last step."""
        return {"frame": self.frame_logits[:, -1], "flow": self.flow_logits[:, -1]}

    @property
    def learnt_logits(self) -> tuple[Float[Tensor, "B T A"], ...]:
        """The class scores whose losses are summed: each branch's."""
        return self.frame_logits, self.flow_logits

    @property
    def gates(self) -> dict[str, Float[Tensor, "B T T"]]:
        """Branch → the weights of its steps for the other's."""
        return {"frame": self.frame_gates, "flow": self.flow_gates}

    @property
    def spatial_attention(self) -> dict[str, Float[Tensor, "B T K K"]]:
        """Empty: TAN looks at all regions alike."""
        return {}

    @property
    def temporal_scores(self) -> Float[Tensor, "B T"]:
        """The raw scores of the gates of the last step, averaged over the branches."""
        return (self.frame_scores[:, :, -1] + self.flow_scores[:, :, -1]) / 2

    @property
    def temporal_attention(self) -> Float[Tensor, "B T"]:
        """The gates of the last step, averaged over the branches; they sum to 1."""
        return (self.frame_gates[:, :, -1] + self.flow_gates[:, :, -1]) / 2

    @property
    def temporal_attention_by_stream(self) -> dict[str, Float[Tensor, "B T"]]:
        """Branch → the gates of the last step."""
        return {name: gates[:, :, -1] for name, gates in self.gates.items()}

    @property
    def stream_weights(self) -> dict[str, float]:
        """Branch → how much its classifier counts: both alike."""
        return {"frame": 0.5, "flow": 0.5}


@dataclass(frozen=True)
class Joined:
    """What a head says at every step.

    Attributes:
        alone: branch → what it says without the other.
        together: what the branches say together; None where their softmaxes are averaged.
        selection: raw scores of the gate over the M branches; None without such a gate.
    """

    alone: dict[str, Float[Tensor, "B T A"]]
    together: Float[Tensor, "B T A"] | None = None
    selection: Float[Tensor, "B T M"] | None = None


@dataclass(frozen=True)
class BranchesOutput:
    """What a network of branches computes.

    Attributes:
        joined: the class scores of every step, of each branch and of all together.
        spatial_attention: branch → its attention over the regions of every step; empty where there is none.
        last_step_only: at test the last step alone counts, as in TAN; else all steps alike.
    """

    joined: Joined
    spatial_attention: dict[str, Float[Tensor, "B T K K"]]
    last_step_only: bool

    @property
    def logits(self) -> Float[Tensor, "B A"]:
        """What counts at test."""
        together = self.joined.together
        every = list(self.joined.alone.values()) if together is None else [together]
        return averaged_softmax(self._counted(torch.stack(every)))

    @property
    def logits_by_stream(self) -> dict[str, Float[Tensor, "B A"]]:
        """Branch → what it says by itself."""
        return {
            name: averaged_softmax(self._counted(alone[None])) for name, alone in self.joined.alone.items()
        }

    @property
    def learnt_logits(self) -> tuple[Float[Tensor, "B T A"], ...]:
        """The class scores whose losses are summed: of all together, or else each branch's."""
        together = self.joined.together
        return tuple(self.joined.alone.values()) if together is None else (together,)

    @property
    def temporal_scores(self) -> Float[Tensor, "B T"]:
        """Zeros: no attention over steps."""
        return torch.zeros_like(next(iter(self.joined.alone.values()))[..., 0])

    @property
    def temporal_attention(self) -> Float[Tensor, "B T"]:
        """1/T: no attention over steps."""
        return self.temporal_scores.softmax(dim=-1)

    @property
    def temporal_attention_by_stream(self) -> dict[str, Float[Tensor, "B T"]]:
        """Empty: no attention over steps."""
        return {}

    @property
    def gates(self) -> dict[str, Float[Tensor, "B T T"]]:
        """Empty: only TAN has sharing gates."""
        return {}

    @property
    def stream_weights(self) -> dict[str, float]:
        """Branch → how much it counts: both alike where softmaxes are averaged, or what the gate over
        branches says of the last step, averaged over the batch; empty where it cannot be said."""
        names = list(self.joined.alone)
        if self.joined.selection is not None:
            chosen = self.joined.selection[:, -1].softmax(dim=-1).mean(dim=0)
            return dict(zip(names, chosen.tolist(), strict=True))
        if self.joined.together is not None or len(names) == 1:
            return {}
        return {name: 1 / len(names) for name in names}

    def _counted(self, logits: Float[Tensor, "M B T A"]) -> Float[Tensor, "M B _ A"]:
        return logits[:, :, -1:] if self.last_step_only else logits


@dataclass(frozen=True)
class LateOutput:
    """What the networks of late fusion say together, and each by itself.

    Attributes:
        logits: the logarithm of the weighted sum of the networks' probabilities, so that its softmax is this
            sum.
        streams: stream → what its network computed.
        weights: how much each network counts.
    """

    logits: Float[Tensor, "B A"]
    streams: dict[str, STANOutput]
    weights: Float[Tensor, " M"]

    @property
    def logits_by_stream(self) -> dict[str, Float[Tensor, "B A"]]:
        """Stream → what its network says by itself."""
        return {name: out.logits for name, out in self.streams.items()}

    @property
    def learnt_logits(self) -> tuple[Float[Tensor, "B 1 A"], ...]:
        """The class scores whose losses are summed: each network's, which learns for itself."""
        return tuple(out.logits[:, None] for out in self.streams.values())

    @property
    def spatial_attention(self) -> dict[str, Float[Tensor, "B T K K"]]:
        """Stream → α of Eq. 4."""
        return {name: out.spatial_attention[name] for name, out in self.streams.items()}

    @property
    def temporal_scores(self) -> Float[Tensor, "B T"]:
        """k of Eq. 7, averaged over the networks by their weights."""
        return self._averaged([out.temporal_scores for out in self.streams.values()])

    @property
    def temporal_attention(self) -> Float[Tensor, "B T"]:
        """β of Eq. 7, averaged over the networks by their weights; it still sums to 1."""
        return self._averaged([out.temporal_attention for out in self.streams.values()])

    @property
    def temporal_attention_by_stream(self) -> dict[str, Float[Tensor, "B T"]]:
        """Stream → the β of its own network."""
        return {name: out.temporal_attention for name, out in self.streams.items()}

    @property
    def gates(self) -> dict[str, Float[Tensor, "B T T"]]:
        """Empty: only TAN has sharing gates."""
        return {}

    @property
    def stream_weights(self) -> dict[str, float]:
        """Stream → how much its network counts; 1 in all."""
        return dict(zip(self.streams, self.weights.tolist(), strict=True))

    def _averaged(self, values: list[Tensor]) -> Tensor:
        return torch.einsum("m,m...->...", self.weights.to(values[0]), torch.stack(values))


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


@dataclass(frozen=True)
class SVMOutput:
    """What an SVM says of a representation, and what that was made by.

    Attributes:
        logits: the margins. Their softmax orders a video's classes as they do, and is no probability.
        body: what STAN or the pooling computed: representations, and attention where there is one.
    """

    logits: Float[Tensor, "B A"]
    body: STANOutput | PooledOutput

    @property
    def video(self) -> Float[Tensor, "B D"]:
        """The representations that the SVM looked at."""
        return self.body.video

    @property
    def spatial_attention(self) -> dict[str, Float[Tensor, "B T K K"]]:
        """Stream → α of Eq. 4; empty for pooled streams."""
        return self.body.spatial_attention

    @property
    def temporal_scores(self) -> Float[Tensor, "B T"]:
        """k of Eq. 7; zeros for pooled streams."""
        return self.body.temporal_scores

    @property
    def temporal_attention(self) -> Float[Tensor, "B T"]:
        """β of Eq. 7; 1/T for pooled streams."""
        return self.body.temporal_attention

    @property
    def logits_by_stream(self) -> dict[str, Float[Tensor, "B A"]]:
        """Empty: no stream says anything by itself."""
        return {}

    @property
    def learnt_logits(self) -> tuple[Float[Tensor, "B 1 A"], ...]:
        """The margins; a loss on them moves the body alone, for the SVM is fitted and not trained."""
        return (self.logits[:, None],)

    @property
    def temporal_attention_by_stream(self) -> dict[str, Float[Tensor, "B T"]]:
        """Empty: at most one β, for all streams."""
        return {}

    @property
    def gates(self) -> dict[str, Float[Tensor, "B T T"]]:
        """Empty: only TAN has sharing gates."""
        return {}

    @property
    def stream_weights(self) -> dict[str, float]:
        """Empty: one SVM looks at all streams."""
        return {}


Output = STANOutput | LateOutput | TANOutput | BranchesOutput | SVMOutput
