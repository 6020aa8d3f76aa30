"""Scores of videos in a file: scores.json of ``attcell test``, CSV, or NumPy; of any tool.

- JSON: ``labels``, and ``videos``: id → ``scores`` and, where it is known, ``label``.
- CSV: a header ``video,label,CLASS,CLASS,…`` (``label`` may be left out), and a row for each video.
- NumPy ``.npz``: ``scores`` (N, A), ``videos`` (N,), ``labels`` (A,), and ``truth`` (N,) class names.

A class's place among the labels is its column. Nothing is unpickled.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from attcell.errors import CallError, DataError
from attcell.files import write_text, written_whole

SCORES_FORMAT = 1
SUFFIXES = (".json", ".csv", ".npz")


@dataclass(frozen=True)
class Scores:
    """What a file says of some videos.

    Attributes:
        source: the file's name, for messages.
        labels: the A classes.
        videos: the N videos' ids; those that could not be read are among them.
        scores: (N, A); a row of NaN for a video that could not be read.
        truth: the true class of each video, by name; None where the file does not say.
    """

    source: str
    labels: tuple[str, ...]
    videos: tuple[str, ...]
    scores: Float[np.ndarray, "N A"]
    truth: tuple[str | None, ...]

    def true_classes(self) -> np.ndarray:
        """(N,) the true classes' columns.

        Raises:
            DataError: a video whose class the file does not say.
        """
        for video, label in zip(self.videos, self.truth, strict=True):
            if label is None:
                raise DataError(
                    f"{self.source} does not say the class of {video}; add it, or give another file of these "
                    "videos that does"
                )
        return np.array([self.labels.index(label) for label in self.truth if label is not None])

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
    readers = {".json": _read_json, ".csv": _read_csv, ".npz": _read_npz}
    if path.suffix not in readers:
        raise CallError(f"{path}: scores are read from {', '.join(SUFFIXES)}; give one of these")
    if not path.is_file():
        raise CallError(f"no scores at {path}; give a file such as attcell test writes")
    found = readers[path.suffix](path)
    _check(found)
    return found


def write_scores(path: Path, found: Scores, more: Mapping[str, Any]) -> None:
    """Write scores whole or not at all; the ending says how. ``more`` goes into JSON alone.

    Raises:
        CallError: another ending than those that are read.
    """
    if path.suffix == ".json":
        write_json_scores(path, found, more)
    elif path.suffix == ".csv":
        write_text(path, _as_csv(found))
    elif path.suffix == ".npz":
        truth = {} if None in found.truth else {"truth": np.array(found.truth)}
        with written_whole(path) as temporary:
            np.savez(
                temporary, scores=found.scores, videos=np.array(found.videos), labels=np.array(found.labels),
                **truth,  # type: ignore[arg-type]
            )  # fmt: skip
    else:
        raise CallError(f"{path}: scores are written to {', '.join(SUFFIXES)}; name such a file")


def write_json_scores(path: Path, found: Scores, more: Mapping[str, Any]) -> None:
    """Write scores as ``attcell test`` does; ``more`` may say why videos are unread."""
    read = found.is_read()
    rows = zip(found.videos, found.truth, found.scores, read, strict=True)
    videos = {
        video: {**({} if label is None else {"label": label}), "scores": row.tolist()}
        for video, label, row, is_read in rows
        if is_read
    }
    unread = {video: "not read" for video, is_read in zip(found.videos, read, strict=True) if not is_read}
    known = {
        video: label
        for video, label in zip(found.videos, found.truth, strict=True)
        if video in unread and label is not None
    }
    content = {
        "format": SCORES_FORMAT,
        "unread": unread,
        "unread_labels": known,
        **more,
        "labels": list(found.labels),
        "videos": videos,
    }
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def _read_json(path: Path) -> Scores:
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_without_doubles)
        form = content.get("format", SCORES_FORMAT)
        if form != SCORES_FORMAT:
            raise DataError(f"{path} has scores format {form!r}, and this attcell reads {SCORES_FORMAT}")
        labels = _names(content["labels"])
        rows = {video: np.array(of["scores"], dtype=float) for video, of in content["videos"].items()}
        truth = {video: of.get("label") for video, of in content["videos"].items()}
        known = content.get("unread_labels", {})
        for video in content.get("unread", {}):
            if video in rows:
                raise ValueError(f"{video} is unread and has scores")
            rows[video], truth[video] = np.full(len(labels), np.nan), known.get(video)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({error}); copy it anew") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            f"{path} is no scores.json ({error!r}): it needs labels, and videos with scores each"
        ) from error
    return _table(path, labels, rows, truth)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{twice} is there twice; leave one of them out")
    return found


def _names(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError("the labels are no list of names")
    return tuple(found)


def _read_csv(path: Path) -> Scores:
    try:
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not CSV in UTF-8 ({error}); save it anew") from error
    head = lines[0] if lines else []
    first = 2 if head[1:2] == ["label"] else 1
    if head[:1] != ["video"] or len(head) <= first:
        raise DataError(
            f"{path}:1: the header must be video,label,CLASS,CLASS,… and is {','.join(head)[:80]}"
        )
    rows, truth = {}, {}
    for number, line in enumerate(lines[1:], 2):
        if not line:
            continue
        if len(line) != len(head):
            raise DataError(f"{path}:{number}: {len(line)} columns, and the header has {len(head)}")
        if line[0] in rows:
            raise DataError(f"{path}:{number}: {line[0]} was there before; leave one of them out")
        try:
            rows[line[0]] = np.array([float(value or "nan") for value in line[first:]])
        except ValueError as error:
            raise DataError(f"{path}:{number}: {error}; scores are numbers") from error
        truth[line[0]] = (line[1] or None) if first == 2 else None
    return _table(path, tuple(head[first:]), rows, truth)


def _read_npz(path: Path) -> Scores:
    try:
        with np.load(path, allow_pickle=False) as content:
            labels, videos = tuple(_texts(content["labels"])), _texts(content["videos"])
            truth = _texts(content["truth"]) if "truth" in content else [None] * len(videos)
            scores = content["scores"]
            if scores.dtype.kind not in "fiu":
                raise TypeError(f"scores are {scores.dtype}, not real numbers")
            scores = scores.astype(float)
    except (ValueError, KeyError, OSError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is no .npz of scores ({error}): it needs scores (N, A), videos (N,) and labels (A,), "
            "without pickled objects"
        ) from error
    if scores.shape != (len(videos), len(labels)) or len(truth) != len(videos):
        raise DataError(
            f"{path}: scores are {scores.shape} and truth {len(truth)}, for {len(videos)} videos and "
            f"{len(labels)} labels"
        )
    if len(set(videos)) < len(videos):
        twice = next(video for video in videos if videos.count(video) > 1)
        raise DataError(f"{path}: {twice} is there twice; leave one of them out")
    return _table(path, labels, dict(zip(videos, scores, strict=True)), dict(zip(videos, truth, strict=True)))


def _texts(found: np.ndarray) -> list[str]:
    """One-dimensional text, or bytes in UTF-8."""
    if found.ndim != 1 or found.dtype.kind not in "US":
        raise TypeError(f"names are {found.dtype} {found.shape}, not a row of text")
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in found]


def _table(
    path: Path,
    labels: tuple[str, ...],
    rows: Mapping[str, np.ndarray],
    truth: Mapping[str, str | None],
) -> Scores:
    for video, row in rows.items():
        if row.shape != (len(labels),):
            raise DataError(f"{path}: {video} has {row.size} scores, and there are {len(labels)} labels")
    scores = np.stack(list(rows.values())) if rows else np.empty((0, len(labels)))
    return Scores(str(path), labels, tuple(rows), scores, tuple(truth[video] for video in rows))


def _check(found: Scores) -> None:
    if not found.videos or not found.labels:
        raise DataError(f"{found.source} holds no scores")
    if len(set(found.labels)) < len(found.labels):
        raise DataError(f"{found.source}: two labels are alike; classes need different names")
    for name in (*found.labels, *found.videos):
        if any("\ud800" <= letter <= "\udfff" for letter in name):
            raise DataError(f"{found.source}: {name!a} is no text that can be written; rename it")
    for video, label in zip(found.videos, found.truth, strict=True):
        if label is not None and label not in found.labels:
            raise DataError(
                f"{found.source}: {video} is of class {label!r}, none of the {len(found.labels)} labels"
            )
    infinite = np.isinf(found.scores).any(axis=1)
    if infinite.any():
        raise DataError(f"{found.source}: {found.videos[int(infinite.argmax())]} has a score without end")
    partly = ~found.is_read() & ~np.isnan(found.scores).all(axis=1)
    if partly.any():
        raise DataError(
            f"{found.source}: {found.videos[int(partly.argmax())]} lacks some of its scores; give "
            "all of them, or none for a video that could not be read"
        )


def _as_csv(found: Scores) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["video", "label", *found.labels])
    for video, label, row in zip(found.videos, found.truth, found.scores, strict=True):
        values: Sequence[Any] = ["" if np.isnan(value) else repr(float(value)) for value in row]
        writer.writerow([video, label or "", *values])
    return text.getvalue()
