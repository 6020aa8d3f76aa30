"""The attention cell that both systems are built from, and the sum it weights (STAN Eq. 1-2, 5 and 8)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class AttCell(nn.Module):
    """Scores each of N descriptors and turns the scores into attention: s_n = Wᵀf_n + b, α = softmax(s).

    This is STAN Eq. 1-2; a 1×1 convolution with one output channel is the same linear map. The bias b moves
    all scores alike, so α does not depend on it and training leaves it alone.

    *Reading* ``uniform_start``: W and b start at zero, so that attention starts uniform; from PyTorch's
    random start the spatial attention tends to collapse onto one corner.
    """

    def __init__(self, dim: int, *, uniform_start: bool = True) -> None:
        super().__init__()
        self.score = nn.Linear(dim, 1)
        if uniform_start:
            nn.init.zeros_(self.score.weight)
            nn.init.zeros_(self.score.bias)

    def forward(
        self, descriptors: Float[Tensor, "*batch N D"]
    ) -> tuple[Float[Tensor, "*batch N"], Float[Tensor, "*batch N"]]:
        """Return the raw scores s and the attention α, which sums to 1 over N."""
        scores = self.score(descriptors).squeeze(-1)
        return scores, scores.softmax(dim=-1)


class UniformAttention(nn.Module):
    """Stands where an AttCell would, and looks at everything alike: scores 0, attention 1/N."""

    def forward(
        self, descriptors: Float[Tensor, "*batch N D"]
    ) -> tuple[Float[Tensor, "*batch N"], Float[Tensor, "*batch N"]]:
        """Return scores of 0 and an attention of 1/N."""
        scores = torch.zeros_like(descriptors[..., 0])
        return scores, scores.softmax(dim=-1)


def attended_sum(
    attention: Float[Tensor, "*batch N"], descriptors: Float[Tensor, "*batch N D"]
) -> Float[Tensor, "*batch D"]:
    """Sum the descriptors weighted by the attention: Σ_n α_n f_n (STAN Eq. 5 and Eq. 8)."""
    return torch.einsum("...n,...nd->...d", attention, descriptors)
