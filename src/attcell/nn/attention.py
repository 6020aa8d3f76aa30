"""The attention cells of STAN and TAN, and the sum that they weight.

Each scores descriptors and turns the scores into attention by a softmax: :class:`AttCell` scores any
descriptors, :class:`SharingGate` the steps of one branch for those of another, and :class:`RegionGate`
regions for what a branch remembers. Attention over segments is in :mod:`attcell.nn.temporal`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attcell.choices import AttentionForm

MLP_HIDDEN = 256  # units of the hidden layer, where an AttCell scores by an MLP


class AttCell(nn.Module):
    """Attention over N descriptors f (STAN Eq. 1-2)::

        s_n = Wᵀ f_n + b
        α_n = exp(s_n) / Σ_m exp(s_m)

    A 1×1 convolution with one output channel is the same linear map. The bias b moves all scores alike, so α
    does not depend on it and training leaves it alone.

    Eq. 1 allows any network g_att in the place of this map, "e.g. MLP". With ``form="mlp"`` it is
    s_n = Vᵀ tanh(W f_n + c) + b. *Reading*: one hidden layer of 256 units with a tanh.

    *Reading* ``uniform_start``: W and b start at zero (of an MLP V and b), so that attention starts uniform;
    from PyTorch's random start the spatial attention tends to collapse onto one corner.

    Args:
        dim: D.
        form: ``linear`` or ``mlp``.
        uniform_start: see above.
    """

    def __init__(self, dim: int, *, form: AttentionForm = "linear", uniform_start: bool = True) -> None:
        super().__init__()
        is_mlp = form == "mlp"
        self.hidden = nn.Sequential(nn.Linear(dim, MLP_HIDDEN), nn.Tanh()) if is_mlp else nn.Identity()
        self.score = nn.Linear(MLP_HIDDEN if is_mlp else dim, 1)
        if uniform_start:
            nn.init.zeros_(self.score.weight)
            nn.init.zeros_(self.score.bias)

    def forward(
        self, descriptors: Float[Tensor, "*batch N D"]
    ) -> tuple[Float[Tensor, "*batch N"], Float[Tensor, "*batch N"]]:
        """The raw scores s and the attention α, which sums to 1 over N."""
        scores = self.score(self.hidden(descriptors)).squeeze(-1)
        return scores, scores.softmax(dim=-1)


class UniformAttention(nn.Module):
    """No attention, in the place of an AttCell: all scores s_n are 0, and each α_n is 1/N."""

    def forward(
        self, descriptors: Float[Tensor, "*batch N D"]
    ) -> tuple[Float[Tensor, "*batch N"], Float[Tensor, "*batch N"]]:
        """Scores of 0 and an attention of 1/N."""
        scores = torch.zeros_like(descriptors[..., 0])
        return scores, scores.softmax(dim=-1)


def attended_sum(
    attention: Float[Tensor, "*batch N"], descriptors: Float[Tensor, "*batch N D"]
) -> Float[Tensor, "*batch D"]:
    """The sum of the descriptors weighted by the attention: Σ_n α_n f_n (STAN Eq. 5 and Eq. 8)."""
    return torch.einsum("...n,...nd->...d", attention, descriptors)


class SharingGate(nn.Module):
    """How much each step i of one branch counts for each step j of the other (TAN Eq. 1-4, one direction)::

        m_ij = tanh(W1 h_i + W2 s_i + W3 g_j + W4 t_j)
        e_ij = vᵀ m_ij
        α_ij = exp(e_ij) / Σ_d exp(e_dj)

    h and s are outputs and states of the branch whose steps are weighted, g and t those of the branch that
    asks. The other direction has W5 to W8 and u.

    *Reading*: the maps W have no bias, and their common size is that of the keys' outputs.

    Args:
        keys: hidden states of the branch whose steps are weighted (h and s of Eq. 1).
        queries: hidden states of the branch that asks (g and t of Eq. 1).
    """

    def __init__(self, keys: int, queries: int) -> None:
        super().__init__()
        self.key_output = nn.Linear(keys, keys, bias=False)  # W1, W5
        self.key_state = nn.Linear(keys, keys, bias=False)  # W2, W6
        self.query_output = nn.Linear(queries, keys, bias=False)  # W3, W7
        self.query_state = nn.Linear(queries, keys, bias=False)  # W4, W8
        self.score = nn.Linear(keys, 1, bias=False)  # v, u

    def forward(
        self,
        outputs: Float[Tensor, "B T H"],
        states: Float[Tensor, "B T H"],
        asking_outputs: Float[Tensor, "B T G"],
        asking_states: Float[Tensor, "B T G"],
    ) -> tuple[Float[Tensor, "B T T"], Float[Tensor, "B T T"]]:
        """The raw scores, and the gates: a softmax over the first of the two steps."""
        keys = self.key_output(outputs) + self.key_state(states)
        queries = self.query_output(asking_outputs) + self.query_state(asking_states)
        scores = self.score(torch.tanh(keys[:, :, None] + queries[:, None])).squeeze(-1)
        return scores, scores.softmax(dim=1)


class RegionGate(nn.Module):
    """TAN's Eq. 1-4 with the regions x of one step in the place of the steps::

        α_n = softmax_n(vᵀ tanh(W x_n + W' g + W'' t))

    Args:
        channels: F, of the feature map whose regions are weighted.
        queries: hidden states of the branch that asks.
    """

    def __init__(self, channels: int, queries: int) -> None:
        super().__init__()
        self.key = nn.Linear(channels, queries, bias=False)
        self.query_output = nn.Linear(queries, queries, bias=False)
        self.query_state = nn.Linear(queries, queries, bias=False)
        self.score = nn.Linear(queries, 1, bias=False)

    def forward(
        self, regions: Float[Tensor, "B N F"], output: Float[Tensor, "B G"], state: Float[Tensor, "B G"]
    ) -> Float[Tensor, "B N"]:
        """The attention over N regions; it sums to 1."""
        query = self.query_output(output) + self.query_state(state)
        return self.score(torch.tanh(self.key(regions) + query[:, None])).squeeze(-1).softmax(dim=-1)
