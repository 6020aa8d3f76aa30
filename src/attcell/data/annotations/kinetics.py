"""Kinetics: CSV with ``label,youtube_id,time_start,time_end,split,is_cc``; one file, or one a part.

Columns go by the header, in any order; ``split`` and ``is_cc`` may be missing, and the names of older tools
(``label-name,video-id,start-time,end-time``) are known. A video's id is the stem of its file,
``0wR5jVB-WPk_000417_000427``: YouTube's id and the clip's start and end in seconds. Without a split column
the part follows from the file's name. The classes are the labels that occur, sorted; tests may have none.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from attcell._checks import path_of
from attcell.data.annotations.reading import AnnotatedVideo, Annotation, Seen, class_names, text_of
from attcell.errors import CallError, DataError

_NAMES = {
    "label": "label", "labelname": "label", "classlabel": "label",
    "youtubeid": "youtube_id", "videoid": "youtube_id", "youtubeidentifier": "youtube_id",
    "timestart": "time_start", "starttime": "time_start",
    "timeend": "time_end", "endtime": "time_end",
    "split": "split", "subset": "split",
}  # fmt: skip
_PARTS = {
    "train": "train", "training": "train",
    "val": "validation", "validate": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True)
class _Row:
    place: str
    part: str
    video: str
    label: str


def read(source: Path | str | Sequence[Path | str]) -> Annotation:
    """Read one CSV file, several, or all of a folder.

    Raises:
        CallError: no such file, or no CSV in the folder.
        DataError: a column is missing, a row is bad, a part is not told, a video stands twice.
    """
    files = _files(source)
    rows = [row for file in files for row in _rows(file)]
    seen = Seen()
    first: dict[str, str] = {}
    for row in rows:
        seen.add(row.video, row.place)
        if row.label:
            first.setdefault(row.label, row.place)
    named = ((place, label) for label, place in first.items())
    labels = tuple(sorted(class_names(files[0], named))) if first else ()
    numbers = {name: number for number, name in enumerate(labels)}
    parts: dict[str, list[AnnotatedVideo]] = {}
    for row in rows:
        classes = (numbers[row.label],) if row.label else ()
        parts.setdefault(row.part, []).append(AnnotatedVideo(row.video, classes))
    return Annotation(labels, {part: tuple(videos) for part, videos in parts.items()})


def _files(source: Path | str | Sequence[Path | str]) -> list[Path]:
    if isinstance(source, Sequence) and not isinstance(source, str) and source:
        return [path_of(file, "a source", "kinetics/train.csv") for file in source]
    place = path_of(source, "source", "kinetics/train.csv")
    found = sorted(place.glob("*.csv")) if place.is_dir() else [place]
    if not found:
        raise CallError(f"{place} holds no CSV file; give the folder of train.csv, or the file itself")
    return found


def _rows(file: Path) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(text_of(file), newline=""), skipinitialspace=True, strict=True)
    columns: dict[str, int] = {}
    row: dict[str, str] = {}
    width = 0
    try:
        for words in reader:
            place = f"{file}:{reader.line_num}"
            if not any(word.strip() for word in words):
                continue
            if not columns:
                columns, width = _columns(place, words), len(words)
                continue
            if len(words) != width:
                raise DataError(f"{place}: {len(words)} columns, and the header has {width}")
            row = {name: words[column].strip() for name, column in columns.items()}
            stem = f"{row['youtube_id']}_{_time(place, row, 'time_start')}_{_time(place, row, 'time_end')}"
            part = _part(place, row.get("split", ""), file)
            if not row["youtube_id"] or (part != "test" and not row.get("label")):
                raise DataError(f"{place}: a youtube_id and, but for tests, a label are needed: {words}")
            yield _Row(place, part, stem, row.get("label", ""))
    except csv.Error as error:
        raise DataError(f"{file}:{reader.line_num}: this is no CSV ({error}); save it anew") from error
    if not row:
        raise DataError(f"{file} lists no video; get the official file anew")


def _columns(place: str, header: Sequence[str]) -> dict[str, int]:
    """Our name of a column -> its place."""
    found: dict[str, int] = {}
    for column, word in enumerate(header):
        name = _NAMES.get(re.sub(r"[\s_-]", "", word).lower())
        if name in found:
            raise DataError(f"{place}: the header has {name} twice: {','.join(header)}")
        if name:
            found[name] = column
    missing = [name for name in ("youtube_id", "time_start", "time_end") if name not in found]
    if missing:
        raise DataError(
            f"{place}: the header lacks {', '.join(missing)}; expected label,youtube_id,time_start,time_end,"
            f"split and got {','.join(header)[:80]}"
        )
    return found


def _time(place: str, row: dict[str, str], name: str) -> str:
    """Whole seconds, as the names of the files have them."""
    try:
        seconds = float(row[name])
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e6 or not seconds.is_integer():
        raise DataError(f"{place}: {name} is {row[name]!r}; expected whole seconds from 0 to 999999")
    return f"{int(seconds):06d}"


def _part(place: str, word: str, file: Path) -> str:
    words = [word.lower()] if word else re.split(r"[^a-z]+", file.stem.lower())
    found = {_PARTS[of] for of in words if of in _PARTS}
    if len(found) != 1:
        said = f"split is {word!r}" if word else "no split is told here, nor by the file's name"
        raise DataError(f"{place}: {said}; expected train, validate or test")
    return found.pop()
