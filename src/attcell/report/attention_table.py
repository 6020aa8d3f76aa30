"""What ``attcell score attention`` prints."""

from __future__ import annotations

import math
from collections.abc import Mapping

from attcell.engine.localising import AttentionFigures


def attention_lines(
    figures: Mapping[str, AttentionFigures], num_videos: int, num_left_out: int, truth: str
) -> list[str]:
    """A line for each stream, and the protocol."""
    width = max(6, *map(len, figures))
    lines = [f"{'stream':{width}}  pointing (chance)  mass in the boxes (chance)"]
    for name, of in figures.items():
        lines.append(
            f"{name:{width}}  {_percent(of.pointing)} ({_percent(of.pointing_chance)})    "
            f"{_percent(of.mass)} ({_percent(of.mass_chance)})"
        )
    one = next(iter(figures.values()))
    if one.num_videos:
        lines.append(
            f"temporal scores: ROC area {one.auc:.3f} (chance 0.500) over {one.num_videos} videos with "
            "action and other time"
        )
    lines.append(
        f"protocol: {num_videos} videos, {num_left_out} left out, {one.num_segments} segments whose frame "
        f"shows action by {truth}; a hit is a strongest region whose centre lies in a box; regions that a "
        "box cuts count by the part inside"
    )
    return lines


def _percent(share: float) -> str:
    return "     –" if math.isnan(share) else f"{100 * share:5.1f}%"
