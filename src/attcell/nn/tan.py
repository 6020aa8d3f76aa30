"""TAN: two branches, each a CNN and recurrent layers, whose steps weight each other's (Eq. 1-5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attcell.nn.attention import SharingGate
from attcell.nn.backbones.backbone import Backbone
from attcell.nn.class_evidence import ClassEvidence, gated_steps
from attcell.nn.network import Network, along_time
from attcell.nn.outputs import TANOutput, refuse_unequal_steps
from attcell.nn.streams import BackboneStream, Normalise


class Branch(BackboneStream):
    """A CNN, the mean over its regions, and recurrent layers: h and s of Eq. 1 for the frame branch, g and t.

    Args:
        backbone: pictures (N, C, H, W) to a feature map (N, backbone.out_channels, K, K).
        hidden: hidden states of the recurrent layers, H.
        cell: ``gru``, the paper's choice, or ``lstm``; or ``none``, a CNN alone, whose outputs are each
            step's own averaged features.
        layers: how many; the last one's outputs and states count.
        standardise: put a :class:`~attcell.nn.streams.Standardise` behind the backbone.
        normalise: what the backbone's input goes through first; by default nothing.

    Attributes:
        hidden: the size of the outputs: H, or ``backbone.out_channels`` of a CNN alone.

    *Reading*: the regions are averaged, as GoogLeNet does before its classifier; a GRU's state is its output,
    an LSTM's is its cell.
    """

    def __init__(
        self,
        backbone: Backbone,
        hidden: int = 1024,
        *,
        cell: Literal["gru", "lstm", "none"] = "gru",
        layers: int = 1,
        standardise: bool = False,
        normalise: Normalise | None = None,
    ) -> None:
        super().__init__(backbone, standardise=standardise, normalise=normalise)
        self.hidden = backbone.out_channels if cell == "none" else hidden
        kinds = {"gru": nn.GRU, "lstm": nn.LSTM}
        self.recurrent = (
            kinds[cell](backbone.out_channels, hidden, layers, batch_first=True) if cell in kinds else None
        )

    def encode(self, maps: Float[Tensor, "B T F R K"]) -> Float[Tensor, "B T F"]:
        """Each step's features: its map's mean over the regions."""
        return self.standardise(maps).mean(dim=(-2, -1))

    def remember(
        self, features: Float[Tensor, "B T F"]
    ) -> tuple[Float[Tensor, "B T H"], Float[Tensor, "B T H"]]:
        """The recurrent layers' outputs, and the last one's states, at every step: h and s of Eq. 1."""
        if self.recurrent is None:
            return features, features
        if isinstance(self.recurrent, nn.GRU):
            outputs, _ = self.recurrent(features)
            return outputs, outputs
        return self._outputs_and_cells(features)  # PyTorch's LSTM gives only the last step's cell

    def step(
        self, features: Float[Tensor, "B F"], memory: Any = None
    ) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"], Any]:
        """One step of the recurrent layers: its output, its state, and the memory for the next step."""
        assert self.recurrent is not None, "a CNN alone has no steps"
        output, memory = self.recurrent(features[:, None], memory)
        output = output[:, 0]
        return output, output if isinstance(self.recurrent, nn.GRU) else memory[1][-1], memory

    def _outputs_and_cells(self, features: Float[Tensor, "B T F"]) -> tuple[Tensor, Tensor]:
        outputs, cells, memory = [], [], None
        for one in features.unbind(dim=1):
            output, cell, memory = self.step(one, memory)
            outputs.append(output)
            cells.append(cell)
        return torch.stack(outputs, dim=1), torch.stack(cells, dim=1)


def remember_all(
    branches: Mapping[str, Branch], parts: Sequence[Mapping[str, Float[Tensor, "B _ _"]]]
) -> dict[str, tuple[Float[Tensor, "B T _"], Float[Tensor, "B T _"]]]:
    """Branch → its recurrent layers' outputs and states at every step.

    Args:
        branches: name → branch.
        parts: branch → its features of consecutive steps, in order of time.

    Raises:
        CallError: the branches have unequal numbers of steps.
    """
    features = {name: along_time([part[name] for part in parts]) for name in branches}
    refuse_unequal_steps(features)
    return {name: branch.remember(features[name]) for name, branch in branches.items()}


class TAN(Network[dict[str, Tensor], TANOutput]):
    """The whole network, for any number of steps T: gates that two branches share say which steps matter.

    Args:
        frame: the first branch; in the paper, of frames.
        flow: the second branch; in the paper, of flow.
        num_classes: A.
        dropout: before each classifier. *Reading*: 0.5; the paper gives no number.
        asks: whose steps ask which steps of a branch matter: the ``other`` branch's, as in the paper, or
            its ``own``, which is attention inside each branch and shares nothing. A rival, and a *reading*.
        names: the streams that the two branches take, which also name their outputs.
    """

    def __init__(
        self,
        frame: Branch,
        flow: Branch,
        num_classes: int,
        *,
        dropout: float = 0.5,
        asks: Literal["other", "own"] = "other",
        names: tuple[str, str] = ("frame", "flow"),
    ) -> None:
        super().__init__()
        branches = dict(zip(names, (frame, flow), strict=True))
        first, second = names
        self.asking = {first: second, second: first} if asks == "other" else {name: name for name in names}
        self.branches = nn.ModuleDict(branches)
        self.gates = nn.ModuleDict(
            {
                name: SharingGate(branch.hidden, branches[self.asking[name]].hidden)
                for name, branch in branches.items()
            }
        )
        self.dropout = nn.Dropout(dropout)
        self.classifiers = nn.ModuleDict(
            {name: nn.Linear(branch.hidden, num_classes) for name, branch in branches.items()}
        )

    def stream_names(self) -> Iterable[str]:
        return self.branches.keys()

    def stream(self, name: str) -> Branch:
        return cast(Branch, self.branches[name])

    def encode(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> dict[str, Float[Tensor, "B T _"]]:
        """Branch → each step's features."""
        return {name: self.stream(name).encode(maps[name]) for name in self.branches}

    def decide(self, parts: Sequence[Mapping[str, Float[Tensor, "B _ _"]]]) -> TANOutput:
        """Recurrent layers over all steps, sharing gates and the classes (Eq. 1-5).

        Raises:
            CallError: the branches have unequal numbers of steps.
        """
        memory = remember_all({name: self.stream(name) for name in self.branches}, parts)
        gated = {
            name: self.gates[name](*memory[name], *memory[asking]) for name, asking in self.asking.items()
        }
        gates = {name: weights for name, (_, weights) in gated.items()}
        logits = {
            name: self.classifiers[name](self.dropout(_gated_sum(weights, memory[name][0])))
            for name, weights in gates.items()
        }
        step_scores = {name: scores for name, (scores, _) in gated.items()}
        return TANOutput.of(logits, gates, step_scores, self._evidence(gates, memory))

    def _evidence(
        self, gates: Mapping[str, Tensor], memory: Mapping[str, tuple[Tensor, Tensor]]
    ) -> dict[str, ClassEvidence] | None:
        """What each step adds to each branch's classes; None in training, where dropout takes some."""
        if self.training:
            return None
        found = {}
        for name, of_branch in gates.items():
            classifier = cast(nn.Linear, self.classifiers[name])
            steps = gated_steps(of_branch, memory[name][0], classifier.weight)
            found[name] = ClassEvidence({}, {name: steps}, classifier.bias)
        return found


def _gated_sum(gates: Float[Tensor, "B T T"], outputs: Float[Tensor, "B T H"]) -> Float[Tensor, "B T H"]:
    """Eq. 5: o_j = Σ_d gate_dj · output_d."""
    return torch.einsum("bdj,bdh->bjh", gates, outputs)
