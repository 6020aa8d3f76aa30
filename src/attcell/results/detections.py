"""Files of detections: our own JSON, ActivityNet's results, THUMOS's lines.

- *attcell*: what ``attcell detect --json`` writes, an object with ``videos``, or a line for each video:
  ``{"video": …, "duration_seconds": …, "detections": [{"label", "start_seconds", "end_seconds", "score"}]}``;
  times are the video's own, whose first frame is shown at ``first_frame_seconds`` (0 if that is not told).
- *activitynet*: ``{"results": {ID: [{"score", "segment": [start, end], "label"}]}}``.
- *thumos*: lines ``VIDEO START END NUMBER SCORE``, classes by their numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from attcell._checks import first_double
from attcell._files import OTHER_VALUES, write_text
from attcell.data.annotations.reading import number_in
from attcell.data.annotations.thumos14 import read_class_numbers
from attcell.errors import CallError, DataError, first_lines
from attcell.results.predictions import JsonResults, json_values
from attcell.types import Detection, Prediction


@dataclass(frozen=True)
class DetectionFile:
    """What a file of detections says.

    Attributes:
        source: the file's name.
        detections: with the videos as the file names them; times count from a video's first frame.
        places: where in the file each stands, for messages.
        videos: every video that the file names, also one in which nothing was found.
        durations: video → seconds, where the file tells.
        failed: video → why it could not be read.
    """

    source: str
    detections: tuple[Detection, ...]
    places: tuple[str, ...]
    videos: tuple[str, ...]
    durations: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Row:
    place: str
    video: str
    label: Any
    start: Any
    end: Any
    score: Any


def read_detections(path: Path, class_numbers: Mapping[str, int] | None = None) -> DetectionFile:
    """Read a file of detections; its form follows from what is in it.

    Args:
        path: the file.
        class_numbers: class → its number, for THUMOS's lines.

    Raises:
        CallError: no such file, or THUMOS's lines without the classes' numbers.
        DataError: it is no such file, or holds intervals or scores that are none; all are counted, and the
            first ten named.
    """
    if not path.is_file():
        raise CallError(f"{path}: no such file; give a file of detections")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8 ({error.reason}); write it anew") from error
    if text.lstrip()[:1] not in ("{", "["):
        return _checked(path, list(_thumos_rows(path, text, class_numbers)), [])
    contents = json_values(path, text)
    if len(contents) == 1 and isinstance(contents[0], dict) and "results" in contents[0]:
        return _checked(path, list(_activitynet_rows(path, contents[0]["results"])), contents[0]["results"])
    return _own(path, contents)


def _own(path: Path, contents: list[Any]) -> DetectionFile:
    first: Any = contents[0] if contents else None
    is_object = len(contents) == 1 and isinstance(first, dict) and "videos" in first
    rows, names, durations = [], dict[str, None](), {}
    try:
        videos = first["videos"] if is_object else contents
        failed = dict(first.get("failed", {})) if is_object else {}
        for number, video in enumerate(videos, 1):
            place = f"{path}: video {number}" if is_object else f"{path}:{number}"
            name = str(video["video"])
            if name in names or name in failed:
                raise DataError(
                    f"{place}: {name} has come before, and would count twice; leave one of them out"
                )
            if "error" in video:
                failed[name] = str(video["error"])
                continue
            names[name] = None
            if video.get("duration_seconds") is not None:
                durations[name] = float(video["duration_seconds"])
            first_frame = float(video.get("first_frame_seconds", 0.0))
            for count, of in enumerate(video["detections"], 1):
                start, end = (_from(first_frame, of[key]) for key in ("start_seconds", "end_seconds"))
                where = f"{place} ({name}), detection {count}"
                rows.append(_Row(where, name, of["label"], start, end, of["score"]))
    except OTHER_VALUES as error:
        raise DataError(
            f"{path} is no file of detections ({error!r}): it needs videos with detections, as attcell "
            "detect --json writes them, or ActivityNet's results"
        ) from error
    found = _checked(path, rows, list(names))
    return DetectionFile(found.source, found.detections, found.places, found.videos, durations, failed)


def _activitynet_rows(path: Path, results: Any) -> Iterator[_Row]:
    if not isinstance(results, dict):
        raise DataError(f"{path}: 'results' holds no videos; give a result file of ActivityNet")
    for video, found in results.items():
        for number, of in enumerate(found if isinstance(found, list) else [found], 1):
            place = f"{path}: {video}, result {number}"
            segment = of.get("segment") if isinstance(of, dict) else None
            if not isinstance(segment, list) or len(segment) != 2:
                raise DataError(f"{place}: {str(of)[:80]}; expected a segment [start, end], label and score")
            yield _Row(place, video, of.get("label"), segment[0], segment[1], of.get("score"))


def _thumos_rows(path: Path, text: str, class_numbers: Mapping[str, int] | None) -> Iterator[_Row]:
    names = {number: name for name, number in (class_numbers or {}).items()}
    for number, line in enumerate(text.split("\n"), 1):
        words, place = line.split(), f"{path}:{number}"
        if not words:
            continue
        if len(words) != 5:
            raise DataError(f"{place}: {line.strip()[:80]!r}; expected 'VIDEO START END NUMBER SCORE'")
        if class_numbers is None:
            raise CallError(
                f"{path} names classes by numbers; say which they are by --class-numbers detclasslist.txt"
            )
        number_of_class = number_in(words[3], 0, 10**9)
        label = words[3] if number_of_class is None else names.get(number_of_class, words[3])
        yield _Row(place, words[0], label, words[1], words[2], words[4])


def _checked(path: Path, rows: Sequence[_Row], videos: Iterable[str]) -> DetectionFile:
    """The rows as detections, or one DataError for all that are none."""
    faults, found = [], []
    for row in rows:
        start, end, score = (_number(value) for value in (row.start, row.end, row.score))
        if not isinstance(row.label, str):
            faults.append(f"{row.place}: the class is {row.label!r}; expected its name")
        elif not all(map(math.isfinite, (start, end, score))):
            faults.append(f"{row.place}: {row.start} to {row.end} with score {row.score}; expected numbers")
        elif end < start:
            faults.append(f"{row.place}: it ends at {end:g} s, before its start at {start:g} s")
        else:
            found.append(Detection(row.label, start, end, score, row.video))
    if faults:
        raise DataError(
            "\n".join([f"{path}: {len(faults)} of {len(rows)} detections are none:", *first_lines(faults)])
        )
    names = dict.fromkeys([*videos, *(row.video for row in rows)])
    return DetectionFile(str(path), tuple(found), tuple(row.place for row in rows), tuple(names))


def _from(first: float, value: Any) -> Any:
    """A time from the video's first frame; what is no time stays as it is, to be told."""
    return value - first if first and isinstance(value, int | float) else value


