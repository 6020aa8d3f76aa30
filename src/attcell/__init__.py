"""attcell recognises actions in videos and shows where and when the evidence is.

``attcell.load(folder)`` gives a trained :class:`~attcell.inference.model.Model`; ``attcell.nn`` holds the
networks, ``attcell.flow`` optical flow. They are imported when first used, so that ``import attcell`` is
quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attcell import flow, metrics, nn
    from attcell.inference.model import Model, load

__version__ = "0.1.0"
__all__ = ["Model", "flow", "load", "metrics", "nn"]


def __getattr__(name: str) -> Any:
    if name in ("Model", "load"):
        return getattr(import_module("attcell.inference.model"), name)
    if name in ("nn", "flow", "metrics"):
        return import_module(f"attcell.{name}")
    raise AttributeError(f"module 'attcell' has no attribute {name!r}")
