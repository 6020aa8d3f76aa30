"""A linear SVM as a network: on the pooled representations, or on what STAN makes of a video.

It is fitted elsewhere, by scikit-learn; here it only computes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from attcell.errors import CallError
from attcell.nn.network import Network
from attcell.nn.outputs import SVMOutput
from attcell.nn.pooled import Pooled, PooledPart, PooledStream
from attcell.nn.stan import STAN, STANEncoded
from attcell.nn.streams import Stream


class LinearSVM(nn.Module):
    """One linear SVM a class, each against the rest, on standardised representations.

    Args:
        dim: numbers of a representation.
        num_classes: A.

    Attributes:
        unit_length: whether a standardised representation is scaled to length 1.

    All margins are 0 until :meth:`fit` is called or weights are loaded.
    """

    mean: Tensor
    deviation: Tensor
    unit_length: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("deviation", torch.ones(dim))
        self.register_buffer("unit_length", torch.tensor(False))
        self.register_buffer("weight", torch.zeros(num_classes, dim))
        self.register_buffer("bias", torch.zeros(num_classes))

    def fit(
        self,
        mean: Float[Tensor, " dim"],
        deviation: Float[Tensor, " dim"],
        unit_length: bool,
        weight: Float[Tensor, "A dim"],
        bias: Float[Tensor, " A"],
    ) -> None:
        """Set what scikit-learn has found. A number that never varies keeps its scale.

        Raises:
            CallError: they are of other sizes.
        """
        given = {"mean": mean, "deviation": deviation, "weight": weight, "bias": bias}
        for name, value in given.items():
            wanted = tuple(getattr(self, name).shape)
            if tuple(value.shape) != wanted:
                raise CallError(f"{name} of the SVM is {tuple(value.shape)}; this one takes {wanted}")
        for name, value in given.items():
            getattr(self, name).copy_(value)
        self.deviation.masked_fill_(self.deviation == 0, 1)
        self.unit_length.fill_(unit_length)

    def forward(self, representations: Float[Tensor, "B dim"]) -> Float[Tensor, "B A"]:
        """The margins: above 0 where a class is said to be there."""
        standardised = (representations - self.mean) / self.deviation
        inputs = torch.where(self.unit_length, F.normalize(standardised, dim=-1), standardised)
        return inputs @ self.weight.T + self.bias


class SVMNetwork(Network[Any, SVMOutput]):
    """A linear SVM on the video representation of STAN, its f_att of Eq. 8, or of pooled streams.

    Args:
        body: what makes the representation.
        svm: for as many numbers as the body gives.
    """

    def __init__(self, body: STAN | Pooled, svm: LinearSVM) -> None:
        super().__init__()
        self.body = body
        self.svm = svm

    def stream_names(self) -> Iterable[str]:
        return self.body.stream_names()

    def stream(self, name: str) -> Stream | PooledStream:
        return self.body.stream(name)

    def encode(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> STANEncoded | dict[str, PooledPart]:
        """What the body makes of consecutive segments.

        Raises:
            CallError: maps that a pooling is not made for.
        """
        return self.body.encode(maps)

    def decide(self, parts: Sequence[Any]) -> SVMOutput:
        """The margins of the body's representation of all segments."""
        out = self.body.decide(parts)
        return SVMOutput(
            logits=self.svm(out.video),
            temporal_scores=out.temporal_scores,
            temporal_attention=out.temporal_attention,
            spatial_attention=out.spatial_attention,
            video=out.video,
        )
