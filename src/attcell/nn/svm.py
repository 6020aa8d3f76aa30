"""A linear SVM as a network: on the pooled representations, or on what STAN makes of a video.

It is fitted elsewhere, by scikit-learn; here it only computes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from attcell.errors import CallError
from attcell.nn.late_fusion import LateFusion
from attcell.nn.outputs import SVMOutput
from attcell.nn.pooled import Pooled, PooledStream
from attcell.nn.rivals import BranchNetwork
from attcell.nn.stan import STAN
from attcell.nn.streams import Stream
from attcell.nn.tan import TAN


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


class SVMNetwork(nn.Module):
    """A linear SVM on the video representation of STAN, its f_att of Eq. 8, or of pooled streams.

    Args:
        body: what makes the representation.
        svm: for as many numbers as the body gives.
    """

    def __init__(self, body: STAN | Pooled, svm: LinearSVM) -> None:
        super().__init__()
        self.body = body
        self.svm = svm

    def stream(self, name: str) -> Stream | PooledStream:
        """The stream of a modality."""
        return self.body.stream(name)

    def feature_maps(
        self, pictures: Mapping[str, Shaped[Tensor, "B T ..."]]
    ) -> dict[str, Float[Tensor, "B T F _ _"]]:
        """Each stream's backbone on its own input: the part that can be computed once and kept."""
        return self.body.feature_maps(pictures)

    def attend(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> SVMOutput:
        """From the backbones' feature maps to the margins.

        Raises:
            CallError: maps that a pooling is not made for.
        """
        out = self.body.attend(maps)
        return SVMOutput(self.svm(out.video), out)

    def forward(self, pictures: Mapping[str, Shaped[Tensor, "B T ..."]]) -> SVMOutput:
        """Stream → (B, T, C, H, W) pictures or (B, T, C, L, H, W) clips, to everything that is computed."""
        return self.attend(self.feature_maps(pictures))


# The networks that are trained and tested alike, and what they give.

Network = STAN | LateFusion | TAN | BranchNetwork | SVMNetwork