def _number(value: Any) -> float:
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def write_activitynet(path: Path, found: Mapping[str, Sequence[Detection]]) -> None:
    """Write ActivityNet's result file, whole or not at all; ``found`` names every video."""
    results = {
        video: [
            {"score": of.score, "segment": [of.start_seconds, of.end_seconds], "label": of.label}
            for of in detections
        ]
        for video, detections in found.items()
    }
    content = {"version": "VERSION 1.3", "results": results, "external_data": {}}
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_thumos(
    path: Path, found: Mapping[str, Sequence[Detection]], class_numbers: Mapping[str, int]
) -> None:
    """Write THUMOS's result lines, whole or not at all. It cannot say that nothing was found in a video.

    Raises:
        CallError: a class without a number, or a video whose name has spaces.
    """
    lines = []
    for video, detections in found.items():
        if len(video.split()) != 1:
            raise CallError(f"{video!r} has spaces, and THUMOS's lines are parted by spaces; rename it")
        for of in detections:
            if of.label not in class_numbers:
                raise CallError(f"class {of.label} has no number; name a file that has it by --class-numbers")
            number = class_numbers[of.label]
            lines.append(f"{video} {of.start_seconds:.3f} {of.end_seconds:.3f} {number} {of.score:.6g}\n")
    write_text(path, "".join(lines))


