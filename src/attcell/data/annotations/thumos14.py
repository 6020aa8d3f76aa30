"""THUMOS14's actions in time: ``BaseballPitch_val.txt`` and the like, with lines ``VIDEO START END``.

Times are seconds. The class is the file's name. ``Ambiguous_val.txt`` holds intervals that are neither action
nor background. A cliff dive is a dive too: the official files of both classes hold it, and nothing is added
here. Videos come sorted by id, their instances by class and then in the order of the files.

A video's labels are the classes of its instances. One that has ambiguous intervals alone is of no class and
stays in its part, with a note. Lengths come from ``validation_durations.txt`` and ``test_durations.txt``
where these lie in the folder. Other lists of THUMOS14 are in ``thumos14_lists``, its recognition task in
``thumos14_recognition``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

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
)
from attcell.data.annotations.writing import check_parts, write_lines
from attcell.errors import CallError, DataError
from attcell.types import ActionInstance

AMBIGUOUS = "Ambiguous"
_ENDINGS = {"validation": "_val.txt", "test": "_test.txt"}


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
    notes = [note for part in parts.values() for note in (*interval_notes(part), *_notes(part))]
    together = tuple(interval for found in ambiguous.values() for interval in found)
    return Annotation(labels, parts, multi_label=True, ambiguous=together, notes=tuple(notes))


def write(annotation: Annotation, folder: Path) -> None:
    """Write a file for each class and part, and the videos' lengths as far as they are known.

    Raises:
        CallError: other parts than validation and test, an instance of an unknown class, or an ambiguous
            interval of a video that is in no part.
    """
    check_parts(annotation, tuple(_ENDINGS))
    known = {video.id for videos in annotation.parts.values() for video in videos}
    lost = [interval.video_id for interval in annotation.ambiguous if interval.video_id not in known]
    if lost:
        raise CallError(f"{lost[0]} has an ambiguous interval and is in no part; add it to one")
    for part, videos in annotation.parts.items():
        lines: dict[str, list[str]] = {name: [] for name in annotation.labels}
        for instance in (of for video in videos for of in video.instances):
            if instance.label not in lines:
                raise CallError(f"{instance.video_id} has an instance of {instance.label}, which is no class")
            lines[instance.label].append(_line(instance))
        of_part = {video.id for video in videos}
        lines[AMBIGUOUS] = [_line(of) for of in annotation.ambiguous if of.video_id in of_part]
        for name, found in lines.items():
            write_lines(folder / f"temporal_annotations_{part}" / f"{name}{_ENDINGS[part]}", found)
        lengths = {video.id: of for video in videos if (of := video.duration_seconds) is not None}
        if lengths:
            write_durations(lengths, folder / f"{part}_durations.txt")


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


def _line(instance: ActionInstance) -> str:
    return f"{instance.video_id}  {instance.start_seconds!r} {instance.end_seconds!r}"


# THUMOS14's lists beside the annotations: videos' lengths, videos to avoid, the numbers of the classes.

_NUM_UCF_CLASSES = 101


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


def write_durations(durations: Mapping[str, float], file: Path) -> None:
    """Write lengths in seconds, with the six decimals of the official files or as many as they need."""
    lines = []
    for video, seconds in durations.items():
        rounded = f"{seconds:.6f}"
        lines += [f"{video}.mp4", rounded if float(rounded) == seconds else repr(float(seconds))]
    write_lines(file, lines)


def read_avoid(file: Path, labels: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(video, class) pairs that are not to be judged, from ``test_avoid_videos.txt``: ``VIDEO CLASS``.

    Raises:
        CallError: no such file.
        DataError: another number of words, or a class that is not among ``labels``.
    """
    pairs = []
    for number, line in numbered_lines(file):
        words = line.split()
        if len(words) != 2 or words[1] not in labels:
            raise DataError(
                f"{file}:{number}: {line!r}; expected 'VIDEO CLASS' with one of the {len(labels)} classes"
            )
        pairs.append((words[0], words[1]))
    return tuple(pairs)


def write_avoid(pairs: Sequence[tuple[str, str]], file: Path) -> None:
    """Write (video, class) pairs."""
    write_lines(file, (f"{video} {label}" for video, label in pairs))


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


def write_class_numbers(numbers: Mapping[str, int], file: Path) -> None:
    """Write the numbers of the detection classes."""
    write_lines(file, (f"{number} {name}" for name, number in numbers.items()))


def _seconds(place: str, word: str, name: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise DataError(f"{place}: {word!r} is no length of {name}; expected seconds above 0")
    return seconds
