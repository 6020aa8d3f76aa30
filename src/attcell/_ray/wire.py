"""What goes between the machines of a cluster, as bytes.

A network and whatever else lies on a GPU goes over the wire on the CPU; a network that arrives where there is
a GPU goes onto it.
"""

from __future__ import annotations

import io
from typing import Any, cast

import cloudpickle
import torch
from torch import Tensor, nn


def dumps(value: object) -> bytes:
    """The value as bytes, for :func:`loads` on another machine of the cluster."""
    whole = io.BytesIO()
    _Pickler(whole, protocol=5).dump(value)
    return whole.getvalue()


def loads(content: bytes | memoryview) -> Any:
    """What :func:`dumps` was given. Only for what a process of ours sent."""
    return cloudpickle.loads(content)


class _Pickler(cloudpickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, nn.Module):
            build, arguments, state = cast(tuple[Any, ...], value.__reduce_ex__(5))[:3]
            return build, arguments, state, None, None, _settle
        if type(value) is Tensor and value.device.type != "cpu":
            return torch.from_numpy, (value.detach().cpu().numpy(),)
        return super().reducer_override(value)


def _settle(network: nn.Module, state: dict[str, Any]) -> None:
    """The end of a network's way: it has its numbers, and goes onto the device of whoever got it."""
    network.__setstate__(state)
    network.to("cuda" if torch.cuda.is_available() else "cpu")
