"""A generated folder as people bring it: clips of two classes in groups, each group with a scene of its own.

A group is a place, a camera, a light and a person, like the clips that were cut from one film. Classes differ
by the person's way alone (hop or slide), which no single frame tells. But a group has mostly one class, so
that its scene tells of the class of its other clips: videos held out at random flatter, whole groups do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from attcell._checks import path_of, whole_number
from attcell.synth.figures import Look
from attcell.synth.render import RenderedVideo, Setting, render_in, walk, wall_and_floor
from attcell.synth.scene import FPS, SIZE, FigurePlan, Manner, ThingPlan, VideoPlan
from attcell.synth.truth import FORMAT, Truth, VideoTruth
from attcell.synth.write import claim, finished_set, truth_of, write_mp4
from attcell.types import Size

CLASSES = ("hop", "slide")
GROUPS, CLIPS = 44, 300
LEAN = 0.85  # of a group's clips are of the class that it leans to
TESTED = 0.25  # of the groups
FEWEST = 3  # clips of a group


@dataclass(frozen=True)
class Group:
    """Some clips of one scene.

    Attributes:
        number: from 1; the clips' names tell it.
        split: train or test, all of it.
        labels: of its clips.
    """

    number: int
    split: str
    labels: tuple[int, ...]

    def names(self) -> list[str]:
        """Its clips, as ``train/hop/g07_c02.mp4``."""
        return [
            f"{self.split}/{CLASSES[label]}/g{self.number:02d}_c{clip:02d}.mp4"
            for clip, label in enumerate(self.labels, 1)
        ]


def plan_groups(seed: int, groups: int = GROUPS, clips: int = CLIPS) -> tuple[Group, ...]:
    """Groups of unlike sizes, a quarter of them for the test; half of each part's lean to each class."""
    rng = np.random.default_rng((seed, groups, clips))
    sizes = FEWEST + rng.multinomial(clips - FEWEST * groups, rng.dirichlet(np.full(groups, 4.0)))
    order = rng.permutation(groups)
    num_tested = max(1, round(TESTED * groups))
    planned = []
    for place, number in enumerate(order.tolist()):
        others = round((1 - LEAN) * int(sizes[number]))
        labels = np.full(sizes[number], place % 2)
        labels[rng.permutation(len(labels))[:others]] = 1 - place % 2
        split = "test" if place < num_tested else "train"
        planned.append(Group(number + 1, split, tuple(labels.tolist())))
    return tuple(sorted(planned, key=lambda group: group.number))


@dataclass(frozen=True, eq=False)
class _Scene:
    """What all clips of a group have in common."""

    setting: Setting  # of as many frames as a clip has at most; its camera stands for the way it goes
    things: tuple[ThingPlan, ...]
    look: Look
    height: float
    reach: float  # of the hand that holds the camera, in pixels
    shaking: float


def _scene(seed: int, number: int) -> _Scene:
    rng = np.random.default_rng((seed, number))
    seconds = np.arange(3 * FPS + 1)[:, None] / FPS - 1.5
    angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 3.0)
    pan = speed * seconds * np.array([[np.cos(angle), np.sin(angle)]])
    light = rng.uniform(0.65, 1.15) * rng.uniform(0.85, 1.15, 3)
    shirt, trousers = (tuple(int(c) for c in rng.uniform(40, 220, 3)) for _ in range(2))
    skin = tuple(int(c) for c in rng.choice([[236, 196, 164], [198, 144, 106], [120, 82, 58]]))
    hair = tuple(int(c) for c in rng.choice([[40, 32, 28], [110, 74, 40], [180, 150, 90]]))
    return _Scene(
        Setting(wall_and_floor(rng), pan, np.tile(light, (len(pan), 1)), rng.uniform(2.0, 6.0)),
        tuple(_thing(rng, speed) for speed in (0.0, rng.uniform(4.0, 12.0), rng.uniform(8.0, 25.0))),
        Look(shirt, trousers, skin, hair, rng.uniform(0.9, 1.15)),  # type: ignore[arg-type]
        rng.uniform(40, 58),
        rng.uniform(0.5, 5.0),
        rng.uniform(0.0, 1.0),
    )