class DetectionResults:
    """Detections as our own JSON, or as the result file of a challenge, which is written whole at the end.

    A challenge knows videos by their files' names without suffix, and counts times from the first frame.

    Args:
        target: as of :class:`JsonResults`.
        model: its name.
        form: ``attcell``, ``activitynet`` or ``thumos``.
        class_numbers: for ``thumos``, a file of classes with their numbers.
        videos: in which actions will be looked for.
        labels: the model's classes.

    Raises:
        CallError: a form without a file, numbers without ``thumos``, or videos or classes that the form
            cannot tell.
        DataError: the file of numbers is none.
    """

    def __init__(
        self,
        target: str | None,
        model: str,
        form: str,
        class_numbers: Path | None,
        videos: Sequence[Path],
        labels: Sequence[str],
    ) -> None:
        if form != "attcell" and (target is None or target == "-"):
            raise CallError(f"--format {form} is a file's; name one by --json")
        if class_numbers is not None and form != "thumos":
            raise CallError("--class-numbers is for --format thumos; leave it out")
        self._form = form
        self._target = Path(target or "-")
        counted = {label: number for number, label in enumerate(labels, 1)}
        self._numbers = counted if class_numbers is None else read_class_numbers(class_numbers)
        if form != "attcell":
            _refuse_names(videos, form)
        lacking = [label for label in labels if label not in self._numbers]
        if form == "thumos" and lacking:
            raise CallError(f"{class_numbers} has no number of class {lacking[0]}; name a file that has it")
        self._json = JsonResults(target if form == "attcell" else None, model, "videos")
        self._found: dict[str, list[Detection]] = {}

    def __enter__(self) -> DetectionResults:
        self._json.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._json.__exit__(kind, error, trace)
        if kind is not None or self._form == "attcell":
            return
        if self._form == "activitynet":
            write_activitynet(self._target, self._found)
        else:
            write_thumos(self._target, self._found, self._numbers)

    def add(self, prediction: Prediction) -> None:
        """One video's detections."""
        self._json.add(detections_of(prediction))
        if self._form != "attcell":
            first = float(prediction.segments_seconds[0, 0])
            self._found[Path(prediction.video).stem] = [
                replace(of, start_seconds=of.start_seconds - first, end_seconds=of.end_seconds - first)
                for of in prediction.detections or ()
            ]

    def fail(self, video: str, message: str) -> None:
        """A video that cannot be read."""
        self._json.fail(video, message)


def _refuse_names(videos: Sequence[Path], form: str) -> None:
    """Raise a CallError for videos that a challenge's file could not tell apart or name."""
    stems = [video.stem for video in videos]
    double = first_double(stems)
    if double is not None:
        raise CallError(f"two videos are called {double}, which --format {form} cannot tell apart")
    spaced = next((stem for stem in stems if len(stem.split()) != 1), None)
    if form == "thumos" and spaced is not None:
        raise CallError(f"{spaced!r} has spaces, and THUMOS's lines are parted by spaces; rename it")


def detections_of(prediction: Prediction) -> dict[str, Any]:
    """What a program wants to know of a video, in plain types."""
    return {
        "video": prediction.video,
        "first_frame_seconds": float(prediction.segments_seconds[0, 0]),
        "duration_seconds": prediction.duration_seconds,
        "detections": [
            {
                "label": of.label,
                "start_seconds": of.start_seconds,
                "end_seconds": of.end_seconds,
                "score": of.score,
            }
            for of in prediction.detections or ()
        ],
        "top": [{"label": label, "score": score} for label, score in prediction.top()],
        "notes": list(prediction.notes),
    }
