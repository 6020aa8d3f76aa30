"""Scores of videos in a file: scores.json of ``attcell test``, CSV, or NumPy; of any tool.

- JSON: ``labels``, and ``videos``: id → ``scores`` and, where it is known, ``label`` with one true class or
  ``labels`` with a list of any number of them.
- CSV: a header ``video,label,CLASS,CLASS,…`` (``label`` may be left out), and a row for each video. In place
  of ``label``, ``labels`` holds the names joined by ``|``. An empty cell says that nothing is known, and a
  ``|`` alone in ``labels`` that the video is of none of the classes.
- NumPy ``.npz``: ``scores`` (N, A), ``videos`` (N,), ``labels`` (A,), and ``truth``: (N,) class names, or
  (N, A) of 0 and 1.

A class's place among the labels is its column. A video's name may hold bytes that are no UTF-8, and ends of
lines. Nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from attcell._files import write_text, written_whole
from attcell.errors import CallError, DataError
from attcell.results._score_files import (
    Table,
    Truth,
    csv_text,
    json_text,
    read_csv,
    read_json,
    read_npz,
    truth_matrix,
    write_npz,
)

SUFFIXES = (".json", ".csv", ".npz")


@dataclass(frozen=True)
class Scores:
    """What a file says of some videos.

    Attributes:
        source: the file's name, for messages.
        labels: the A classes.
        videos: the N videos' ids; those that could not be read are among them.
        scores: (N, A); a row of NaN for a video that could not be read.
        truth: the true classes of each video, by name and in the labels' order; () for a video of none of
            the classes, None where the file does not say.
    """

    source: str
    labels: tuple[str, ...]
    videos: tuple[str, ...]
    scores: Float[np.ndarray, "N A"]
    truth: tuple[Truth, ...]

    @property
    def has_one_class_each(self) -> bool:
        """True if the file says exactly one class of every video."""
        return all(names is not None and len(names) == 1 for names in self.truth)

    def true_classes(self) -> np.ndarray:
        """(N,) the true classes' columns, of a file of one class a video.

        Raises:
            DataError: a video whose class the file does not say, or that has none or several.
        """
        for video, names in zip(self.videos, self._known(), strict=True):
            if len(names) != 1:
                said = f"{len(names)} classes ({', '.join(names)})" if names else "none of the classes"
                raise DataError(
                    f"{self.source}: {video} is of {said}, and accuracy is of videos with one class each; "
                    "attcell score recognition gives mAP of such a file"
                )
        return np.array([self.labels.index(name) for names in self._known() for name in names])

    def truth_matrix(self) -> Bool[np.ndarray, "N A"]:
        """(N, A) which classes each video is of.

        Raises:
            DataError: a video whose classes the file does not say.
        """
        return truth_matrix(self._known(), self.labels)

    def _known(self) -> list[tuple[str, ...]]:
        for video, names in zip(self.videos, self.truth, strict=True):
            if names is None:
                raise DataError(
                    f"{self.source} does not say the class of {video}; add it, or give another file of these "
                    "videos that does"
                )
        return [names for names in self.truth if names is not None]

    def is_read(self) -> Bool[np.ndarray, " N"]:
        """Which videos could be read."""
        return ~np.isnan(self.scores).any(axis=1)

    @property
    def num_unread(self) -> int:
        """How many videos could not be read."""
        return int((~self.is_read()).sum())

    def are_probabilities(self) -> bool:
        """True if every row is none below 0 and sums to 1."""
        rows = self.scores[self.is_read()]
        return bool((rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=1e-3))


def read_scores(path: Path) -> Scores:
    """Read a file of scores; its ending says which kind it is.

    Raises:
        CallError: no such file, or another ending.
        DataError: what is in it is not what should be, with the line or the video.
    """
    readers = {".json": read_json, ".csv": read_csv, ".npz": read_npz}
    if path.suffix not in readers:
        raise CallError(f"{path}: scores are read from {', '.join(SUFFIXES)}; give one of these")
    if not path.is_file():
        raise CallError(f"no scores at {path}; give a file such as attcell test writes")
    found = _scores(path, readers[path.suffix](path))
    _check(found)
    return found


def write_scores(path: Path, found: Scores, more: Mapping[str, Any]) -> None:
    """Write scores whole or not at all; the ending says how.

    Args:
        path: the file.
        found: what to write.
        more: further keys, which go into JSON alone; its ``unread`` may say why videos could not be read.

    Raises:
        CallError: another ending than those that are read.
        DataError: several classes a video for CSV, and a class whose name holds ``|`` or is empty; or for CSV
            a class that is no UTF-8.
    """
    if path.suffix not in SUFFIXES:
        raise CallError(f"{path}: scores are written to {', '.join(SUFFIXES)}; name such a file")
    table = Table(
        found.labels,
        dict(zip(found.videos, found.scores, strict=True)),
        dict(zip(found.videos, found.truth, strict=True)),
    )
    if path.suffix == ".json":
        write_text(path, json_text(table, more))
    elif path.suffix == ".csv":
        write_text(path, csv_text(table, found.source))
    else:
        with written_whole(path) as temporary:
            write_npz(temporary, table)


def _scores(path: Path, table: Table) -> Scores:
    labels, rows = table.labels, table.rows
    for video, row in rows.items():
        if row.shape != (len(labels),):
            raise DataError(f"{path}: {video} has {row.size} scores, and there are {len(labels)} labels")
        _check_classes(path, video, table.truth[video] or (), labels)
    scores = np.stack(list(rows.values())) if rows else np.empty((0, len(labels)))
    known = [table.truth[video] for video in rows]
    truth = tuple(None if names is None else tuple(sorted(names, key=labels.index)) for names in known)
    return Scores(str(path), labels, tuple(rows), scores, truth)


def _check_classes(path: Path, video: str, names: tuple[str, ...], labels: tuple[str, ...]) -> None:
    for name in names:
        if name not in labels:
            raise DataError(f"{path}: {video} is of class {name!r}, none of the {len(labels)} labels")
        if names.count(name) > 1:
            raise DataError(f"{path}: {video} is of class {name!r} twice; leave one of them out")


def _check(found: Scores) -> None:
    if not found.videos or not found.labels:
        raise DataError(f"{found.source} holds no scores")
    if len(set(found.labels)) < len(found.labels):
        raise DataError(f"{found.source}: two labels are alike; classes need different names")
    for name in (*found.labels, *found.videos):
        # A file's name may hold bytes that are no UTF-8; Python keeps them as \udc80 to \udcff.
        if any("\ud800" <= letter <= "\udc7f" or "\udd00" <= letter <= "\udfff" for letter in name):
            raise DataError(f"{found.source}: {name!a} is no text that can be written; rename it")
    infinite = np.isinf(found.scores).any(axis=1)
    if infinite.any():
        raise DataError(f"{found.source}: {found.videos[int(infinite.argmax())]} has a score without end")
    partly = ~found.is_read() & ~np.isnan(found.scores).all(axis=1)
    if partly.any():
        raise DataError(
            f"{found.source}: {found.videos[int(partly.argmax())]} lacks some of its scores; give "
            "all of them, or none for a video that could not be read"
        )
