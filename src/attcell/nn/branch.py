"""One branch of TAN: a CNN on every step's picture, and recurrent layers over the steps."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from attcell.nn.backbones import Backbone
from attcell.nn.streams import Normalise, Standardise, maps_of_segments


class Branch(nn.Module):
    """A CNN, the mean over its regions, and recurrent layers: h and s of Eq. 1 for the frame branch, g and t.

    Args:
        backbone: pictures (N, C, H, W) to a feature map (N, backbone.out_channels, K, K).
        hidden: hidden states of the recurrent layers, H.
        cell: ``gru``, the paper's choice, or ``lstm``.
        layers: how many; the last one's outputs and states count.
        standardise: put a :class:`~attcell.nn.streams.Standardise` behind the backbone.
        normalise: what the backbone's input goes through first; by default nothing.

    *Reading*: the regions are averaged, as GoogLeNet does before its classifier; a GRU's state is its output,
    an LSTM's is its cell.
    """

    def __init__(
        self,
        backbone: Backbone,
        hidden: int = 1024,
        *,
        cell: Literal["gru", "lstm"] = "gru",
        layers: int = 1,
        standardise: bool = False,
        normalise: Normalise | None = None,
    ) -> None:
        super().__init__()
        self.normalise = normalise
        self.backbone = backbone
        self.standardise = Standardise(backbone.out_channels) if standardise else nn.Identity()
        self.hidden = hidden
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.recurrent = kind(backbone.out_channels, hidden, layers, batch_first=True)

    def feature_maps(self, pictures: Shaped[Tensor, "B T C H W"]) -> Float[Tensor, "B T F K K"]:
        """The backbone's feature map of every step."""
        return maps_of_segments(self.backbone, self.normalise, pictures)

    def remember(
        self, maps: Float[Tensor, "B T F K K"]
    ) -> tuple[Float[Tensor, "B T H"], Float[Tensor, "B T H"]]:
        """The recurrent layers' outputs, and the last one's states, at every step."""
        steps = self.standardise(maps).mean(dim=(-2, -1))
        if isinstance(self.recurrent, nn.GRU):
            outputs, _ = self.recurrent(steps)
            return outputs, outputs
        return self._outputs_and_cells(steps)

    def _outputs_and_cells(self, steps: Float[Tensor, "B T F"]) -> tuple[Tensor, Tensor]:
        """Step by step, for PyTorch's LSTM gives only the last step's cell."""
        outputs, cells, state = [], [], None
        for step in steps.split(1, dim=1):
            output, state = self.recurrent(step, state)
            outputs.append(output)
            cells.append(state[1][-1])
        return torch.cat(outputs, dim=1), torch.stack(cells, dim=1)
