"""Late fusion: one network a stream, each with its own temporal attention, and their scores summed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from attcell.errors import CallError
from attcell.nn.outputs import LateOutput
from attcell.nn.stan import STAN
from attcell.nn.streams import Stream


class LateFusion(nn.Module):
    """Networks of one stream each, whose probabilities are summed with weights.

    Args:
        networks: stream → a network of this stream alone.

    Attributes:
        dim: numbers of the networks' f_att^t together.

    The weights are equal at first; tune them on held-out training videos (:meth:`set_weights`), never on
    test videos.
    """

    weights: Tensor

    def __init__(self, networks: Mapping[str, STAN]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)
        self.register_buffer("weights", torch.full((len(networks),), 1 / len(networks)))
        self.dim = sum(network.dim for network in networks.values())

    def set_weights(self, weights: Float[Tensor, " M"]) -> None:
        """Set how much each network counts; the weights are brought to a sum of 1.

        Raises:
            CallError: not one weight a network, one below 0, or nothing but 0.
        """
        if len(weights) != len(self.networks) or not (weights.min() >= 0 and 0 < weights.sum() < torch.inf):
            raise CallError(
                f"the streams' weights are {weights.tolist()}; "
                f"give one for each of {', '.join(self.networks)}, none below 0 and not all 0"
            )
        self.weights.copy_(weights / weights.sum())

    def network(self, name: str) -> STAN:
        """The network of a stream."""
        return cast(STAN, self.networks[name])

    def stream(self, name: str) -> Stream:
        """The stream of a modality."""
        return self.network(name).stream(name)

    def feature_maps(
        self, pictures: Mapping[str, Shaped[Tensor, "B T ..."]]
    ) -> dict[str, Float[Tensor, "B T F _ _"]]:
        """Each stream's backbone on its own input."""
        return {name: self.stream(name).feature_maps(pictures[name]) for name in self.networks}

    def attend(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> LateOutput:
        """From the backbones' feature maps to the summed probabilities."""
        outputs = {name: self.network(name).attend({name: maps[name]}) for name in self.networks}
        return LateOutput(self.joined([out.logits for out in outputs.values()]), outputs, self.weights)

    def joined(self, logits: Sequence[Float[Tensor, "N A"]]) -> Float[Tensor, "N A"]:
        """The logarithm of the weighted sum of the networks' probabilities."""
        parts = torch.stack([one.log_softmax(dim=-1) for one in logits])
        return torch.logsumexp(parts + self.weights.log()[:, None, None], dim=0)

    def averaged(self, values: Sequence[Float[Tensor, "*shape"]]) -> Float[Tensor, "*shape"]:
        """What the networks say, averaged by their weights."""
        return torch.einsum("m,m...->...", self.weights.to(values[0]), torch.stack(list(values)))

    def forward(self, pictures: Mapping[str, Shaped[Tensor, "B T ..."]]) -> LateOutput:
        """Stream name → (B, T, ...) inputs, to everything that the networks compute."""
        return self.attend(self.feature_maps(pictures))
