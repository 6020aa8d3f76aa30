"""What STAN and TAN are compared with.

SAN and average pooling are STANs. Each of TAN's rivals is a :class:`BranchNetwork`: branches without sharing
gates, a head that makes classes of what they remember, and perhaps attention over regions. They are our
*readings*, since the paper's appendix is lost; the functions at the top say in a few lines how each differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attcell.nn.attention import RegionGate, UniformAttention, attended_sum
from attcell.nn.network import Network, along_time
from attcell.nn.outputs import BranchesOutput, Joined, refuse_unequal_steps
from attcell.nn.stan import STAN
from attcell.nn.streams import Stream
from attcell.nn.tan import Branch, remember_all


def san(streams: Mapping[str, Stream], num_classes: int, *, dropout: float = 0.5) -> STAN:
    """SAN: the spatial attention of STAN, and the plain average over segments.

    With streams whose ``attention`` is a :class:`~attcell.nn.attention.UniformAttention` it is average
    pooling: the same layers and no attention at all.
    """
    return STAN(streams, num_classes, dropout=dropout, temporal=UniformAttention())


def cnn(branches: Mapping[str, Branch], num_classes: int, *, dropout: float = 0.5) -> BranchNetwork:
    """A classifier of single frames, or of single clips, on each CNN: the first stage of TAN's training.

    Branches of cell ``none``. At test the softmaxes of all segments and branches are averaged.
    """
    head = Averaging(_sizes(branches), num_classes, dropout)
    return BranchNetwork(branches, head, last_step_only=False)


def two_stream(branches: Mapping[str, Branch], num_classes: int, *, dropout: float = 0.5) -> BranchNetwork:
    """TAN without gates: each branch classifies its own outputs, and the softmaxes are averaged."""
    return BranchNetwork(branches, Averaging(_sizes(branches), num_classes, dropout))


def fc_fusion(branches: Mapping[str, Branch], num_classes: int, *, dropout: float = 0.5) -> BranchNetwork:
    """One classifier on both branches' outputs side by side."""
    return BranchNetwork(branches, FCFusion(_sizes(branches), num_classes, dropout))


def branch_selection(
    branches: Mapping[str, Branch], num_classes: int, *, dropout: float = 0.5
) -> BranchNetwork:
    """One classifier on the sum of both branches' outputs, weighted by a gate; with equal hidden states."""
    return BranchNetwork(branches, BranchSelection(_sizes(branches), num_classes, dropout))


def spatial_attention(
    branches: Mapping[str, Branch], num_classes: int, *, dropout: float = 0.5
) -> BranchNetwork:
    """TAN's gates on regions: what one branch remembers weights the regions of the other's next step.

    The softmaxes are averaged.
    """
    first, second = branches
    regions = RegionAttention(branches, {first: second, second: first})
    return BranchNetwork(branches, Averaging(_sizes(branches), num_classes, dropout), regions=regions)


def soft_attention(
    branches: Mapping[str, Branch], num_classes: int, *, dropout: float = 0.5
) -> BranchNetwork:
    """One branch whose own memory weights the regions of its next step (Sharma et al. 2015).

    *Reading*: it starts from no memory, where they start from the averaged features; the last step counts.
    """
    regions = RegionAttention(branches, {name: name for name in branches})
    return BranchNetwork(branches, Averaging(_sizes(branches), num_classes, dropout), regions=regions)


def _sizes(branches: Mapping[str, Branch]) -> dict[str, int]:
    return {name: branch.hidden for name, branch in branches.items()}


