"""Planning one video: kind, seed, split and number → who is where, wearing what, doing what, when.

Recipe of the *untrimmed* kind (10 to 16 s). Three figures stand in three lanes, in random order:
the **actor** (right appearance, right motion), the **stand-in** (wrong appearance, only standing and walking)
and the **grey figure** (no class's appearance, a wrong motion). Each has its own one or two
intervals, drawn independently, that fill 25-30 % of the time (the actor's) or 20-30 % (the others'); it walks
in before its first interval and out after its last. Only what the actor does in its intervals is the action;
elsewhere it stands or is away. So every appearance shown is seen about equally long, and every motion too:
only their meeting at one place and time tells the class.

Recipe of the *trimmed* kind (3 to 4 s): the actor acts all the time. With motions that are postures a grey
figure stands beside it in half of the videos; with paths always one of a wrong appearance, so that all
that a frame can teach is the colour of the one that acts.

A *class* is an appearance × a motion. The classes form a ring: (0,0) (0,1) (1,1) (1,2) (2,2) (2,0) … Each
appearance and each motion serves two classes, and two neighbours on the ring share one of them. So the colour
alone leaves two classes, and so does the motion.

Both kinds: a still and a drifting neutral thing, a textured background, a slight camera walk, changes of
brightness, and noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from typing import get_args

import numpy as np

from attcell.choices import VideoKind
from attcell.errors import CallError
from attcell.synth.figures import Colour, Look

KINDS: tuple[VideoKind, ...] = get_args(VideoKind)
SPLITS = ("train", "val", "test")
SIZE = 112  # width and height of a frame in pixels
FPS = 12
MARGIN = 16  # how much more background than frame there is on each side

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
_TURNS = 50  # places that are drawn for a figure's turn
RUN = 3  # neighbouring classes that the decoys of one video make alike

Interval = tuple[float, float]


@dataclass(frozen=True)
class ActionClass:
    """One class: an appearance's index and a motion's name, or a sound's where it is heard."""

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
    return ring_of(MOTIONS[motions], num_classes)


