"""THUMOS14: the labels of whole videos for recognition, and instances in time for detection.

*Recognition* is trained on all of UCF101 and the validation videos, and tested on the test videos. Their
labels come as MATLAB structs; here they are read from these, or from text that :func:`write` makes.
*Detection* has 20 of the 101 classes, a text file each, and intervals of which the annotators were not sure.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from attcell.data.annotations import ucf101
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
from attcell.records import ActionInstance

_OFFICIAL = {
    "validation": ("validation_set.mat", "validation_videos"),
    "test": ("test_set_meta.mat", "test_videos"),
}
_ENDINGS = {"validation": "val", "test": "test"}
_FOLDERS = {"validation": "temporal_annotations_validation", "test": "temporal_annotations_test"}
_AMBIGUOUS = "Ambiguous"


def read(folder: Path) -> Annotation:
    """Read the labels for recognition: UCF101's files, and those of the validation and the test videos.

    The official MATLAB files are ``validation_set.mat`` and ``test_set_meta.mat``, whose structs have
    ``video_name``, ``primary_action_index`` and ``secondary_actions_indices``, from 1. Our reader is tested
    on generated files of this form. In their place may be ``validation_labels.txt`` and ``test_labels.txt``
    with lines ``video_validation_0000001 12 57``, also from 1.

    Raises:
        DataError: files that are not there, or bad lines, each with file and number.
    """
    official = ucf101.read(folder, 1)
    parts = {"train": (*official.parts["train"], *official.parts["test"])}
    for part in _OFFICIAL:
        parts[part] = _whole_videos(folder, part, len(official.labels))
    return Annotation(official.labels, parts, multi_label=True)


def write(annotation: Annotation, folder: Path) -> None:
    """Write the labels of the validation and the test videos as text."""
    for part in _OFFICIAL:
        lines = [
            " ".join([video.id, *(str(label + 1) for label in video.labels)]) + "\n"
            for video in annotation.parts[part]
        ]
        write_text(folder / f"{part}_labels.txt", "".join(lines))


def read_temporal(folder: Path) -> Annotation:
    """Read the instances of the 20 classes of detection, and the ambiguous intervals, of both parts.

    Args:
        folder: with ``temporal_annotations_validation/`` and ``temporal_annotations_test/``, or their files.

    The videos are those that have an instance or an ambiguous interval; the others are not named there.
    Instances of CliffDiving stand in the files of Diving too.

    Raises:
        DataError: no such files, or bad lines, each with file and number.
    """
    files = {part: _files_of(folder, part) for part in _ENDINGS}
    names = sorted({name for of_part in files.values() for name in of_part if name != _AMBIGUOUS})
    labels = class_names(folder, names)
    parts = {part: _timed_videos(of_part, labels) for part, of_part in files.items()}
    return Annotation(labels, parts, multi_label=True)


def write_temporal(annotation: Annotation, folder: Path) -> None:
    """Write a file for each class and part, and those of the ambiguous intervals."""
    for part, videos in annotation.parts.items():
        for name in (*annotation.labels, _AMBIGUOUS):
            found = [
                of
                for video in videos
                for of in (video.ambiguous if name == _AMBIGUOUS else video.instances)
                if of.label == name
            ]
            lines = [f"{of.video_id}  {of.start_seconds:.1f} {of.end_seconds:.1f}\n" for of in found]
            write_text(folder / _FOLDERS[part] / f"{name}_{_ENDINGS[part]}.txt", "".join(lines))


def read_durations(file: Path) -> dict[str, float]:
    """Video → seconds, from two lines each: the file's name and its length.

    Raises:
        DataError: another line, with file and number.
    """
    lines = list(lines_of(file))
    found = {}
    for (_, name), (number, word) in zip(lines[::2], lines[1::2], strict=False):
        try:
            found[name.rpartition(".")[0] or name] = float(word)
        except ValueError:
            raise DataError(f"{file}:{number}: {word!r}; expected the seconds of {name}") from None
    if len(lines) % 2:
        raise DataError(f"{file}:{lines[-1][0]}: {lines[-1][1]!r} has no seconds on the next line")
    return found


def read_avoided(file: Path) -> dict[str, str]:
    """Video → the class whose instances in it are known to be faulty."""
    found = {}
    for number, line in lines_of(file):
        words = line.split()
        if len(words) != 2:
            raise DataError(f"{file}:{number}: {line!r}; expected a video and a class")
        found[words[0]] = words[1]
    return found


def _whole_videos(folder: Path, part: str, num_classes: int) -> tuple[AnnotatedVideo, ...]:
    text, (matlab, struct) = folder / f"{part}_labels.txt", _OFFICIAL[part]
    if text.is_file():
        return _from_text(text, num_classes)
    if (folder / matlab).is_file():
        return _from_matlab(folder / matlab, struct, num_classes)
    raise DataError(
        f"{folder}: the labels of the {part} videos are missing; put {matlab} or {text.name} there"
    )


def _from_text(file: Path, num_classes: int) -> tuple[AnnotatedVideo, ...]:
    videos, problems, seen = [], [], Seen(capitals_count=True)
    for number, line in lines_of(file):
        name, *words = line.split()
        if not all(word.isdigit() and 1 <= int(word) <= num_classes for word in words):
            problems.append(
                f"{file}:{number}: {line!r}; expected a video and classes from 1 to {num_classes}"
            )
        elif twice := seen.problem(name, file, number):
            problems.append(twice)
        else:
            videos.append(AnnotatedVideo(name, tuple(sorted({int(word) - 1 for word in words}))))
    raise_problems(problems)
    return tuple(videos)


def _from_matlab(file: Path, struct: str, num_classes: int) -> tuple[AnnotatedVideo, ...]:
    from scipy.io import loadmat

    try:
        entries = np.atleast_1d(loadmat(file, simplify_cells=True)[struct])
        videos = [_from_struct(entry) for entry in entries]
    except (KeyError, ValueError, TypeError, NotImplementedError, OSError, IndexError) as error:
        raise DataError(
            f"{file} is no MATLAB file (up to version 7) with {struct} of video_name and "
            f"primary_action_index ({error!r}); get the official one"
        ) from error
    for video in videos:
        if video.labels and not 0 <= video.labels[0] <= video.labels[-1] < num_classes:
            raise DataError(f"{file}: {video.id} has a class that is not from 1 to {num_classes}")
    return tuple(videos)


def _from_struct(entry: Mapping[str, Any]) -> AnnotatedVideo:
    second = np.atleast_1d(entry.get("secondary_actions_indices", []))
    indices = [*np.atleast_1d(entry["primary_action_index"]).tolist(), *second.ravel().tolist()]
    return AnnotatedVideo(str(entry["video_name"]), tuple(sorted({int(index) - 1 for index in indices})))


def _files_of(folder: Path, part: str) -> dict[str, Path]:
    """Class → its file."""
    place = folder / _FOLDERS[part] if (folder / _FOLDERS[part]).is_dir() else folder
    ending = f"_{_ENDINGS[part]}.txt"
    files = {path.name.removesuffix(ending): path for path in sorted(place.glob(f"*{ending}"))}
    if not files:
        raise DataError(
            f"{place}: no files such as BaseballPitch{ending}; give the folder of the official ones"
        )
    return files


def _timed_videos(files: Mapping[str, Path], labels: tuple[str, ...]) -> tuple[AnnotatedVideo, ...]:
    instances: dict[str, list[ActionInstance]] = {}
    problems = []
    for name, file in files.items():
        for number, line in lines_of(file):
            words = line.split()
            try:
                start, end = (float(word) for word in words[1:])
            except ValueError:
                start, end = np.nan, np.nan
            if not 0 <= start <= end < np.inf:
                problems.append(f"{file}:{number}: {line!r}; expected a video, and start and end in seconds")
                continue
            instances.setdefault(words[0], []).append(ActionInstance(words[0], name, start, end))
    raise_problems(problems)
    numbers = {name: number for number, name in enumerate(labels)}
    videos = []
    for id, found in sorted(instances.items()):
        sure = tuple(of for of in found if of.label != _AMBIGUOUS)
        own = tuple(sorted({numbers[of.label] for of in sure}))
        unsure = tuple(of for of in found if of.label == _AMBIGUOUS)
        videos.append(AnnotatedVideo(id, own, "", sure, unsure))
    return tuple(videos)
