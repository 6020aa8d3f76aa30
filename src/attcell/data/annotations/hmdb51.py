"""HMDB51: ``CLASS_test_splitN.txt`` for each class and split, with lines ``VIDEO.avi 1``.

The code is 1 for training, 2 for testing and 0 for videos that the split leaves out. The classes are the
files' names, sorted. A video's place in its file says nothing: videos are sorted within their class.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from attcell.data.annotations.reading import (
    AnnotatedVideo,
    Annotation,
    Seen,
    case_notes,
    class_names,
    folder_of,
    numbered_lines,
    some_videos,
    split_of,
)
from attcell.errors import DataError

_CODES = {"1": "train", "2": "test", "0": "unused"}
_FILE = re.compile(r"(.+)_test_split[123]\.txt")


def read(folder: Path | str, split: int) -> Annotation:
    """Read one of the three splits; parts ``train``, ``test`` and ``unused``.

    Raises:
        CallError: no such folder, or another split.
        DataError: a class has files of other splits and none of this one; a line is bad; a video stands
            twice.
    """
    split = split_of(split)
    folder = folder_of(folder, ())
    names = sorted({found[1] for file in folder.iterdir() if (found := _FILE.fullmatch(file.name))})
    labels = class_names(folder, ((str(folder / _file_name(name, split)), name) for name in names))
    folder_of(folder, [_file_name(name, split) for name in labels])
    parts: dict[str, list[AnnotatedVideo]] = {part: [] for part in _CODES.values()}
    for label, name in enumerate(labels):
        for part, video in sorted(_videos(folder / _file_name(name, split), name)):
            parts[part].append(AnnotatedVideo(video, (label,)))
    for part in ("train", "test"):
        some_videos(f"the {part} part of {folder}", parts[part])
    return Annotation(
        labels, {part: tuple(of) for part, of in parts.items()}, notes=case_notes(parts.values())
    )


def _file_name(name: str, split: int) -> str:
    return f"{name}_test_split{split}.txt"


def _videos(file: Path, name: str) -> Iterator[tuple[str, str]]:
    """(part, id) of each line."""
    seen = Seen()
    for number, line in numbered_lines(file):
        words = line.rsplit(maxsplit=1)
        if len(words) != 2 or words[1] not in _CODES:
            raise DataError(
                f"{file}:{number}: {line!r}; expected 'VIDEO.avi CODE' with the code 1 (training), "
                "2 (testing) or 0 (unused)"
            )
        video = f"{name}/{words[0]}"
        seen.add(video, f"{file}:{number}")
        yield _CODES[words[1]], video
