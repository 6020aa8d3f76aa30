"""Branches without sharing gates: the frame of TAN's rivals and of the CNN that its training begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from attcell.nn.branch import Branch, averaged_softmax, refuse_unequal_steps
from attcell.nn.joining import Joined
from attcell.nn.regions import RegionAttention


@dataclass(frozen=True)
class BranchesOutput:
    """What a network of branches computes.

    Attributes:
        joined: the class scores of every step, of each branch and of all together.
        spatial_attention: branch → its attention over the regions of every step; empty where there is none.
        last_step_only: at test the last step alone counts, as in TAN; else all steps alike.
    """

    joined: Joined
    spatial_attention: dict[str, Float[Tensor, "B T K K"]]
    last_step_only: bool

    @property
    def logits(self) -> Float[Tensor, "B A"]:
        """What counts at test."""
        together = self.joined.together
        every = list(self.joined.alone.values()) if together is None else [together]
        return averaged_softmax(self._counted(torch.stack(every)))

    @property
    def logits_by_stream(self) -> dict[str, Float[Tensor, "B A"]]:
        """Branch → what it says by itself."""
        return {
            name: averaged_softmax(self._counted(alone[None])) for name, alone in self.joined.alone.items()
        }

    @property
    def learnt_logits(self) -> tuple[Float[Tensor, "B T A"], ...]:
        """The class scores whose losses are summed: of all together, or else each branch's."""
        together = self.joined.together
        return tuple(self.joined.alone.values()) if together is None else (together,)

    @property
    def temporal_scores(self) -> Float[Tensor, "B T"]:
        """Zeros: no attention over steps."""
        return torch.zeros_like(next(iter(self.joined.alone.values()))[..., 0])

    @property
    def temporal_attention(self) -> Float[Tensor, "B T"]:
        """1/T: no attention over steps."""
        return self.temporal_scores.softmax(dim=-1)

    @property
    def temporal_attention_by_stream(self) -> dict[str, Float[Tensor, "B T"]]:
        """Empty: no attention over steps."""
        return {}

    @property
    def gates(self) -> dict[str, Float[Tensor, "B T T"]]:
        """Empty: only TAN has sharing gates."""
        return {}

    @property
    def stream_weights(self) -> dict[str, float]:
        """Branch → how much it counts: both alike where softmaxes are averaged, or what the gate over
        branches says of the last step, averaged over the batch; empty where it cannot be said."""
        names = list(self.joined.alone)
        if self.joined.selection is not None:
            chosen = self.joined.selection[:, -1].softmax(dim=-1).mean(dim=0)
            return dict(zip(names, chosen.tolist(), strict=True))
        if self.joined.together is not None or len(names) == 1:
            return {}
        return {name: 1 / len(names) for name in names}

    def _counted(self, logits: Float[Tensor, "M B T A"]) -> Float[Tensor, "M B _ A"]:
        return logits[:, :, -1:] if self.last_step_only else logits


class BranchNetwork(nn.Module):
    """Branches, what joins them, and where they look. :mod:`attcell.nn.rivals` puts them together.

    Args:
        branches: modality → its CNN and recurrent layers.
        head: branch → outputs (B, T, H), to :class:`~attcell.nn.joining.Joined`.
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

    def stream(self, name: str) -> Branch:
        """The branch of a modality."""
        return cast(Branch, self.branches[name])

    def feature_maps(
        self, pictures: Mapping[str, Shaped[Tensor, "B T ..."]]
    ) -> dict[str, Float[Tensor, "B T F _ _"]]:
        """Each branch's CNN on its own input: the part that can be computed once and kept."""
        return {name: self.stream(name).feature_maps(pictures[name]) for name in self.branches}

    def attend(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> BranchesOutput:
        """From the CNNs' feature maps to the classes.

        Raises:
            CallError: the branches have unequal numbers of steps.
        """
        branches = {name: self.stream(name) for name in self.branches}
        refuse_unequal_steps({name: maps[name] for name in branches})
        if self.regions is None:
            outputs, attention = {name: of.remember(maps[name])[0] for name, of in branches.items()}, {}
        else:
            outputs, attention = self.regions(branches, maps)
        return BranchesOutput(self.head(outputs), attention, self.last_step_only)

    def forward(self, pictures: Mapping[str, Shaped[Tensor, "B T ..."]]) -> BranchesOutput:
        """Branch → pictures (B, T, C, H, W), T alike, to everything that the network computes."""
        return self.attend(self.feature_maps(pictures))