def _thing(rng: np.random.Generator, speed: float) -> ThingPlan:
    angle = rng.uniform(0, 2 * np.pi)
    colour = tuple(int(c) for c in rng.uniform(50, 210, 3))
    return ThingPlan(
        str(rng.choice(("crate", "ball", "post"))),
        (colour[0], colour[1], colour[2]),
        (rng.uniform(8, SIZE - 8), rng.uniform(8, SIZE - 8)),
        rng.uniform(6, 12),
        (speed * float(np.cos(angle)), speed * float(np.sin(angle))),
    )


def _drawn(seed: int, group: Group, clip: int) -> RenderedVideo:
    scene = _scene(seed, group.number)
    rng = np.random.default_rng((seed, group.number, clip + 1))  # with 0 it would be the scene's
    num_frames = int(rng.integers(2 * FPS, 3 * FPS + 1))
    duration = num_frames / FPS
    height = scene.height * rng.uniform(0.95, 1.05)
    feet = (rng.uniform(26, SIZE - 26), rng.uniform(1.3 * height + 2, SIZE - 4))
    manner = Manner(
        int(rng.choice((-1, 1))), rng.uniform(0.8, 1.6), rng.uniform(0.3, 0.7), rng.uniform(0.0, 1.0)
    )
    start = round(rng.uniform(0.0, 0.5) * num_frames) / FPS
    acting = ((start, start + round(0.5 * num_frames) / FPS),)
    motion, always = CLASSES[group.labels[clip]], (-duration, 2 * duration)
    actor = FigurePlan("actor", scene.look, motion, acting, *always, 1, feet, height, manner)
    plan = VideoPlan(
        "grouped", group.labels[clip], num_frames, (actor,), scene.things, (seed, group.number, clip)
    )
    held = walk(num_frames, reach=scene.reach, rng=rng) + rng.normal(0.0, scene.shaking, (num_frames, 2))
    setting = replace(scene.setting, camera=scene.setting.camera[:num_frames] + held)
    return render_in(setting, plan, rng)


@dataclass(frozen=True, eq=False)
class _Work(Dataset[VideoTruth | OSError]):
    """The clips as a data set: to take one is to write it. An error is a value, to keep what it names."""

    out: Path
    seed: int
    clips: Sequence[tuple[Group, int]]

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, place: int) -> VideoTruth | OSError:
        group, clip = self.clips[place]
        drawn, path = _drawn(self.seed, group, clip), self.out / group.names()[clip]
        try:
            if not path.exists():
                write_mp4(path, drawn.frames)
        except OSError as error:
            return error
        return truth_of(CLASSES[group.labels[clip]], drawn)


def write_grouped(
    out: str | Path,
    *,
    seed: int = 0,
    groups: int = GROUPS,
    clips: int = CLIPS,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write clips in groups to ``out`` and return ``out``: ``train/hop/g07_c02.mp4`` …, a quarter of the
    groups below ``test``, and ``truth.json`` last of all. It is taken up again as :func:`write_dataset`.

    Args:
        out: a new or empty folder, or one that the same call began.
        seed: the same seed gives the same clips.
        groups: how many, in training and test together; at least 4.
        clips: how many in all; at least 3 of each group.
        progress: called with (clips done, clips in all) after each one.

    Raises:
        CallError: a value that is not allowed, or a folder that holds something else.
        DataError: a finished set from which clips are missing.
    """
    out = path_of(out, "out", "videos")
    seed, groups = whole_number(seed, "seed", least=0), whole_number(groups, "groups", least=4)
    clips = whole_number(clips, "clips", least=FEWEST * groups)
    claim(out, {"format": FORMAT, "kind": "grouped", "seed": seed, "groups": groups, "clips": clips})
    planned = plan_groups(seed, groups, clips)
    names = [name for group in planned for name in group.names()]
    work = _Work(out, seed, [(group, clip) for group in planned for clip in range(len(group.labels))])
    truth = Truth("grouped", seed, Size(SIZE, SIZE), FPS, CLASSES, {})
    return finished_set(out, truth, work, names, progress)
