"""One branch of TAN: a CNN on every step's picture, and recurrent layers over the steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from attcell.errors import CallError
from attcell.nn.backbones import Backbone
from attcell.nn.streams import Normalise, Standardise, maps_of_segments


class Branch(nn.Module):
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
        super().__init__()
        self.normalise = normalise
        self.backbone = backbone
        self.standardise = Standardise(backbone.out_channels) if standardise else nn.Identity()
        self.hidden = backbone.out_channels if cell == "none" else hidden
        kinds = {"gru": nn.GRU, "lstm": nn.LSTM}
        self.recurrent = (
            kinds[cell](backbone.out_channels, hidden, layers, batch_first=True) if cell in kinds else None
        )

    def feature_maps(self, pictures: Shaped[Tensor, "B T C H W"]) -> Float[Tensor, "B T F K K"]:
        """The backbone's feature map of every step."""
        return maps_of_segments(self.backbone, self.normalise, pictures)

    def remember(
        self, maps: Float[Tensor, "B T F K K"]
    ) -> tuple[Float[Tensor, "B T H"], Float[Tensor, "B T H"]]:
        """The recurrent layers' outputs, and the last one's states, at every step."""
        features = self.standardise(maps).mean(dim=(-2, -1))
        if self.recurrent is None:
            return features, features
        if isinstance(self.recurrent, nn.GRU):
            outputs, _ = self.recurrent(features)
            return outputs, outputs
        return self._outputs_and_cells(features)  # for PyTorch's LSTM gives only the last step's cell

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


def refuse_unequal_steps(maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> None:
    """Raise a CallError for branches with unequal numbers of steps."""
    if len({of_branch.shape[1] for of_branch in maps.values()}) > 1:
        found = " and ".join(f"the {name} branch has {of.shape[1]} steps" for name, of in maps.items())
        raise CallError(f"{found}; give both equally many")


def averaged_softmax(logits: Float[Tensor, "M B T A"]) -> Float[Tensor, "B A"]:
    """The logarithm of the branches' and steps' softmax, averaged: its own softmax is this average."""
    counted = logits.log_softmax(dim=-1)
    return counted.logsumexp(dim=(0, 2)) - math.log(len(counted) * counted.shape[2])
