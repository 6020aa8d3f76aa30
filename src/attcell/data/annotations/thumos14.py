"""THUMOS14: actions in time, the recognition task, and the lists beside both.

*Actions in time* (:func:`read`): ``BaseballPitch_val.txt`` and the like, with lines ``VIDEO START END`` in
seconds. The class is the file's name. ``Ambiguous_val.txt`` holds intervals that are neither action nor
background. A cliff dive is a dive too: the official files of both classes hold it, and nothing is added
here. Videos come sorted by id, their instances by class and then in the order of the files. A video's labels
are the classes of its instances. One that has ambiguous intervals alone is of no class and stays in its part,
with a note. Lengths come from ``validation_durations.txt`` and ``test_durations.txt`` where these lie in the
folder. :func:`read_detection` adds the videos without an action.

*Recognition* (:func:`read_recognition`): untrimmed videos of the 101 classes of UCF101; training videos are
all of UCF101. Two kinds of files tell the classes, known by their ending; class numbers count from 1 in both.

- ``.mat``, the official ones: ``validation_set.mat`` with the struct array ``validation_videos``, and
  ``test_set_meta.mat`` with ``test_videos``. Of their fields ``video_name``, ``background_video`` (YES: of no
  class), ``primary_action_index`` and ``secondary_actions_indices`` are read. This reader is tested on
  generated files of that layout only.
- text: ``video_validation_0000001 12 57``; a video of no class has no number.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from attcell.data.annotations.reading import (
    AnnotatedVideo,
    Annotation,
    Seen,
    checked_interval,
    class_names,
    folder_of,
    interval_notes,
    number_in,
    numbered_lines,
    some_videos,
    struct_array,
)
from attcell.errors import CallError, DataError
from attcell.types import ActionInstance

AMBIGUOUS = "Ambiguous"
_ENDINGS = {"validation": "_val.txt", "test": "_test.txt"}
RECOGNITION_FILES = {  # ours, and the official ones
    "validation": ("validation_classes.txt", "validation_set.mat"),
    "test": ("test_classes.txt", "test_set_meta.mat"),
}
_RECOGNITION_PARTS = tuple(RECOGNITION_FILES)
_FIELDS = ("video_name", "background_video", "primary_action_index", "secondary_actions_indices")
_NUM_UCF_CLASSES = 101


def read(folder: Path | str) -> Annotation:
    """Read the files of the parts validation and test, wherever below ``folder`` they lie; one may be absent.

    Raises:
        CallError: no such folder.
        DataError: no files of either part, a part's files in two folders, a class that has a file in one part
            only, a bad line, a video in both parts, a bad durations file.
    """
    folder = folder_of(folder, ())
    files = {part: _class_files(folder, ending) for part, ending in _ENDINGS.items()}
    files = {part: found for part, found in files.items() if found}
    if not files:
        raise DataError(
            f"{folder} holds no CLASS_val.txt and no CLASS_test.txt; give the official files' folder"
        )
    labels = _labels(folder, files)
    instances = {part: _instances(found, labels) for part, found in files.items()}
    ambiguous = {part: _instances(found, [AMBIGUOUS]) for part, found in files.items()}
    videos = {part: {of.video_id for of in (*instances[part], *ambiguous[part])} for part in files}
    for video in sorted(videos.get("validation", set()) & videos.get("test", set())):
        raise DataError(f"{folder}: {video} is in files of both parts; leave it out of one")
    parts = {
        part: tuple(_videos(videos[part], instances[part], labels, _durations(folder, part)))
        for part in files
    }
    notes = {part: (*interval_notes(of), *_notes(of)) for part, of in parts.items()}
    return Annotation(
        labels,
        parts,
        multi_label=True,
        ambiguous=tuple(chain.from_iterable(ambiguous.values())),
        notes=tuple(chain.from_iterable(notes.values())),
        part_notes=notes,
    )


def read_detection(folder: Path | str) -> Annotation:
    """As :func:`read`, with all videos of the lists beside: those without an action are of no class.

    A part's list is ``validation_durations.txt``, or one of the recognition task's files; a part without a
    list keeps the videos that have an action, with a note.

    Raises:
        CallError, DataError: as of :func:`read`, or a bad list.
    """
    found, folder = read(folder), folder_of(folder, ())
    parts, alone = {}, {}
    for part, videos in found.parts.items():
        named, lengths = {video.id for video in videos}, _durations(folder, part)
        listed = _listed(folder, part, lengths)
        if not listed:
            alone[part] = (
                f"no list of all {part} videos ({part}_durations.txt or {RECOGNITION_FILES[part][1]}) in "
                f"{folder}: the {len(videos)} with times are known alone"
            )
        others = (AnnotatedVideo(id, (), duration_seconds=lengths.get(id)) for id in listed - named)
        parts[part] = tuple(sorted((*videos, *others), key=lambda video: video.id))
    part_notes = {part: (*notes, alone[part]) for part, notes in found.part_notes.items() if part in alone}
    return replace(
        found,
        parts=parts,
        notes=(*found.notes, *alone.values()),
        part_notes=found.part_notes | part_notes,
    )


def _listed(folder: Path, part: str, lengths: Mapping[str, float]) -> set[str]:
    """All videos of a part, by the first list that is there."""
    if lengths:
        return set(lengths)
    text, mat = (folder / name for name in RECOGNITION_FILES[part])
    rows = _rows_of_text(text) if text.is_file() else _rows_of_mat(mat, part) if mat.is_file() else ()
    return {video for _, video, _ in rows}


def _class_files(folder: Path, ending: str) -> dict[str, Path]:
    """Class -> file, in the classes' order."""
    files = sorted(folder.rglob(f"*{ending}"))
    for file in files:
        if file.parent != files[0].parent:
            raise DataError(
                f"{file} lies apart from {files[0]}; give a folder with one set of annotation files"
            )
    return {file.name.removesuffix(ending): file for file in sorted(files, key=lambda file: file.name)}


