"""What a class is: an appearance × a motion, arranged in a ring.

The classes are (0,0) (0,1) (1,1) (1,2) (2,2) (2,0) …: each appearance and each motion serves two classes, and
two neighbours on the ring share one of them. So the colour alone leaves two classes, and so does the motion.
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
# One frame of a motion of the first kind tells it. Those of the second all take one posture, and only the way
# that the figure goes tells them: a frame shows the colour, flow shows the motion, and neither shows both.
MOTIONS: dict[str, tuple[str, ...]] = {
    "postures": ("wave", "kick", "squat", "star", "punch"),
    "paths": ("slide", "hop", "charge", "circle", "shake"),
}

ALLOWED_NUM_CLASSES = tuple(range(4, 2 * len(APPEARANCES) + 1, 2))
_RUN = 3  # neighbouring classes that the decoys of one video make alike


@dataclass(frozen=True)
class ActionClass:
    """One class: an appearance's index and a motion's name."""

    appearance: int
    motion: str

    @property
    def name(self) -> str:
        """The label, such as ``wave_red``; also the folder's name."""
        return f"{self.motion}_{list(APPEARANCES)[self.appearance]}"


def ring(num_classes: int, motions: str = "postures") -> tuple[ActionClass, ...]:
    """The classes in ring order.

    Raises CallError unless ``num_classes`` is 4, 6, 8 or 10, and ``motions`` postures or paths.
    """
    if motions not in MOTIONS:
        raise CallError(f"unknown kind of motions {motions!r}; choose one of {', '.join(MOTIONS)}")
    if not isinstance(num_classes, Integral) or num_classes not in ALLOWED_NUM_CLASSES:
        allowed = ", ".join(map(str, ALLOWED_NUM_CLASSES))
        raise CallError(f"{num_classes} classes cannot be generated; choose one of {allowed}")
    size = num_classes // 2
    names = MOTIONS[motions]
    return tuple(ActionClass(i // 2, names[(i + 1) // 2 % size]) for i in range(num_classes))


def decoys(classes: tuple[ActionClass, ...], index: int, rng: np.random.Generator) -> tuple[int, str]:
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
