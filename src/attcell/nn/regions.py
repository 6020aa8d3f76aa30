"""Attention over the regions of each step, asked for by what a branch remembers of the steps before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attcell.nn.attention import attended_sum
from attcell.nn.branch import Branch

Memory = dict[str, tuple[Tensor, Tensor, Any]]  # branch → output, state, and what its next step needs


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


class RegionAttention(nn.Module):
    """Runs the branches step by step; a step sees the sum of its regions, weighted for the branch that asks.

    Args:
        branches: their sizes are read; the branches themselves stay the network's.
        asks: branch → the branch whose memory of the step before asks where to look in it.

    At the first step this memory is zero.
    """

    def __init__(self, branches: Mapping[str, Branch], asks: Mapping[str, str]) -> None:
        super().__init__()
        self.asks = dict(asks)
        self.gates = nn.ModuleDict(
            {
                name: RegionGate(branch.backbone.out_channels, branches[asks[name]].hidden)
                for name, branch in branches.items()
            }
        )

    def forward(
        self, branches: Mapping[str, Branch], maps: Mapping[str, Float[Tensor, "B T F _ _"]]
    ) -> tuple[dict[str, Float[Tensor, "B T H"]], dict[str, Float[Tensor, "B T _ _"]]]:
        """Each branch's outputs, and its attention over the regions of every step."""
        standardised = {name: branch.standardise(maps[name]) for name, branch in branches.items()}
        rows = {name: of.flatten(3).transpose(2, 3) for name, of in standardised.items()}  # (B, T, K², F)
        memory = {name: _nothing(branch, rows[name]) for name, branch in branches.items()}
        outputs: dict[str, list[Tensor]] = {name: [] for name in branches}
        attention: dict[str, list[Tensor]] = {name: [] for name in branches}
        for step in range(next(iter(rows.values())).shape[1]):
            memory = self._step(branches, {name: of[:, step] for name, of in rows.items()}, memory, attention)
            for name in branches:
                outputs[name].append(memory[name][0])
        return (
            {name: torch.stack(of, dim=1) for name, of in outputs.items()},
            {
                name: torch.stack(of, dim=1).unflatten(-1, maps[name].shape[-2:])
                for name, of in attention.items()
            },
        )

    def _step(
        self,
        branches: Mapping[str, Branch],
        rows: Mapping[str, Float[Tensor, "B N F"]],
        memory: Memory,
        attention: dict[str, list[Tensor]],
    ) -> Memory:
        """All branches one step on; what they looked at is added to ``attention``."""
        following: Memory = {}
        for name, branch in branches.items():
            output, state, _ = memory[self.asks[name]]
            weights = self.gates[name](rows[name], output, state)
            attention[name].append(weights)
            following[name] = branch.step(attended_sum(weights, rows[name]), memory[name][2])
        return following


def _nothing(branch: Branch, rows: Float[Tensor, "B T N F"]) -> tuple[Tensor, Tensor, None]:
    """What a branch remembers before the first step."""
    zeros = rows.new_zeros(len(rows), branch.hidden)
    return zeros, zeros, None
