"""What ``attcell predict --json`` wrote, read back: where and when the network looked, without pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attcell.data.detections import json_values
from attcell.errors import CallError, DataError


@dataclass(frozen=True, eq=False)
class Look:
    """One video's attention; the fields are those of :class:`attcell.records.Prediction`."""

    video: str
    segments_seconds: np.ndarray
    frame_seconds: np.ndarray
    temporal_scores: np.ndarray
    spatial_attention: dict[str, np.ndarray]
    attended_area: tuple[float, float, float, float]


def read_looks(path: Path) -> tuple[list[Look], dict[str, str]]:
    """The videos of a file of predictions, and why others could not be read, by their paths.

    Raises:
        CallError: no such file.
        DataError: it is none.
    """
    if not path.is_file():
        raise CallError(f"{path}: no such file; give what attcell predict --json wrote")
    try:
        content = json_values(path, path.read_text(encoding="utf-8"))
        if len(content) == 1 and "predictions" in content[0]:
            rows, failed = content[0]["predictions"], dict(content[0]["failed"])
        else:
            rows = [row for row in content if "error" not in row]
            failed = {str(row["video"]): str(row["error"]) for row in content if "error" in row}
        return [_look(row) for row in rows], failed
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path} is not what attcell predict --json writes ({error!r}); write it anew"
        ) from error


def _look(row: dict[str, Any]) -> Look:
    left, top, right, bottom = (float(side) for side in row["attended_area"])
    segments = np.array(row["segments_seconds"], dtype=float)
    maps = {str(name): np.array(of, dtype=float) for name, of in row["spatial_attention"].items()}
    look = Look(
        str(row["video"]),
        segments,
        np.array(row["frame_seconds"], dtype=float),
        np.array(row["temporal_scores"], dtype=float),
        maps,
        (left, top, right, bottom),
    )
    count = len(segments)
    shapes = [look.frame_seconds.shape, look.temporal_scores.shape]
    if count == 0 or segments.shape != (count, 2) or shapes != [(count,)] * 2:
        raise ValueError(f"{look.video}: {count} segments do not fit its times and scores")
    if any(of.ndim != 3 or len(of) != count or not np.isfinite(of).all() for of in maps.values()):
        raise ValueError(f"{look.video}: its maps do not fit {count} segments")
    return look
