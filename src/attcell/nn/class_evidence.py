"""What every region and every segment adds to a class's score: exactly, for the score is their sum.

STAN classifies f_att by one linear map, and f_att is a sum (Eq. 5, 6 and 8). So the score of class a is,
with w_a^m the part of its weights that belongs to stream m::

    logit_a = b_a + Σ_m Σ_t Σ_ij β_t · α_ij^{m,t} · w_a^m · f_ij^{m,t}

Each summand is the evidence that region ij of segment t gives a class through stream m. It is negative where
the region speaks against the class. Attention alone, β_t · α_ij, is the same for all classes. TAN's
classifiers see Σ_d gate_dT · h_d at the last step T (Eq. 5), so that step d adds gate_dT · w_a · h_d to a
branch's score.

Networks that are fused late have a score each: what a stream adds counts with its weight, and the sum is the
weighted mean of their scores. (Their probabilities are averaged, whose logarithm is no sum.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class ClassEvidence:
    """What adds up to the class scores of a batch of videos.

    Attributes:
        regions: stream → what each region of each segment adds to each class; empty of networks that pool
            the regions first.
        segments: stream → what each segment adds; the sum over the regions, where these are known.
        rest: what the classifiers add whatever the video holds: their biases.
    """

    regions: dict[str, Float[Tensor, "B T A _ _"]]
    segments: dict[str, Float[Tensor, "B T A"]]
    rest: Float[Tensor, " A"]

    @property
    def scores(self) -> Float[Tensor, "B A"]:
        """The sum of all: of STAN its logits; of several classifiers the mean of theirs by their weights."""
        return torch.stack([of.sum(dim=1) for of in self.segments.values()]).sum(dim=0) + self.rest

    @property
    def above_mean(self) -> ClassEvidence:
        """What adds up to each class's score above the mean of all classes' scores.

        What is added to all classes alike moves no probability, for the softmax does not see it. It is left
        out here.
        """
        return ClassEvidence(
            {name: of - of.mean(dim=2, keepdim=True) for name, of in self.regions.items()},
            {name: of - of.mean(dim=2, keepdim=True) for name, of in self.segments.items()},
            self.rest - self.rest.mean(),
        )


def weighted_regions(
    region_scores: Mapping[str, Float[Tensor, "B T A _ _"]],
    beta: Float[Tensor, "B T"] | Float[Tensor, "B A T"],
    bias: Float[Tensor, " A"],
) -> ClassEvidence:
    """STAN's evidence.

    Args:
        region_scores: stream → α_ij · w_a · f_ij, as of :func:`region_scores`.
        beta: of Eq. 7, for all classes together or for each.
        bias: the classifier's.
    """
    by_class = beta[:, :, None] if beta.ndim == 2 else beta.transpose(1, 2)  # (B, T, 1 or A)
    regions = {name: of * by_class[..., None, None] for name, of in region_scores.items()}
    return ClassEvidence(regions, {name: of.sum(dim=(-2, -1)) for name, of in regions.items()}, bias)


def region_scores(
    attention: Float[Tensor, "B T N"], rows: Float[Tensor, "B T N D"], weight: Float[Tensor, "A D"]
) -> Float[Tensor, "B T A N"]:
    """α_n · w_a · f_n: what each region would add to a class if its segment were the only one (Eq. 5)."""
    return torch.einsum("btn,btnd,ad->btan", attention, rows, weight)


def gated_steps(
    gates: Float[Tensor, "B T T"], outputs: Float[Tensor, "B T H"], weight: Float[Tensor, "A H"]
) -> Float[Tensor, "B T A"]:
    """gate_dT · w_a · h_d: what each step of a branch of TAN adds to a class at the last step (TAN Eq. 5)."""
    return torch.einsum("bd,bdh,ah->bda", gates[:, :, -1], outputs, weight)


def together(parts: Mapping[str, ClassEvidence], weights: Sequence[float] | Tensor) -> ClassEvidence:
    """The evidence of several classifiers, one a stream, each counted by its weight."""
    shares = dict(zip(parts, weights, strict=True))
    return ClassEvidence(
        {name: shares[name] * of.regions[name] for name, of in parts.items() if name in of.regions},
        {name: shares[name] * of.segments[name] for name, of in parts.items()},
        torch.stack([shares[name] * of.rest for name, of in parts.items()]).sum(dim=0),
    )
