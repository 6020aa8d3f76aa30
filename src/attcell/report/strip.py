"""A strip of segments in one picture: frames, attention of each stream, temporal attention."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from attcell.errors import CallError
from attcell.records import Prediction
from attcell.report.curve import clock
from attcell.report.figures import ACCENT, FAINT, SOFT, new_figure, save, text_style
from attcell.report.overlay import overlay, peak_weight
from attcell.report.views import check

_CELL_INCHES = 1.5
_GAP_INCHES = 0.06
_BARS_INCHES = 0.9
_TITLE_INCHES = 0.3
_TIMES_INCHES = 0.26


def attention_strip(
    prediction: Prediction, path: Path, stream: str = "frame", max_segments: int = 10
) -> None:
    """Write a PNG with one column a segment: the frame, the frame with its attention, and β as a bar.

    Args:
        prediction: what to show.
        path: the PNG; written whole or not at all.
        stream: whose spatial attention; a key of ``prediction.spatial_attention``.
        max_segments: at most so many columns; of more segments an even choice is shown.

    Raises:
        CallError: there is no such stream, or ``max_segments`` is below 1.
        ModelError: the prediction holds values that are not finite numbers.
    """
    check(prediction)
    if max_segments < 1:
        raise CallError(f"max_segments is {max_segments}; a strip needs at least 1 segment")
    if stream not in prediction.spatial_attention:
        known = ", ".join(map(repr, prediction.spatial_attention)) or "none"
        raise CallError(f"no attention of a stream {stream!r} in this prediction; it has {known}")
    shown = chosen_segments(len(prediction.frames), max_segments)
    frame_height, frame_width = prediction.frames.shape[1:3]
    cell_height = _CELL_INCHES * frame_height / frame_width
    width = len(shown) * (_CELL_INCHES + _GAP_INCHES) - _GAP_INCHES
    height = _TITLE_INCHES + 2 * (cell_height + _GAP_INCHES) + _BARS_INCHES + _TIMES_INCHES
    figure = new_figure(width, height, dpi=100)

    def axes_at(column: float, columns: float, below: float, tall: float) -> Axes:
        left = column * (_CELL_INCHES + _GAP_INCHES)
        wide = columns * (_CELL_INCHES + _GAP_INCHES) - _GAP_INCHES
        axes = figure.add_axes((left / width, below / height, wide / width, tall / height))
        axes.set_axis_off()
        return axes

    label, score = prediction.top(1)[0]
    title = text_style(12) | {"va": "top", "fontweight": "bold"}
    figure.text(0, 1, f"{label}  {100 * score:.0f}%", **title)
    peak = peak_weight(prediction.spatial_attention[stream])
    bottom = _TIMES_INCHES + _BARS_INCHES + _GAP_INCHES
    for column, t in enumerate(shown):
        frame, map_ = prediction.frames[t], prediction.spatial_attention[stream][t]
        above = bottom + cell_height + _GAP_INCHES
        axes_at(column, 1, above, cell_height).imshow(frame, aspect="auto")
        heated = overlay(frame, map_, prediction.attended_area, peak, strength=0.75)
        axes_at(column, 1, bottom, cell_height).imshow(heated, aspect="auto")
    _draw_bars(axes_at(0, len(shown), _TIMES_INCHES, _BARS_INCHES), prediction, shown)
    save(figure, path)


def chosen_segments(num_segments: int, most: int) -> list[int]:
    """An even choice of at most ``most`` of the segments: the middle ones of ``most`` equal parts."""
    if num_segments <= most:
        return list(range(num_segments))
    return [int((n + 0.5) * num_segments / most) for n in range(most)]


def _draw_bars(axes: Axes, prediction: Prediction, shown: list[int]) -> None:
    weights = prediction.temporal_attention[shown]
    even = 1 / len(prediction.temporal_attention)
    pitch = 1 + _GAP_INCHES / _CELL_INCHES
    at = np.arange(len(shown)) * pitch + 0.5
    axes.set_xlim(0, at[-1] + 0.5)
    axes.set_ylim(0, max(float(weights.max()), even) * 1.35)
    axes.axhline(0, color=FAINT, linewidth=1.5, clip_on=False)
    axes.bar(at, weights, width=0.5, color=ACCENT)
    axes.axhline(even, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    beside = text_style(9, SOFT) | {"va": "center"}
    axes.annotate(
        f"1/{len(prediction.frames)}", (at[-1] + 0.5, even), (4, 0), textcoords="offset points", **beside
    )
    for x, t, weight in zip(at, shown, weights, strict=True):
        text = text_style(9) | {"ha": "center", "va": "bottom", "bbox": {"color": "white", "pad": 1}}
        axes.annotate(f"β {weight:.3f}", (x, weight), (0, 3), textcoords="offset points", **text)
        time = text_style(9, SOFT) | {"ha": "center", "va": "top"}
        axes.annotate(
            clock(float(prediction.frame_seconds[t])), (x, 0), (0, -5), textcoords="offset points", **time
        )
