"""HMDB51: ``CLASS_test_split1.txt`` for each class, with ``NAME.avi 1`` (1 train, 2 test, 0 unused)."""

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

PARTS = {"1": "train", "2": "test", "0": "unused"}


def read(folder: Path, split: int) -> Annotation:
    """Read one of the three splits. The classes are those of the files' names, in alphabetical order.

    Raises:
        DataError: no files of this split, a class that has files of other splits alone, or bad lines, each
            with file and number.
    """
    ending = f"_test_split{split}.txt"
    files = sorted(folder.glob(f"*{ending}"))
    known = sorted({path.name.rpartition("_test_split")[0] for path in folder.glob("*_test_split*.txt")})
    names = [path.name.removesuffix(ending) for path in files]
    if not files:
        raise DataError(
            f"{folder}: no files such as brush_hair{ending}; give the folder of the official ones"
        )
    if lacking := [name for name in known if name not in names]:
        raise DataError(f"{folder}: {lacking[0]}{ending} is missing ({len(lacking)} such); get it again")
    labels = class_names(folder, sorted(names))
    parts: dict[str, list[AnnotatedVideo]] = {part: [] for part in PARTS.values()}
    problems, seen = [], Seen(capitals_count=False)
    for label, name in enumerate(labels):
        file = folder / f"{name}{ending}"
        for number, line in lines_of(file):
            video, _, code = line.rpartition(" ")
            if not video or code not in PARTS:
                problems.append(f"{file}:{number}: {line!r}; expected 'NAME.avi' and 0, 1 or 2")
                continue
            id = f"{name}/{video.rstrip()}"
            if twice := seen.problem(id, file, number):
                problems.append(twice)
            parts[PARTS[code]].append(AnnotatedVideo(id, (label,)))
    raise_problems(problems)
    return Annotation(labels, {part: tuple(videos) for part, videos in parts.items()})


def write(annotation: Annotation, folder: Path, split: int) -> None:
    """Write the files of one split: of each class those of train, test and unused, in alphabetical order."""
    for label, name in enumerate(annotation.labels):
        codes = {
            video.id.partition("/")[2]: code
            for code, part in PARTS.items()
            for video in annotation.parts[part]
            if video.labels == (label,)
        }
        lines = [f"{video} {code} \n" for video, code in sorted(codes.items())]
        write_text(folder / f"{name}_test_split{split}.txt", "".join(lines))
