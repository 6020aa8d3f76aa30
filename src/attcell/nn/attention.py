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


Memory = tuple[Tensor, Tensor]  # an LSTM's output and cell


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


class SharingGate(nn.Module):
    """How much each step of one branch counts for each step of the other: Eq. 1-4 of one direction.

    *Reading*: the maps W have no bias, and their common size is that of the keys' outputs.

    Args:
        keys: hidden states of the branch that is looked at (h and s of Eq. 1).
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
    """TAN's Eq. 1-4 with the regions of one step in the place of the steps: softmax(vᵀ tanh(Wx + Wg + Wt)).

    Args:
        channels: F, of the feature map that is looked at.
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
