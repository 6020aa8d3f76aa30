"""Matplotlib figures without global state, written whole, in fonts that know the letters."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from attcell._files import written_whole

INK, SOFT, FAINT, ACCENT = "#1c1d20", "#63666d", "#e6e6e2", "#c2410c"

# Asked for letter by letter, in this order, as far as they are installed.
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
