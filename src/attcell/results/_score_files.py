"""What stands in a file of scores, read and written by its form: JSON, CSV or NumPy.

:mod:`attcell.results.scores` describes the forms, and is what others import.
"""

from __future__ import annotations

import csv
import io
import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attcell._checks import first_double
from attcell._files import OTHER_VALUES, parsed_json, read_names
from attcell._paths import is_text
from attcell.errors import DataError
from attcell.results.tables import csv_table

SCORES_FORMAT = 1
BETWEEN = "|"  # parts the classes of a video in a CSV; alone it says that the video has none
# A NumPy file that unpacks to more than this, and to so many times what it holds, is none of scores.
_MOST_BYTES, _MOST_TIMES = 1 << 30, 100
Truth = tuple[str, ...] | None


@dataclass(frozen=True)
class Table:
    """The classes, and by video its scores and its true classes, as they stand in the file."""

    labels: tuple[str, ...]
    rows: dict[str, np.ndarray]
    truth: dict[str, Truth]


def load_json(path: Path) -> Any:
    """What stands in a file of JSON, of the format of scores.json if it is an object.

    Raises:
        DataError: it is no JSON, names something twice, or has another format.
    """
    try:
        content = parsed_json(path.read_bytes(), _without_doubles)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not JSON ({error}); copy it anew") from error
    except ValueError as error:
        raise DataError(_no_scores(path, error)) from error
    form = content.get("format", SCORES_FORMAT) if isinstance(content, dict) else SCORES_FORMAT
    if form != SCORES_FORMAT:
        raise DataError(f"{path} has scores format {form!r}, and this attcell reads {SCORES_FORMAT}")
    return content


def _no_scores(path: Path, error: Exception) -> str:
    return f"{path} is no scores.json ({error!r}): it needs labels, and videos with scores each"


def read_json(path: Path) -> Table:
    """The table of a scores.json.

    Raises:
        DataError: it is no JSON, or another JSON.
    """
    content = load_json(path)
    try:
        labels = _names(content["labels"])
        rows = {video: np.array(of["scores"], dtype=float) for video, of in content["videos"].items()}
        truth = {video: _truth_of(video, of) for video, of in content["videos"].items()}
        known = content.get("unread_labels", {})
        for video in content.get("unread", {}):
            if video in rows:
                raise ValueError(f"{video} is unread and has scores")
            rows[video], truth[video] = np.full(len(labels), np.nan), _classes(video, known.get(video))
    except OTHER_VALUES as error:
        raise DataError(_no_scores(path, error)) from error
    return Table(labels, rows, truth)


