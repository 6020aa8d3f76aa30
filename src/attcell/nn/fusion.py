"""Late fusion: one network a stream, each with its own temporal attention, and their scores summed.

Early fusion is what :class:`~attcell.nn.stan.STAN` itself does with several streams: their descriptors lie
side by side (Eq. 6, ``STAN.attention_pool``) under one temporal attention.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attcell.errors import CallError
from attcell.nn.class_evidence import together
from attcell.nn.network import Network
from attcell.nn.outputs import LateOutput
from attcell.nn.stan import STAN, STANEncoded
from attcell.nn.streams import Stream


class LateFusion(Network[dict[str, STANEncoded], LateOutput]):
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

    def stream_names(self) -> Iterable[str]:
        return self.networks.keys()

    def stream(self, name: str) -> Stream:
        return self.network(name).stream(name)

    def encode(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> dict[str, STANEncoded]:
        """Stream → what its network makes of consecutive segments."""
        return {name: self.network(name).encode({name: maps[name]}) for name in self.networks}

    def encode_with_evidence(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> dict[str, STANEncoded]:
        """The same, with what each region adds to each class of its own network."""
        return {name: self.network(name).encode_with_evidence({name: maps[name]}) for name in self.networks}

    def decide(self, parts: Sequence[Mapping[str, STANEncoded]]) -> LateOutput:
        """What each network says, and the weighted sum of their probabilities."""
        outputs = {name: self.network(name).decide([part[name] for part in parts]) for name in self.networks}
        every = list(outputs.values())
        evidence = {name: out.evidence for name, out in outputs.items() if out.evidence is not None}
        return LateOutput(
            logits=self.fuse([out.logits for out in every]),
            temporal_scores=self.average([out.temporal_scores for out in every]),
            temporal_attention=self.average([out.temporal_attention for out in every]),
            spatial_attention={name: out.spatial_attention[name] for name, out in outputs.items()},
            logits_by_stream={name: out.logits for name, out in outputs.items()},
            temporal_attention_by_stream={name: out.temporal_attention for name, out in outputs.items()},
            learnt_logits=tuple(out.logits[:, None] for out in every),  # each network learns by itself
            weights=self.weights,
            evidence=together(evidence, self.weights) if len(evidence) == len(outputs) else None,
            streams=outputs,
        )

    def fuse(self, logits: Sequence[Float[Tensor, "N A"]]) -> Float[Tensor, "N A"]:
        """The logarithm of the weighted sum of the networks' probabilities."""
        log_probabilities = torch.stack([one.log_softmax(dim=-1) for one in logits])
        return torch.logsumexp(log_probabilities + self.weights.log()[:, None, None], dim=0)

    def average(self, values: Sequence[Float[Tensor, "*shape"]]) -> Float[Tensor, "*shape"]:
        """What the networks say, averaged by their weights."""
        return torch.einsum("m,m...->...", self.weights.to(values[0]), torch.stack(list(values)))
