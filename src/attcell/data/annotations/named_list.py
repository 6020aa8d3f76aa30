"""Lists that say a video's class by its name: lines ``some/video.mp4 wave``, or CSV with a header.

CSV has a column ``video`` and a column ``label``, in any order and among others, which are not read;
``group`` where groups are asked for. A video of several classes has a line for each. Labels may be numbers
from 0 there too. Parted by commas, semicolons or tabs, as the header is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from attcell._checks import hint
from attcell._paths import composed, is_video_name
from attcell._urls import path_or_url
from attcell.errors import DataError, first_lines
from attcell.video.features import is_features

_COLUMNS = {
    "video": ("video", "path", "file", "filename", "filepath", "video_path"),
    "label": ("label", "class", "label_name", "class_name"),
    "group": ("group",),
}


@dataclass(frozen=True)
class Entry:
    """What a line says: its number, the video's path, the class by name or number, and the group or ""."""

    line: int
    name: str
    label: str
    group: str = ""


def csv_entries(source: Path, lines: Sequence[str], *, with_groups: bool) -> list[Entry] | None:
    """The lines of a CSV; None where the file has no header of one.

    Raises:
        DataError: a column lacks, or a line has no video or no label.
    """
    first = next((line for line in lines if line.strip()), "")
    parting = next((letter for letter in ",;\t" if letter in first), None)
    if parting is None:
        return None
    head = [cell.strip().strip('"').lower() for cell in first.split(parting)]
    places = {
        what: next((head.index(name) for name in names if name in head), None)
        for what, names in _COLUMNS.items()
    }
    if places["video"] is None:
        return None
    needed = ["video", "label", *(["group"] if with_groups else [])]
    lacking = [what for what in needed if places[what] is None]
    if lacking:
        raise DataError(
            f"{source}: no column {lacking[0]!r} in its header {first.strip()[:200]!r}; name one so (allowed "
            f"are {', '.join(_COLUMNS[lacking[0]])})"
        )
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=parting)
    entries, problems, is_head = list[Entry](), list[str](), True
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if is_head:
                is_head = False
                continue
            cells = {what: row[at].strip() for what, at in places.items() if at is not None and at < len(row)}
            lacks = [what for what in needed if not cells.get(what)]
            if lacks:
                problems.append(f"{source}:{reader.line_num}: no {lacks[0]} on this line")
                continue
            group = cells["group"] if with_groups else ""
            entries.append(Entry(reader.line_num, cells["video"], cells["label"], group))
    except csv.Error as error:
        raise DataError(f"{source}:{reader.line_num}: no CSV ({error}); mend the quotes") from error
    _raise(source, problems, "expected a video and a label")
    return entries


def named_entries(lines: Sequence[tuple[int, str, str]]) -> list[Entry] | None:
    """The lines of a list of names; None where the first one ends with a number, or names no video.

    Args:
        lines: of each its number, its text and its group.
    """
    entries = list[Entry]()
    for line, text, group in lines:
        parted = _parted(text)
        if parted is None:
            if not entries:
                return None
            entries.append(Entry(line, text, "", group))
            continue
        words = parted[1].split()
        if not entries and (_is_number(words[0]) or _is_number(words[-1])):
            return None
        entries.append(Entry(line, *parted, group))
    return entries or None


def _parted(text: str) -> tuple[str, str] | None:
    """A path that ends as a video's does, the shortest, and what follows."""
    words = text.strip()
    for place, letter in enumerate(words):
        if letter in " \t":
            path, rest = words[:place], words[place:].strip()
            name = path_or_url(path)
            if rest and (is_video_name(name) or is_features(name)):
                return path, rest
    return None


def _is_number(word: str) -> bool:
    return word.isascii() and word.lstrip("+-").isdigit()


def resolved(
    source: Path, entries: Sequence[Entry], names: Sequence[str] | None
) -> tuple[tuple[str, ...] | None, dict[str, tuple[list[int], str]]]:
    """The classes, None where all labels are numbers and nobody names them; and of each video its classes and
    its group.

    Args:
        source: the list, for messages.
        entries: its lines.
        names: the known classes.

    Raises:
        DataError: an unknown class, a class twice for a video, or two groups of one.
    """
    are_numbers = all(_is_number(entry.label) and entry.label.isdigit() for entry in entries)
    known = None if names is None else [composed(name) for name in names]
    if are_numbers and not (known and any(entry.label in known for entry in entries)):
        known = None
    elif known is None:
        known = sorted({composed(entry.label) for entry in entries if entry.label})
    found: dict[str, tuple[list[int], str]] = {}
    problems = []
    for entry in entries:
        fault = _add(found, entry, known, len(names) if names is not None else None)
        if fault:
            problems.append(f"{source}:{entry.line}: {fault}")
    _raise(source, problems, "expected a video and one of the classes by its name")
    return tuple(known) if known is not None and names is None else None, found


def _add(
    found: dict[str, tuple[list[int], str]], entry: Entry, known: Sequence[str] | None, count: int | None
) -> str | None:
    """Note what a line says; what is wrong with it."""
    if not entry.label:
        return f"no class behind a video's name: {entry.name.strip()[:200]!r}"
    if known is None:
        label = int(entry.label) if len(entry.label) < 19 else -1
        if label < 0 or (count is not None and label >= count):
            return f"label {entry.label[:19]} is too high, {count} classes count from 0 to {(count or 1) - 1}"
    elif composed(entry.label) in known:
        label = known.index(composed(entry.label))
    else:
        return _unknown(entry.label, known)
    labels, group = found.setdefault(entry.name, ([], entry.group))
    if label in labels:
        return f"this video has the class {entry.label!r} on an earlier line already"
    if group != entry.group:
        return f"this video is of group {group!r} on an earlier line, and of {entry.group!r} here"
    labels.append(label)
    return None


def _unknown(label: str, known: Sequence[str]) -> str:
    if _is_number(label):
        return f"the label {label!r} is a number, and the others are names"
    return f"the class {label!r} is unknown; {hint(label, known)}"


def _raise(source: Path, problems: Sequence[str], expected: str) -> None:
    if problems:
        count = f"{len(problems)} bad line{'s' if len(problems) > 1 else ''}"
        raise DataError("\n".join([f"{source}: {count}; {expected}:", *first_lines(problems)]))
