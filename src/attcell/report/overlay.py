"""Attention drawn over frames: from (K, K) weights to colours, and what is drawn of each stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attcell.errors import CallError, ModelError
from attcell.flow.colours import flow_colours, flow_scale
from attcell.metrics.localization import smoothed
from attcell.report.colours import OUTSIDE_BRIGHTNESS, RAMP, SHADE
from attcell.types import Prediction

FLOW = "flow"  # the stream whose pictures are those of Prediction.flow
HEAT_PIXELS = 112
"""About the side of a smoothed map: 16 pixels a region for K = 7, fewer for finer maps, never under 4."""


@dataclass(frozen=True)
class Terms:
    """What the weights of a prediction are called.

    Attributes:
        where: the maps over regions, in a word or two.
        region: a region's weight.
        when: the weights over time.
        weight: one of these.
        is_attention: whether they are AttCell's attention, and no method that was applied afterwards.
    """

    where: str = "attention"
    region: str = "Weight α of a region"
    when: str = "temporal attention"
    weight: str = "β"
    is_attention: bool = True

    @classmethod
    def of(cls, prediction: Prediction) -> Terms:
        """Those of a prediction: of a ready model they name its methods."""
        told = prediction.explanation
        if told is None:
            return cls()
        method = told.where.split(" at ")[0]
        region = f"A region’s share in {told.where}, which is found after the fact"
        return cls(method, region, told.when, "share", is_attention=False)


def peak_weight(maps: np.ndarray) -> float:
    """The weight that takes the hottest colour, one for all maps (T, R, K) so that they compare.

    It is the largest weight, but no less than five times the even weight 1/RK: otherwise even attention,
    which says nothing, would glow all over.
    """
    even = 1.0 / (maps.shape[-2] * maps.shape[-1])
    return max(float(maps.max()), min(1.0, 5 * even))


def heat_levels(attention: np.ndarray, peak: float) -> np.ndarray:
    """The rows of ``RAMP`` that show a map (R, K): (r, k) uint8, 112 by 112 for 7 by 7.

    A weight of zero takes the first row, which is clear; ``peak`` and more the last, which is opaque.
    """
    rows, columns = attention.shape
    cell = max(4, min(16, HEAT_PIXELS // max(rows, columns)))
    return colour_levels(smoothed(attention, columns * cell, rows * cell), peak)


def colour_levels(values: np.ndarray, peak: float) -> np.ndarray:
    """The rows of ``RAMP`` that show weights of any shape, as uint8; from ``peak`` on the last."""
    share = np.clip(values / max(peak, 1e-12), 0, 1)
    return (share * (len(RAMP) - 1)).round().astype(np.uint8)


def pixel_box(
    attended_area: tuple[float, float, float, float], width: int, height: int
) -> tuple[int, int, int, int]:
    """left, top, right, bottom in whole pixels, inside the frame and never empty."""
    left, top, right, bottom = attended_area
    x0 = min(max(round(left * width), 0), width - 1)
    y0 = min(max(round(top * height), 0), height - 1)
    return (
        x0,
        y0,
        min(max(round(right * width), x0 + 1), width),
        min(max(round(bottom * height), y0 + 1), height),
    )


def overlay(
    frame: np.ndarray,
    attention: np.ndarray,
    attended_area: tuple[float, float, float, float],
    peak: float,
    strength: float = 0.6,
    ramp: np.ndarray = RAMP,
) -> np.ndarray:
    """One picture with its attention over it.

    Args:
        frame: (H, W, 3) uint8.
        attention: (R, K) weights; they cover ``attended_area`` alone.
        attended_area: left, top, right, bottom as fractions of the frame; the rest is dimmed a little, or
            in a shade as dark as what got no attention.
        peak: the weight that gets the hottest colour.
        strength: opacity of the hottest colour, 0 to 1.
        ramp: ``RAMP`` for frames, ``SHADE`` for pictures of flow.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = pixel_box(attended_area, width, height)
    heat = ramp[colour_levels(smoothed(attention, x1 - x0, y1 - y0), peak)].astype(np.float32)
    picture = frame.astype(np.float32) * (1 - strength if ramp is SHADE else OUTSIDE_BRIGHTNESS)
    opacity = heat[..., 3:] / 255 * strength
    picture[y0:y1, x0:x1] = frame[y0:y1, x0:x1] * (1 - opacity) + heat[..., :3] * opacity
    return picture.round().astype(np.uint8)


