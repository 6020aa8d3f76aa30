"""Generated videos with sound: only what is seen and heard at the same time tells the class.

A *class* is an appearance × a sound (``rise_red``), in the ring of :mod:`attcell.synth.scene`.

Recipe of the *untrimmed* kind (10 to 18 s). Three things happen, in one piece or in two each, one after the
other in random order: *both*, somebody of the right appearance is there while the right sound is heard, and
that alone is the action; *sight*, somebody of the wrong appearance is there, and no tone is heard; *sound*,
the wrong sound is heard, and nobody of a class's appearance is there. They take equally long, and
whatever else is drawn of the right and of the wrong one is drawn alike. So sight alone cannot tell which of
two appearances counts, and sound alone cannot tell which of two sounds does (:func:`ceilings`). Who comes or
goes does so in between, when no tone is heard. Somebody in grey stands about for a while, and noise and
knocks are heard all the time.

Recipe of the *trimmed* kind (3 to 4 s): the right appearance and the right sound all the time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
from torch.utils.data import Dataset

from attcell._checks import path_of, whole_number
from attcell.choices import SoundCodec, VideoLook
from attcell.errors import CallError
from attcell.synth.figures import Look
from attcell.synth.render import WALK_SPEED, way_out
from attcell.synth.scene import (
    FPS,
    RUN,
    SIZE,
    SPLITS,
    ActionClass,
    FigurePlan,
    Interval,
    VideoPlan,
    back_to_front,
    coloured,
    decoys,
    decoys_in_run,
    drawn_manner,
    drawn_things,
    entropy_of,
    grey_look,
    ring_of,
)
from attcell.synth.tones import HIGHEST, LOWEST, RATE, SOUNDS, Note, add_note, background, notes_of
from attcell.synth.truth import FORMAT, SoundTruth, Truth, VideoTruth
from attcell.synth.write import (
    DEFAULT_VIDEOS,
    LOOKS,
    checked_videos,
    claim,
    every_video,
    finished_set,
    look_named,
    truth_of,
    write_mp4,
)
from attcell.types import Size

CODECS: tuple[SoundCodec, ...] = get_args(SoundCodec)
GAP = 14  # frames at least from one thing that happens to the next: who has to leave is gone by then
_EVENTS = ("both", "sight", "sound")


@dataclass(frozen=True)
class HeardSound:
    """One sound of a video: its name, when it is heard, in seconds, its notes and how loud they are."""

    name: str
    intervals: tuple[Interval, ...]
    notes: tuple[Note, ...]
    level: float

    @property
    def truth(self) -> SoundTruth:
        """What is true of it."""
        pitches = [hz for note in self.notes for hz in (note.from_hz, note.to_hz)]
        return SoundTruth(self.intervals, (min(pitches), max(pitches)), np.array(self.notes))


@dataclass(frozen=True)
class SoundingPlan:
    """All that is needed to make one video with sound.

    Attributes:
        scene: what is seen. Each time that somebody comes is a figure of its own.
        right: the sound of the class; while it is heard is the action.
        wrong: the other one, in untrimmed videos.
        noise_seed: of what else is heard.
    """

    scene: VideoPlan
    right: HeardSound
    wrong: HeardSound | None
    noise_seed: tuple[int, ...]

    @property
    def action(self) -> np.ndarray:
        """(N,) bool, whether a frame belongs to the action."""
        seconds = (np.arange(self.scene.num_frames) + 0.5) / FPS
        return np.any([(start <= seconds) & (seconds < end) for start, end in self.right.intervals], axis=0)


def sounding_ring(num_classes: int) -> tuple[ActionClass, ...]:
    """The classes in ring order. Raises CallError unless ``num_classes`` is 4, 6, 8 or 10."""
    return ring_of(SOUNDS, num_classes)


def ceilings(num_classes: int, kind: str = "untrimmed") -> dict[str, float]:
    """The accuracy, from 0 to 1, of who sees or hears everything without a mistake, but not which of it is
    at the same time: of ``sight`` alone, of ``sound`` alone, and of ``both`` told by what is in the video.

    It follows from the plan alone: of all classes and their decoys, which are equally frequent, how many
    show the same.
    """
    classes = sounding_ring(num_classes)
    seen: dict[str, dict[Hashable, Counter[int]]] = {"sight": {}, "sound": {}, "both": {}}
    for index, true in enumerate(classes):
        for place in range(RUN):
            wrong = decoys_in_run(classes, index, place)
            looks, sounds = frozenset((true.appearance, wrong[0])), frozenset((true.motion, wrong[1]))
            if kind == "trimmed":
                looks, sounds = frozenset((true.appearance,)), frozenset((true.motion,))
            for what, shown in (("sight", looks), ("sound", sounds), ("both", (looks, sounds))):
                seen[what].setdefault(shown, Counter())[index] += 1
    return {
        what: sum(max(counts.values()) for counts in of.values()) / (RUN * num_classes)
        for what, of in seen.items()
    }


def plan_sounding(
    kind: str, label: int, *, seed: int, split: str, number: int, num_classes: int
) -> SoundingPlan:
    """Plan video ``number`` of class ``label`` in ``split``. The same arguments give the same plan.

    A video does not depend on how many others there are. Raises CallError for an unknown kind or split, or a
    number of classes with no ring.
    """
    classes = sounding_ring(num_classes)
    entropy = entropy_of(kind, label, seed=seed, split=split, number=number)
    rng = np.random.default_rng((*entropy, 2))  # without sound a video of these is another one
    true = classes[label]
    wrong = None if kind == "trimmed" else decoys(classes, label, rng)
    num_frames, times = _throughout(rng) if wrong is None else _schedule(rng)
    casts = [("actor", true.appearance, times["both"])]
    if wrong is not None:
        casts.append(("stand-in", wrong[0], times["sight"]))
    figures = []
    for (role, appearance, intervals), side in zip(casts, rng.permutation((-1, 1)).tolist(), strict=False):
        figures += _visits(role, coloured(appearance, rng), intervals, side, rng)
    if kind == "untrimmed" or rng.random() < 0.5:
        figures += _bystander(num_frames / FPS, rng)
    right = _heard(true.motion, times["both"], rng)
    other = None if wrong is None else _heard(wrong[1], times["sound"], rng)
    scene = VideoPlan(kind, label, num_frames, back_to_front(figures), drawn_things(rng), (*entropy, 3))
    return SoundingPlan(scene, right, other, (*entropy, 4))


Times = dict[str, tuple[Interval, ...]]


def _throughout(rng: np.random.Generator) -> tuple[int, Times]:
    num_frames = int(rng.integers(3 * FPS, 4 * FPS + 1))
    return num_frames, {"both": ((0.0, num_frames / FPS),)}


def _schedule(rng: np.random.Generator) -> tuple[int, Times]:
    """How many frames a video has, and when each thing happens in it, in seconds, on frame boundaries."""
    num_pieces = int(rng.integers(1, 3))
    length = int(rng.integers(28, 41) if num_pieces == 1 else rng.integers(15, 19))
    order = np.repeat(np.arange(len(_EVENTS)), num_pieces)
    while True:  # nothing follows on itself: it would be one piece, or somebody would meet himself
        order = rng.permutation(order)
        if (np.diff(order) != 0).all():
            break
    free = int(rng.integers(FPS, 3 * FPS + 1))
    gaps = rng.multinomial(free, np.full(len(order) + 1, 1 / (len(order) + 1)))
    gaps[1:-1] += GAP
    times: Times = {}
    start = 0
    for event, gap in zip(order.tolist(), gaps.tolist(), strict=False):
        start += gap
        piece = (start / FPS, (start + length) / FPS)
        times[_EVENTS[event]] = (*times.get(_EVENTS[event], ()), piece)
        start += length
    return start + int(gaps[-1]), times


def _visits(
    role: str, look: Look, intervals: tuple[Interval, ...], side: int, rng: np.random.Generator
) -> list[FigurePlan]:
    """Somebody at one place, who has come when an interval begins and leaves when it ends."""
    height, x, y = _place(0 if side < 0 else 2, rng)
    manner, way = drawn_manner(rng), way_out(x, side) / WALK_SPEED
    return [
        FigurePlan(role, look, None, ((start, end),), start - way, end, side, (x, y), height, manner)
        for start, end in intervals
    ]


def _bystander(duration: float, rng: np.random.Generator) -> list[FigurePlan]:
    """Somebody in grey, in the middle for a third to two thirds of the time."""
    height, x, y = _place(1, rng)
    length = rng.uniform(1 / 3, 2 / 3) * duration
    start, side = rng.uniform(0.0, duration - length), int(rng.choice((-1, 1)))
    way = way_out(x, side) / WALK_SPEED
    whole = ((start, start + length),)
    return [
        FigurePlan(
            "grey", grey_look(rng), None, whole, start - way, start + length, side, (x, y), height,
            drawn_manner(rng),
        )
    ]  # fmt: skip


def _place(lane: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """The height of a figure, and where its feet are."""
    height = rng.uniform(44, 54)
    return height, SIZE * (lane + 0.5) / 3 + rng.uniform(-3, 3), rng.uniform(1.3 * height + 2, SIZE - 6)


def _heard(name: str, intervals: tuple[Interval, ...], rng: np.random.Generator) -> HeardSound:
    middle = float(np.exp(rng.uniform(np.log(LOWEST), np.log(HIGHEST))))
    notes = notes_of(name, intervals, middle, rng.uniform(0.85, 1.2))
    return HeardSound(name, intervals, notes, rng.uniform(0.15, 0.4))


def sound_of(plan: SoundingPlan) -> np.ndarray:
    """What is heard, (S,) float32 in [-1, 1] at 48 kHz, as long as the frames are shown."""
    samples = background(plan.scene.num_frames * RATE // FPS, np.random.default_rng(plan.noise_seed))
    for heard in filter(None, (plan.right, plan.wrong)):
        for note in heard.notes:
            add_note(samples, note, heard.level)
    return samples / max(1.0, float(np.abs(samples).max()))


@dataclass(frozen=True, eq=False)
class _Work(Dataset[VideoTruth | OSError]):
    """The videos as a data set: to take one is to write it. An error is a value, to keep what it names."""

    out: Path
    kind: str
    seed: int
    look: VideoLook
    codec: SoundCodec
    labels: tuple[str, ...]
    jobs: tuple[tuple[str, int, int], ...]  # split, label and number

    def name(self, place: int) -> str:
        split, label, number = self.jobs[place]
        return f"{split}/{self.labels[label]}/{number:03d}.mp4"

    def __len__(self) -> int:
        return len(self.jobs)

    def __getitem__(self, place: int) -> VideoTruth | OSError:
        split, label, number = self.jobs[place]
        plan = plan_sounding(
            self.kind, label, seed=self.seed, split=split, number=number, num_classes=len(self.labels)
        )
        look, path = LOOKS[self.look], self.out / self.name(place)
        drawn = replace(look.render(plan.scene), action=tuple(plan.action.tolist()))
        try:
            if not path.exists():
                write_mp4(path, drawn.frames, encoding=look.encoding, sound=(self.codec, sound_of(plan)))
        except OSError as error:
            return error
        return replace(truth_of(self.labels[label], drawn), sound=plan.right.truth)


def write_sounding(
    out: str | Path,
    kind: str = "trimmed",
    *,
    seed: int = 0,
    num_classes: int = 6,
    look: VideoLook = "plain",
    codec: SoundCodec = "aac",
    videos: Mapping[str, int] = DEFAULT_VIDEOS,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a set of generated videos with sound to the folder ``out`` and return ``out``.

    As :func:`~attcell.synth.write.write_dataset`, with a sound in each video; ``truth.json`` says when and at
    which frequencies the class's tone is heard.

    Args:
        out: a new or empty folder, or one that the same call began.
        kind: ``trimmed`` or ``untrimmed``.
        seed: the same seed gives the same videos; a video does not depend on how many others there are.
        num_classes: 4, 6, 8 or 10.
        look: ``plain`` or ``smooth``.
        codec: ``aac`` or ``opus``, of one channel at 48 kHz.
        videos: how many of each class in ``train``, ``val`` and ``test``.
        progress: called with (videos done, videos in all) after each one.

    Raises:
        CallError: a value that is not allowed, or a folder that holds something else.
        DataError: a finished set from which videos are missing.
    """
    out = path_of(out, "out", "videos")
    seed = whole_number(seed, "seed", least=0)
    labels = tuple(c.name for c in sounding_ring(num_classes))
    side, videos = look_named(look).side, checked_videos(kind, videos)
    if codec not in CODECS:
        raise CallError(f"unknown codec of sound {codec!r}; choose one of {', '.join(CODECS)}")
    counts = {split: videos.get(split, 0) for split in SPLITS}
    setting = {"kind": kind, "seed": seed, "num_classes": len(labels), "look": look, "sound": codec}
    claim(out, {"format": FORMAT, **setting, "videos": counts})
    jobs = tuple(every_video(counts, len(labels)))
    work = _Work(out, kind, seed, look, codec, labels, jobs)
    truth = Truth(kind, seed, Size(side, side), FPS, tuple(sorted(labels)), {})
    return finished_set(out, truth, work, [work.name(place) for place in range(len(work))], progress)
