"""One branch of TAN: a CNN on every step's picture, and recurrent layers over the steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from attcell.errors import CallError
from attcell.nn.attention import SharingGate
from attcell.nn.backbones.registry import Backbone
from attcell.nn.outputs import TANOutput
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


# TAN: two branches, frame and flow, whose steps tell each other where to look (Eq. 1-5).


class TAN(nn.Module):
    """The whole network, for any number of steps T.

    Args:
        frame: the branch that looks at frames.
        flow: the branch that looks at flow.
        num_classes: A.
        dropout: before each classifier. *Reading*: 0.5; the paper gives no number.
        asks: whose steps ask which steps of a branch matter: the ``other`` branch's, as in the paper, or
            its ``own``, which is attention inside each branch and shares nothing. A rival, and a *reading*.
    """

    def __init__(
        self,
        frame: Branch,
        flow: Branch,
        num_classes: int,
        *,
        dropout: float = 0.5,
        asks: Literal["other", "own"] = "other",
    ) -> None:
        super().__init__()
        self.frame = frame
        self.flow = flow
        self.asks = asks
        asking = {"other": (flow, frame), "own": (frame, flow)}[asks]
        self.frame_gate = SharingGate(frame.hidden, asking[0].hidden)
        self.flow_gate = SharingGate(flow.hidden, asking[1].hidden)
        self.dropout = nn.Dropout(dropout)
        self.frame_classifier = nn.Linear(frame.hidden, num_classes)
        self.flow_classifier = nn.Linear(flow.hidden, num_classes)

    def stream(self, name: str) -> Branch:
        """The branch of a modality."""
        return {"frame": self.frame, "flow": self.flow}[name]

    def feature_maps(
        self, pictures: Mapping[str, Shaped[Tensor, "B T ..."]]
    ) -> dict[str, Float[Tensor, "B T F _ _"]]:
        """Each branch's CNN on its own input: the part that can be computed once and kept."""
        return {
            "frame": self.frame.feature_maps(pictures["frame"]),
            "flow": self.flow.feature_maps(pictures["flow"]),
        }

    def attend(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> TANOutput:
        """From the CNNs' feature maps to the classes (Eq. 1-5).

        Raises:
            CallError: the branches have unequal numbers of steps.
        """
        refuse_unequal_steps({"frame": maps["frame"], "flow": maps["flow"]})
        h, s = self.frame.remember(maps["frame"])
        g, t = self.flow.remember(maps["flow"])
        of_frame, of_flow = ((g, t), (h, s)) if self.asks == "other" else ((h, s), (g, t))
        frame_scores, alpha = self.frame_gate(h, s, *of_frame)
        flow_scores, beta = self.flow_gate(g, t, *of_flow)
        return TANOutput(
            frame_logits=self.frame_classifier(self.dropout(_gated_sum(alpha, h))),
            flow_logits=self.flow_classifier(self.dropout(_gated_sum(beta, g))),
            frame_gates=alpha,
            flow_gates=beta,
            frame_scores=frame_scores,
            flow_scores=flow_scores,
        )

    def forward(self, pictures: Mapping[str, Shaped[Tensor, "B T ..."]]) -> TANOutput:
        """``frame`` and ``flow`` pictures (B, T, C, H, W), T alike, to everything that TAN computes."""
        return self.attend(self.feature_maps(pictures))


def _gated_sum(gates: Float[Tensor, "B T T"], outputs: Float[Tensor, "B T H"]) -> Float[Tensor, "B T H"]:
    """Eq. 5: o_j = Σ_d gate_dj · output_d."""
    return torch.einsum("bdj,bdh->bjh", gates, outputs)
