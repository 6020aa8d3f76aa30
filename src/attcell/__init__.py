"""attcell recognises actions in videos and shows where and when the evidence is.

``attcell.load(name)`` gives a :class:`Model`; its ``predict``, ``detect`` and ``evaluate`` answer on videos.
``attcell.train(load_recipe(path), folder)`` makes one. The networks are in ``attcell.nn``, optical flow in
``attcell.flow``, metrics in ``attcell.metrics``. Everything is imported when it is first used, so that
``import attcell`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attcell import (
        config,
        data,
        flow,
        inference,
        metrics,
        models,
        nn,
        report,
        research,
        results,
        synth,
        training,
        video,
    )
    from attcell._ray.cluster import on_ray
    from attcell.config import Recipe, load_recipe
    from attcell.errors import AttcellError
    from attcell.inference.model import Model, evaluate, load
    from attcell.report.page.page import write_report
    from attcell.training.run import train
    from attcell.types import Detection, Prediction

__version__ = "0.1.0"

_HOMES = {
    "AttcellError": "attcell.errors",
    "Detection": "attcell.types",
    "Model": "attcell.inference.model",
    "Prediction": "attcell.types",
    "Recipe": "attcell.config.recipe",
    "evaluate": "attcell.inference.model",
    "load": "attcell.inference.model",
    "load_recipe": "attcell.config",
    "on_ray": "attcell._ray.cluster",
    "train": "attcell.training.run",
    "write_report": "attcell.report.page.page",
}
_SUBMODULES = (
    "config",
    "data",
    "flow",
    "inference",
    "metrics",
    "models",
    "nn",
    "report",
    "research",
    "results",
    "synth",
    "training",
    "video",
)

__all__ = [
    "AttcellError",
    "Detection",
    "Model",
    "Prediction",
    "Recipe",
    "config",
    "data",
    "evaluate",
    "flow",
    "inference",
    "load",
    "load_recipe",
    "metrics",
    "models",
    "nn",
    "on_ray",
    "report",
    "research",
    "results",
    "synth",
    "train",
    "training",
    "video",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        found = getattr(import_module(_HOMES[name]), name)
    elif name in _SUBMODULES:
        found = import_module(f"attcell.{name}")
    else:
        raise AttributeError(f"module 'attcell' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
