"""What ``--json`` of ``predict`` and ``detect`` writes: lines as they come, or one object at the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from attcell.data.annotations.thumos14_lists import read_class_numbers
from attcell.data.detection_writing import write_activitynet, write_thumos
from attcell.errors import CallError
from attcell.files import write_json
from attcell.records import Detection, Prediction


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
        if self._target is not None and self._target.endswith(".jsonl"):
            Path(self._target).parent.mkdir(parents=True, exist_ok=True)
            self._lines = Path(self._target).open("w", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lines is not None:
            self._lines.close()
        elif kind is None and self._target not in (None, "-"):
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

    def _write(self, content: Mapping[str, Any]) -> bool:
        """Write a line, if lines are wanted."""
        stream = sys.stdout if self.to_stdout else self._lines
        if stream is None:
            return False
        stream.write(json.dumps(content, allow_nan=False) + "\n")
        stream.flush()
        return True


class DetectionResults:
    """Detections as our own JSON, or as the result file of a challenge, which is written whole at the end.

    A challenge knows videos by their files' names without suffix.

    Args:
        target: as of :class:`JsonResults`.
        model: its name.
        form: ``attcell``, ``activitynet`` or ``thumos``.
        class_numbers: for ``thumos``, a file of classes with their numbers.

    Raises:
        CallError: a form without a file, or numbers without ``thumos``.
        DataError: the file of numbers is none.
    """

    def __init__(self, target: str | None, model: str, form: str, class_numbers: Path | None) -> None:
        if form != "attcell" and (target is None or target == "-"):
            raise CallError(f"--format {form} is a file's; name one by --json")
        if class_numbers is not None and form != "thumos":
            raise CallError("--class-numbers is for --format thumos; leave it out")
        self._form = form
        self._target = Path(target or "-")
        self._numbers = None if class_numbers is None else read_class_numbers(class_numbers)
        self._json = JsonResults(target if form == "attcell" else None, model, "videos")
        self._found: dict[str, tuple[Detection, ...]] = {}
        self._labels: tuple[str, ...] = ()

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
            counted = {label: number for number, label in enumerate(self._labels, 1)}
            write_thumos(self._target, self._found, self._numbers or counted)

    def add(self, prediction: Prediction) -> None:
        """One video's detections.

        Raises:
            CallError: another video of the same name, in the file of a challenge.
        """
        self._json.add(detections_of(prediction))
        if self._form == "attcell":
            return
        name = Path(prediction.video).stem
        if name in self._found:
            raise CallError(f"two videos are called {name}, which --format {self._form} cannot tell apart")
        self._found[name], self._labels = prediction.detections or (), prediction.labels

    def fail(self, video: str, message: str) -> None:
        """A video that cannot be read."""
        self._json.fail(video, message)


def detections_of(prediction: Prediction) -> dict[str, Any]:
    """What a program wants to know of a video, in plain types."""
    return {
        "video": prediction.video,
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
