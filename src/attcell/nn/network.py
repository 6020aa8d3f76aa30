"""What all networks share: a stream's backbone, and the way from inputs to an output in two steps.

A video of any length goes through a network in parts. Consecutive segments are encoded, a few at a time, into
something small; when all of them are there, the network decides. At once or in parts, it is the same network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from attcell.nn.streams import BackboneStream

Encoded = TypeVar("Encoded")  # what a network makes of consecutive segments
Decided = TypeVar("Decided")  # its output: an attcell.nn.Output, or a PooledOutput


class Network(nn.Module, Generic[Encoded, Decided]):
    """The interface of every network; a subclass says its streams, :meth:`encode` and :meth:`decide`."""

    def stream_names(self) -> Iterable[str]:
        """The names of the streams, in their order."""
        raise NotImplementedError

    def stream(self, name: str) -> BackboneStream:
        """The stream of this name."""
        raise NotImplementedError

    def encode(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> Encoded:
        """What :meth:`decide` needs of consecutive segments, whatever came before or comes after.

        Args:
            maps: stream → its backbone's feature maps of these segments.
        """
        raise NotImplementedError

    def encode_with_evidence(self, maps: Mapping[str, Shaped[Tensor, "B T ..."]]) -> Encoded:
        """The same, with what each region adds to each class where the network can tell; then the output has
        ``evidence``. It takes T · A · K² numbers a stream.
        """
        return self.encode(maps)

    def decide(self, parts: Sequence[Encoded]) -> Decided:
        """The output for whole videos.

        Args:
            parts: what :meth:`encode` gave for all of their segments, in order of time.
        """
        raise NotImplementedError

    def feature_maps(
        self, inputs: Mapping[str, Shaped[Tensor, "B T ..."]]
    ) -> dict[str, Float[Tensor, "B T F _ _"]]:
        """Stream → its backbone's feature maps: the part that can be computed once and kept."""
        return {name: self.stream(name).feature_maps(inputs[name]) for name in self.stream_names()}

    def attend(self, maps: Mapping[str, Float[Tensor, "B T F _ _"]]) -> Decided:
        """The output for videos whose feature maps are all there."""
        return self.decide([self.encode(maps)])

    def forward(self, inputs: Mapping[str, Shaped[Tensor, "B T ..."]]) -> Decided:
        """The output for stream → (B, T, C, H, W) pictures or (B, T, C, L, H, W) clips."""
        return self.attend(self.feature_maps(inputs))


def along_time(parts: Sequence[Shaped[Tensor, "B _ *rest"]]) -> Shaped[Tensor, "B T *rest"]:
    """Consecutive segments' values (B, t, ...), one behind the other."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim=1)
