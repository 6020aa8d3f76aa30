"""Which videos belong together: ``data.groups`` of a recipe, as the groups of records.

Videos of one group show the same people, place or recording. They are held out together wherever videos are
held out, for one of them tells of the others.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from attcell._files import read_names
from attcell._paths import composed
from attcell._urls import UrlPath, path_or_url
from attcell.choices import GROUP_COLUMN
from attcell.data.listing import shortened
from attcell.errors import CallError, DataError, first_lines
from attcell.types import VideoRecord

COLUMNS = ("video", "group")  # of a CSV file; others are passed over


GROUP_FORMS = (
    "a regular expression whose first brackets match a video's group, such as '_(g[0-9]+)_'; a file .csv "
    f"with the columns video,group; or {GROUP_COLUMN}, where each line of the list files ends with the group"
)


def file_or_expression(groups: Any) -> str | Path:
    """What ends in .csv as a path; all other text, but for ``column``, is a regular expression.

    Raises:
        CallError: it is neither.
    """
    if isinstance(groups, Path | UrlPath):
        return cast("Path", groups)
    if not isinstance(groups, str) or not groups.strip():
        raise CallError(f"give {GROUP_FORMS}")
    if groups.lower().endswith(".csv"):
        return path_or_url(groups).expanduser()
    try:
        re.compile(groups)
    except re.error as error:
        raise CallError(f"no regular expression: {error}; give {GROUP_FORMS}") from error
    return groups


@dataclass(frozen=True)
class GroupFile:
    """A CSV of groups.

    Attributes:
        path: where it lies.
        groups: a video's name → its group. A name is a video's path below its source, as ``wave/alice.mp4``,
            or below the folder of the CSV, as ``train/wave/alice.mp4``; compared letter by letter, and then
            in Unicode's composed form.
    """

    path: Path
    groups: dict[str, str]

    def names_of(self, record: VideoRecord) -> list[str]:
        """What a video may be called here, the name that counts first."""
        path, folder = record.whole().path.absolute(), self.path.absolute().parent
        part = record.id.removeprefix(record.whole().id)  # of a folder of frames
        below = [path.relative_to(folder).as_posix() + part] if path.is_relative_to(folder) else []
        return [*below, record.id]

    def group(self, record: VideoRecord) -> str:
        """A video's group; "" where it is not named."""
        for name in self.names_of(record):
            if found := self.groups.get(name) or self._composed.get(composed(name)):
                return found
        return ""

    @cached_property
    def _composed(self) -> dict[str, str]:
        return {composed(name): group for name, group in self.groups.items()}

    def unknown(self, records: Iterable[VideoRecord]) -> list[str]:
        """The names that none of these videos has."""
        known = {composed(name) for record in records for name in self.names_of(record)}
        return [name for name in self.groups if composed(name) not in known]


def groups_of(records: Sequence[VideoRecord]) -> list[str]:
    """The group of each video, one that is in none being a group by itself; empty if no group is known."""
    grouped = any(record.group for record in records)
    return [record.group or record.id for record in records] if grouped else []


def units_by_class(records: Iterable[VideoRecord], num_classes: int) -> list[int]:
    """Of each class how many units its videos are that tell nothing of each other: groups, and videos that
    are in none.
    """
    units: list[set[str]] = [set() for _ in range(num_classes)]
    for record in records:
        for label in record.labels:
            units[label].add(record.group or record.id)
    return [len(of) for of in units]


def with_groups(records: Sequence[VideoRecord], groups: str | Path) -> tuple[VideoRecord, ...]:
    """The records with their groups, in place of what groups they had.

    Args:
        records: the videos of one part.
        groups: a CSV file; or a regular expression, which is looked for in each video's id: what its first
            brackets that take part match is the group, or without brackets all that it matches.

    Raises:
        CallError: no such file, or an expression that matches no video.
        DataError: a CSV that is not right, or videos without a group, by name.
    """
    if not isinstance(groups, str):
        file = read_groups(groups)
        found = [replace(record, group=file.group(record)) for record in records]
    else:
        expression = re.compile(groups)
        found = [replace(record, group=_matched(expression, record.id)) for record in records]
    lacking = [record.id for record in found if not record.group]
    if not lacking:
        return tuple(found)
    if isinstance(groups, str) and len(lacking) == len(found):
        raise CallError(
            f"groups {groups!r} finds nothing in the names of {len(found)} videos, such as "
            f"{', '.join(lacking[:3])}; give an expression whose first brackets match a video's group in its "
            "path below its source"
        )
    what, how = f"groups {groups!r}", "let the expression fit all names, or give a CSV"
    if not isinstance(groups, str):
        what, how = str(groups), "add a line 'video,group' for each"
    raise DataError(
        f"{what} tells no group of {len(lacking)} of {len(found)} videos: {shortened(lacking, ', ')}; {how}"
    )


def read_groups(path: Path) -> GroupFile:
    """A CSV file with the columns ``video`` and ``group``.

    Raises:
        CallError: no such file.
        DataError: other columns, lines without a group, a video twice; with their numbers.
    """
    if not path.is_file():
        raise CallError(
            f"groups {path}: no such file; give a CSV with the columns {','.join(COLUMNS)}, or a "
            "regular expression, which does not end in .csv"
        )
    try:
        reader = csv.DictReader(io.StringIO(read_names(path, newline=""), newline=""), skipinitialspace=True)
        columns = tuple(reader.fieldnames or ())
        lines = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV file in UTF-8: {error}") from error
    if not set(COLUMNS) <= set(columns):
        raise DataError(
            f"{path}: the first line is {','.join(columns) or 'empty'!r}; it must name the columns "
            f"{','.join(COLUMNS)}"
        )
    groups: dict[str, str] = {}
    problems: list[str] = []
    for number, row in lines:
        video, group = ((row[column] or "").strip() for column in COLUMNS)
        video = video.replace("\\", "/").removeprefix("./")
        if not video or not group:
            problems.append(f"{path}:{number}: a video and its group are needed: {video},{group}")
        elif groups.setdefault(video, group) != group:
            problems.append(f"{path}:{number}: {video} is in group {groups[video]}, and here in {group}")
    if problems:
        raise DataError("\n".join([f"{path} has bad lines:", *first_lines(problems)]))
    return GroupFile(path, groups)


def classes_of_groups(records: Iterable[VideoRecord]) -> dict[str, set[int]]:
    """Group → the classes of its videos; videos of no known group are passed over."""
    groups: dict[str, set[int]] = {}
    for record in records:
        if record.group:
            groups.setdefault(record.group, set()).update(record.labels)
    return groups


def shared_groups(taught: Iterable[VideoRecord], records: Sequence[VideoRecord], part: str) -> str:
    """A sentence where groups of a part are among those that were learnt from; else ""."""
    known = classes_of_groups(taught)
    shared = sorted(known.keys() & classes_of_groups(records).keys())
    if not shared:
        return ""
    number = sum(record.group in known for record in records)
    return (
        f"{number} of {len(records)} {part} videos are of groups that are in training too "
        f"({shortened(shared, ', ')}), so that they say little of new groups; part whole groups"
    )


def _matched(expression: re.Pattern[str], name: str) -> str:
    match = expression.search(name)
    if match is None:
        return ""
    return next((text for text in match.groups() if text), "") if expression.groups else match[0]
