"""TAN: two branches, frame and flow, whose steps tell each other where to look (Eq. 1-5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from attcell.nn.branch import Branch, averaged_softmax, refuse_unequal_steps


@dataclass(frozen=True)
class TANOutput:
    """Everything that TAN computes on its way to the classes.

    Attributes:
        frame_logits: the frame branch's class scores at every step.
        flow_logits: the flow branch's.
        frame_gates: α of Eq. 4; [b, i, j] is the weight of the frame branch's step i for the flow branch's
            step j, and sums to 1 over i.
        flow_gates: β of Eq. 4; [b, k, l] is the weight of the flow branch's step k for the frame branch's
            step l, and sums to 1 over k.
        frame_scores: e of Eq. 3, before the softmax.
        flow_scores: f of Eq. 3, before the softmax.

    At test the last step alone counts, so the gates of the last step are the attention over time.
    """

    frame_logits: Float[Tensor, "B T A"]
    flow_logits: Float[Tensor, "B T A"]
    frame_gates: Float[Tensor, "B T T"]
    flow_gates: Float[Tensor, "B T T"]
    frame_scores: Float[Tensor, "B T T"]
    flow_scores: Float[Tensor, "B T T"]

    @property
    def logits(self) -> Float[Tensor, "B A"]:
        """What counts at test: their softmax is the last step's softmax, averaged over the branches
        (*reading*)."""
        return averaged_softmax(torch.stack([self.frame_logits[:, -1:], self.flow_logits[:, -1:]]))

    @property
    def logits_by_stream(self) -> dict[str, Float[Tensor, "B A"]]:
        """Branch → what it says by itself at the last step."""
        return {"frame": self.frame_logits[:, -1], "flow": self.flow_logits[:, -1]}

    @property
    def learnt_logits(self) -> tuple[Float[Tensor, "B T A"], ...]:
        """The class scores whose losses are summed: each branch's."""
        return self.frame_logits, self.flow_logits

    @property
    def gates(self) -> dict[str, Float[Tensor, "B T T"]]:
        """Branch → the weights of its steps for the other's."""
        return {"frame": self.frame_gates, "flow": self.flow_gates}

    @property
    def spatial_attention(self) -> dict[str, Float[Tensor, "B T K K"]]:
        """Empty: TAN looks at all regions alike."""
        return {}

    @property
    def temporal_scores(self) -> Float[Tensor, "B T"]:
        """The raw scores of the gates of the last step, averaged over the branches."""
        return (self.frame_scores[:, :, -1] + self.flow_scores[:, :, -1]) / 2

    @property
    def temporal_attention(self) -> Float[Tensor, "B T"]:
        """The gates of the last step, averaged over the branches; they sum to 1."""
        return (self.frame_gates[:, :, -1] + self.flow_gates[:, :, -1]) / 2

    @property
    def temporal_attention_by_stream(self) -> dict[str, Float[Tensor, "B T"]]:
        """Branch → the gates of the last step."""
        return {name: gates[:, :, -1] for name, gates in self.gates.items()}

    @property
    def stream_weights(self) -> dict[str, float]:
        """Branch → how much its classifier counts: both alike."""
        return {"frame": 0.5, "flow": 0.5}


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
