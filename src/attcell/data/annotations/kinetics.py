"""Kinetics' CSV: ``label,youtube_id,time_start,time_end,split,is_cc``, in one file or one for each part."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from attcell.data.annotations.records import (
    AnnotatedVideo,
    Annotation,
    Seen,
    class_names,
    raise_problems,
)
from attcell.errors import DataError
from attcell.files import write_text

PARTS = ("train", "val", "test")
_NEEDED = ("youtube_id", "time_start", "time_end")
_OTHER_WORDS = {"validate": "val", "validation": "val", "training": "train", "testing": "test"}


def read(folder: Path) -> Annotation:
    """Read all CSV files of a folder: ``train.csv``, ``val.csv``, ``test.csv``, or one with a split column.

    A video's id is the stem that its file usually has, ``0wR5jVB-WPk_000417_000427``. Classes are sorted by
    name. Test files may lack the labels.

    Raises:
        DataError: no such files, or bad lines, each with file and number.
    """
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise DataError(f"{folder}: no CSV files; expected train.csv, val.csv and test.csv")
    rows: list[tuple[str, str, str]] = []  # part, id, label
    problems: list[str] = []
    seen = Seen(capitals_count=True)
    for file in files:
        rows += _rows(file, seen, problems)
    raise_problems(problems)
    labels = class_names(folder, sorted({label for _, _, label in rows if label}))
    numbers = {name: number for number, name in enumerate(labels)}
    parts: dict[str, list[AnnotatedVideo]] = {}
    for part, id, label in rows:
        own = (numbers[label],) if label else ()
        parts.setdefault(part, []).append(AnnotatedVideo(id, own))
    return Annotation(labels, {part: tuple(videos) for part, videos in parts.items()})


def write(annotation: Annotation, folder: Path) -> None:
    """Write a file for each part."""
    for part, videos in annotation.parts.items():
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["label", "youtube_id", "time_start", "time_end", "split", "is_cc"])
        for video in videos:
            youtube, start, end = video.id.rsplit("_", 2)
            label = annotation.labels[video.labels[0]] if video.labels else ""
            writer.writerow([label, youtube, int(start), int(end), part, 0])
        write_text(folder / f"{part}.csv", text.getvalue())


def _rows(file: Path, seen: Seen, problems: list[str]) -> list[tuple[str, str, str]]:
    try:
        lines = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} is not CSV in UTF-8 ({error}); get it again") from error
    head = [word.strip() for word in lines[0]] if lines else []
    if lacking := [word for word in _NEEDED if word not in head]:
        raise DataError(f"{file}:1: the header lacks {', '.join(lacking)}: {','.join(head)[:80]}")
    columns = {word: place for place, word in enumerate(head)}
    found = []
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        problem, row = _parsed(line, columns, file.stem)
        if problem or (twice := seen.problem(row[1], file, number)):
            problems.append(f"{file}:{number}: {problem}: {','.join(line)[:80]}" if problem else twice)
            continue
        found.append(row)
    return found


def _parsed(line: Sequence[str], columns: dict[str, int], stem: str) -> tuple[str, tuple[str, str, str]]:
    """What is wrong with a line, if anything; and part, id and label."""
    nothing = ("", "", "")
    if len(line) != len(columns):
        return f"{len(line)} columns, and the header has {len(columns)}", nothing
    value = {word: line[place].strip() for word, place in columns.items()}
    try:
        start, end = (round(float(value[word])) for word in ("time_start", "time_end"))
    except (ValueError, OverflowError):
        return "the times are no numbers", nothing
    if not value["youtube_id"]:
        return "there is no youtube_id", nothing
    part = value.get("split") or stem.rpartition("_")[2]
    part = _OTHER_WORDS.get(part, part)
    if part not in PARTS:
        return f"the split is {part!r}; expected train, val or test", nothing
    label = value.get("label", "")
    if not label and part != "test":
        return "there is no label", nothing
    return "", (part, f"{value['youtube_id']}_{start:06d}_{end:06d}", label)
