"""THUMOS14's recognition task: untrimmed videos of UCF101's 101 classes; training videos are all of UCF101.

Two kinds of files tell the classes, told apart by their ending:

- ``.mat``, the official ones: ``validation_set.mat`` with the struct array ``validation_videos``, and
  ``test_set_meta.mat`` with ``test_videos``. Of their fields ``video_name``, ``background_video`` (YES: of no
  class), ``primary_action_index`` and ``secondary_actions_indices`` are read. This reader is tested on
  generated files of that layout only. SciPy reads them, and may crash on bytes changed in an uncompressed
  file, which has no checksum; MATLAB compresses by default.
- text, which is also written: ``video_validation_0000001 12 57``. Class numbers count from 1 in both; a video
  of no class has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from attcell.data.annotations.reading import (
    AnnotatedVideo,
    Annotation,
    Seen,
    number_in,
    numbered_lines,
    some_videos,
    struct_array,
)
from attcell.data.annotations.writing import write_lines
from attcell.errors import CallError, DataError

_PARTS = ("validation", "test")
_FIELDS = ("video_name", "background_video", "primary_action_index", "secondary_actions_indices")


def read(files: Mapping[str, Path], ucf101: Annotation) -> Annotation:
    """Read the parts ``validation`` and ``test``, or one of them; ``train`` is all of UCF101.

    Args:
        files: part -> its file, ``.mat`` or text.
        ucf101: any split of UCF101; its classes are the task's, and all its videos are for training.

    Raises:
        CallError: another part, or no such file.
        DataError: a file of another layout, a bad line, a class number that is none, a video that stands
            twice.
    """
    for part in files:
        if part not in _PARTS:
            raise CallError(f"files has the part {part!r}; give files of {' and '.join(_PARTS)}")
    seen, num_classes = Seen(), len(ucf101.labels)
    parts = {"train": tuple(video for videos in ucf101.parts.values() for video in videos)}
    for part, file in files.items():
        rows = _rows_of_mat(file, part) if file.suffix == ".mat" else _rows_of_text(file)
        parts[part] = some_videos(file, _videos(rows, num_classes, seen))
    return Annotation(ucf101.labels, parts, multi_label=True)


def write(annotation: Annotation, folder: Path) -> dict[str, Path]:
    """Write the text of each part but ``train``, which UCF101's own files tell; gives part -> file.

    Raises:
        CallError: a part that the task does not have.
    """
    files = {}
    for part, videos in annotation.parts.items():
        if part not in ("train", *_PARTS):
            raise CallError(f"the annotation has the part {part!r}; the task has train, {', '.join(_PARTS)}")
        if part != "train":
            files[part] = folder / f"{part}_classes.txt"
            write_lines(
                files[part], (" ".join([of.id, *(str(label + 1) for label in of.labels)]) for of in videos)
            )
    return files


def _videos(
    rows: Iterator[tuple[str, str, list[str]]], num_classes: int, seen: Seen
) -> Iterator[AnnotatedVideo]:
    """Videos of (place, id, class numbers) rows."""
    for place, video, numbers in rows:
        seen.add(video, place)
        labels = set()
        for word in numbers:
            number = number_in(word, 1, num_classes)
            if number is None:
                raise DataError(
                    f"{place}: {video} has class {word}; expected numbers from 1 to {num_classes}"
                )
            labels.add(number - 1)
        yield AnnotatedVideo(video, tuple(sorted(labels)))


def _rows_of_text(file: Path) -> Iterator[tuple[str, str, list[str]]]:
    for number, line in numbered_lines(file):
        video, *numbers = line.split()
        yield f"{file}:{number}", video, numbers


def _rows_of_mat(file: Path, part: str) -> Iterator[tuple[str, str, list[str]]]:
    name = f"{part}_videos"
    entries = struct_array(file, name, ", or give a text file with lines 'VIDEO 12 57'")
    for number, entry in enumerate(entries, 1):
        place = f"{file}: {name}({number})"
        lacking = [field for field in _FIELDS if field not in entry]
        if lacking:
            raise DataError(f"{place} lacks {', '.join(lacking)}; get the official file")
        if entry["background_video"] not in ("YES", "NO"):
            raise DataError(f"{place}: background_video is {entry['background_video']!r}; expected YES or NO")
        told = _FIELDS[2:] if entry["background_video"] == "NO" else ()
        numbers = [f"{value:g}" for field in told for value in _numbers(place, entry[field])]
        yield place, str(entry["video_name"]), numbers


def _numbers(place: str, value: object) -> list[float]:
    """A MATLAB number, or array of any length, as a list."""
    try:
        return np.asarray(value, dtype=float).ravel().tolist()
    except (TypeError, ValueError) as error:
        raise DataError(f"{place}: {value!r} is no class number; get the official file") from error
