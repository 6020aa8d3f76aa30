"""What a class is: an appearance × a motion, arranged in a ring.

The classes are (0,0) (0,1) (1,1) (1,2) (2,2) (2,0) …: each appearance and each motion serves two classes, and
two neighbours on the ring share one of them. So the colour alone leaves two classes, and so does the posture.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from attcell.errors import CallError

APPEARANCES: dict[str, tuple[int, int, int]] = {
    "red": (214, 44, 40),
    "green": (44, 168, 62),
    "blue": (48, 84, 220),
    "yellow": (232, 198, 40),
    "purple": (158, 56, 190),
}
MOTIONS: tuple[str, ...] = ("wave", "kick", "squat", "star", "punch")

ALLOWED_NUM_CLASSES = tuple(range(4, 2 * len(MOTIONS) + 1, 2))
_RUN = 3  # neighbouring classes that the decoys of one video make alike


@dataclass(frozen=True)
class ActionClass:
    """One class: an appearance's index and a motion's index."""

    appearance: int
    motion: int

    @property
    def name(self) -> str:
        """The label, such as ``wave_red``; also the folder's name."""
        return f"{MOTIONS[self.motion]}_{list(APPEARANCES)[self.appearance]}"


def ring(num_classes: int) -> tuple[ActionClass, ...]:
    """The classes in ring order. Raises CallError unless ``num_classes`` is 4, 6, 8 or 10."""
    if not isinstance(num_classes, Integral) or num_classes not in ALLOWED_NUM_CLASSES:
        allowed = ", ".join(map(str, ALLOWED_NUM_CLASSES))
        raise CallError(f"{num_classes} classes cannot be generated; choose one of {allowed}")
    size = num_classes // 2
    return tuple(ActionClass(i // 2, (i + 1) // 2 % size) for i in range(num_classes))


def decoys(classes: tuple[ActionClass, ...], index: int, rng: np.random.Generator) -> tuple[int, int]:
    """The wrong appearance and the wrong motion that a video of class ``index`` shows beside the right ones.

    One of the three runs of three neighbouring classes that hold ``index`` is drawn; two appearances and two
    motions occur in it, and the video shows all four. Each class of the run shows the same four equally
    often: what is seen anywhere in the video leaves three classes, however well it is seen.
    """
    start = index - int(rng.integers(_RUN))
    run = [classes[(start + step) % len(classes)] for step in range(_RUN)]
    true = classes[index]
    appearance = next(c.appearance for c in run if c.appearance != true.appearance)
    motion = next(c.motion for c in run if c.motion != true.motion)
    return appearance, motion
