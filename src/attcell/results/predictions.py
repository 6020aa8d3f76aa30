"""What ``attcell predict --json`` writes, and reading it back: where and when the evidence was, no pictures.

``detect`` writes its JSON in the same way: lines as they come, or one object at the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from attcell._files import OTHER_VALUES, Lines, parsed_json, write_json
from attcell.errors import CallError, DataError
from attcell.types import AttentionTrack, Hearing


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
        self._lines: Lines | None = None

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
            self._lines = Lines(file)
        line = json.dumps(content, allow_nan=False)
        if self.to_stdout:
            print(line, flush=True)
        elif self._lines is not None:
            self._lines.add(line)
        return self.to_stdout or self._lines is not None


def read_predictions(path: Path) -> tuple[list[tuple[str, AttentionTrack]], dict[str, str]]:
    """The videos of a file of predictions with their segments, and by path why others could not be read.

    Raises:
        CallError: no such file.
        DataError: it is none.
    """
    if not path.is_file():
        raise CallError(f"{path}: no such file; give what attcell predict --json wrote")
    try:
        content = json_values(path, path.read_text(encoding="utf-8-sig"))
        if len(content) == 1 and "predictions" in content[0]:
            rows, failed = content[0]["predictions"], dict(content[0]["failed"])
        else:
            rows = [row for row in content if "error" not in row]
            failed = {str(row["video"]): str(row["error"]) for row in content if "error" in row}
        return [(str(row["video"]), _read_track(row)) for row in rows], failed
    except OTHER_VALUES as error:
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
        hearing={str(name): _read_hearing(of) for name, of in row["hearing"].items()},
    )
    count = len(track)
    of_segments = (track.frame_seconds, track.temporal_scores, track.temporal_attention)
    if count == 0 or track.seconds.shape != (count, 2) or {of.shape for of in of_segments} != {(count,)}:
        raise ValueError(f"{row['video']}: {count} segments do not fit its times and scores")
    maps = track.spatial_attention.values()
    if any(of.ndim != 3 or len(of) != count or not np.isfinite(of).all() for of in maps):
        raise ValueError(f"{row['video']}: its maps do not fit {count} segments")
    return track


def _read_hearing(row: dict[str, Any]) -> Hearing:
    low, high = row["hertz"]
    return Hearing(float(row["window_seconds"]), (float(low), float(high)))


def json_values(path: Path, text: str) -> list[Any]:
    """One JSON value, or one a line.

    Raises:
        DataError: neither.
    """
    try:
        return [parsed_json(text)]
    except ValueError as whole:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        if len(lines) < 2:
            raise DataError(f"{path} is not JSON ({whole}); write it anew") from whole
        values = []
        for number, line in lines:
            try:
                values.append(parsed_json(line))
            except ValueError as error:
                raise DataError(f"{path}:{number} is not JSON ({error}); write it anew") from error
        return values
