"""The data sets that are known by name: their official files, the parts a protocol uses, the videos on disk.

Copies of a data set lie in different folders, under different suffixes, and some spell a name otherwise than
the official lists do. A video is looked for, in this order, by its place and name, by its name alone anywhere
below the root, and by its name in other capitals; what was found in the last way is noted. Place and name are
compared letter by letter first, and then in Unicode's composed form. Where there is no video at all, files of
features (``video_test_0000004.npy``) are looked for in the same ways.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Literal

from attcell._log import logger
from attcell._paths import composed, is_file
from attcell.data.annotations import (
    activitynet,
    ccv,
    hmdb51,
    kinetics,
    sports1m,
    thumos14,
    ucf101,
    weizmann_ut_interaction,
)
from attcell.data.annotations.reading import AnnotatedVideo, Annotation
from attcell.data.listing import Listing, is_listed_name, shortened
from attcell.data.sources import videos_or_features, walk
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
        holds: known sets all of whose videos are among the training videos, whatever their split tests on.
    """

    read: Callable[[Path, int], Annotation]
    training: tuple[str, ...] = ("train",)
    testing: str = "test"
    splits: int = 1
    holds: tuple[str, ...] = ()


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
    files = {}
    for part, words in thumos14.RECOGNITION_FILES.items():
        there = [folder / word for word in words if (folder / word).is_file()]
        if not there:
            raise DataError(
                f"{folder} lacks the classes of the {part} videos; put {words[1]} there, or {words[0]} with "
                "lines 'VIDEO NUMBER NUMBER', classes from 1"
            )
        files[part] = there[0]
    return thumos14.read_recognition(files, ucf101.read(folder, 1))


KNOWN_SETS: dict[str, KnownSet] = {
    "ucf101": KnownSet(ucf101.read, splits=3),
    "hmdb51": KnownSet(hmdb51.read, splits=3),
    "ccv": KnownSet(_one_split(ccv.read)),
    "thumos14": KnownSet(_one_split(_thumos14), training=("train", "validation"), holds=("ucf101",)),
    "thumos14_detection": KnownSet(_one_split(thumos14.read_detection), training=("validation",)),
    "sports1m": KnownSet(_one_split(sports1m.read)),
    "kinetics": KnownSet(_one_split(kinetics.read), testing="validation"),
    "activitynet": KnownSet(_one_split(_activitynet), training=("training",), testing="validation"),
    "weizmann": KnownSet(weizmann_ut_interaction.read_weizmann, splits=9),
    "ut_interaction": KnownSet(weizmann_ut_interaction.read_ut_interaction, splits=10),
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
        _say_once(root, f"{name}: {note}")
    found = find_videos(root, [video.id for video in videos])
    for video, alike in found.ambiguous.items():
        raise DataError(
            f"{video} could be {alike[0]} or {alike[1]} ({len(found.ambiguous)} such videos); take one of "
            f"them away, or choose a root above one. attcell data check {name} lists them all"
        )
    if found.missing and found.closed:
        logger.warning(
            f"{name}: {len(found.missing)} of {len(videos)} {part} videos are not found, and may lie where "
            f"nobody can look: {shortened([*found.closed_lines()], '; ')}. Check the permissions"
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


@cache
def _say_once(root: Path, note: str) -> None:
    """Say what is odd in official files when they are first read for the videos below ``root``."""
    logger.info(note)


def _record(video: AnnotatedVideo, path: Path) -> VideoRecord:
    return VideoRecord(video.id, path, video.labels, video.group)


@dataclass(frozen=True)
class Found:
    """Where the videos of a list lie.

    Attributes:
        paths: video id → its file, or its folder of frames.
        missing: ids of those that are not there.
        renamed: those that are spelt in other capitals on disk.
        surplus: videos that lie there and that the list does not name.
        ambiguous: video id → the places that its name could stand for; it counts as missing.
        closed: each folder that cannot be opened → the reason.
    """

    paths: dict[str, Path]
    missing: tuple[str, ...]
    renamed: tuple[str, ...]
    surplus: tuple[Path, ...]
    ambiguous: dict[str, tuple[Path, ...]]
    closed: dict[Path, str]

    def closed_lines(self) -> Iterator[str]:
        """``FOLDER: cannot be opened: Permission denied``, of each."""
        return (f"{folder}: cannot be opened: {reason}" for folder, reason in self.closed.items())


def find_videos(root: Path, ids: Iterable[str]) -> Found:
    """Look for videos below a folder by the names that an annotation gives them."""
    files, closed = walk(root)
    places = videos_or_features(sorted([*files, *closed]))
    names = _Names(root, places)
    found = Found({}, (), (), (), {}, closed)
    missing, renamed = [], []
    for video in ids:
        alike, is_renamed = names.look_up(video)
        if len(alike) == 1:
            found.paths[video] = alike[0]
            renamed += [video] if is_renamed else []
        else:
            missing.append(video)
            found.ambiguous.update({video: alike} if alike else {})
    taken = {
        *found.paths.values(),
        *(place for alike in found.ambiguous.values() for place in alike),
        *closed,
    }
    surplus = tuple(place for place in places if place not in taken)
    return replace(found, missing=tuple(missing), renamed=tuple(renamed), surplus=surplus)


class _Index(defaultdict[str, list[Path]]):
    """Key → the places that have it."""

    def __init__(self) -> None:
        super().__init__(list)


class _Names:
    """What lies below a folder, by place and by name, letter by letter and in Unicode's composed form."""

    def __init__(self, root: Path, places: Sequence[Path]) -> None:
        self._places, self._composed_places = _Index(), _Index()
        self._names, self._composed_names, self._any_capitals = _Index(), _Index(), _Index()
        for place in places:
            below, name = place.relative_to(root).as_posix(), stem_of(place.name)
            self._places[below].append(place)
            self._composed_places[composed(below)].append(place)
            self._names[name].append(place)
            self._composed_names[composed(name)].append(place)
            self._any_capitals[_without_capitals(name)].append(place)

    def look_up(self, video: str) -> tuple[tuple[Path, ...], bool]:
        """The places that an annotation's name could stand for, and whether other capitals are there."""
        name = stem_of(PurePosixPath(video).name)
        for index, key in (
            (self._places, video),
            (self._composed_places, composed(video)),
            (self._names, name),
            (self._names, f"v_{name}"),
            (self._composed_names, composed(name)),
            (self._composed_names, f"v_{composed(name)}"),
            (self._any_capitals, _without_capitals(name)),
        ):
            if key in index:
                return _files_first(index[key]), index is self._any_capitals
        return (), False


def _without_capitals(name: str) -> str:
    return composed(composed(name).casefold())


def stem_of(name: str) -> str:
    """A file's name without the suffix of a video, or of features; other dots belong to the name."""
    return name.rpartition(".")[0] if is_listed_name(Path(name)) else name


def _files_first(alike: list[Path]) -> tuple[Path, ...]:
    """A file comes before folders, which may hold its frames or its flow."""
    return tuple([place for place in alike if is_file(place)] or alike)
