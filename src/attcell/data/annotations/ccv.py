"""CCV: ``categoryName.txt``, and ``VidID`` and ``Label`` files of ``train`` and ``test``, row by row.

Ids are YouTube's. A row of labels has a 0 or 1 for each class; a video may be of several, or of none.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from attcell.data.annotations.reading import (
    AnnotatedVideo,
    Annotation,
    Seen,
    folder_of,
    names_of_file,
    numbered_lines,
    some_videos,
)
from attcell.errors import DataError

_PARTS = ("train", "test")


def read(folder: Path | str) -> Annotation:
    """Read the five files.

    Raises:
        CallError: no such folder.
        DataError: a file is missing; more rows of labels than videos, or fewer; a row that is not a 0 or 1
            for each class; a video that stands twice.
    """
    files = [f"{part}{kind}.txt" for part in _PARTS for kind in ("VidID", "Label")]
    folder = folder_of(folder, ["categoryName.txt", *files])
    labels = names_of_file(folder / "categoryName.txt")
    seen = Seen()
    parts = {
        part: some_videos(folder / f"{part}VidID.txt", _videos(folder, part, len(labels), seen))
        for part in _PARTS
    }
    return Annotation(labels, parts, multi_label=True)


def _videos(folder: Path, part: str, num_classes: int, seen: Seen) -> Iterator[AnnotatedVideo]:
    ids, rows = folder / f"{part}VidID.txt", folder / f"{part}Label.txt"
    for video, row in zip_longest(numbered_lines(ids), numbered_lines(rows)):
        if row is None:
            raise DataError(f"{ids}:{video[0]}: {video[1]} has no row in {rows}; give files of one release")
        if video is None:
            raise DataError(f"{rows}:{row[0]}: this row has no video in {ids}; give files of one release")
        if len(video[1].split()) > 1:
            raise DataError(f"{ids}:{video[0]}: {video[1]!r}; expected one YouTube id a line")
        seen.add(video[1], f"{ids}:{video[0]}")
        yield AnnotatedVideo(video[1], _classes(f"{rows}:{row[0]}", row[1], num_classes))


def _classes(place: str, row: str, num_classes: int) -> tuple[int, ...]:
    words = row.split()
    if len(words) != num_classes:
        raise DataError(f"{place}: {len(words)} columns, and categoryName.txt names {num_classes} classes")
    for column, word in enumerate(words, 1):
        if word not in {"0", "1"}:
            raise DataError(f"{place}: {word!r} in column {column}; expected 0 or 1")
    return tuple(label for label, word in enumerate(words) if word == "1")
