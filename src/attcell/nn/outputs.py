"""What the networks give back: one record with the same fields for all, and what each network adds to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from attcell.errors import CallError
from attcell.nn.class_evidence import ClassEvidence, together


@dataclass(frozen=True, kw_only=True)
class Output:
    """What every network gives for a batch of videos; what a network does not have stays empty.

    Attributes:
        logits: class scores before the softmax.
        temporal_scores: raw scores of the segments, before the softmax; zeros without temporal attention.
        temporal_attention: their softmax, which sums to 1 over the segments; 1/T without temporal attention.
        spatial_attention: stream → attention over the regions of every segment; each K×K map sums to 1.
        logits_by_stream: stream → its own class scores, where it has a classifier of its own.
        temporal_attention_by_stream: stream → its own temporal attention, where it has one.
        gates: branch → TAN's sharing gates; [b, i, j] is the weight of its step i for the asking step j.
        learnt_logits: the class scores whose losses are summed, step by step; by default the logits, as one
            step.
        weights: how much each of ``logits_by_stream`` counts, 1 in all; None where that cannot be said.
        evidence: what adds up to the class scores; None where nobody asked, or they are no such sum.
    """

    logits: Float[Tensor, "B A"]
    temporal_scores: Float[Tensor, "B T"]
    temporal_attention: Float[Tensor, "B T"]
    spatial_attention: dict[str, Float[Tensor, "B T _ _"]] = field(default_factory=dict)
    logits_by_stream: dict[str, Float[Tensor, "B A"]] = field(default_factory=dict)
    temporal_attention_by_stream: dict[str, Float[Tensor, "B T"]] = field(default_factory=dict)
    gates: dict[str, Float[Tensor, "B T T"]] = field(default_factory=dict)
    learnt_logits: tuple[Float[Tensor, "B _ A"], ...] = ()
    weights: Tensor | None = None
    evidence: ClassEvidence | None = None

    def __post_init__(self) -> None:
        if not self.learnt_logits:
            object.__setattr__(self, "learnt_logits", (self.logits[:, None],))

    @property
    def stream_weights(self) -> dict[str, float]:
        """Stream → how much it counts, 1 in all; empty where that cannot be said."""
        if self.weights is None:
            return {}
        return dict(zip(self.logits_by_stream, self.weights.tolist(), strict=True))


@dataclass(frozen=True, kw_only=True)
class STANOutput(Output):
    """What STAN computes on its way to the classes.

    Here ``temporal_scores`` are k of Eq. 7, ``temporal_attention`` is β, and ``spatial_attention`` is α of
    Eq. 4.

    Attributes:
        spatial_scores: stream → s of Eq. 4, before the softmax.
        segments: f_att^t of Eq. 6, the streams' attended descriptors side by side.
        video: f_att of Eq. 8.
        temporal_scores_by_class: k of each class, where the network has one a class. Then
            ``temporal_attention`` is the mean of their β by the classes' probabilities, and ``video`` the sum
            that it weights.
    """

    spatial_scores: dict[str, Float[Tensor, "B T _ _"]]
    segments: Float[Tensor, "B T MD"]
    video: Float[Tensor, "B MD"]
    temporal_scores_by_class: Float[Tensor, "B A T"] | None = None


@dataclass(frozen=True, kw_only=True)
class LateOutput(Output):
    """What the networks of late fusion give together, and each by itself.

    Here ``logits`` is the logarithm of the weighted sum of the networks' probabilities, so that its softmax
    is this sum; k and β of Eq. 7 are averaged over the networks by their weights, and β still sums to 1.

    Attributes:
        streams: stream → what its network computed.
    """

    streams: dict[str, STANOutput]


@dataclass(frozen=True, kw_only=True)
class TANOutput(Output):
    """What TAN computes on its way to the classes; :meth:`of` derives the common fields.

    At test the last step alone counts, so the gates of the last step are the attention over time. With
    branches named frame and flow the papers' names work too: ``frame_logits``, ``flow_gates`` and so on.

    Attributes:
        step_logits: branch → its class scores at every step.
        step_scores: branch → e and f of Eq. 3, its gates before the softmax.
    """

    step_logits: dict[str, Float[Tensor, "B T A"]]
    step_scores: dict[str, Float[Tensor, "B T T"]]

    @classmethod
    def of(
        cls,
        step_logits: dict[str, Tensor],
        gates: dict[str, Tensor],
        step_scores: dict[str, Tensor],
        evidence: dict[str, ClassEvidence] | None = None,
    ) -> TANOutput:
        """The output of two branches from what each computed at every step.

        *Reading* of ``logits``: the softmax of the last step is averaged over the branches.
        """
        last = {name: logits[:, -1:] for name, logits in step_logits.items()}
        attention = {name: of_branch[:, :, -1] for name, of_branch in gates.items()}
        return cls(
            logits=averaged_softmax(torch.stack(list(last.values()))),
            temporal_scores=_mean([scores[:, :, -1] for scores in step_scores.values()]),
            temporal_attention=_mean(list(attention.values())),
            logits_by_stream={name: logits[:, 0] for name, logits in last.items()},
            temporal_attention_by_stream=attention,
            gates=gates,
            learnt_logits=tuple(step_logits.values()),
            weights=_equal_weights(len(step_logits)),
            evidence=None if evidence is None else together(evidence, [1 / len(evidence)] * len(evidence)),
            step_logits=step_logits,
            step_scores=step_scores,
        )

    @property
    def frame_logits(self) -> Float[Tensor, "B T A"]:
        """The frame branch's class scores at every step."""
        return self.step_logits["frame"]

    @property
    def flow_logits(self) -> Float[Tensor, "B T A"]:
        """The flow branch's class scores at every step."""
        return self.step_logits["flow"]

    @property
    def frame_gates(self) -> Float[Tensor, "B T T"]:
        """α of Eq. 4; [b, i, j] is the weight of the frame branch's step i for the flow branch's step j, and
        sums to 1 over i."""
        return self.gates["frame"]

    @property
    def flow_gates(self) -> Float[Tensor, "B T T"]:
        """β of Eq. 4; [b, k, l] is the weight of the flow branch's step k for the frame branch's step l, and
        sums to 1 over k."""
        return self.gates["flow"]

    @property
    def frame_scores(self) -> Float[Tensor, "B T T"]:
        """e of Eq. 3, before the softmax."""
        return self.step_scores["frame"]

    @property
    def flow_scores(self) -> Float[Tensor, "B T T"]:
        """f of Eq. 3, before the softmax."""
        return self.step_scores["flow"]


