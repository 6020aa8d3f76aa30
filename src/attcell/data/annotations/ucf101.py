"""UCF101: ``classInd.txt`` (``1 ApplyEyeMakeup``), ``trainlist01.txt`` and ``testlist01.txt``, splits 1 to 3.

Labels count from 1 in the files, from 0 here. A line of a train list is ``CLASS/VIDEO.avi 1``; in a test list
the label may be missing, since the folder tells the class. Videos of one group (``_g08_``) of a class were
cut from one recording and must not be parted between training and held-out videos.

UCF101-24 adds boxes (:func:`read_boxes`): ``finalAnnots.mat`` of the corrected annotation, a struct array
``annot``. Its elements have ``name`` (``Basketball/v_Basketball_g01_c01``), ``num_imgs`` and ``tubes``; a
tube has ``sf`` and ``ef``, its first and last frame counted from 1, and ``boxes``, n × 4 of x, y, width and
height in pixels of 320 × 240. The pickled form of it that is about is not read: to unpickle is to run what is
in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from attcell._files import OTHER_VALUES
from attcell.data.annotations.reading import (
    AnnotatedVideo,
    Annotation,
    Seen,
    case_notes,
    class_names,
    folder_of,
    number_in,
    numbered_lines,
    some_videos,
    split_of,
    struct_array,
)
from attcell.errors import DataError

_PARTS = ("train", "test")
# Of the frames in which UCF101-24 counts its boxes.
SIZE = (320.0, 240.0)
FPS = 25.0
_GROUP = re.compile(r"_(g\d+)_")


def read(folder: Path | str, split: int) -> Annotation:
    """Read one of the three splits.

    Raises:
        CallError: no such folder, or another split.
        DataError: a file is missing, or a line of it is bad; a video stands twice.
    """
    lists = {part: f"{part}list{split_of(split):02d}.txt" for part in _PARTS}
    folder = folder_of(folder, ["classInd.txt", *lists.values()])
    labels = read_labels(folder / "classInd.txt")
    numbers = {name: number for number, name in enumerate(labels)}
    seen = Seen()
    parts = {
        part: some_videos(folder / name, _videos(folder / name, numbers, seen))
        for part, name in lists.items()
    }
    return Annotation(labels, parts, notes=case_notes(parts.values()))


def read_labels(file: Path) -> tuple[str, ...]:
    """The classes of ``classInd.txt``: ``1 Name``, numbered from 1 without gaps.

    Raises:
        CallError: no such file.
        DataError: another number, no name, or a name that stands twice.
    """
    names = []
    for count, (number, line) in enumerate(numbered_lines(file), 1):
        word, _, name = line.partition(" ")
        if word != str(count):
            raise DataError(
                f"{file}:{number}: {line!r}; expected '{count} NAME', numbered from 1 without gaps"
            )
        names.append((f"{file}:{number}", name.strip()))
    return class_names(file, names)


def _videos(file: Path, numbers: Mapping[str, int], seen: Seen) -> Iterator[AnnotatedVideo]:
    for number, line in numbered_lines(file):
        place = f"{file}:{number}"
        words = line.rsplit(maxsplit=1)
        has_label = len(words) == 2 and words[1].isdecimal()
        video = words[0] if has_label else line
        if not has_label and file.name.startswith("train"):
            raise DataError(f"{place}: {line!r} has no label; expected 'CLASS/VIDEO.avi 1'")
        name = video.split("/")[0]
        if name not in numbers or "/" not in video:
            raise DataError(
                f"{place}: {video} is in the folder of no class; classInd.txt beside it names the "
                f"{len(numbers)} classes"
            )
        if has_label and number_in(words[1], 1, len(numbers)) != numbers[name] + 1:
            raise DataError(
                f"{place}: {video} has label {words[1]}, and its folder's class is {numbers[name] + 1} in "
                "classInd.txt; mend one of them"
            )
        seen.add(video, place)
        group = _GROUP.search(video)
        yield AnnotatedVideo(video, (numbers[name],), f"{name}_{group[1]}" if group else "")


Boxed = tuple[int, list[tuple[int, np.ndarray]]]  # a number of frames, and tubes


def read_boxes(file: Path) -> dict[str, Boxed]:
    """Video → its number of frames, and tubes of (first frame from 0, (n, 4) left, top, right, bottom).

    Raises:
        CallError: no such file.
        DataError: it is no such file, or an entry lacks something.
    """
    found = {}
    for number, entry in enumerate(struct_array(file, "annot"), 1):
        place = f"{file}: annot({number})"
        try:
            tubes = entry["tubes"]
            rows = [_tube(of) for of in (tubes if isinstance(tubes, list | np.ndarray) else [tubes])]
            num_frames = int(entry["num_imgs"])
            if num_frames < 1:
                raise ValueError(f"{num_frames} frames")
            found[str(entry["name"])] = num_frames, rows
        except OTHER_VALUES as error:
            raise DataError(f"{place} is no entry of UCF101-24 ({error!r}); get the file anew") from error
    return found


def _tube(of: dict[str, Any]) -> tuple[int, np.ndarray]:
    boxes = np.asarray(of["boxes"], dtype=float).reshape(-1, 4)
    first = int(of["sf"]) - 1
    if first < 0 or len(boxes) == 0:
        raise ValueError(f"a tube from frame {first + 1} with {len(boxes)} boxes")
    return first, np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
