"""What ``attcell predict --json`` wrote, read back: where and when the evidence was, without pictures."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from attcell._files import write_json
from attcell.data.annotations.thumos14 import read_class_numbers
from attcell.errors import CallError, DataError
from attcell.results.detections import json_values, write_activitynet, write_thumos
from attcell.types import AttentionTrack, Detection, Prediction


def read_predictions(path: Path) -> tuple[list[tuple[str, AttentionTrack]], dict[str, str]]:
    """The videos of a file of predictions with their segments, and by path why others could not be read.

    Raises:
        CallError: no such file.
        DataError: it is none.
    """
    if not path.is_file():
        raise CallError(f"{path}: no such file; give what attcell predict --json wrote")
    try:
        content = json_values(path, path.read_text(encoding="utf-8"))
        if len(content) == 1 and "predictions" in content[0]:
            rows, failed = content[0]["predictions"], dict(content[0]["failed"])
        else:
            rows = [row for row in content if "error" not in row]
            failed = {str(row["video"]): str(row["error"]) for row in content if "error" in row}
        return [(str(row["video"]), _read_track(row)) for row in rows], failed
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path} is not what attcell predict --json writes ({error!r}); write it anew"
        ) from error


def _read_track(row: dict[str, Any]) -> AttentionTrack:
    left, top, right, bottom = (float(side) for side in row["attended_area"])
    track = AttentionTrack(
        seconds=np.array(row["segments_seconds"], dtype=float),
        frame_seconds=np.array(row["frame_seconds"], dtype=float),
        temporal_scores=np.array(row["temporal_scores"], dtype=float),
        temporal_attention=np.array(row["temporal_attention"], dtype=float),
        spatial_attention={
            str(name): np.array(of, dtype=float) for name, of in row["spatial_attention"].items()
        },
        attended_area=(left, top, right, bottom),
    )
    count = len(track)
    of_segments = (track.frame_seconds, track.temporal_scores, track.temporal_attention)
    if count == 0 or track.seconds.shape != (count, 2) or {of.shape for of in of_segments} != {(count,)}:
        raise ValueError(f"{row['video']}: {count} segments do not fit its times and scores")
    maps = track.spatial_attention.values()
    if any(of.ndim != 3 or len(of) != count or not np.isfinite(of).all() for of in maps):
        raise ValueError(f"{row['video']}: its maps do not fit {count} segments")
    return track


# What ``--json`` of ``predict`` and ``detect`` writes: lines as they come, or one object at the end.


class JsonResults:
    """Results of videos, one after another.

    To ``-`` and to a file ``.jsonl`` goes a line for each video as soon as it is done, so that nothing is
    held and an interrupted run leaves what it had. Any other file holds one object, and is written whole when
    all videos are done.

    Args:
        target: a file, ``-`` for stdout, or None for nothing.
        model: its name, for the object.
        key: of the object's list of videos.
    """

    def __init__(self, target: str | None, model: str, key: str) -> None:
        self._target = target
        self._model = model
        self._key = key
        self._done: list[Mapping[str, Any]] = []
        self._failed: dict[str, str] = {}
        self._lines: IO[str] | None = None

    @property
    def to_stdout(self) -> bool:
        """Does stdout belong to the JSON?"""
        return self._target == "-"

    def __enter__(self) -> JsonResults:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lines is not None:
            self._lines.close()
        elif kind is None and self._target not in (None, "-") and not self._is_of_lines:
            content = {"model": self._model, self._key: self._done, "failed": self._failed}
            write_json(str(self._target), content)

    def add(self, content: Mapping[str, Any]) -> None:
        """One video's results."""
        if not self._write(content) and self._target is not None:
            self._done.append(content)

    def fail(self, video: str, message: str) -> None:
        """A video that cannot be read."""
        if not self._write({"video": video, "error": message}):
            self._failed[video] = message

    @property
    def _is_of_lines(self) -> bool:
        return self._target is not None and self._target.endswith(".jsonl")

    def _write(self, content: Mapping[str, Any]) -> bool:
        """Write a line, if lines are wanted. Only with the first does a file replace an earlier one."""
        if self._is_of_lines and self._lines is None:
            file = Path(str(self._target))
            file.parent.mkdir(parents=True, exist_ok=True)
            self._lines = file.open("w", encoding="utf-8")
        stream = sys.stdout if self.to_stdout else self._lines
        if stream is None:
            return False
        stream.write(json.dumps(content, allow_nan=False) + "\n")
        stream.flush()
        return True


class DetectionResults:
    """Detections as our own JSON, or as the result file of a challenge, which is written whole at the end.

    A challenge knows videos by their files' names without suffix, and counts times from the first frame.

    Args:
        target: as of :class:`JsonResults`.
        model: its name.
        form: ``attcell``, ``activitynet`` or ``thumos``.
        class_numbers: for ``thumos``, a file of classes with their numbers.
        videos: that will be looked at.
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
    double = next((stem for stem in stems if stems.count(stem) > 1), None)
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
