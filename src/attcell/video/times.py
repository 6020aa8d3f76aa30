"""Time stamps of a file's frames to presentation times in seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def frame_times(
    pts: Sequence[int | None],
    dts: Sequence[int | None],
    seconds_per_tick: tuple[int, int],
    rate: float,
    last_ticks: int,
) -> tuple[np.ndarray, float, bool]:
    """Times (N,) in seconds, increasing; when the last frame ends; whether all are the file's own.

    Args:
        pts: the N frames' presentation stamps, in the order shown.
        dts: their decoding stamps, which stand in where more of them are usable.
        seconds_per_tick: numerator and denominator.
        rate: frames a second, where the stamps do not tell.
        last_ticks: duration of the last frame, 0 if unknown.
    """
    numerator, denominator = seconds_per_tick
    frames, ticks = max(_usable(pts), _usable(dts), key=lambda usable: len(usable[0]))
    seconds = np.array([tick * numerator / denominator for tick in ticks])
    step = float(np.median(np.diff(seconds) / np.diff(frames))) if len(frames) > 1 else 1 / rate
    if ticks == list(pts):
        end = (ticks[-1] + last_ticks) * numerator / denominator if last_ticks > 0 else seconds[-1] + step
        return seconds, float(end), True
    if not frames:
        frames, seconds = [0], np.zeros(1)
    every = np.arange(len(pts))
    outside = np.minimum(every - frames[0], 0) + np.maximum(every - frames[-1], 0)
    seconds = np.interp(every, frames, seconds) + outside * step
    return seconds, float(seconds[-1] + step), False


def _usable(stamps: Sequence[int | None]) -> tuple[list[int], list[int]]:
    """The frames whose stamp is later than every one before, and these stamps."""
    frames: list[int] = []
    ticks: list[int] = []
    for frame, stamp in enumerate(stamps):
        if stamp is not None and (not ticks or stamp > ticks[-1]):
            frames.append(frame)
            ticks.append(stamp)
    return frames, ticks
