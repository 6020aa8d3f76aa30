"""What all formats share: a video with its actions, times as frames, and a file that was opened."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from attcell._checks import hint
from attcell.errors import CallError, DataError, first_lines
from attcell.types import AttentionTrack, Detection, Size

SURE = 1.0  # the score of an action that a person marked
_DIGITS = 6  # of seconds: a microsecond


@dataclass(frozen=True)
class LabelledVideo:
    """A video and its actions, found or marked by a person.

    Attributes:
        video: its name, a path with forward slashes or a URL.
        actions: in the order of the file; times count from the first frame.
        fps: frames a second; None where nobody knows.
        size: of a frame as shown; None where nobody knows.
        duration_seconds: None where nobody knows.
        track: its attention, where predictions hold it.
        path: where it lies, if it is here.
    """

    video: str
    actions: tuple[Detection, ...]
    fps: float | None = None
    size: Size | None = None
    duration_seconds: float | None = None
    track: AttentionTrack | None = None
    path: Path | None = None


@dataclass(frozen=True)
class Opened:
    """A file of an annotation tool, as far as it was read.

    Attributes:
        path: the file.
        value: of JSON its value, of XML its root (``xml.etree.ElementTree.Element``), else the text.
    """

    path: Path
    value: Any


@dataclass(frozen=True)
class Read:
    """What was read of a file: its videos, and what the reader should know."""

    videos: tuple[LabelledVideo, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What is to be written.

    Attributes:
        videos: with their actions.
        labels: the classes that the tool offers.
        prefix: what stands before a video's name, so that the tool finds it.
    """

    videos: tuple[LabelledVideo, ...]
    labels: tuple[str, ...]
    prefix: str = ""


class Rates(Protocol):
    """Says how many frames a second a video has."""

    def rate(self, video: str, told: float | None = None) -> float:
        """Frames a second.

        Args:
            video: its name.
            told: what the tool's file says.

        Raises:
            CallError: nobody knows.
        """


def frames_of(action: Detection, fps: float) -> tuple[int, int]:
    """The first frame and the one after the last, counted from 0; at least one frame."""
    first = max(0, round(action.start_seconds * fps))
    return first, max(first + 1, round(action.end_seconds * fps))


def seconds_of(frame: float, fps: float) -> float:
    """When a frame begins."""
    return round(frame / fps, _DIGITS)


def number_of(value: Any, place: str, what: str) -> float:
    """A number that a file tells.

    Raises:
        DataError: it is none.
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{place}: {what} is {str(value)[:80]!r}; expected a number")
    return number


def parts_of(value: Any, place: str, kind: type, what: str) -> Any:
    """A list or an object that a file holds.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, kind):
        raise DataError(
            f"{place}: {what} is {str(value)[:80]!r}; expected {'a list' if kind is list else 'an object'}"
        )
    return value


def merged(videos: Iterable[LabelledVideo]) -> Iterator[LabelledVideo]:
    """The videos, each once: what several files say of one comes together."""
    found: dict[str, LabelledVideo] = {}
    for video in videos:
        earlier = found.get(video.video)
        if earlier is None:
            found[video.video] = video
            continue
        found[video.video] = replace(
            earlier,
            actions=(*earlier.actions, *video.actions),
            fps=earlier.fps or video.fps,
            size=earlier.size or video.size,
            duration_seconds=earlier.duration_seconds or video.duration_seconds,
        )
    return iter(found.values())


def check(source: Path, videos: Sequence[LabelledVideo], labels: Sequence[str] | None) -> None:
    """Raise a DataError for actions that are none: the first ten are named, all are counted.

    Args:
        source: where they come from.
        videos: with their actions.
        labels: the classes that there may be; any if None.
    """
    faults = [
        f"{video.video}, {action.label!r} from {action.start_seconds:g} s: {fault}"
        for video in videos
        for action in video.actions
        if (fault := _fault(action, labels))
    ]
    if faults:
        count = sum(len(video.actions) for video in videos)
        raise DataError(
            "\n".join([f"{source}: {len(faults)} of {count} actions are none:", *first_lines(faults)])
        )


def _fault(action: Detection, labels: Sequence[str] | None) -> str | None:
    if not action.label.strip():
        return "it has no label; choose one in the tool, or take the action away"
    if labels is not None and action.label not in labels:
        return f"the label is unknown; {hint(action.label, labels)}"
    if action.end_seconds < action.start_seconds:
        return f"it ends at {action.end_seconds:g} s, before its start; mend it in the tool"
    if action.start_seconds < 0:
        return "it starts before the video; mend it in the tool"
    return None


def name_in(names: Mapping[str, Any], *keys: str) -> str | None:
    """The first of these keys that holds a text which is not empty."""
    for key in keys:
        if isinstance(names.get(key), str) and names[key]:
            return str(names[key])
    return None


def need_rate(video: LabelledVideo) -> float:
    """Its frames a second.

    Raises:
        CallError: nobody knows them.
    """
    if video.fps is None:
        raise CallError(
            f"{video.video}: how many frames a second it has is not known; give --fps or --videos"
        )
    return video.fps
