"""The figures of docs/concepts.md: `uv run python docs/draw_networks.py` writes stan.svg and tan.svg."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

HERE = Path(__file__).parent
COLOURS = {"input": "#e8eaed", "network": "#cfe2f3", "attention": "#fde0b2", "result": "#d5ead0"}


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return figure, axes


def box(axes: Axes, x: float, y: float, text: str, kind: str, width: float = 1.5) -> None:
    """A box whose middle is at (x, y)."""
    height = 0.72
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=COLOURS[kind],
            edgecolor="#555555",
        )
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=9, linespacing=1.35)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = "#333333") -> None:
    style = {"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)


def draw_stan() -> Figure:
    """Three streams, a spatial attention each, and one temporal attention over what they give together."""
    figure, axes = canvas(11.6, 4.3)
    for y, stream, network in (
        (3.6, "frame", "VGG-16, conv6"),
        (2.5, "flow × 10", "VGG-16, conv6"),
        (1.4, "clip of 16", "C3D, conv6"),
    ):
        box(axes, 0.85, y, f"{stream}\nof segment t", "input", 1.3)
        box(axes, 2.7, y, network + "\nK×K×D", "network", 1.6)
        box(axes, 4.75, y, "AttCell → α\nΣ α f   (Eq. 4-5)", "attention", 1.7)
        arrow(axes, (1.5, y), (1.9, y))
        arrow(axes, (3.5, y), (3.9, y))
        arrow(axes, (5.6, y), (6.15, 2.5 + (y - 2.5) * 0.2))
    box(axes, 6.8, 2.5, "side by side\nf_att^t (Eq. 6)", "network", 1.3)
    box(axes, 8.5, 3.6, "LSTM → AttCell\nk, β   (Eq. 7)", "attention", 1.5)
    box(axes, 8.5, 2.5, "Σ β f_att^t\n(Eq. 8)", "attention", 1.3)
    box(axes, 10.5, 2.5, "dropout, linear\nclasses", "result", 1.5)
    arrow(axes, (6.8, 2.86), (7.75, 3.6))
    arrow(axes, (7.45, 2.5), (7.85, 2.5))
    arrow(axes, (8.5, 3.24), (8.5, 2.86))
    arrow(axes, (9.15, 2.5), (9.75, 2.5))
    axes.text(3.0, 0.55, "each segment by itself, t = 1 … T", ha="center", fontsize=9, color="#555555")
    axes.text(8.6, 0.55, "over all segments: one β for all streams", ha="center", fontsize=9, color="#555555")
    axes.plot([0.2, 5.7], [0.8, 0.8], color="#999999", linewidth=1)
    axes.plot([6.1, 11.3], [0.8, 0.8], color="#999999", linewidth=1)
    return figure


def draw_tan() -> Figure:
    """Two branches, whose steps ask each other which steps matter."""
    figure, axes = canvas(11.6, 3.6)
    for y, stream, outputs, gate, other in (
        (2.7, "frames", "h, s", "gates α\n(Eq. 1-4)", "α h"),
        (0.9, "flow", "g, t", "gates β\n(Eq. 1-4)", "β g"),
    ):
        box(axes, 0.85, y, f"{stream}\n1 … T", "input", 1.2)
        box(axes, 2.6, y, "GoogLeNet\nmean of regions", "network", 1.5)
        box(axes, 4.5, y, f"GRU\n{outputs} of each step", "network", 1.5)
        box(axes, 6.7, y, gate, "attention", 1.3)
        box(axes, 8.5, y, f"Σ {other}\n(Eq. 5)", "attention", 1.2)
        box(axes, 10.4, y, "linear, softmax\nof each step", "result", 1.5)
        for start, end in ((1.45, 1.85), (3.35, 3.75), (5.25, 6.05), (7.35, 7.9), (9.1, 9.65)):
            arrow(axes, (start, y), (end, y))
    arrow(axes, (5.25, 2.45), (6.05, 1.15), "#c05000")
    arrow(axes, (5.25, 1.15), (6.05, 2.45), "#c05000")
    axes.text(5.85, 1.8, "each asks the other", ha="left", va="center", fontsize=9, color="#c05000")
    axes.text(10.4, 1.8, "the two are averaged", ha="center", va="center", fontsize=9, color="#555555")
    return figure


def main(folder: Path = HERE) -> None:
    with mpl.rc_context({"svg.hashsalt": "attcell", "svg.fonttype": "path"}):
        for name, draw in (("stan", draw_stan), ("tan", draw_tan)):
            draw().savefig(folder / f"{name}.svg", metadata={"Date": None}, facecolor="white")


if __name__ == "__main__":
    main()
