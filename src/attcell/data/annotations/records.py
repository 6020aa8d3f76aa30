"""What official annotation files say of a data set, before any video is looked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from attcell.errors import DataError
from attcell.records import ActionInstance

NUM_SHOWN = 10  # bad lines in one message


@dataclass(frozen=True)
class AnnotatedVideo:
    """One video as an annotation names it.

    Attributes:
        id: its name in the data set, with forward slashes and, where the annotation gives it, its suffix.
        labels: its classes, counted from 0, in rising order; none for a video of none of the classes.
        group: videos of one group show the same people or scene; "" where nothing is known.
        instances: when its actions happen, where the annotation says so.
        ambiguous: when something happens of which the annotators were not sure.
    """

    id: str
    labels: tuple[int, ...]
    group: str = ""
    instances: tuple[ActionInstance, ...] = ()
    ambiguous: tuple[ActionInstance, ...] = ()


@dataclass(frozen=True)
class Annotation:
    """What a data set's files say.

    Attributes:
        labels: the A classes.
        parts: as ``train`` and ``test`` → the videos, in the files' order.
        multi_label: a video may have several classes, or none.
        notes: what the reader should know, such as videos that stand in two parts.
    """

    labels: tuple[str, ...]
    parts: dict[str, tuple[AnnotatedVideo, ...]]
    multi_label: bool = False
    notes: tuple[str, ...] = ()


def lines_of(file: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers from 1, without spaces at their ends.

    Raises:
        DataError: no such file, or no text in UTF-8.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{file}: not a text file in UTF-8; get the official file again") from None
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}; the official files must lie together") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line.strip()


def raise_problems(problems: Sequence[str]) -> None:
    """Raise a DataError with the first bad lines, if there are any."""
    if problems:
        more = [f"and {len(problems) - NUM_SHOWN} more"] if len(problems) > NUM_SHOWN else []
        raise DataError("\n".join([*problems[:NUM_SHOWN], *more]))


def class_names(file: Path, names: Sequence[str]) -> tuple[str, ...]:
    """The names, if there are any, and each only once.

    Raises:
        DataError: none, or one of them twice.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or twice:
        what = f"the class {twice[0]!r} is there twice" if twice else "no classes are there"
        raise DataError(f"{file}: {what}; get the official file again")
    return tuple(names)


class Seen:
    """Where each video was named first, to tell of one that is named twice.

    File names that differ in capitals alone are one to many file systems; YouTube's ids are not.
    """

    def __init__(self, *, capitals_count: bool) -> None:
        self._capitals_count = capitals_count
        self._places: dict[str, str] = {}

    def problem(self, video: str, file: Path, number: int) -> str:
        """What is wrong with naming this video here, or nothing."""
        place = f"{file}:{number}"
        first = self._places.setdefault(video if self._capitals_count else video.casefold(), place)
        return "" if first == place else f"{place}: {video} is in {first} already"
