"""What the page's player draws: the attention of every moment as small numbers."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from attcell.records import Prediction
from attcell.report.layers import Layer
from attcell.report.overlay import RAMP, SHADE

RAMPS = {"colour": RAMP.tolist(), "shade": SHADE.tolist()}


def player_data(
    prediction: Prediction, layers: Sequence[Layer], moments: Sequence[np.ndarray]
) -> dict[str, Any]:
    """The attention over time, in plain types.

    Args:
        prediction: with its track, or else its segments.
        layers: what is drawn of each stream; they give the scales.
        moments: the layers' maps over time, each (T, K, K).
    """
    seconds = prediction.segments_seconds if prediction.track is None else prediction.track.seconds
    first = float(seconds[0, 0])
    return {
        "duration": round(float(seconds[-1, 1]) - first, 3),
        "first": round(first, 3),
        "starts": [round(float(start) - first, 3) for start in seconds[:, 0]],
        "streams": [
            {
                "rows": maps.shape[1],
                "columns": maps.shape[2],
                "ramp": "colour" if layer.scale is None else "shade",
                "maps": _bytes(maps, layer.peak),
            }
            for layer, maps in zip(layers, moments, strict=True)
        ],
    }


def _bytes(maps: np.ndarray, peak: float) -> str:
    """A byte a region, 255 for the weight at the end of the scale."""
    share = np.clip(maps.astype(np.float32) / max(peak, 1e-12), 0, 1)
    return base64.b64encode((255 * share).round().astype(np.uint8).tobytes()).decode("ascii")
