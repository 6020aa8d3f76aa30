"""CCV: YouTube ids, and a table of 20 columns of 0 and 1 beside them, row by row.

A video may be of several classes, or of none.
"""

from __future__ import annotations

from pathlib import Path

from attcell.data.annotations.records import (
    AnnotatedVideo,
    Annotation,
    Seen,
    class_names,
    lines_of,
    raise_problems,
)
from attcell.errors import DataError
from attcell.files import write_text

PARTS = ("train", "test")


def read(folder: Path) -> Annotation:
    """Read ``categoryName.txt``, ``trainVidID.txt``, ``trainLabel.txt`` and those of test.

    Raises:
        DataError: a missing file, lists of another length than their tables, or bad lines, each with file
            and number.
    """
    file = folder / "categoryName.txt"
    labels = class_names(file, [line for _, line in lines_of(file)])
    seen = Seen(capitals_count=True)
    parts = {part: _read_part(folder, part, len(labels), seen) for part in PARTS}
    return Annotation(labels, parts, multi_label=True)


def write(annotation: Annotation, folder: Path) -> None:
    """Write the five files."""
    write_text(folder / "categoryName.txt", "".join(f"{name}\n" for name in annotation.labels))
    for part in PARTS:
        videos = annotation.parts[part]
        write_text(folder / f"{part}VidID.txt", "".join(f"{video.id}\n" for video in videos))
        rows = [
            "".join(f"{int(label in video.labels)} " for label in range(len(annotation.labels))) + "\n"
            for video in videos
        ]
        write_text(folder / f"{part}Label.txt", "".join(rows))


def _read_part(folder: Path, part: str, num_classes: int, seen: Seen) -> tuple[AnnotatedVideo, ...]:
    names, table = folder / f"{part}VidID.txt", folder / f"{part}Label.txt"
    ids, rows = list(lines_of(names)), list(lines_of(table))
    if len(ids) != len(rows):
        raise DataError(
            f"{table}: {len(rows)} rows for the {len(ids)} videos of {names}; they must go row by row"
        )
    videos, problems = [], []
    for (place, id), (number, line) in zip(ids, rows, strict=True):
        words = line.split()
        if twice := seen.problem(id, names, place):
            problems.append(twice)
        if len(words) != num_classes or not set(words) <= {"0", "1"}:
            problems.append(f"{table}:{number}: {line[:60]!r}; expected {num_classes} numbers, each 0 or 1")
            continue
        videos.append(AnnotatedVideo(id, tuple(label for label, word in enumerate(words) if word == "1")))
    raise_problems(problems)
    return tuple(videos)
