"""What a source of videos comes to, a :class:`Listing`; and list files, which are one kind of source.

A list file has a line for each video, its path and then whole numbers:

========================  ============================================================================
``some/video.mp4 1``      a video file and its label
``some/video.mp4 1 3``    a video file and several labels
``some/dir 163 1``        a folder of frames: how many frames it has, and its label, or several
``some/dir 12 163 3``     a part of a folder of frames: how many are before it, how many it has, its labels
``some/video.npy 1``      a file of features that were computed elsewhere, and its label, or several
``some/video.mp4 wave``   a video file and its class by name, in every line; it may hold spaces
``some/video.mp4 1 g07``  where groups are asked for: the last word of each line, of any form, is the group
========================  ============================================================================

CSV with a header is read as :mod:`attcell.data.annotations.named_list` tells.

Labels count from 0. Paths may hold spaces, and words that are numbers: where a line can be read in more than
one way, the longest path counts at which there is a file, or a folder and a number of frames. Where there is
nothing, a path ends with a known suffix of videos. The first number of a folder's line is the number of its
frames if it has as many, else the number of frames before the part; one list has only one of the two, so that
a wrong number of frames does not pass for the other. Blank lines are ignored; ``#`` begins no comment, since
a path may begin with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from attcell._files import read_names
from attcell._paths import is_file, is_folder, is_text, is_video_name
from attcell._servers import shown
from attcell._urls import is_url, joined, path_or_url
from attcell.choices import GROUP_COLUMN
from attcell.data.annotations.named_list import Entry, csv_entries, named_entries, resolved
from attcell.errors import CallError, DataError, VideoError, first_lines
from attcell.types import VideoRecord
from attcell.video.features import is_features
from attcell.video.frame_folder import open_frames

_MOST_NUMBERS = 1000  # in a line; more are no labels
_MOST_UNUSED = 1000  # labels that a list may leave out, beside nine of ten
_MOST_SHOWN = 200  # letters of a bad line in a message
_NUM_SHOWN = 10  # bad lines or names in one message
_EXPECTED = "'path label', or 'folder frames label' for a folder of frames, with labels from 0"
_WITH_GROUP = ", and the group as the last word"


@dataclass(frozen=True)
class Listing:
    """The videos of a source.

    Attributes:
        records: every video, in the list's order, or by class and then by path.
        labels: the A class names; ``record.labels`` count in them from 0.
        ignored: what a folder per class holds besides: files that are not videos by their suffix, videos
            outside any class folder, and class folders without a video.
        multi_label: a video may have several classes, or none.
        num_left_out: videos of a known data set that are not there, and that the recipe leaves out.
    """

    records: tuple[VideoRecord, ...]
    labels: tuple[str, ...]
    ignored: tuple[Path, ...] = ()
    multi_label: bool = False
    num_left_out: int = 0


def is_listable(name: str) -> bool:
    """Whether a line of a list can hold this path: it is read without spaces around it, up to the end of the
    line, and with slashes for backslashes.
    """
    return name == name.strip() and not any(letter in name for letter in "\n\r\\")


def is_listed_name(path: Path) -> bool:
    """Whether the suffix is one that a line of a list may have: a video's, or that of features."""
    return is_video_name(path) or is_features(path)


def shortened(items: Sequence[str], separator: str) -> str:
    """The first items in one text, and how many more there are."""
    more = f"{separator}and {len(items) - _NUM_SHOWN} more" if len(items) > _NUM_SHOWN else ""
    return separator.join(items[:_NUM_SHOWN]) + more


