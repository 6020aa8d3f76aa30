"""Metrics: how well classes are told, actions are found in time, and attention lies where the action is.

All take NumPy arrays, and none touches a file. ``recognition`` has accuracy, average precision and the
weights of late fusion, ``detection`` the mAP of actions in time by two protocols, ``localization`` attention
against true boxes, ``statistics`` paired tests.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attcell.metrics.detection import DetectionMetrics, detection_map
    from attcell.metrics.localization import (
        mass_chance,
        mass_in_box,
        peak_in_box,
        pointing_chance,
        temporal_auc,
    )
    from attcell.metrics.recognition import (
        average_precisions,
        class_accuracies,
        confusion_matrix,
        fusion_weights,
        hit_rate,
        mean_average_precision,
        mean_class_accuracy,
        recognition_metrics,
        top_k_accuracy,
    )
    from attcell.metrics.statistics import holm, mcnemar, sign_flip

_HOMES = {
    "detection": ("DetectionMetrics", "detection_map"),
    "localization": ("mass_chance", "mass_in_box", "peak_in_box", "pointing_chance", "temporal_auc"),
    "recognition": (
        "average_precisions",
        "class_accuracies",
        "confusion_matrix",
        "fusion_weights",
        "hit_rate",
        "mean_average_precision",
        "mean_class_accuracy",
        "recognition_metrics",
        "top_k_accuracy",
    ),
    "statistics": ("holm", "mcnemar", "sign_flip"),
}

__all__ = [
    "DetectionMetrics",
    "average_precisions",
    "class_accuracies",
    "confusion_matrix",
    "detection_map",
    "fusion_weights",
    "hit_rate",
    "holm",
    "mass_chance",
    "mass_in_box",
    "mcnemar",
    "mean_average_precision",
    "mean_class_accuracy",
    "peak_in_box",
    "pointing_chance",
    "recognition_metrics",
    "sign_flip",
    "temporal_auc",
    "top_k_accuracy",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is first asked for."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"attcell.metrics.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
