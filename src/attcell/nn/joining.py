"""How TAN's rivals join what their branches remember. Each is our *reading*: the paper's appendix is lost.

A head takes branch → outputs (B, T, H) of its recurrent layers and gives the class scores of every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn


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
