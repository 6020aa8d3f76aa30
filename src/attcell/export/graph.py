"""A network as one function of tensors with names, which is what exported files hold.

Inputs have their streams' names. Outputs are the fields of :class:`~attcell.nn.Output`; where a field has a
value for each stream the stream follows a point, as in ``spatial_attention.frame``.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jaxtyping import Shaped
from torch import Tensor, nn

from attcell.nn import Network, Output

_ALWAYS = ("logits", "temporal_scores", "temporal_attention")
_BY_STREAM = ("spatial_attention", "logits_by_stream", "temporal_attention_by_stream", "gates")
_WEIGHTS = "weights"  # of the streams, for each video


class Graph(nn.Module):
    """A network whose inputs come one by one and whose outputs are a tuple, in the order of :meth:`outputs`.

    Args:
        network: in test mode.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.inputs = tuple(network.stream_names())

    def forward(self, *inputs: Shaped[Tensor, "B T ..."]) -> tuple[Tensor, ...]:
        """The outputs of B videos of T segments."""
        return tuple(self.outputs(*inputs).values())

    def outputs(self, *inputs: Shaped[Tensor, "B T ..."]) -> dict[str, Tensor]:
        """Name → output."""
        return named_outputs(self.network(dict(zip(self.inputs, inputs, strict=True))))


def named_outputs(out: Output) -> dict[str, Tensor]:
    """Name → tensor, of the fields that every network has and of those that this one has."""
    named: dict[str, Tensor] = {field: getattr(out, field) for field in _ALWAYS}
    for field in _BY_STREAM:
        named |= {f"{field}.{stream}": of for stream, of in getattr(out, field).items()}
    if out.weights is not None:
        named[_WEIGHTS] = out.weights.to(out.logits).expand(out.logits.shape[0], -1)
    return named


def output_of(named: Mapping[str, Tensor]) -> Output:
    """What :func:`named_outputs` was made of, without what only one kind of network computes."""
    fields: dict[str, Any] = {field: named[field] for field in _ALWAYS}
    for field in _BY_STREAM:
        begin = f"{field}."
        fields[field] = {name.removeprefix(begin): of for name, of in named.items() if name.startswith(begin)}
    return Output(**fields, weights=named[_WEIGHTS][0] if _WEIGHTS in named else None)


@contextmanager
def exporters_silent() -> Iterator[None]:
    """Meanwhile nobody hears what PyTorch's and ONNX's exporters say of their own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)
