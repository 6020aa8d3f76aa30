"""Sports-1M: ``train_partition.txt`` and ``test_partition.txt`` (``URL 168,169``), and ``labels.txt``.

Labels count from 0: line n of ``labels.txt``, the first being line 0. A video's id is YouTube's, in its URL.
By the official README a video may be in training and in test; where that is so, or where a video has several
lines in one part (its labels are then put together), a note counts them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from attcell.data.annotations.reading import (
    AnnotatedVideo,
    Annotation,
    folder_of,
    names_of_file,
    number_in,
    numbered_lines,
    some_videos,
)
from attcell.errors import DataError

_PARTS = ("train", "test")
_ID = re.compile(
    r"https?://(?:(?:www\.|m\.)?youtube\.com/watch\?(?:v=|\S*&v=)|youtu\.be/)([A-Za-z0-9_-]{11})(?:[&?#]|$)"
)
_PLACES = ("", "original/")  # where the official archive has the partitions


def read(folder: Path | str) -> Annotation:
    """Read the partitions and the labels.

    Raises:
        CallError: no such folder.
        DataError: a file is missing, or a line of it is bad.
    """
    folder = folder_of(folder, ["labels.txt"])
    names = [f"{part}_partition.txt" for part in _PARTS]
    place = next((place for place in _PLACES if (folder / place / names[0]).is_file()), "")
    files = {part: folder / place / name for part, name in zip(_PARTS, names, strict=True)}
    folder_of(folder, [f"{place}{name}" for name in names])
    labels = read_labels(folder / "labels.txt")
    notes: list[str] = []
    parts = {}
    for part, file in files.items():
        found, repeated = _partition(file, len(labels))
        parts[part] = some_videos(file, found)
        notes += _note(repeated, f"on several lines of {file.name}; their labels are put together")
    train = {video.id for video in parts["train"]}
    both = [video.id for video in parts["test"] if video.id in train]
    notes += _note(both, "in training and in test, as the README says that videos may")
    return Annotation(labels, parts, multi_label=True, notes=tuple(notes))


def read_labels(file: Path) -> tuple[str, ...]:
    """The names of ``labels.txt``; line n, counted from 0, is label n.

    Raises:
        CallError: no such file.
        DataError: a blank line between names, or a name that stands twice.
    """
    return names_of_file(file)


def _partition(file: Path, num_classes: int) -> tuple[list[AnnotatedVideo], list[str]]:
    """The videos of a file of a million lines, and the ids that it has on several lines."""
    found: dict[str, tuple[int, ...]] = {}
    repeated = []
    known: dict[str, tuple[int, ...]] = {}  # a few thousand texts of labels serve all lines
    for number, line in numbered_lines(file):
        url, _, text = line.partition(" ")
        match = _ID.match(url)
        if match is None:
            raise DataError(f"{file}:{number}: {url!r} names no YouTube video; expected 'URL 168,169'")
        if text not in known:
            known[text] = _labels(f"{file}:{number}", text, num_classes)
        if match[1] in found:
            repeated.append(match[1])
            found[match[1]] = tuple(sorted({*found[match[1]], *known[text]}))
        else:
            found[match[1]] = known[text]
    return [AnnotatedVideo(video, labels) for video, labels in found.items()], repeated


def _labels(place: str, text: str, num_classes: int) -> tuple[int, ...]:
    found = {number_in(word.strip(), 0, num_classes - 1) for word in text.split(",")}
    labels = sorted(label for label in found if label is not None)
    if len(labels) < len(found):
        raise DataError(
            f"{place}: the labels are {text.strip()!r}; expected numbers from 0 to {num_classes - 1} "
            "with commas between"
        )
    return tuple(labels)


def _note(ids: list[str], where: str) -> Iterable[str]:
    """One note that counts videos, or none."""
    num = len(set(ids))
    return [f"{num} video{'s are' if num > 1 else ' is'} {where} (first {ids[0]})"] if ids else []
