"""Sports-1M: ``labels.txt`` (line n is class n, from 0), and lists of ``URL 168,169``."""

from __future__ import annotations

import re
from pathlib import Path

from attcell.data.annotations.records import (
    AnnotatedVideo,
    Annotation,
    class_names,
    lines_of,
    raise_problems,
)
from attcell.files import write_text

PARTS = ("train", "test")
_LINE = re.compile(r"\S*?(?:[?&]v=|youtu\.be/)([\w-]+)\S*\s+(\d+(?:,\d+)*)")


def read(folder: Path) -> Annotation:
    """Read ``labels.txt``, ``train_partition.txt`` and ``test_partition.txt``, in folder or ``original/``.

    A video's id is YouTube's. The official lists name some videos in both parts, under other classes: that
    is noted.

    Raises:
        DataError: a missing file, or bad lines, each with file and number.
    """
    labels = read_labels(folder / "labels.txt")
    lists = folder / "original" if (folder / "original").is_dir() else folder
    parts = {part: _read_part(lists / f"{part}_partition.txt", len(labels)) for part in PARTS}
    both = {video.id for video in parts["train"]} & {video.id for video in parts["test"]}
    notes = (f"{len(both)} videos are in both parts, first {min(both)}",) if both else ()
    return Annotation(labels, parts, multi_label=True, notes=notes)


def read_labels(file: Path) -> tuple[str, ...]:
    """The classes, a line each."""
    return class_names(file, [line for _, line in lines_of(file)])


def write(annotation: Annotation, folder: Path) -> None:
    """Write the three files."""
    write_text(folder / "labels.txt", "".join(f"{name}\n" for name in annotation.labels))
    for part in PARTS:
        lines = [
            f"https://www.youtube.com/watch?v={video.id} {','.join(map(str, video.labels))}\n"
            for video in annotation.parts[part]
        ]
        write_text(folder / f"{part}_partition.txt", "".join(lines))


def _read_part(file: Path, num_classes: int) -> tuple[AnnotatedVideo, ...]:
    videos: dict[str, tuple[int, ...]] = {}
    problems = []
    for number, line in lines_of(file):
        match = _LINE.fullmatch(line)
        if match is None:
            problems.append(f"{file}:{number}: {line[:80]!r}; expected a YouTube URL and classes as 168,169")
            continue
        labels = tuple(sorted({int(word) for word in match[2].split(",")}))
        if labels[-1] >= num_classes:
            problems.append(
                f"{file}:{number}: class {labels[-1]} is too high; {num_classes} count from 0 to "
                f"{num_classes - 1}"
            )
        elif match[1] in videos:
            problems.append(f"{file}:{number}: {match[1]} was there before")
        videos[match[1]] = labels
    raise_problems(problems)
    return tuple(AnnotatedVideo(id, labels) for id, labels in videos.items())