def json_text(table: Table, more: Mapping[str, Any]) -> str:
    """The table as a scores.json; ``more`` goes before it and may say why videos are unread."""
    unread = [video for video, row in table.rows.items() if np.isnan(row).any()]
    content = {
        "format": SCORES_FORMAT,
        "unread": dict.fromkeys(unread, "not read"),
        "unread_labels": {
            video: names[0] if len(names) == 1 else list(names)
            for video in unread
            if (names := table.truth[video]) is not None
        },
        **more,
        "labels": list(table.labels),
        "videos": {
            video: {**_named(table.truth[video]), "scores": row.tolist()}
            for video, row in table.rows.items()
            if not np.isnan(row).any()
        },
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _named(names: Truth) -> dict[str, str | list[str]]:
    """The true classes as they stand in JSON."""
    if names is None:
        return {}
    return {"label": names[0]} if len(names) == 1 else {"labels": list(names)}


def read_csv(path: Path) -> Table:
    """The table of a CSV.

    Raises:
        DataError: it is no CSV of scores, with the line.
    """
    try:
        lines = list(csv.reader(io.StringIO(read_names(path, newline=""), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not CSV in UTF-8 ({error}); save it anew") from error
    head = lines[0] if lines else []
    column = head[1] if head[1:2] in (["label"], ["labels"]) else None
    first = 1 if column is None else 2
    foreign = next((name for name in head if not is_text(name)), None)
    if foreign is not None:
        raise DataError(f"{path} is not CSV in UTF-8 (the class {foreign!a}); save it anew")
    if head[:1] != ["video"] or len(head) <= first:
        raise DataError(
            f"{path}:1: the header must be video,label,CLASS,CLASS,… and is {','.join(head)[:80]}"
        )
    if column == "labels":
        _check_partable(head[first:], f"{path}:1")
    rows: dict[str, np.ndarray] = {}
    truth: dict[str, Truth] = {}
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
        truth[line[0]] = None if column is None else _parted(line[1], column)
    return Table(tuple(head[first:]), rows, truth)


def _parted(cell: str, column: str) -> Truth:
    """The classes in a cell; an empty one says nothing, the sign between classes alone says that of none."""
    if not cell:
        return None
    if column == "label":
        return (cell,)
    return () if cell == BETWEEN else tuple(cell.split(BETWEEN))


def csv_text(table: Table, source: str) -> str:
    """The table as CSV, with a column ``label`` if no video has several classes or none, else ``labels``.

    Raises:
        DataError: a class that cannot stand in a cell of ``labels``; ``source`` is named.
    """
    for label in table.labels:
        if not is_text(label):
            raise DataError(f"{source}: the class {label!a} is no text in UTF-8; rename it, or use .json")
    is_single = all(names is None or len(names) == 1 for names in table.truth.values())
    if not is_single:
        _check_partable(table.labels, source)
    head = ["video", "label" if is_single else "labels", *table.labels]
    return csv_table(
        head,
        (
            [video, _joined(table.truth[video])]
            + ["" if np.isnan(value) else repr(float(value)) for value in row]
            for video, row in table.rows.items()
        ),
        is_exact=True,
    )


def _joined(names: Truth) -> str:
    """The classes in one cell, as :func:`_parted` reads it."""
    return BETWEEN.join(names) if names else "" if names is None else BETWEEN


def _check_partable(labels: list[str] | tuple[str, ...], source: str) -> None:
    """Check that the classes can stand in one cell.

    Raises:
        DataError: a class whose name holds what parts them, or is empty.
    """
    for label in labels:
        if BETWEEN in label or not label:
            raise DataError(
                f"{source}: the class {label!r} cannot stand in a CSV's column labels, where {BETWEEN} parts "
                "the names and an empty cell says nothing; rename it, or use .json or .npz"
            )


def read_npz(path: Path) -> Table:
    """The table of a NumPy .npz; nothing is unpickled.

    Raises:
        DataError: it is no such file, or its arrays do not fit together.
    """
    try:
        _refuse_bomb(path)
        with warnings.catch_warnings(action="ignore"), np.load(path, allow_pickle=False) as content:
            labels, videos = tuple(_texts(content["labels"])), _texts(content["videos"])
            truth: list[Truth] = [None] * len(videos)
            if "truth" in content:
                truth = _truths(content["truth"], labels)
            scores = content["scores"]
            if scores.dtype.kind not in "fiu":
                raise TypeError(f"scores are {scores.dtype}, not real numbers")
            scores = scores.astype(float)
    except Exception as error:  # NumPy and zipfile raise errors of many kinds
        raise DataError(
            f"{path} is no .npz of scores ({error}): it needs scores (N, A), videos (N,) and labels (A,), "
            "without pickled objects"
        ) from error
    if scores.shape != (len(videos), len(labels)) or len(truth) != len(videos):
        raise DataError(
            f"{path}: scores are {scores.shape} and truth {len(truth)}, for {len(videos)} videos and "
            f"{len(labels)} labels"
        )
    if (twice := first_double(videos)) is not None:
        raise DataError(f"{path}: {twice} is there twice; leave one of them out")
    return Table(labels, dict(zip(videos, scores, strict=True)), dict(zip(videos, truth, strict=True)))


def _refuse_bomb(path: Path) -> None:
    """Raise a ValueError for a file that would unpack to very much more than it holds."""
    with zipfile.ZipFile(path) as archive:
        for of in archive.infolist():
            if of.file_size > max(_MOST_BYTES, _MOST_TIMES * of.compress_size):
                raise ValueError(f"{of.filename} unpacks to {of.file_size >> 20} MiB, far more than it holds")


def write_npz(path: Path, table: Table) -> None:
    """Write the table as NumPy arrays; ``truth`` is there if the classes of every video are known."""
    known = [names for names in table.truth.values() if names is not None]
    arrays = {
        "scores": np.stack(list(table.rows.values())),
        "videos": np.array(list(table.rows)),
        "labels": np.array(table.labels),
    }
    if len(known) == len(table.rows):
        if all(len(names) == 1 for names in known):
            arrays["truth"] = np.array([name for names in known for name in names])
        else:
            arrays["truth"] = truth_matrix(known, table.labels).astype(np.uint8)
    np.savez(path, **arrays)  # type: ignore[arg-type]


def truth_matrix(classes: Sequence[Sequence[str]], labels: Sequence[str]) -> np.ndarray:
    """(N, A) which of the labels each video has."""
    columns = {label: place for place, label in enumerate(labels)}
    matrix = np.zeros((len(classes), len(labels)), dtype=bool)
    for row, names in zip(matrix, classes, strict=True):
        row[[columns[name] for name in names]] = True
    return matrix


def _truths(found: np.ndarray, labels: tuple[str, ...]) -> list[Truth]:
    """(N,) names, or (N, A) of 0 and 1."""
    if found.ndim != 2:
        return [(name,) for name in _texts(found)]
    if found.shape[1] != len(labels):
        raise TypeError(f"truth is {found.shape}, for {len(labels)} labels")
    if found.dtype.kind not in "biuf" or not np.isin(found, (0, 1)).all():
        raise TypeError(f"truth is {found.dtype} {found.shape}, and not of 0 and 1")
    return [tuple(labels[place] for place in np.flatnonzero(row)) for row in found]


def _texts(found: np.ndarray) -> list[str]:
    """One-dimensional text, or bytes in UTF-8."""
    if found.ndim != 1 or found.dtype.kind not in "US":
        raise TypeError(f"names are {found.dtype} {found.shape}, not a row of text")
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in found]


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"{first_double(key for key, _ in pairs)} is there twice; leave one of them out")
    return found


def _names(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError("the labels are no list of names")
    return tuple(found)


def _truth_of(video: str, of: dict[str, Any]) -> Truth:
    if "label" in of and "labels" in of:
        raise ValueError(f"{video} has a label and labels; keep one of them")
    return _classes(video, of.get("labels", of.get("label")))


def _classes(video: str, found: Any) -> Truth:
    """The name of one class, a list of names, or None where nothing is known."""
    if found is None or isinstance(found, str):
        return None if found is None else (found,)
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError(f"{video} is of {found!r}, neither a class nor a list of classes")
    return tuple(found)
