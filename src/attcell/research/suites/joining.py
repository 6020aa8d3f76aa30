"""Untrimmed videos with known intervals, out of trimmed clips: ``split/class/000.mp4`` and ``truth.json``.

A video is of one class. One or two clips of this class, by different people where there are some, stand
between clips of *background* classes, which are no class of the set, until no more of its frames are action
than a share that is drawn from 25 to 40 %. All clips are of one group of people, those for training or those
for testing. Clips are put together as they are: a cut is where one ends, so that a cut betrays where an
action may begin, but not which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attcell._checks import path_of, whole_number
from attcell._log import track
from attcell.data.listing import Listing
from attcell.data.sources import read_source
from attcell.errors import CallError, DataError, VideoError, first_lines
from attcell.synth.truth import FILE_NAME, FORMAT, Truth, VideoTruth, write_truth
from attcell.synth.write import check_finished, claim, clear_left_overs, write_mp4
from attcell.types import Size, VideoRecord
from attcell.video.decode import count_frames, read_frames

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


SPLITS = ("train", "test")
_Which = tuple[str, str, int]  # split, class and number


@dataclass(frozen=True)
class _Video:
    """One video to write: its name in the set, and its clips in their order."""

    name: str
    label: str
    clips: tuple[Clip, ...]


def write_joined(
    out: str | Path,
    clips: str | Path,
    *,
    background: Sequence[str],
    test_people: Sequence[str],
    seed: int = 0,
    videos: Mapping[str, int],
) -> Path:
    """Join clips to videos in the folder ``out``, and return ``out``.

    Every video is written whole or not at all and ``truth.json`` comes last, so a broken-off run is taken up
    again by the same call. A video follows from (seed, split, class, number) and the clips.

    Args:
        out: a new or empty folder, or one that the same call began.
        clips: a folder per class with files ``PERSON_anything.avi``: what stands before the first underscore
            is who acts.
        background: classes that are no class of the set: what happens between the actions.
        test_people: who acts in the test videos; all others act in the training videos.
        seed: the same seed gives the same videos.
        videos: how many of each class in ``train`` and ``test``.

    Raises:
        CallError: a class or person that there is not, or a folder that holds something else.
        DataError: clips that cannot be read or that have other rates; or a finished set with gaps.
    """
    out, clips = path_of(out, "out", "joined"), path_of(clips, "clips", "weizmann")
    seed = whole_number(seed, "seed", least=0)
    videos = {split: whole_number(videos.get(split, 0), f"videos[{split!r}]", least=0) for split in SPLITS}
    source = read_source(clips)
    people = {_person(record) for record in source.records}
    _check_names("background", background, source.labels)
    _check_names("test_people", test_people, sorted(people))
    labels = [label for label in source.labels if label not in background]
    parameters = {
        "format": FORMAT,
        "kind": "joined",
        "seed": seed,
        "clips": [record.id for record in source.records],
        "background": sorted(background),
        "test_people": sorted(test_people),
        "videos": videos,
    }
    claim(out, parameters)
    if (out / FILE_NAME).exists():
        names = [_name(*which) for which in _all(labels, videos)]
        check_finished(out, names)
        return out
    clear_left_overs(out)
    found, size, rate = _read_clips(source)
    plans = [
        _planned(found, labels, which, background=background, test_people=test_people, seed=seed)
        for which in _all(labels, videos)
    ]
    for video in track(plans, len(plans), "joining"):
        if not (out / video.name).exists():
            write_mp4(out / video.name, _frames(video.clips, size), rate)
    truths = {video.name: _truth(video, rate) for video in plans}
    write_truth(Truth("joined", seed, size, float(rate), tuple(sorted(labels)), truths), out / FILE_NAME)
    return out


def people_of(clips: Path) -> list[str]:
    """Who acts in a folder of clips, by the files' names, in alphabetical order.

    Raises:
        CallError, DataError: no such folder, or one that is not right.
    """
    return sorted({_person(record) for record in read_source(clips).records})


def _all(labels: Sequence[str], videos: Mapping[str, int]) -> list[_Which]:
    """Split, class and number of each video."""
    return [(split, label, number) for split in SPLITS for label in labels for number in range(videos[split])]


def _name(split: str, label: str, number: int) -> str:
    return f"{split}/{label}/{number:03d}.mp4"


def _person(record: VideoRecord) -> str:
    """Who acts: what stands before the first underscore of the file's name."""
    return record.path.stem.split("_")[0]


def _check_names(what: str, given: Sequence[str], known: Sequence[str]) -> None:
    """Raise a CallError for names that there are not, for none, and for all of them."""
    unknown = [name for name in given if name not in known]
    if unknown:
        raise CallError(f"{what}: there is no {unknown[0]!r} among the clips; they have {', '.join(known)}")
    if not given or len(set(given)) >= len(known):
        raise CallError(f"{what} are {len(set(given))} of {len(known)}; name some, but not all")


def _read_clips(source: Listing) -> tuple[list[Clip], Size, int]:
    """The clips with their lengths; the size that all get, which is the first one's; frames a second."""
    clips, rates, sizes, bad = [], [], [], []
    for record in track(source.records, len(source.records), "reading clips"):
        try:
            info = count_frames(record.path)
        except VideoError as error:
            bad.append(str(error))
            continue
        clips.append(Clip(record.path, source.labels[record.label], _person(record), info.num_frames))
        rates.append(info.num_frames / info.duration_seconds)
        sizes.append(Size(*(side - side % 2 for side in info.size)))  # H.264 wants even sides
    if bad:
        raise DataError("\n".join([f"{len(bad)} clips cannot be read:", *first_lines(bad)]))
    if max(rates) > 1.02 * min(rates):
        raise DataError(
            f"the clips have {min(rates):.2f} to {max(rates):.2f} frames a second; join clips of one rate"
        )
    return clips, sizes[0], round(float(np.median(rates)))


def _planned(
    clips: Sequence[Clip],
    labels: Sequence[str],
    which: _Which,
    *,
    background: Sequence[str],
    test_people: Sequence[str],
    seed: int,
) -> _Video:
    split, label, number = which
    own = [clip for clip in clips if (clip.person in test_people) == (split == "test")]
    for wanted in ([label], background):
        if not any(clip.label in wanted for clip in own):
            raise DataError(
                f"no clip of {' or '.join(wanted)} by the people of {split}; choose others to test"
            )
    rng = np.random.default_rng((seed, SPLITS.index(split), labels.index(label), number))
    return _Video(_name(*which), label, tuple(plan_joined(own, label, background, rng)))


def _frames(clips: Sequence[Clip], size: Size) -> np.ndarray:
    """(N, H, W, 3) uint8, all of one size."""
    parts = [read_frames(clip.path, np.arange, size=lambda shown: size).images for clip in clips]
    return np.stack([image for images in parts for image in images])


def _truth(video: _Video, rate: int) -> VideoTruth:
    """Intervals are whole clips; where the actor is, is not known."""
    ends = np.cumsum([clip.num_frames for clip in video.clips])
    action = np.zeros(int(ends[-1]), dtype=bool)
    intervals = []
    for clip, end in zip(video.clips, ends.tolist(), strict=True):
        if clip.label == video.label:
            action[end - clip.num_frames : end] = True
            intervals.append(((end - clip.num_frames) / rate, end / rate))
    nowhere = np.full((len(action), 4), np.nan)
    return VideoTruth(video.label, len(action), tuple(intervals), nowhere, action)
