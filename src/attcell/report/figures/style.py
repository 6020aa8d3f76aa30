"""Matplotlib figures without global state, written whole, in fonts that know the letters."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from attcell._files import written_whole
from attcell.report.colours import INK

# Fonts are asked for letter by letter, in this order, as far as they are installed.
_FAMILIES = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "Hiragino Sans",
    "Arial Unicode MS",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
)


@cache
def families() -> list[str]:
    """Font families for labels in any script; the first one comes with matplotlib."""
    installed = {font.name for font in fontManager.ttflist}
    return [name for name in _FAMILIES if name in installed]


def text_style(size: float, color: str = INK) -> dict[str, Any]:
    """Keywords for matplotlib texts that show labels as they are: a dollar sign starts no formula."""
    return {"fontfamily": families(), "fontsize": size, "color": color, "parse_math": False}


def new_figure(width: float, height: float, dpi: int) -> Figure:
    """An empty white figure of so many inches."""
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write the figure with everything in it as PNG, whole or not at all, whatever the suffix of ``path``."""
    with written_whole(path) as temporary, warnings.catch_warnings():
        # Letters that no installed font has are drawn as boxes, which the reader sees.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(temporary, format="png", bbox_inches="tight", pad_inches=0.12)


def axes_in_inches(figure: Figure, inches: tuple[float, float, float, float]) -> Axes:
    """New axes at left, bottom, width and height in inches of the figure."""
    width, height = figure.get_size_inches()
    left, bottom, across, up = inches
    return figure.add_axes((left / width, bottom / height, across / width, up / height))


def shortened(label: str, most: int = 40) -> str:
    """The label on one line, with an ellipsis in place of what is too long."""
    line = " ".join(label.split())
    return line if len(line) <= most else line[: most - 1] + "…"