def _labels(folder: Path, files: dict[str, dict[str, Path]]) -> tuple[str, ...]:
    names = sorted({name for found in files.values() for name in found} - {AMBIGUOUS})
    for part, found in files.items():
        for name in names:
            if name not in found:
                raise DataError(
                    f"{folder}: {name}{_ENDINGS[part]} is missing, and the other part has this class; "
                    "get it anew"
                )
    return class_names(folder, ((str(folder), name) for name in names))


def _instances(files: dict[str, Path], labels: Iterable[str]) -> list[ActionInstance]:
    return [found for name in labels if name in files for found in _of_file(files[name], name)]


def _of_file(file: Path, label: str) -> Iterator[ActionInstance]:
    for number, line in numbered_lines(file):
        place, words = f"{file}:{number}", line.split()
        try:
            video, start, end = words[0], *map(float, words[1:])
        except ValueError as error:
            raise DataError(f"{place}: {line!r}; expected 'VIDEO START END' with times in seconds") from error
        yield ActionInstance(video, label, *checked_interval(place, start, end))


def _durations(folder: Path, part: str) -> dict[str, float]:
    file = folder / f"{part}_durations.txt"
    return read_durations(file) if file.is_file() else {}


def _videos(
    ids: Iterable[str],
    instances: Iterable[ActionInstance],
    labels: tuple[str, ...],
    lengths: dict[str, float],
) -> Iterator[AnnotatedVideo]:
    by_video: dict[str, list[ActionInstance]] = defaultdict(list)
    for instance in instances:
        by_video[instance.video_id].append(instance)
    numbers = {name: number for number, name in enumerate(labels)}
    for video in sorted(ids):
        classes = tuple(sorted({numbers[of.label] for of in by_video[video]}))
        yield AnnotatedVideo(
            video, classes, instances=tuple(by_video[video]), duration_seconds=lengths.get(video)
        )


def _notes(videos: Iterable[AnnotatedVideo]) -> Iterator[str]:
    for video in videos:
        if not video.instances:
            yield f"{video.id} has ambiguous intervals alone, and no action"


def read_durations(file: Path) -> dict[str, float]:
    """Video -> length in seconds, from ``test_durations.txt``: a line ``VIDEO.mp4``, then one with seconds.

    Raises:
        CallError: no such file.
        DataError: a length that is none, a video without one, a video that stands twice.
    """
    lines = list(numbered_lines(file))
    seen, found = Seen(), {}
    for (number, name), follower in zip(lines[::2], [*lines[1::2], None], strict=False):
        if follower is None:
            raise DataError(f"{file}:{number}: the length of {name} is missing; get the file anew")
        video = name.removesuffix(".mp4")
        seen.add(video, f"{file}:{number}")
        found[video] = _seconds(f"{file}:{follower[0]}", follower[1], name)
    return found


def read_class_numbers(file: Path) -> dict[str, int]:
    """Detection class -> its number among the 101 classes, counted from 1.

    These are lines ``7 BaseballPitch`` of ``detclasslist.txt``. Without that file the number is the class's
    place in UCF101's ``classInd.txt``.

    Raises:
        CallError: no such file.
        DataError: a number that is none from 1 to 101, or a number or a class that stands twice.
    """
    seen, numbers, names = Seen(), [], []
    for number, line in numbered_lines(file):
        place, (word, _, name) = f"{file}:{number}", line.partition(" ")
        found = number_in(word, 1, _NUM_UCF_CLASSES)
        if found is None:
            raise DataError(
                f"{place}: {line!r}; expected 'NUMBER CLASS' with a number from 1 to {_NUM_UCF_CLASSES}"
            )
        seen.add(f"number {found}", place)
        numbers.append(found)
        names.append((place, name.strip()))
    return dict(zip(class_names(file, names), numbers, strict=True))


def _seconds(place: str, word: str, name: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise DataError(f"{place}: {word!r} is no length of {name}; expected seconds above 0")
    return seconds


def read_recognition(files: Mapping[str, Path], ucf101: Annotation) -> Annotation:
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
        if part not in _RECOGNITION_PARTS:
            raise CallError(f"files has the part {part!r}; give files of {' and '.join(_RECOGNITION_PARTS)}")
    seen, num_classes = Seen(), len(ucf101.labels)
    parts = {"train": tuple(video for videos in ucf101.parts.values() for video in videos)}
    for part, file in files.items():
        rows = _rows_of_mat(file, part) if file.suffix == ".mat" else _rows_of_text(file)
        parts[part] = some_videos(file, _classed_videos(rows, num_classes, seen))
    return Annotation(ucf101.labels, parts, multi_label=True)


def _classed_videos(
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
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{place}: {value!r} is no class number; get the official file") from error