def read_list(
    source: Path, root: Path, labels: Sequence[str] | None, *, with_groups: bool = False
) -> Listing:
    """Read a list file whose paths start from ``root``; ``with_groups``: each line ends with a group.

    Raises:
        DataError: an empty list, or bad lines, each with its number.
    """
    names = _names_beside(source) if labels is None else tuple(labels)
    lines = _text_lines(source)
    entries = _named(source, lines, with_groups=with_groups)
    if entries is not None:
        return _listing_of(source, root, names, entries)
    expected = _EXPECTED + (_WITH_GROUP if with_groups else "")
    records: list[VideoRecord] = []
    problems: list[str] = []
    first_line: dict[str, int] = {}
    forms: dict[_Form, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            described, group = _without_group(line) if with_groups else (line, "")
            record, form = _record(described, root, names)
            if record.id in first_line:
                raise _BadLine(f"this video is on line {first_line[record.id]} already")
            if form is not None:
                forms.setdefault(form, number)
                _refuse_other_form(form, forms)
        except _BadLine as problem:
            problems.append(f"{source}:{number}: {problem}: {line.strip()[:_MOST_SHOWN]!r}")
            continue
        except CallError as problem:  # of a URL, which is not shown: it may hold a password
            problems.append(f"{source}:{number}: {problem}")
            continue
        first_line[record.id] = number
        records.append(replace(record, group=group))
    if problems:
        count = f"{len(problems)} bad line{'s' if len(problems) > 1 else ''}"
        raise DataError("\n".join([f"{source}: {count}; expected {expected}:", *first_lines(problems)]))
    if not records:
        raise DataError(f"{source}: the list is empty; expected a line for each video: {expected}")
    if names is None:
        names = tuple(map(str, range(_num_classes(source, records))))
    return Listing(tuple(records), names, multi_label=any(len(record.labels) > 1 for record in records))


def _named(source: Path, lines: Sequence[str], *, with_groups: bool) -> list[Entry] | None:
    """The lines of a list whose classes are names, or of a CSV; None of any other."""
    entries = csv_entries(source, lines, with_groups=with_groups)
    if entries is not None:
        return entries
    parted = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                parted.append((number, *(_without_group(line) if with_groups else (line, ""))))
            except _BadLine:
                return None
    return named_entries(parted)


def _listing_of(source: Path, root: Path, names: Sequence[str] | None, entries: Sequence[Entry]) -> Listing:
    """The listing of lines whose classes are names; errors as of :func:`read_list`."""
    if not entries:
        raise DataError(f"{source}: the list is empty; expected a line for each video behind the header")
    entries = [replace(entry, name=_name(entry.name)) for entry in entries]
    known, found = resolved(source, entries, names)
    records = tuple(
        VideoRecord(shown(name), _joined(source, root, name), tuple(sorted(labels)), group=group)
        for name, (labels, group) in found.items()
    )
    classes = tuple(names or known or map(str, range(_num_classes(source, records))))
    return Listing(records, classes, multi_label=any(len(record.labels) > 1 for record in records))


def _joined(source: Path, root: Path, name: str) -> Path:
    try:
        return joined(root, name)
    except CallError as problem:  # of a URL, which is not shown: it may hold a password
        raise DataError(f"{source}: {problem}") from None


def _num_classes(source: Path, records: Sequence[VideoRecord]) -> int:
    """The classes of a list that nobody names: up to its highest label.

    Raises:
        DataError: so many labels below that one are not used that it is no label.
    """
    highest = max(records, key=lambda record: max(record.labels))
    label, used = max(highest.labels), len({label for record in records for label in record.labels})
    if label >= _MOST_UNUSED + 10 * used:
        raise DataError(
            f"{source}: the label {label} of {highest.id} is too high for a list of {used} different labels "
            "that no labels.txt beside it names: labels count the classes from 0. Is it another number, such "
            "as one of frames?"
        )
    return label + 1


class _BadLine(Exception):
    """What is wrong with a line."""


class _Form(Enum):
    """What the numbers of a folder's line are."""

    whole = "'folder frames labels'"
    part = "'folder frames-before frames labels'"


class _Reading(NamedTuple):
    """A way to read a line: a path, and the numbers behind it."""

    name: str
    numbers: tuple[int, ...]


def _record(line: str, root: Path, names: Sequence[str] | None) -> tuple[VideoRecord, _Form | None]:
    """The record of a line, and its form if it is a folder's."""
    name, numbers = _fitting(_readings(line), root)
    path = joined(root, name)
    form, frames = None, None
    if len(numbers) > 1 and is_folder(path):
        form, frames, numbers = _frames_and_labels(path, numbers)
    twice = [label for label in numbers if numbers.count(label) > 1]
    if twice:
        raise _BadLine(f"label {twice[0]} is there twice")
    if names is not None and max(numbers) >= len(names):
        raise _BadLine(
            f"label {max(numbers)} is too high, {len(names)} classes count from 0 to {len(names) - 1}"
        )
    record = VideoRecord(shown(name), path, tuple(sorted(numbers)))
    return (record if frames is None else record.part(frames)), form


def _without_group(line: str) -> tuple[str, str]:
    """A line in which its group is told: what comes before, and the group."""
    parts = line.rsplit(maxsplit=1)
    if len(line.split()) < 3:
        raise _BadLine("a path, a label and a group are needed")
    return parts[0], parts[1]


def _refuse_other_form(form: _Form, forms: dict[_Form, int]) -> None:
    """``forms`` holds the first line of each."""
    for other, line in forms.items():
        if other != form:
            raise _BadLine(
                f"line {line} is {other.value}, and this one would be {form.value}; "
                "is a number of frames wrong?"
            )


def _readings(line: str) -> list[_Reading]:
    """All ways to part a line into a path and at least one number, the longest path first."""
    rest, found = line.strip(), list[_Reading]()
    numbers: tuple[int, ...] = ()
    while len(parts := rest.rsplit(maxsplit=1)) == 2 and _is_number(parts[1]):
        if len(numbers) == _MOST_NUMBERS:
            raise _BadLine(f"more than {_MOST_NUMBERS} numbers behind a path")
        rest, numbers = parts[0], (int(parts[1]), *numbers)
        found.append(_Reading(_name(rest), numbers))
    if len(line.split()) < 2:
        raise _BadLine("a path and a label are needed")
    if not found:
        *before, last = line.split()
        is_third = before[-1].isdigit() and not last.isdigit()
        hint = f"; is it a group? (data.groups={GROUP_COLUMN})" if is_third else ""
        raise _BadLine(f"the label {last[:_MOST_SHOWN]!r} is not a whole number from 0{hint}")
    return found


def _name(written: str) -> str:
    """A path as it is compared: with slashes, and none twice; a URL as it is."""
    return written if is_url(written) else Path(written.replace("\\", "/")).as_posix()


def _is_number(word: str) -> bool:
    """Whether a word is a whole number, and no longer than one can be that counts."""
    return word.isascii() and word.isdigit() and len(word) < 19


def _fitting(readings: list[_Reading], root: Path) -> _Reading:
    """The reading that fits what is on disk, or else a video's suffix."""
    videos = [reading for reading in readings if is_listed_name(path_or_url(reading.name))]
    if len(readings) == 1 and videos:
        return videos[0]  # the disk is not asked: it may be slow, and a list long
    for name, numbers in readings:
        path = joined(root, name)
        if is_file(path) or (len(numbers) > 1 and is_folder(path)):
            return _Reading(name, numbers)
    if videos:
        return videos[0]
    longest = joined(root, readings[0].name)
    if is_folder(longest):
        raise _BadLine(f"{longest} is a folder: how many frames it has is needed before the label")
    tried = " nor ".join(str(joined(root, reading.name)) for reading in readings)
    raise _BadLine(f"there is no {tried}, and no path that ends as a video does")


def _frames_and_labels(
    folder: Path, numbers: tuple[int, ...]
) -> tuple[_Form | None, range | None, tuple[int, ...]]:
    """What a line's numbers are, which frames of the folder they mean, None for all, and the labels."""
    try:
        num_frames = len(open_frames(folder).names)
    except VideoError as error:
        if len(numbers) == 2:
            return None, None, numbers[1:]  # it is named when it is opened
        raise _BadLine(str(error)) from error
    if numbers[0] == num_frames:
        return _Form.whole, None, numbers[1:]
    if len(numbers) == 2:
        raise _BadLine(f"the line says {numbers[0]} frames, and the folder has {num_frames}")
    first, count, *labels = numbers
    if count < 1 or first + count > num_frames:
        raise _BadLine(
            f"the folder has {num_frames} frames; that is neither {first}, nor are there {count} of them "
            f"behind the first {first}"
        )
    return _Form.part, None if count == num_frames else range(first, first + count), tuple(labels)


def _names_beside(source: Path) -> tuple[str, ...] | None:
    """Class names from labels.txt or classInd.txt in the list's folder, if there is one."""
    for file in (source.with_name("labels.txt"), source.with_name("classInd.txt")):
        if file.is_file() and file != source:
            return read_class_names(file)
    return None


def read_class_names(file: Path) -> tuple[str, ...]:
    """The classes that a text file names, one a line; of a classInd.txt, ``1 Name`` a line.

    Raises:
        DataError: it names none, or one twice, or is no text.
    """
    lines = [line.strip() for line in _text_lines(file)]
    if not all(map(is_text, lines)):
        raise DataError(f"{file}: class names must be text in UTF-8; save it anew")
    names = [line for line in lines if line]
    if file.name == "classInd.txt":
        names = _numbered_names(file, names)
    if len(set(names)) < len(names) or not names:
        raise DataError(f"{file}: class names must be there, and each only once")
    return tuple(names)


def _numbered_names(file: Path, lines: list[str]) -> list[str]:
    """``1 Name`` lines, numbered from 1 without a gap -> names."""
    names = []
    for number, line in enumerate(lines, start=1):
        word, _, name = line.partition(" ")
        if word != str(number) or not name.strip():
            raise DataError(f"{file}: line {line!r}; expected '{number} Name', numbered from 1 without gaps")
        names.append(name.strip())
    return names


def _text_lines(file: Path) -> list[str]:
    try:
        return read_names(file).split("\n")
    except UnicodeDecodeError:
        raise DataError(
            f"{file}: not a text file in UTF-8; a list file has a line 'path label' for each video. "
            "To use one video, put it in a folder named after its class."
        ) from None
