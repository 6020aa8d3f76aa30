"""A folder of one's own as training and test videos, and the lists that the runs read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from attcell._checks import path_of
from attcell._files import write_text
from attcell._log import logger
from attcell._paths import is_text, is_video_name
from attcell.config.schema import DataSection
from attcell.data.folds import Folds, make_folds, part_to_test
from attcell.data.groups import COLUMNS, file_or_expression, groups_of, units_by_class
from attcell.data.listing import is_listable
from attcell.data.sources import files_under
from attcell.errors import CallError, DataError
from attcell.metrics.recognition import truth_matrix
from attcell.models.listings import part_listing
from attcell.results.tables import csv_table
from attcell.types import VideoRecord
from attcell.video.frame_folder import open_frames

MOST_GROUPS_ONE_BY_ONE = 5  # each fold is a training of every candidate
FEWEST = 3  # videos, or groups, of a class: to test, to learn from, and to leave out in turn


@dataclass(frozen=True)
class OwnVideos:
    """Training and test videos that share no group.

    Attributes:
        root: what the videos' ids start from.
        labels: the classes.
        train, test: the videos, each of one class.
        tested_on: what the test videos are, in words.
    """

    root: Path
    labels: tuple[str, ...]
    train: tuple[VideoRecord, ...]
    test: tuple[VideoRecord, ...]
    tested_on: str

    @property
    def groups(self) -> list[str]:
        """Of each training video; empty if they are not known."""
        return groups_of(self.train)

    def folds(self, seed: int) -> Folds:
        """The folds of the training videos that are left out in turn, the same for all candidates.

        Raises:
            DataError: a class cannot be left out and learnt from at once.
        """
        what = "groups" if self.groups else "videos"
        units = units_by_class(self.train, len(self.labels))
        few = [label for label, num in zip(self.labels, units, strict=True) if num < 2]
        if few:
            raise DataError(
                f"class {few[0]} has fewer than 2 training {what}: one is learnt from while another is left "
                f"out. Give it more {what}{', or leave --groups out' if self.groups else ''}"
            )
        truth = truth_matrix([record.labels for record in self.train], len(self.labels))
        return make_folds(truth, self.groups, seed, MOST_GROUPS_ONE_BY_ONE)


def own_videos(folder: Path, test: Path | None, groups: str | None, seed: int) -> OwnVideos:
    """Read a folder: of ``train`` and ``test`` (and ``val``, which is learnt from too), or of classes, of
    whose videos about a fifth is held out for the test, in whole groups where they are known.

    Args:
        folder: with a folder for each class, or with ``train``, ``test`` and perhaps ``val`` of such.
        test: another folder of test videos.
        groups: as ``data.groups`` of a recipe.
        seed: which videos are held out.

    Raises:
        CallError, DataError: folders that are not there or not right, one class, a class that is in the test
            alone, too few videos or groups of a class.
    """
    parts = _parts(folder, test)
    root = Path(os.path.commonpath([path.absolute() for path in (folder, *parts.values())]))
    read = {name: _read(path, groups, root) for name, path in parts.items()}
    labels = _labels(folder, read)
    records = {name: _numbered(of, labels) for name, of in read.items()}
    train = (*records["train"], *records.get("val", ()))
    if "test" in records:
        _refuse_shared_groups(train, records["test"])
        return OwnVideos(root, labels, train, records["test"], f"{parts['test']}")
    truth, known = truth_matrix([record.labels for record in train], len(labels)), groups_of(train)
    held_out = part_to_test(truth, known, seed)
    if not len(held_out):
        _refuse_small(train, labels, is_grouped=bool(known))
    chosen = set(held_out.tolist())
    what = counted(len({known[place] for place in chosen}), "group") if known else f"{len(chosen)} videos"
    return OwnVideos(
        root,
        labels,
        tuple(record for place, record in enumerate(train) if place not in chosen),
        tuple(record for place, record in enumerate(train) if place in chosen),
        f"{what} held out of {folder}",
    )


def counted(number: int, word: str) -> str:
    """As 1 group, 2 groups."""
    return f"{number} {word}{'s' * (number != 1)}"


def _parts(folder: Path, test: Path | None) -> dict[str, Path]:
    """Name → folder of each part that is given."""
    folder = path_of(folder, "folder", "videos")
    if (folder / "train").is_dir() and ((folder / "test").is_dir() or test is not None):
        names = ("train", "val") if test is not None else ("train", "val", "test")
        parts = {name: folder / name for name in names if (folder / name).is_dir()}
    else:
        parts = {"train": folder}
        if (folder / "train").is_dir():
            raise DataError(
                f"{folder} has train, and no test beside it: give its test videos with --test DIR, or let "
                f"attcell hold some out: attcell train {folder / 'train'}"
            )
    return parts | ({} if test is None else {"test": path_of(test, "test", "videos/test")})


Named = list[tuple[VideoRecord, str]]  # videos with the names of their classes


def _read(source: Path, groups: str | None, root: Path) -> Named:
    """The videos of a folder per class, their ids from ``root``, with their groups."""
    if not source.is_dir():
        raise CallError(f"{source}: no such folder; give one with a folder for each class")
    _refuse_loose(source)
    try:
        known = None if groups is None else file_or_expression(groups)
    except CallError as error:
        raise CallError(f"--groups {groups}: {error}") from error
    listing = part_listing(DataSection(train=source, groups=known), "train")
    assert listing is not None, "it was named"
    if any(record.path.suffix == ".npy" for record in listing.records):
        raise CallError(
            f"{source} holds features, not videos: train a recipe with a features stream (docs/data-sets.md)"
        )
    unfit = next((label for label in listing.labels if not (is_listable(label) and is_text(label))), None)
    if unfit is not None:
        raise DataError(
            f"{source / unfit}: a class whose name begins or ends with a space, holds a backslash or the end "
            "of a line, or is no text in UTF-8, which no list of classes can hold; rename its folder"
        )
    return [
        (replace(record, id=_id(record.path, root)), listing.labels[record.label])
        for record in listing.records
    ]


def _id(path: Path, root: Path) -> str:
    name = path.absolute().relative_to(root).as_posix()
    if not is_listable(name):
        raise DataError(
            f"{path}: its path begins or ends with a space, or holds a backslash or the end of a line, which "
            "no line of a list can; rename it, or its folder"
        )
    return name


def _refuse_loose(source: Path) -> None:
    """Raise a DataError for videos without folders of classes."""
    loose = [path for path in source.iterdir() if path.is_file() and is_video_name(path)]
    below = [path for path in files_under(source) if path.parent != source and is_video_name(path)]
    if loose and not below:
        raise DataError(
            f"{source} holds {counted(len(loose), 'video')} and no folder per class: put those of each "
            f"class into a folder of its name, such as {source / 'wave' / loose[0].name}"
        )


def _labels(folder: Path, read: dict[str, Named]) -> tuple[str, ...]:
    taught = sorted({label for name in ("train", "val") for _, label in read.get(name, ())})
    if len(taught) < 2:
        raise DataError(f"{folder} has one class, {taught[0]}; at least 2 are needed, a folder for each")
    tested = {label for _, label in read.get("test", ())}
    unknown = sorted(tested - set(taught))
    if unknown:
        raise DataError(
            f"class {unknown[0]} is in the test alone, and nothing is learnt of it; give training videos of "
            f"it, or take it out of the test. Classes of the training videos: {', '.join(taught)}"
        )
    missing = sorted(set(taught) - tested)
    if missing and "test" in read:
        logger.warning(f"no test video of {', '.join(missing)}: the test says nothing of it")
    return tuple(taught)


def _numbered(named: Named, labels: tuple[str, ...]) -> tuple[VideoRecord, ...]:
    return tuple(replace(record, labels=(labels.index(label),)) for record, label in named)


def _refuse_shared_groups(train: Sequence[VideoRecord], test: Sequence[VideoRecord]) -> None:
    """Raise a DataError for a group whose videos are both learnt from and tested."""
    shared = sorted({record.group for record in train} & {record.group for record in test} - {""})
    if shared:
        raise DataError(
            f"{counted(len(shared), 'group')} of the training videos with test videos too, first "
            f"{shared[0]}: the test would repeat what was learnt. Move a whole group to one side, or mend "
            "--groups"
        )


def _refuse_small(train: Sequence[VideoRecord], labels: tuple[str, ...], *, is_grouped: bool) -> None:
    what = "groups" if is_grouped else "videos"
    of_class = units_by_class(train, len(labels))
    least = int(np.argmin(of_class))
    raise DataError(
        f"class {labels[least]} has {counted(of_class[least], what[:-1])}, and no test part leaves 2 of each "
        f"class to learn from and to validate by: give at least {FEWEST} {what} of each class, or test "
        f"videos with --test DIR{', or leave --groups out' if is_grouped else ''}"
    )


def write_lists(videos: OwnVideos, folds: Folds, folder: Path) -> None:
    """Write lists that a recipe can name: train.txt and test.txt, 1-train.txt and 1-test.txt of each fold,
    the classes beside them; where groups are known groups.csv, and train-groups.csv of the training videos.
    """
    write_text(folder / "labels.txt", "".join(f"{label}\n" for label in videos.labels))
    lists: dict[str, Sequence[VideoRecord]] = {"train": list(videos.train), "test": list(videos.test)}
    for number, left_out in enumerate(folds.left_out, 1):
        places = set(left_out.tolist())
        lists[f"{number}-train"] = [one for place, one in enumerate(videos.train) if place not in places]
        lists[f"{number}-test"] = [videos.train[place] for place in left_out]
    for name, records in lists.items():
        write_text(folder / f"{name}.txt", "".join(map(_line, records)))
    if videos.groups:
        everything = (*videos.train, *videos.test)
        for name, records in (("groups", everything), ("train-groups", videos.train)):
            rows = ([record.id, record.group or record.id] for record in records)
            write_text(folder / f"{name}.csv", csv_table(COLUMNS, rows, is_exact=True))


def _line(record: VideoRecord) -> str:
    frames = f" {len(open_frames(record.path).names)}" if record.path.is_dir() else ""
    return f"{record.id}{frames} {record.label}\n"
