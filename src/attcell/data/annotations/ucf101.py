"""UCF101: ``classInd.txt`` (``1 ApplyEyeMakeup``), ``trainlist01.txt`` and ``testlist01.txt`` to 03.

Labels count from 1 in these files and from 0 here; the lists of test videos have none, and the folder tells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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

_GROUP = re.compile(r"_(g\d+)_c\d+")


def read(folder: Path, split: int) -> Annotation:
    """Read one of the three splits.

    Raises:
        DataError: a missing file, or bad lines, each with file and number: a class that is not known, a
            label that is not the folder's, a video named twice.
    """
    labels = read_classes(folder / "classInd.txt")
    numbers = {name: number for number, name in enumerate(labels)}
    seen = Seen(capitals_count=False)
    parts = {
        part: _read_list(folder / f"{part}list{split:02d}.txt", numbers, seen) for part in ("train", "test")
    }
    return Annotation(labels, parts)


def read_classes(file: Path) -> tuple[str, ...]:
    """The classes of ``1 Name`` lines, numbered from 1 without a gap.

    Raises:
        DataError: another line, with file and number; a name that is there twice.
    """
    names: list[str] = []
    for number, line in lines_of(file):
        word, _, name = line.partition(" ")
        if word != str(len(names) + 1) or not name.strip():
            raise DataError(f"{file}:{number}: {line!r}; expected '{len(names) + 1} Name', without gaps")
        names.append(name.strip())
    return class_names(file, names)


def write(annotation: Annotation, folder: Path, split: int) -> None:
    """Write ``classInd.txt`` and the two lists of a split."""
    named = [f"{number} {name}\n" for number, name in enumerate(annotation.labels, start=1)]
    write_text(folder / "classInd.txt", "".join(named))
    train = [f"{video.id} {video.labels[0] + 1}\n" for video in annotation.parts["train"]]
    write_text(folder / f"trainlist{split:02d}.txt", "".join(train))
    test = [f"{video.id}\n" for video in annotation.parts["test"]]
    write_text(folder / f"testlist{split:02d}.txt", "".join(test))


def _read_list(file: Path, numbers: Mapping[str, int], seen: Seen) -> tuple[AnnotatedVideo, ...]:
    videos, problems = [], []
    for number, line in lines_of(file):
        name, _, word = line.rpartition(" ")
        name, given = (name.rstrip(), word) if name and word.isdigit() else (line, "")
        name = name.replace("\\", "/")
        label = numbers.get(name.rpartition("/")[0])
        if label is None:
            problems.append(f"{file}:{number}: {line!r} is in no folder of a class in classInd.txt")
        elif given and int(given) != label + 1:
            problems.append(
                f"{file}:{number}: {name} is in the folder of class {label + 1} and has label {given}"
            )
        elif twice := seen.problem(name, file, number):
            problems.append(twice)
        else:
            videos.append(AnnotatedVideo(name, (label,), _group(name)))
    raise_problems(problems)
    return tuple(videos)


def _group(name: str) -> str:
    """``ApplyEyeMakeup g08``: the clips of one group are cut from one video."""
    match = _GROUP.search(name)
    return "" if match is None else f"{name.partition('/')[0]} {match[1]}"