@dataclass(frozen=True)
class Joined:
    """The class scores that a head of TAN's rivals gives at every step.

    Attributes:
        alone: branch → those without the other.
        together: those of all branches; None where their softmaxes are averaged.
        selection: raw scores of the gate over the M branches; None without such a gate.
    """

    alone: dict[str, Float[Tensor, "B T A"]]
    together: Float[Tensor, "B T A"] | None = None
    selection: Float[Tensor, "B T M"] | None = None


@dataclass(frozen=True, kw_only=True)
class BranchesOutput(Output):
    """What a network of branches without sharing gates computes; :meth:`of` derives the common fields.

    Attributes:
        joined: the class scores of every step, of each branch and of all together.
    """

    joined: Joined

    @classmethod
    def of(
        cls, joined: Joined, spatial_attention: dict[str, Tensor], *, last_step_only: bool
    ) -> BranchesOutput:
        """The output from the class scores at every step.

        Args:
            joined: what the head gives.
            spatial_attention: branch → its attention over the regions of every step; empty without one.
            last_step_only: at test the last step alone counts, as in TAN; else all steps alike.
        """
        learnt = list(joined.alone.values()) if joined.together is None else [joined.together]
        first = -1 if last_step_only else 0
        nothing = torch.zeros_like(next(iter(joined.alone.values()))[..., 0])
        return cls(
            logits=averaged_softmax(torch.stack(learnt)[:, :, first:]),
            temporal_scores=nothing,
            temporal_attention=nothing.softmax(dim=-1),
            spatial_attention=spatial_attention,
            logits_by_stream={
                name: averaged_softmax(alone[None, :, first:]) for name, alone in joined.alone.items()
            },
            learnt_logits=tuple(learnt),
            weights=_branch_weights(joined),
            joined=joined,
        )


@dataclass(frozen=True, kw_only=True)
class SVMOutput(Output):
    """What an SVM gives for a representation, with the attention of what made it.

    Here ``logits`` are the margins. Their softmax orders a video's classes as they do, and is no probability.
    A loss on them moves the body alone, because the SVM is fitted and not trained.

    Attributes:
        video: the representations that the SVM classifies.
    """

    video: Float[Tensor, "B D"]


@dataclass(frozen=True)
class PooledOutput:
    """What pooling makes of videos: a vector each, and no attention.

    Attributes:
        video: the streams' representations side by side.
        num_segments: T.
    """

    video: Float[Tensor, "B D"]
    num_segments: int

    @property
    def spatial_attention(self) -> dict[str, Float[Tensor, "B T _ _"]]:
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


def averaged_softmax(logits: Float[Tensor, "M B T A"]) -> Float[Tensor, "B A"]:
    """The logarithm of the softmax averaged over branches and steps: its own softmax is this average."""
    log_probabilities = logits.log_softmax(dim=-1)
    num = torch.full((), logits.shape[0] * logits.shape[2], dtype=torch.float64)  # an exported T is no number
    return log_probabilities.logsumexp(dim=(0, 2)) - num.log()


def refuse_unequal_steps(branches: Mapping[str, Float[Tensor, "B _ *F"]]) -> None:
    """Raise a CallError for branches (B, T, ...) with unequal numbers of steps."""
    first, *others = (of_branch.shape[1] for of_branch in branches.values())
    if any(steps != first for steps in others):
        found = " and ".join(f"the {name} branch has {of.shape[1]} steps" for name, of in branches.items())
        raise CallError(f"{found}; give both equally many")


def _mean(values: list[Tensor]) -> Tensor:
    return sum(values[1:], values[0]) / len(values)


def _equal_weights(num: int) -> Tensor:
    return torch.full((num,), 1 / num, dtype=torch.float64, device="cpu")


def _branch_weights(joined: Joined) -> Tensor | None:
    """How much each branch counts; None where that cannot be said.

    All count alike where softmaxes are averaged; a gate over branches counts as at the last step, averaged
    over the batch.
    """
    if joined.selection is not None:
        return joined.selection[:, -1].softmax(dim=-1).mean(dim=0)
    if joined.together is not None or len(joined.alone) == 1:
        return None
    return _equal_weights(len(joined.alone))