@dataclass(frozen=True)
class Layer:
    """One stream of a prediction that looks at pictures, ready to be drawn.

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
    """The prediction's streams that look at pictures, in their order; of those that hear sound see
    ``report/sound.py``."""
    scale = None if prediction.flow is None else flow_scale(prediction.flow)
    return [
        Layer(name, maps, peak_weight(maps), scale if name == FLOW else None)
        for name, maps in prediction.segments.over_frames.items()
    ]


def check(prediction: Prediction) -> None:
    """Check that a prediction can be drawn.

    Raises:
        CallError: it holds no segment, or its parts do not fit together.
        ModelError: it holds values that are not finite numbers.
    """
    num_segments = len(prediction.segments if prediction.of_features else prediction.frames)
    if num_segments == 0 and len(prediction.segments):
        raise CallError(
            f"{prediction.video}: the prediction holds no pictures; predict again with pictures=True"
        )
    num_frames = len(prediction.frames) if prediction.of_features else num_segments
    shapes = {
        "scores": (prediction.scores, (len(prediction.labels),)),
        "segments_seconds": (prediction.segments_seconds, (num_segments, 2)),
        "frame_seconds": (prediction.frame_seconds, (num_segments,)),
        "temporal_scores": (prediction.temporal_scores, (num_segments,)),
        "duration_seconds": (np.asarray(prediction.duration_seconds), ()),
        "attended_area": (np.asarray(prediction.attended_area), (4,)),
        "temporal_attention": (prediction.temporal_attention, (num_segments,)),
        "frames": (prediction.frames, (num_frames, *prediction.frames.shape[1:3], 3)),
        **{
            f"spatial_attention[{name!r}]": (maps, (num_segments, *maps.shape[-2:]))
            for name, maps in prediction.spatial_attention.items()
        },
        **{
            f"temporal_attention_by_stream[{name!r}]": (weights, (num_segments,))
            for name, weights in prediction.temporal_attention_by_stream.items()
        },
    }
    shapes |= {
        f"gates[{name!r}]": (gates, (num_segments, num_segments)) for name, gates in prediction.gates.items()
    }
    sound = prediction.sound
    if sound is not None:
        shapes["sound.peaks"] = (sound.peaks, (len(sound.peaks), 2))
        shapes |= {
            f"sound.windows[{name!r}]": (of, (num_segments, *of.shape[-2:]))
            for name, of in sound.windows.items()
        }
        if sound.loudness is not None:
            shapes["sound.loudness"] = (sound.loudness, (len(sound.peaks), *sound.loudness.shape[1:]))
    if prediction.flow is not None:
        shapes["flow"] = (prediction.flow, (num_segments, 2, *prediction.flow.shape[-2:]))
    if num_segments == 0:
        raise CallError(
            f"{prediction.video}: the prediction holds no segment; at least one is needed to draw it"
        )
    for name, (array, wanted) in shapes.items():
        if array.shape != wanted:
            raise CallError(
                f"{prediction.video}: {name} has shape {array.shape}, but {num_segments} frames and "
                f"{len(prediction.labels)} labels ask for {wanted}"
            )
        if not np.isfinite(array).all():
            raise ModelError(
                f"{prediction.video}: {name} holds values that are not finite numbers; the model's "
                "weights or its input are broken: try another video, or train again with a smaller rate"
            )
