"""Figures: how well classes are told, actions are found in time, and attention lies where the action is."""

from attcell.metrics.detection import DetectionFigures, detection_map

__all__ = ["DetectionFigures", "detection_map"]