def ring_of(names: Sequence[str], num_classes: int) -> tuple[ActionClass, ...]:
    """The classes in ring order: appearances × the first of these motions, or sounds.

    Raises CallError unless ``num_classes`` is 4, 6, 8 or 10.
    """
    if not isinstance(num_classes, Integral) or num_classes not in ALLOWED_NUM_CLASSES:
        allowed = ", ".join(map(str, ALLOWED_NUM_CLASSES))
        raise CallError(f"{num_classes} classes cannot be generated; choose one of {allowed}")
    size = num_classes // 2
    return tuple(ActionClass(i // 2, names[(i + 1) // 2 % size]) for i in range(num_classes))


def decoys(classes: tuple[ActionClass, ...], index: int, rng: np.random.Generator) -> tuple[int, str]:
    """The wrong appearance and the wrong motion that a video of class ``index`` shows beside the right ones.

    One of the three runs of three neighbouring classes that hold ``index`` is drawn; two appearances and two
    motions occur in it, and the video shows all four. Each class of the run shows the same four equally
    often: what is seen anywhere in the video leaves three classes, however well it is seen.
    """
    return decoys_in_run(classes, index, int(rng.integers(RUN)))


def decoys_in_run(classes: tuple[ActionClass, ...], index: int, place: int) -> tuple[int, str]:
    """The same of the run that holds ``index`` at ``place``, from 0."""
    start = index - place
    run = [classes[(start + step) % len(classes)] for step in range(RUN)]
    true = classes[index]
    appearance = next(c.appearance for c in run if c.appearance != true.appearance)
    motion = next(c.motion for c in run if c.motion != true.motion)
    return appearance, motion


@dataclass(frozen=True)
class Manner:
    """How a figure moves: acting side (-1 left, 1 right), seconds a cycle, strength, and start of sway."""

    near_side: int
    period: float
    amplitude: float
    phase: float


@dataclass(frozen=True)
class FigurePlan:
    """One figure: ``role`` is actor, stand-in or grey; ``motion`` is None for one that never acts.

    ``intervals`` are in seconds; in a stand-in's it stands. ``enter`` and ``leave`` are when it starts to
    walk in from, and out to, the edge at ``side`` (-1 left, 1 right).
    """

    role: str
    look: Look
    motion: str | None
    intervals: tuple[Interval, ...]
    enter: float
    leave: float
    side: int
    feet: tuple[float, float]
    height: float
    manner: Manner


@dataclass(frozen=True)
class ThingPlan:
    """A neutral object without limbs: a crate, a ball or a post, drifting at ``velocity`` pixels a second."""

    shape: str
    colour: Colour
    centre: tuple[float, float]
    radius: float
    velocity: tuple[float, float]


@dataclass(frozen=True)
class VideoPlan:
    """All that is needed to draw one video. ``label`` counts the classes from 0 in the order of the ring."""

    kind: str
    label: int
    num_frames: int
    figures: tuple[FigurePlan, ...]
    things: tuple[ThingPlan, ...]
    pixel_seed: tuple[int, ...]

    @property
    def actor(self) -> FigurePlan:
        """The figure whose action is the class."""
        return next(figure for figure in self.figures if figure.role == "actor")


def plan_video(
    kind: str,
    label: int,
    *,
    seed: int,
    split: str,
    number: int,
    num_classes: int,
    motions: str = "postures",
    in_turn: bool = False,
) -> VideoPlan:
    """Plan video ``number`` of class ``label`` in ``split``. The same arguments give the same plan.

    Its randomness comes from (seed, split, label, number) alone, so a video does not depend on how many
    others there are. With ``in_turn`` the grey figure of an untrimmed video acts while the actor does not.
    Raises CallError for an unknown kind, split or kind of motions, or a number of classes with no ring.
    """
    entropy = entropy_of(kind, label, seed=seed, split=split, number=number)
    classes = ring(num_classes, motions)
    rng = np.random.default_rng(entropy)
    right = (classes[label].appearance, classes[label].motion)
    if kind == "trimmed":
        num_frames = int(rng.integers(3 * FPS, 4 * FPS + 1))
        wrong_look = decoys(classes, label, rng)[0] if motions == "paths" else None
        figures = _trimmed_figures(right, wrong_look, num_frames / FPS, rng)
    else:
        num_frames = int(rng.integers(10 * FPS, 16 * FPS + 1))
        figures = _untrimmed_figures(right, decoys(classes, label, rng), num_frames / FPS, rng, in_turn)
    return VideoPlan(kind, label, num_frames, figures, drawn_things(rng), (*entropy, 1))


def entropy_of(kind: str, label: int, *, seed: int, split: str, number: int) -> tuple[int, ...]:
    """What all of a video's randomness comes from. Raises CallError for an unknown kind or split."""
    if kind not in KINDS:
        raise CallError(f"unknown kind of generated video {kind!r}; choose one of {', '.join(KINDS)}")
    if split not in SPLITS:
        raise CallError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}")
    return (seed, SPLITS.index(split), label, number)


def _untrimmed_figures(
    right: tuple[int, str],
    wrong: tuple[int, str],
    duration: float,
    rng: np.random.Generator,
    in_turn: bool,
) -> tuple[FigurePlan, ...]:
    lanes = rng.permutation(3)
    casts = (
        ("actor", coloured(right[0], rng), right[1]),
        ("stand-in", coloured(wrong[0], rng), None),
        ("grey", grey_look(rng), wrong[1]),
    )
    figures: list[FigurePlan] = []
    for (role, look, motion), lane in zip(casts, lanes, strict=True):
        share = rng.uniform(0.25, 0.30) if role == "actor" else rng.uniform(0.20, 0.30)
        intervals = _intervals(duration, share * duration, rng)
        if role == "grey" and in_turn:
            others = [_intervals(duration, share * duration, rng) for _ in range(_TURNS)]
            intervals = min([intervals, *others], key=partial(_overlap, figures[0].intervals))
        enter = intervals[0][0] - rng.uniform(1.0, 2.5)
        leave = intervals[-1][1] + rng.uniform(0.0, 1.5)
        x = SIZE * (int(lane) + 0.5) / 3 + rng.uniform(-3, 3)
        height = rng.uniform(44, 54)
        feet = (x, rng.uniform(1.3 * height + 2, SIZE - 6))
        side = int(rng.choice((-1, 1))) if lane == 1 else int(lane) - 1
        figures.append(
            FigurePlan(role, look, motion, intervals, enter, leave, side, feet, height, drawn_manner(rng))
        )
    return back_to_front(figures)


def _trimmed_figures(
    right: tuple[int, str], wrong_look: int | None, duration: float, rng: np.random.Generator
) -> tuple[FigurePlan, ...]:
    always = (-duration, 2 * duration)
    height = rng.uniform(44, 60)
    x = rng.uniform(26, SIZE - 26)
    feet = (x, rng.uniform(1.3 * height + 2, SIZE - 4))
    look = coloured(right[0], rng)
    whole = ((0.0, duration),)
    actor = FigurePlan("actor", look, right[1], whole, *always, 1, feet, height, drawn_manner(rng))
    if wrong_look is None and rng.random() < 0.5:
        return (actor,)
    height = rng.uniform(36, 50)
    beside = x + (34 if x < SIZE / 2 else -34) + rng.uniform(-6, 6)
    feet = (beside, rng.uniform(1.3 * height + 2, SIZE - 4))
    role, look = ("grey", grey_look(rng)) if wrong_look is None else ("stand-in", coloured(wrong_look, rng))
    idle = FigurePlan(role, look, None, whole, *always, 1, feet, height, drawn_manner(rng))
    return back_to_front([actor, idle])


def back_to_front(figures: list[FigurePlan]) -> tuple[FigurePlan, ...]:
    return tuple(sorted(figures, key=lambda figure: figure.feet[1]))


def drawn_manner(rng: np.random.Generator) -> Manner:
    return Manner(
        int(rng.choice((-1, 1))), rng.uniform(0.9, 1.4), rng.uniform(0.88, 1.0), rng.uniform(0.0, 1.0)
    )


def _intervals(duration: float, filled: float, rng: np.random.Generator) -> tuple[Interval, ...]:
    """One or two intervals of ``filled`` seconds in all, on frame boundaries, at random places."""
    frames, total = round(duration * FPS), round(filled * FPS)
    parts = [total] if rng.random() < 0.5 else [total // 2, total - total // 2]
    free = frames - total
    gaps = np.sort(rng.integers(0, free + 1, size=len(parts)))
    if len(parts) == 2:
        gaps[1] = min(max(gaps[1], gaps[0] + FPS), free)
        gaps[0] = min(gaps[0], gaps[1] - FPS)
    starts = [int(gap) + sum(parts[:i]) for i, gap in enumerate(gaps)]
    return tuple((start / FPS, (start + part) / FPS) for start, part in zip(starts, parts, strict=True))


def _overlap(one: Sequence[Interval], other: Sequence[Interval]) -> float:
    """Seconds that lie in both."""
    return sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in one for b in other)


def _near(colour: tuple[float, ...], spread: float, rng: np.random.Generator) -> Colour:
    red, green, blue = (int(c) for c in np.clip(np.asarray(colour) + rng.uniform(-spread, spread, 3), 0, 255))
    return red, green, blue


def coloured(appearance: int, rng: np.random.Generator) -> Look:
    shirt = _near(tuple(APPEARANCES.values())[appearance], 18, rng)
    trousers = _near(tuple(0.55 * c for c in shirt), 10, rng)
    skin = _near(tuple(rng.choice([[236, 196, 164], [198, 144, 106], [120, 82, 58]])), 10, rng)
    hair = _near(tuple(rng.choice([[40, 32, 28], [110, 74, 40], [180, 150, 90]])), 10, rng)
    return Look(shirt, trousers, skin, hair, rng.uniform(0.9, 1.15))


def grey_look(rng: np.random.Generator) -> Look:
    level = rng.uniform(120, 185)
    shirt, trousers, skin, hair = (_near((level * f,) * 3, 4, rng) for f in (1.0, 0.6, 1.15, 0.45))
    return Look(shirt, trousers, skin, hair, rng.uniform(0.9, 1.15))


def drawn_things(rng: np.random.Generator) -> tuple[ThingPlan, ...]:
    """One still and one drifting thing."""
    things = []
    for speed in (0.0, rng.uniform(5.0, 12.0)):
        angle = rng.uniform(0, 2 * np.pi)
        velocity = (speed * float(np.cos(angle)), speed * float(np.sin(angle)))
        centre = (rng.uniform(8, SIZE - 8), rng.uniform(8, SIZE - 8))
        shape = str(rng.choice(("crate", "ball", "post")))
        colour = _near((rng.uniform(60, 200),) * 3, 14, rng)
        things.append(ThingPlan(shape, colour, centre, rng.uniform(6, 11), velocity))
    return tuple(things)
