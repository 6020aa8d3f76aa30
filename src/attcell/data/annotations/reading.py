"""What an annotation says, classes and the videos of each part; and what the readers of all formats share.

A *place* is ``file:line``, or what else tells the reader of a message where to look.
"""

from __future__ import annotations

import math
import warnings
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from attcell._checks import path_of, whole_number
from attcell._parallel import in_own_process
from attcell.errors import CallError, DataError
from attcell.types import ActionInstance

_COMPRESSED = 15  # how a MATLAB file marks a packed part
_MOST_UNPACKED, _AT_ONCE = 1 << 30, 1 << 20  # bytes; official files have a few MiB


@dataclass(frozen=True, slots=True)
class AnnotatedVideo:
    """One video, as the annotation names it.

    Attributes:
        id: its name inside the data set, with forward slashes where classes are folders
            (``ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi``), else without suffix (``video_test_0000324``).
        labels: its classes, counted from 0 and rising; empty if it is of none, or if they are not told.
        group: what it shares people or place with (``ApplyEyeMakeup_g08``); empty if that is not known.
        instances: its actions in time, where the annotation tells them.
        duration_seconds: its length, where the annotation tells it.
    """

    id: str
    labels: tuple[int, ...]
    group: str = ""
    instances: tuple[ActionInstance, ...] = ()
    duration_seconds: float | None = None


@dataclass(frozen=True)
class Annotation:
    """The annotation of a data set, or of one of its splits.

    Attributes:
        labels: the A class names; ``AnnotatedVideo.labels`` count in them from 0.
        parts: the videos of ``train``, ``validation``, ``test`` and ``unused``, as far as there are such;
            ActivityNet's keep their own names.
        multi_label: whether a video may be of several classes.
        ambiguous: intervals that are neither action nor background, with the label ``Ambiguous``.
        notes: what is odd in the files and yet no error. Two annotations may be equal with other notes.
        part_notes: those of them that are of one part alone, by part.
    """

    labels: tuple[str, ...]
    parts: dict[str, tuple[AnnotatedVideo, ...]]
    multi_label: bool = False
    ambiguous: tuple[ActionInstance, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)
    part_notes: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False)

    def notes_of(self, part: str) -> tuple[str, ...]:
        """The notes on a part: all but those that are of another part alone."""
        foreign = {note for other, notes in self.part_notes.items() if other != part for note in notes}
        return tuple(note for note in self.notes if note not in foreign)


def folder_of(value: Path | str, holds: Sequence[str]) -> Path:
    """``value`` as a folder that holds files of these names.

    Raises:
        CallError: it is no folder.
        DataError: files that it lacks.
    """
    folder = path_of(value, "folder", "annotations/ucf101")
    if not folder.is_dir():
        raise CallError(f"{folder}: no such folder; give the one that holds the annotation files")
    missing = [name for name in holds if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"{folder} lacks {', '.join(missing)}; put the official files there, or give their folder"
        )
    return folder


def split_of(value: int) -> int:
    """One of the three splits of UCF101 and HMDB51.

    Raises:
        CallError: it is none of 1, 2 and 3.
    """
    if whole_number(value, "split", least=1) > 3:
        raise CallError(f"split is {value}; give 1, 2 or 3")
    return int(value)


def text_of(file: Path) -> str:
    """The text of a file, without a byte order mark, its lines ended by ``\\n``.

    Raises:
        CallError: no such file.
        DataError: it is no text in UTF-8.
    """
    if not file.is_file():
        raise CallError(f"{file}: no such file; give an annotation file")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is no text in UTF-8 ({error.reason}); get it anew") from error
    if "\0" in text:
        raise DataError(f"{file} is no text in UTF-8 (a zero byte); get it anew")
    return text


