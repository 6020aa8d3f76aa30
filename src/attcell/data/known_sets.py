"""The data sets that are known by name: how their files are read, and which parts a protocol uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from attcell._log import logger
from attcell.data.annotations import (
    activitynet,
    ccv,
    filmed_sets,
    hmdb51,
    kinetics,
    sports1m,
    thumos14_recognition,
    ucf101,
)
from attcell.data.annotations.reading import AnnotatedVideo, Annotation
from attcell.data.listing import Listing
from attcell.data.sources import find_videos
from attcell.errors import CallError, DataError
from attcell.types import VideoRecord


@dataclass(frozen=True)
class KnownSet:
    """A data set with official files.

    Attributes:
        read: the folder of the official files, and which split, to the annotation.
        training: the parts that are trained on.
        testing: the part that is tested on.
        splits: how many there are.
    """

    read: Callable[[Path, int], Annotation]
    training: tuple[str, ...] = ("train",)
    testing: str = "test"
    splits: int = 1


def _one_split(read: Callable[[Path], Annotation]) -> Callable[[Path, int], Annotation]:
    return lambda folder, _: read(folder)


def _activitynet(folder: Path) -> Annotation:
    """The only JSON file of the folder."""
    files = sorted(folder.glob("*.json"))
    if len(files) != 1:
        found = ", ".join(path.name for path in files) or "none"
        raise DataError(f"{folder} must hold one JSON file of the truth, and holds {found}")
    return activitynet.read(files[0])


def _thumos14(folder: Path) -> Annotation:
    """Recognition: the files of UCF101, and of the two parts ours or the official ones, lie together."""
    names = {
        "validation": ("validation_classes.txt", "validation_set.mat"),
        "test": ("test_classes.txt", "test_set_meta.mat"),
    }
    files = {}
    for part, words in names.items():
        there = [folder / word for word in words if (folder / word).is_file()]
        if not there:
            raise DataError(
                f"{folder} lacks the classes of the {part} videos; put {words[1]} there, or {words[0]} with "
                "lines 'VIDEO NUMBER NUMBER', classes from 1"
            )
        files[part] = there[0]
    return thumos14_recognition.read(files, ucf101.read(folder, 1))


KNOWN_SETS: dict[str, KnownSet] = {
    "ucf101": KnownSet(ucf101.read, splits=3),
    "hmdb51": KnownSet(hmdb51.read, splits=3),
    "ccv": KnownSet(_one_split(ccv.read)),
    "thumos14": KnownSet(_one_split(_thumos14), training=("train", "validation")),
    "sports1m": KnownSet(_one_split(sports1m.read)),
    "kinetics": KnownSet(_one_split(kinetics.read), testing="validation"),
    "activitynet": KnownSet(_one_split(_activitynet), training=("training",), testing="validation"),
    "weizmann": KnownSet(filmed_sets.read_weizmann, splits=9),
    "ut_interaction": KnownSet(filmed_sets.read_ut_interaction, splits=10),
}


def read_known_set(name: str, folder: Path, split: int = 1) -> Annotation:
    """Read the official files of a data set.

    Args:
        name: one of ``KNOWN_SETS``.
        folder: where they lie.
        split: from 1; of a data set without several only 1.

    Raises:
        CallError: no such data set, folder or split.
        DataError: files that are not what they should be.
    """
    if name not in KNOWN_SETS:
        raise CallError(f"no data set is called {name!r}; known are {', '.join(KNOWN_SETS)}")
    known = KNOWN_SETS[name]
    if not folder.is_dir():
        raise CallError(f"{folder}: no such folder; give the one with the official files of {name}")
    if not 1 <= split <= known.splits:
        allowed = f"1 to {known.splits}" if known.splits > 1 else "1 alone"
        raise CallError(f"{name} has no split {split}; allowed: {allowed}")
    return known.read(folder, split)


def set_listing(
    name: str,
    root: Path,
    annotations: Path | None,
    split: int,
    part: Literal["train", "test"],
    *,
    leave_out_missing: bool = False,
    labels: Sequence[str] | None = None,
) -> Listing:
    """The videos of one part of a data set, as they lie on disk.

    Args:
        name: one of ``KNOWN_SETS``.
        root: the folder below which the videos lie.
        annotations: where the official files lie; None for ``root``.
        split: from 1.
        part: what is trained on, or what is tested on.
        leave_out_missing: leave out the videos that are not there, and say how many; else they are listed,
            and cannot be read.
        labels: a model's classes, which must be the data set's.

    Raises:
        CallError: no such folder or split.
        DataError: official files that are not what they should be; a name that stands for several files.
    """
    if not root.is_dir():
        raise CallError(f"{root}: no such folder; give the one below which the videos of {name} lie")
    annotation = read_known_set(name, root if annotations is None else annotations, split)
    if labels is not None and tuple(labels) != annotation.labels:
        raise DataError(
            f"the classes of {name} are not the model's: {len(annotation.labels)}, first "
            f"{annotation.labels[0]!r}, and {len(labels)}, first {labels[0]!r}; name another data set"
        )
    known = KNOWN_SETS[name]
    wanted = known.training if part == "train" else (known.testing,)
    videos = [video for one in wanted for video in annotation.parts.get(one, ())]
    if not videos:
        raise DataError(f"{name}: the official files name no videos of {' and '.join(wanted)}")
    for note in annotation.notes:
        logger.info(f"{name}: {note}")
    found = find_videos(root, [video.id for video in videos])
    for video, alike in found.ambiguous.items():
        raise DataError(
            f"{video} could be {alike[0]} or {alike[1]} ({len(found.ambiguous)} such videos); take one of "
            f"them away, or choose a root above one. attcell data check {name} lists them all"
        )
    num_left_out = len(found.missing) if leave_out_missing else 0
    if leave_out_missing and found.missing:
        logger.info(
            f"{name}: {len(found.missing)} of {len(videos)} {part} videos are not below {root}, and left out"
        )
        videos = [video for video in videos if video.id in found.paths]
    records = [_record(video, found.paths.get(video.id, root / video.id)) for video in videos]
    multi_label = annotation.multi_label
    return Listing(tuple(records), annotation.labels, (), multi_label, num_left_out)


def _record(video: AnnotatedVideo, path: Path) -> VideoRecord:
    return VideoRecord(video.id, path, video.labels, video.group)