class BranchNetwork(Network[dict[str, Tensor], BranchesOutput]):
    """Branches without sharing gates: TAN's rivals, and the CNN that its training begins with.

    Args:
        branches: stream → its CNN and recurrent layers.
        head: branch → outputs (B, T, H), to :class:`~attcell.nn.outputs.Joined`.
        regions: attention over the regions of each step; by default they are averaged.
        last_step_only: at test the last step alone counts.
    """

    def __init__(
        self,
        branches: Mapping[str, Branch],
        head: nn.Module,
        *,
        regions: RegionAttention | None = None,
        last_step_only: bool = True,
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleDict(branches)
        self.head = head
        self.regions = regions
        self.last_step_only = last_step_only

    def stream_names(self) -> Iterable[str]:
        return self.branches.keys()

    def stream(self, name: str) -> Branch:
        return cast(Branch, self.branches[name])

    def encode(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> dict[str, Tensor]:
        """Branch → each step's features; with attention over regions, the maps themselves, since the weights
        of a step's regions follow from all steps before it."""
        if self.regions is not None:
            return {name: maps[name] for name in self.branches}
        return {name: self.stream(name).encode(maps[name]) for name in self.branches}

    def decide(self, parts: Sequence[Mapping[str, Tensor]]) -> BranchesOutput:
        """Recurrent layers over all steps, and the classes.

        Raises:
            CallError: the branches have unequal numbers of steps.
        """
        branches = {name: self.stream(name) for name in self.branches}
        attention: dict[str, Tensor] = {}
        if self.regions is None:
            outputs = {name: memory[0] for name, memory in remember_all(branches, parts).items()}
        else:
            maps = {name: along_time([part[name] for part in parts]) for name in branches}
            refuse_unequal_steps(maps)
            outputs, attention = self.regions(branches, maps)
        return BranchesOutput.of(self.head(outputs), attention, last_step_only=self.last_step_only)


# Heads: branch → outputs (B, T, H) of its recurrent layers, to the class scores of every step


class Averaging(nn.Module):
    """A classifier for each branch; their softmaxes are averaged. The two-stream network."""

    def __init__(self, sizes: Mapping[str, int], num_classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.classifiers = nn.ModuleDict({name: nn.Linear(size, num_classes) for name, size in sizes.items()})

    def forward(self, outputs: Mapping[str, Float[Tensor, "B T H"]]) -> Joined:
        return Joined({name: self.classifiers[name](self.dropout(out)) for name, out in outputs.items()})


class FCFusion(nn.Module):
    """*Reading*: the branches' outputs side by side, one fully connected layer with a ReLU, one classifier.

    A branch alone is the same layers with the other's outputs at zero.
    """

    def __init__(self, sizes: Mapping[str, int], num_classes: int, dropout: float) -> None:
        super().__init__()
        self.joint = nn.Linear(sum(sizes.values()), max(sizes.values()))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(max(sizes.values()), num_classes)

    def forward(self, outputs: Mapping[str, Float[Tensor, "B T H"]]) -> Joined:
        alone = {
            name: self._classes([out if other == name else 0 * out for other, out in outputs.items()])
            for name in outputs
        }
        return Joined(alone, together=self._classes(list(outputs.values())))

    def _classes(self, outputs: list[Float[Tensor, "B T _"]]) -> Float[Tensor, "B T A"]:
        joint = torch.relu(self.joint(torch.cat(outputs, dim=-1)))
        return self.classifier(self.dropout(joint))


class BranchSelection(nn.Module):
    """*Reading*: a gate, a softmax over the branches from both outputs, and one classifier on their sum.

    A branch alone is the classifier on its own outputs. BS + L2 is the same with a penalty on the gate's raw
    scores in the loss (``train.gate_penalty``).
    """

    def __init__(self, sizes: Mapping[str, int], num_classes: int, dropout: float) -> None:
        super().__init__()
        size = max(sizes.values())
        self.gate = nn.Linear(sum(sizes.values()), len(sizes))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(size, num_classes)

    def forward(self, outputs: Mapping[str, Float[Tensor, "B T H"]]) -> Joined:
        scores = self.gate(torch.cat(list(outputs.values()), dim=-1))
        chosen = torch.einsum("btm,mbth->bth", scores.softmax(dim=-1), torch.stack(list(outputs.values())))
        alone = {name: self.classifier(self.dropout(out)) for name, out in outputs.items()}
        return Joined(alone, together=self.classifier(self.dropout(chosen)), selection=scores)


Memory = dict[str, tuple[Tensor, Tensor, Any]]  # branch → output, state, and what its next step needs


class RegionAttention(nn.Module):
    """Runs the branches step by step; a step sees the sum of its regions, weighted for the branch that asks.

    Args:
        branches: their sizes are read; the branches themselves stay the network's.
        asks: branch → the branch whose memory of the step before weights its regions.

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
        """What all branches remember one step on; their attention is added to ``attention``."""
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