def numbered_lines(file: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1, without spaces around them."""
    for number, line in enumerate(text_of(file).split("\n"), 1):
        stripped = line.strip()
        if stripped:
            yield number, stripped


def names_of_file(file: Path) -> tuple[str, ...]:
    """The classes of a file with one name a line: line n is class n, so that no line between may be blank."""
    lines = text_of(file).rstrip().split("\n")
    return class_names(file, ((f"{file}:{number}", line.strip()) for number, line in enumerate(lines, 1)))


def class_names(source: Path, names: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The names of (place, name) pairs, in their order.

    Raises:
        DataError: no name, an empty one, one that stands twice, or two that differ only in case.
    """
    places: dict[str, tuple[str, str]] = {}
    for place, name in names:
        if not name:
            raise DataError(f"{place}: the name of a class is needed here, and there is none")
        if name.casefold() in places:
            other, first = places[name.casefold()]
            how = "is there already" if name == other else f"differs only in case from {other!r}"
            raise DataError(f"{place}: class {name!r} {how} ({first}); classes need different names")
        places[name.casefold()] = name, place
    if not places:
        raise DataError(f"{source} names no class; get the official files anew")
    return tuple(name for name, _ in places.values())


def number_in(word: str, least: int, most: int) -> int | None:
    """A word as a whole number from ``least`` to ``most``; None if it is none."""
    is_number = word.isascii() and word.isdecimal() and len(word) < 10
    return int(word) if is_number and least <= int(word) <= most else None


class Seen:
    """Where each video stands, so that one that stands twice is told with both places."""

    def __init__(self) -> None:
        self._places: dict[str, str] = {}

    def add(self, video: str, place: str) -> None:
        """Remember a video.

        Raises:
            DataError: it stands elsewhere already.
        """
        if video in self._places:
            raise DataError(f"{place}: {video} stands at {self._places[video]} too; leave one of them out")
        self._places[video] = place


def some_videos(source: Path | str, videos: Iterable[AnnotatedVideo]) -> tuple[AnnotatedVideo, ...]:
    """The videos of a file.

    Raises:
        DataError: there is none, as in a file of a download that broke off.
    """
    found = tuple(videos)
    if not found:
        raise DataError(f"{source} lists no video; get the official file anew")
    return found


def case_notes(parts: Iterable[Iterable[AnnotatedVideo]]) -> tuple[str, ...]:
    """A note for videos whose file names differ only in case: on many disks they are one file."""
    alike = defaultdict(list)
    for videos in parts:
        for video in videos:
            alike[video.id.casefold()].append(video.id)
    return tuple(
        f"{' and '.join(ids)} differ only in case, and are one file where the disk does not tell case"
        for ids in alike.values()
        if len(ids) > 1
    )


def checked_interval(place: str, start: float, end: float) -> tuple[float, float]:
    """An interval in seconds.

    Raises:
        DataError: a time that is no number, or an end before the start.
    """
    if not (math.isfinite(start) and math.isfinite(end)):
        raise DataError(f"{place}: the interval is {start} to {end}; both must be numbers of seconds")
    if end < start:
        raise DataError(f"{place}: the interval ends at {end} s, before its start at {start} s; swap them")
    return start, end


def interval_notes(videos: Iterable[AnnotatedVideo]) -> Iterator[str]:
    """A note for each video with intervals outside it, and for each with intervals of no length."""
    for video in videos:
        length = math.inf if video.duration_seconds is None else video.duration_seconds
        outside = [of for of in video.instances if of.start_seconds < 0 or of.end_seconds > length]
        if outside:
            yield (
                f"{video.id} lasts {length:g} s, and {len(outside)} of its {len(video.instances)} intervals "
                f"go beyond, first {outside[0].start_seconds:g} to {outside[0].end_seconds:g} s "
                f"({outside[0].label})"
            )
        empty = [of for of in video.instances if of.start_seconds == of.end_seconds]
        if empty:
            at = f"{empty[0].start_seconds:g} s ({empty[0].label})"
            yield f"{video.id} has an interval of no length at {at}"


def struct_array(file: Path, name: str, instead: str = "") -> list[dict]:
    """The elements of a struct array of a file, each as a dict.

    Args:
        file: a .mat file.
        name: of the array.
        instead: what else may be given, for the message on a damaged file.

    Raises:
        CallError: no such file.
        DataError: it is no MATLAB file that SciPy reads, or has no such array.
    """
    if not file.is_file():
        raise CallError(f"{file}: no such file; give an annotation file")
    try:
        _refuse_bomb(file)
        content = in_own_process(partial(_loaded, file, name))
    except Exception as error:  # what SciPy raises for a damaged file is of many kinds
        raise DataError(
            f"{file} is no MATLAB file of a version before 7.3 ({error}); save it in MATLAB with -v7{instead}"
        ) from error
    found: Any = content.get(name)
    entries: list[Any] = found if isinstance(found, list) else [found]  # a single one comes alone
    if not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"{file} has no struct array {name}; get the official file")
    return entries


def _loaded(file: Path, name: str) -> dict[str, Any]:
    """The variable of this name; SciPy may crash on a damaged file."""
    from scipy.io import loadmat

    with warnings.catch_warnings(action="ignore"):  # of what else is odd in it
        found: dict[str, Any] = loadmat(file, simplify_cells=True, variable_names=[name])
    return found


def _refuse_bomb(file: Path) -> None:
    """Raise a ValueError for a MATLAB file of which a part unpacks to very much."""
    data = memoryview(file.read_bytes())
    order: Literal["little", "big"] = "little" if data[126:128] == b"IM" else "big"
    place, left = 128, _MOST_UNPACKED
    while place + 8 <= len(data):
        kind, size = (int.from_bytes(data[at : at + 4], order) for at in (place, place + 4))
        place += 8
        if kind == _COMPRESSED:
            unpacking = zlib.decompressobj()
            part = bytes(data[place : place + size])
            while part and left > 0:
                left -= len(unpacking.decompress(part, _AT_ONCE))
                part = unpacking.unconsumed_tail
            if left <= 0:
                raise ValueError(f"it unpacks to more than {_MOST_UNPACKED >> 20} MiB")
        place += size
