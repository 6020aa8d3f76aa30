"""The sound of a video as it is drawn: its picture over time, and the attention of the streams that hear it.

A map of such a stream (R, K) has time down its rows and frequency along its columns, low first. In pictures
time goes from left to right and frequency upwards, so that they lie under the time line. They are never drawn
over a frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from attcell.metrics.localization import smoothed
from attcell.report.colours import RAMP
from attcell.report.overlay import colour_levels, overlay, peak_weight
from attcell.report.page.timeline import clock
from attcell.types import AttentionTrack, Hearing, Prediction, SoundTrack

WAVE_WIDTH, WAVE_HEIGHT = 1000, 100
UNHEARD = len(RAMP)  # the row of ``TRACK_RAMP`` for what no window covers
TRACK_RAMP = np.vstack([RAMP, np.array([[0, 0, 0, 140]], dtype=np.uint8)])
_WHOLE = (0.0, 0.0, 1.0, 1.0)
_QUIETEST, _LOUDEST = 5.0, 99.8  # percentiles of a video's log-mel values that are drawn black and white
_LEAST_RANGE = 1e-6


@dataclass(frozen=True)
class SoundLayer:
    """One stream that hears sound, ready to be drawn.

    Attributes:
        name: the stream's.
        maps: (T, R, K) its attention.
        peak: the weight at the end of its scale.
        hearing: what the maps cover.
        range: the log-mel values that are drawn black and white.
    """

    name: str
    maps: np.ndarray
    peak: float
    hearing: Hearing
    range: tuple[float, float]

    @property
    def even(self) -> float:
        """The weight of each region if all were alike."""
        return 1 / self.maps[0].size

    def picture(self, prediction: Prediction, t: int) -> np.ndarray:
        """What the stream heard of segment ``t``: (M, F, 3) uint8, grey, louder is lighter."""
        assert prediction.sound is not None, "a layer of sound has its windows"
        return grey_picture(prediction.sound.windows[self.name][t], self.range)

    def attended(self, prediction: Prediction, t: int) -> np.ndarray:
        """The same with the attention over it, four pixels a value each way."""
        picture = self.picture(prediction, t).repeat(4, axis=0).repeat(4, axis=1)
        return overlay(picture, upright(self.maps[t]), _WHOLE, self.peak, 0.75)


def sound_layers(prediction: Prediction) -> list[SoundLayer]:
    """The streams that hear sound, in their order; none where the prediction holds no pictures of it."""
    sound = prediction.sound
    if sound is None or sound.loudness is None:
        return []
    low, high = np.percentile(sound.loudness, [_QUIETEST, _LOUDEST]).tolist()
    drawn = low, max(high, low + _LEAST_RANGE)
    track = prediction.segments if prediction.track is None else prediction.track
    return [
        SoundLayer(
            name,
            maps,
            peak_weight(track.over_sound[name].astype(np.float32)),
            prediction.hearing[name],
            drawn,
        )
        for name, maps in prediction.segments.over_sound.items()
        if name in sound.windows
    ]


def upright(values: np.ndarray) -> np.ndarray:
    """(R, K), time × frequency, as a picture has it: time to the right, low frequencies below."""
    return values.T[::-1]


def grey_picture(values: np.ndarray, between: tuple[float, float]) -> np.ndarray:
    """Log-mel values (F, M) as a picture (M, F, 3) uint8, from black to white."""
    low, high = between
    share = np.clip((upright(values).astype(np.float32) - low) / (high - low), 0, 1)
    return (255 * share).round().astype(np.uint8)[..., None].repeat(3, axis=2)


# Over all of the video


def track_levels(track: AttentionTrack, layer: SoundLayer, sound: SoundTrack) -> np.ndarray:
    """The rows of ``TRACK_RAMP`` that show a stream's attention along the whole sound: (K', n) uint8.

    Each segment's map lies where its window does. Where windows overlap, or many fall into one of the n
    parts, the largest weight is drawn; ``UNHEARD`` marks what no window covers.
    """
    num_parts, num_bands = len(sound.peaks), layer.maps.shape[2] * 8
    start, end = sound.seconds
    parts_a_second = num_parts / max(end - start, 1e-9)
    weights = np.full((num_parts, num_bands), -1.0, dtype=np.float32)
    maps = track.over_sound[layer.name]
    wide = max(
        maps.shape[1], math.ceil(2 * layer.hearing.window_seconds * parts_a_second)
    )  # no part is missed
    offsets = ((np.arange(wide) + 0.5) / wide - 0.5) * layer.hearing.window_seconds
    for seconds, map_ in zip(track.frame_seconds, maps, strict=True):
        parts = np.floor((seconds + offsets - start) * parts_a_second).astype(int)
        inside = (parts >= 0) & (parts < num_parts)
        if inside.any():
            drawn = smoothed(map_, num_bands, wide)
            np.maximum.at(weights, parts[inside], drawn[inside])
    levels = colour_levels(weights, layer.peak)
    return upright(np.where(weights < 0, UNHEARD, levels).astype(np.uint8))


def wave_path(peaks: np.ndarray) -> str:
    """The waveform as an SVG path in a box of ``WAVE_WIDTH`` × ``WAVE_HEIGHT``: a filled band from the least
    to the largest sample of each part, on a scale on which the loudest sample of the video fills the box.
    """
    top = max(float(np.abs(peaks).max()), 1e-3)
    x = (np.arange(len(peaks)) + 0.5) * WAVE_WIDTH / len(peaks)
    y = WAVE_HEIGHT / 2 * (1 - peaks / top)
    line = 0.4  # so that silence is a thin line
    above = [f"{at:.1f} {value - line:.1f}" for at, value in zip(x, y[:, 1], strict=True)]
    below = [f"{at:.1f} {value + line:.1f}" for at, value in zip(x, y[:, 0], strict=True)]
    return "M" + "L".join([*above, *below[::-1]]) + "Z"


# In words


def hertz_words(hertz: float) -> str:
    """A frequency, as 125 Hz or 7.5 kHz."""
    return f"{hertz:.0f} Hz" if hertz < 1000 else f"{hertz / 1000:.3g} kHz"


def heard_words(layer: SoundLayer, t: int, at: float, what: str = "attention") -> str:
    """When and how high the attention of a segment peaks; ``at`` is the presentation time of its frame."""
    map_, window = layer.maps[t], layer.hearing.window_seconds
    row, column = np.unravel_index(int(np.argmax(map_)), map_.shape)
    seconds = at + window * ((int(row) + 0.5) / map_.shape[0] - 0.5)
    how_high = ("low", "middle", "high")[int((int(column) + 0.5) / map_.shape[1] * 3)]
    return f"{layer.name.capitalize()} {what} is strongest at {clock(seconds)}, at {how_high} frequencies."
