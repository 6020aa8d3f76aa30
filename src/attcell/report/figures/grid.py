"""Pictures of segments in a grid: rows of pictures, then the temporal attention as rows of bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from attcell.errors import CallError
from attcell.flow.colours import wheel_picture
from attcell.report.colours import ACCENT, BOX, FAINT, INK, SOFT
from attcell.report.figures.style import new_figure, save, shortened, text_style
from attcell.report.overlay import Terms, check
from attcell.report.page.timeline import clock
from attcell.types import Prediction

_CELL_INCHES = 1.5
_GAP_INCHES = 0.06
_BARS_INCHES = 0.8
_TITLE_INCHES = 0.3
_TIMES_INCHES = 0.26
_NAMES_INCHES = 1.4
_WHEEL_INCHES = 0.62


@dataclass(frozen=True)
class PictureRow:
    """One row of pictures.

    Attributes:
        name: what stands beside it.
        detail: what stands below the name, smaller.
        pictures: one (h, w, 3) uint8 a column.
        boxes: (columns, M, 4) left, top, right, bottom as fractions of the picture, drawn where they are not
            NaN; or None.
        scale: the pixels a frame that the wheel beside a row of flow is for; None for no wheel.
    """

    name: str
    detail: str
    pictures: Sequence[np.ndarray]
    boxes: np.ndarray | None = None
    scale: float | None = None


@dataclass(frozen=True)
class _BarRow:
    name: str
    detail: str
    weights: np.ndarray


def segments_to_show(prediction: Prediction, max_segments: int) -> list[int]:
    """An even choice of the prediction's segments.

    Raises:
        CallError: ``max_segments`` is below 1, the prediction is of features and has no pictures, or its
            parts do not fit together.
        ModelError: the prediction holds values that are not finite numbers.
    """
    check(prediction)
    if prediction.of_features:
        raise CallError(
            f"{prediction.video}: features stand in the video's place; there are no pictures to draw"
        )
    if max_segments < 1:
        raise CallError(f"max_segments is {max_segments}; a strip needs at least 1 segment")
    return chosen_segments(len(prediction.frames), max_segments)


def chosen_segments(num_segments: int, most: int) -> list[int]:
    """An even choice of at most ``most`` of the segments: the middle ones of ``most`` equal parts."""
    if num_segments <= most:
        return list(range(num_segments))
    return [int((n + 0.5) * num_segments / most) for n in range(most)]


class _Sheet:
    """A figure of so many inches, in which places are inches from the upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = new_figure(width, height, dpi=100)

    def axes_at(self, left: float, top: float, wide: float, tall: float) -> Axes:
        """New axes without frame at a place."""
        bottom = 1 - (top + tall) / self.height
        axes = self.figure.add_axes((left / self.width, bottom, wide / self.width, tall / self.height))
        axes.set_axis_off()
        return axes

    def write_name(self, name: str, detail: str, top: float, tall: float) -> None:
        """A row's name at the left, and below it what it holds."""
        middle = 1 - (top + tall / 2) / self.height
        above, below = text_style(10) | {"va": "bottom"}, text_style(8, SOFT) | {"va": "top"}
        self.figure.text(0, middle, shortened(name, 16), **above)
        self.figure.text(0, middle - 0.02 / self.height, detail, **below)


def draw_grid(prediction: Prediction, shown: list[int], rows: Sequence[PictureRow], path: Path) -> None:
    """Write a PNG: a title, the rows of pictures, and β of the shown segments with their times.

    Late fusion has a row of bars for each stream too.
    """
    frame_height, frame_width = prediction.frames.shape[1:3]
    cell = _CELL_INCHES * frame_height / frame_width
    bar_rows = _bar_rows(prediction, shown)
    columns = len(shown) * (_CELL_INCHES + _GAP_INCHES) - _GAP_INCHES
    height = _TITLE_INCHES + len(rows) * (cell + _GAP_INCHES) + len(bar_rows) * _BARS_INCHES + _TIMES_INCHES
    sheet = _Sheet(_NAMES_INCHES + columns, height)
    label, score = prediction.top(1)[0]
    title = text_style(12) | {"va": "top", "fontweight": "bold"}
    sheet.figure.text(_NAMES_INCHES / sheet.width, 1, f"{label}  {100 * score:.0f}%", **title)
    top = _TITLE_INCHES
    for row in rows:
        _draw_row(sheet, row, top, cell)
        top += cell + _GAP_INCHES
    even = 1 / len(prediction.frames)
    ceiling = 1.45 * max(even, *(float(bars.weights.max()) for bars in bar_rows))  # one, so that they compare
    for bars in bar_rows:
        sheet.write_name(bars.name, bars.detail, top, _BARS_INCHES)
        lowest = sheet.axes_at(_NAMES_INCHES, top, columns, _BARS_INCHES)
        _draw_bars(lowest, bars.weights, even, ceiling)
        top += _BARS_INCHES
    _write_times(lowest, prediction.frame_seconds[shown])
    save(sheet.figure, path)


