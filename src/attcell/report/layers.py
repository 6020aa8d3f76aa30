"""What is drawn of each stream: the picture below, and how its attention lies over it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attcell.records import Prediction
from attcell.report.flow_colours import flow_colours, flow_scale
from attcell.report.overlay import RAMP, SHADE, overlay, peak_weight

FLOW = "flow"


@dataclass(frozen=True)
class Layer:
    """One stream of a prediction, ready to be drawn.

    Attributes:
        name: the stream's.
        maps: (T, K, K) its attention.
        peak: the weight at the end of its scale.
        scale: of a stream of flow, pixels a frame that take the full colour; None where the frame is drawn.
    """

    name: str
    maps: np.ndarray
    peak: float
    scale: float | None

    @property
    def even(self) -> float:
        """The weight of each region if all were alike."""
        return 1 / self.maps[0].size

    @property
    def ramp(self) -> np.ndarray:
        """Colours that show its attention."""
        return RAMP if self.scale is None else SHADE

    def picture(self, prediction: Prediction, t: int) -> np.ndarray:
        """What the stream saw of segment ``t``: (h, w, 3) uint8, the frame or the flow in colours."""
        if self.scale is None or prediction.flow is None:
            return prediction.frames[t]
        return flow_colours(prediction.flow[t], self.scale)

    def attended(self, prediction: Prediction, t: int) -> np.ndarray:
        """The same with the attention over it."""
        picture = self.picture(prediction, t)
        return overlay(picture, self.maps[t], prediction.attended_area, self.peak, 0.75, self.ramp)


def layers_of(prediction: Prediction) -> list[Layer]:
    """The prediction's streams in their order."""
    scale = None if prediction.flow is None else flow_scale(prediction.flow)
    return [
        Layer(name, maps, peak_weight(maps), scale if name == FLOW else None)
        for name, maps in prediction.spatial_attention.items()
    ]
