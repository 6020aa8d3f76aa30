"""Planning a joined video: which clips follow each other.

A video is of one class. One or two clips of this class, by different people where there are some, stand
between clips of *background* classes, which are no class of the set, until no more of its frames are action
than a share that is drawn from 25 to 40 %. All clips are of one group of people, those for training or those
for testing. Clips are put together as they are: a cut is where one ends, so that a cut betrays where an
action may begin, but not which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MOST_CLIPS = 40  # of one video, however short they are


@dataclass(frozen=True)
class Clip:
    """A trimmed video: its file, its class, who acts in it, and its number of frames."""

    path: Path
    label: str
    person: str
    num_frames: int


def plan_joined(
    clips: Sequence[Clip], label: str, background: Sequence[str], rng: np.random.Generator
) -> list[Clip]:
    """The clips of one video of a class, in their order.

    Args:
        clips: of the people of one split; at least one of the class and one of the background.
        label: the class.
        background: classes of which the other clips are.
        rng: what decides.
    """
    acting = _drawn([clip for clip in clips if clip.label == label], int(rng.integers(1, 3)), rng)
    around = [clip for clip in clips if clip.label in background]
    share = rng.uniform(0.25, 0.40)
    action = sum(clip.num_frames for clip in acting)
    rest: list[Clip] = []
    while len(rest) < len(acting) or (
        action > share * (action + sum(clip.num_frames for clip in rest)) and len(rest) < MOST_CLIPS
    ):
        rest.append(around[int(rng.integers(len(around)))])
    gaps = sorted(rng.permutation(len(rest) + 1)[: len(acting)].tolist(), reverse=True)
    for gap, clip in zip(gaps, acting, strict=True):
        rest.insert(gap, clip)
    return rest


def _drawn(clips: list[Clip], count: int, rng: np.random.Generator) -> list[Clip]:
    """Some clips, by different people where that is possible."""
    order = [clips[place] for place in rng.permutation(len(clips)).tolist()]
    first_of = {clip.person: clip for clip in reversed(order)}
    others = [clip for clip in order if clip not in first_of.values()]
    return [*sorted(first_of.values(), key=order.index), *others][:count]
