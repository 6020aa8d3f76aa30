"""THUMOS14's lists beside the annotations: videos' lengths, videos to avoid, the numbers of the classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from attcell.data.annotations.reading import Seen, class_names, number_in, numbered_lines
from attcell.data.annotations.writing import write_lines
from attcell.errors import DataError

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