def _draw_row(sheet: _Sheet, row: PictureRow, top: float, cell: float) -> None:
    sheet.write_name(row.name, row.detail, top, cell)
    for column, picture in enumerate(row.pictures):
        left = _NAMES_INCHES + column * (_CELL_INCHES + _GAP_INCHES)
        axes = sheet.axes_at(left, top, _CELL_INCHES, cell)
        axes.imshow(picture, aspect="auto")
        if row.boxes is not None:
            for box in row.boxes[column]:
                _draw_box(axes, box)
    if row.scale is not None:
        _draw_wheel(sheet.axes_at(sheet.width + 0.2, top, _WHEEL_INCHES, _WHEEL_INCHES), row.scale)


def _bar_rows(prediction: Prediction, shown: list[int]) -> list[_BarRow]:
    by_stream = prediction.temporal_attention_by_stream
    terms = Terms.of(prediction)
    detail = "weighted mean" if by_stream else "temporal attention" if terms.is_attention else "of each clip"
    streams = [_BarRow(f"β {name}", "its own network", weights[shown]) for name, weights in by_stream.items()]
    return [*streams, _BarRow(terms.weight, detail, prediction.temporal_attention[shown])]


def _draw_box(axes: Axes, box: np.ndarray) -> None:
    if np.isnan(box).any():
        return
    left, top, right, bottom = (float(side) for side in box)
    for colour, width in ((INK, 3.0), (BOX, 1.6)):  # an edge of its own, to be seen on any ground
        box_shape = Rectangle((left, 1 - bottom), right - left, bottom - top, transform=axes.transAxes)
        box_shape.set(fill=False, edgecolor=colour, linewidth=width)
        axes.add_patch(box_shape)


def _draw_wheel(axes: Axes, scale: float) -> None:
    axes.imshow(wheel_picture(128))
    below = text_style(8, SOFT) | {"ha": "center", "va": "top"}
    axes.annotate(
        f"edge: {scale:.1f}\npixels a frame",
        (0.5, 0),
        (0, -3),
        xycoords="axes fraction",
        textcoords="offset points",
        **below,
    )


def _places(count: int) -> np.ndarray:
    """The columns' middles, in widths of a column."""
    return np.arange(count) * (1 + _GAP_INCHES / _CELL_INCHES) + 0.5


def _draw_bars(axes: Axes, weights: np.ndarray, even: float, ceiling: float) -> None:
    at = _places(len(weights))
    axes.set_xlim(0, at[-1] + 0.5)
    axes.set_ylim(0, ceiling)
    axes.axhline(0, color=FAINT, linewidth=1.5, clip_on=False)
    axes.bar(at, weights, width=0.5, color=ACCENT)
    axes.axhline(even, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    beside = text_style(9, SOFT) | {"va": "center"}
    axes.annotate(f"1/{round(1 / even)}", (at[-1] + 0.5, even), (4, 0), textcoords="offset points", **beside)
    for x, weight in zip(at, weights, strict=True):
        text = text_style(9) | {"ha": "center", "va": "bottom", "bbox": {"color": "white", "pad": 1}}
        axes.annotate(f"{weight:.3f}", (x, weight), (0, 3), textcoords="offset points", **text)


def _write_times(axes: Axes, seconds: np.ndarray) -> None:
    for x, time in zip(_places(len(seconds)), seconds, strict=True):
        style = text_style(9, SOFT) | {"ha": "center", "va": "top"}
        axes.annotate(clock(float(time)), (x, 0), (0, -5), textcoords="offset points", **style)
