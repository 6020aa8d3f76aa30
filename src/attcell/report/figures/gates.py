"""TAN's sharing gates: which step of one branch counts for which step of the other, beside the frames."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from attcell.errors import CallError
from attcell.report.colours import SOFT
from attcell.report.figures.style import axes_in_inches, new_figure, save, text_style
from attcell.report.overlay import check
from attcell.report.page.media import fitted, png_uri
from attcell.report.page.timeline import clock
from attcell.types import Prediction

_LONGEST_THUMB = 160  # pixels
_SIDE_INCHES, _THUMB_INCHES = 4.2, 0.42
_MOST_TIMES = 12  # more would run into each other


def gates_picture(prediction: Prediction, path: Path) -> None:
    """Write a PNG of both T×T maps, with the frames along both axes.

    A column is a step of the branch that asks, a row one of the branch that is asked, and each column
    sums to 1. The last column is what counts at test.

    Args:
        prediction: of a TAN.
        path: the PNG; written whole or not at all.

    Raises:
        CallError: the prediction has no gates, or its parts do not fit together.
        ModelError: it holds values that are not finite numbers.
    """
    save(_figure(prediction), path)


def gates_uri(prediction: Prediction) -> str:
    """The same picture as a ``data:`` address."""
    buffer = io.BytesIO()
    _figure(prediction).savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.05)
    return png_uri(buffer)


def gates_words(prediction: Prediction) -> str:
    """The same in words: which step of each branch counts most for the other's last step."""
    said = []
    for name, gates in prediction.gates.items():
        most = int(np.argmax(gates[:, -1]))
        at = clock(float(prediction.frame_seconds[most]))
        said.append(
            f"For the {_other(prediction, name)} branch's last step the {name} branch's step at {at} counts "
            f"most, with {gates[most, -1]:.3f}."
        )
    return " ".join(said)


def _other(prediction: Prediction, name: str) -> str:
    """The branch that a branch's gates are for."""
    return next(other for other in prediction.gates if other != name)


def _figure(prediction: Prediction) -> Figure:
    check(prediction)
    if not prediction.gates:
        raise CallError(f"{prediction.video}: the prediction has no sharing gates; only TAN has them")
    thumbs = [fitted(frame, _LONGEST_THUMB) for frame in prediction.frames]
    each, gap = _SIDE_INCHES + _THUMB_INCHES, 1.1
    width, height = 2 * each + gap + 0.9, each + 1.2
    figure = new_figure(width, height, dpi=120)
    peak = max(float(gates.max()) for gates in prediction.gates.values())
    for number, (name, gates) in enumerate(prediction.gates.items()):
        left, bottom = 0.6 + number * (each + gap), 0.3
        box = (left + _THUMB_INCHES, bottom + _THUMB_INCHES, _SIDE_INCHES, _SIDE_INCHES)
        axes = axes_in_inches(figure, box)
        axes.imshow(gates, vmin=0, vmax=peak, cmap="Oranges", interpolation="nearest", aspect="auto")
        axes.set_xticks([])
        axes.set_yticks([])
        _frames_along(figure, thumbs, (left, bottom))
        _write_times(axes, prediction.frame_seconds)
        title = text_style(11) | {"ha": "left", "va": "bottom"}
        axes.annotate(
            f"{name} steps (down) that count for {_other(prediction, name)} steps (across)",
            (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points", **title,
        )  # fmt: skip
    below = text_style(9, SOFT) | {"ha": "left", "va": "top"}
    note = f"white 0, darkest {peak:.2f}; each column sums to 1; the last column counts at test"
    figure.text((0.6 + _THUMB_INCHES) / width, 0.22 / height, note, **below)
    return figure


def _frames_along(figure: Figure, thumbs: list[Image.Image], corner: tuple[float, float]) -> None:
    """The frames in rows down the left side, and in columns below the map."""
    step = _SIDE_INCHES / len(thumbs)
    side = min(step, _THUMB_INCHES) * 0.94
    for number, thumb in enumerate(thumbs):
        middle = (number + 0.5) * step
        places = (
            (
                corner[0] + _THUMB_INCHES - side - 0.02,
                corner[1] + _THUMB_INCHES + _SIDE_INCHES - middle - side / 2,
            ),
            (corner[0] + _THUMB_INCHES + middle - side / 2, corner[1] + _THUMB_INCHES - side - 0.02),
        )
        for place in places:
            axes = axes_in_inches(figure, (*place, side, side))
            axes.imshow(np.asarray(thumb), aspect="equal")
            axes.set_axis_off()


def _write_times(axes: Axes, seconds: np.ndarray) -> None:
    """Times to the right of the rows."""
    style = text_style(8, SOFT) | {"ha": "left", "va": "center"}
    for t in range(0, len(seconds), -(-len(seconds) // _MOST_TIMES)):
        at = clock(float(seconds[t]))
        axes.annotate(at, (len(seconds) - 0.5, t), (4, 0), textcoords="offset points", **style)
