"""What runs came to: the figures in files that ``attcell test`` writes, without the scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attcell.errors import CallError, DataError
from attcell.results._score_files import load_json

FILE_NAME = "scores.json"
_LARGEST = 1e300  # whole numbers of JSON may be larger than any other number


@dataclass(frozen=True)
class Published:
    """A figure that a publication gives.

    Attributes:
        row: what the publication calls the row.
        figure: the figure's name, as a run calls it.
        value: in percent; None where the copy of the publication that is at hand has lost the number.
        source: the publication, and where in it.
        note: what the number alone does not say, such as how it was derived; "" where there is nothing.
    """

    row: str
    figure: str
    value: float | None
    source: str
    note: str = ""


@dataclass(frozen=True)
class FinishedRun:
    """One tested model.

    Attributes:
        path: the file.
        name: of the run, None where the file does not say.
        dataset: what it was tested on, None where the file does not say.
        split: of the data set, None where the file does not say.
        seed: that it was trained with, None where the file does not say.
        figures: name → percent.
        protocol: name → words.
        videos: the ids of all tested videos, with those that could not be read.
        num_unread: how many could not be read.
        published: figures to print beside.
        rivals: published figures of methods that no run is of.
    """

    path: Path
    name: str | None
    dataset: str | None
    split: int | str | None
    seed: int | None
    figures: dict[str, float]
    protocol: dict[str, str]
    videos: frozenset[str]
    num_unread: int
    published: tuple[Published, ...]
    rivals: tuple[Published, ...] = ()


def find_runs(places: Sequence[Path]) -> list[Path]:
    """The files of these places: a file itself, of a folder every scores.json below. None comes twice.

    Raises:
        CallError: no such file or folder.
        DataError: a folder without any.
    """
    found: dict[Path, Path] = {}
    for place in places:
        if place.is_dir():
            below = sorted(place.rglob(FILE_NAME))
            if not below:
                raise DataError(
                    f"no {FILE_NAME} below {place}; attcell test writes one, or name another folder"
                )
        elif place.is_file():
            below = [place]
        else:
            raise CallError(f"no file or folder {place}; give a {FILE_NAME}, or a folder of runs")
        for path in below:
            found.setdefault(path.resolve(), path)
    return list(found.values())


def read_run(path: Path) -> FinishedRun:
    """What the file says, but for the scores.

    Raises:
        DataError: it is no JSON, or lacks what ``attcell test`` writes.
    """
    content = load_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("figures"), dict):
        raise DataError(f"{path} holds no figures; give a {FILE_NAME} as attcell test writes")
    run, videos, unread, protocol = (
        _part(path, content, key) for key in ("run", "videos", "unread", "protocol")
    )
    figures = {name: _percent(path, name, value) for name, value in content["figures"].items()}
    return FinishedRun(
        path,
        _word(path, run, "name"),
        _word(path, run, "dataset"),
        _number(path, run, "split") if not isinstance(run.get("split"), str) else run["split"],
        _number(path, run, "seed"),
        figures,
        {key: value if isinstance(value, str) else json.dumps(value) for key, value in protocol.items()},
        frozenset({*videos, *unread}),
        len(unread),
        _published(path, content, "published"),
        _published(path, content, "rivals"),
    )


def _part(path: Path, content: dict[str, Any], key: str) -> dict[str, Any]:
    part = content.get(key, {})
    if not isinstance(part, dict):
        raise DataError(
            f'{path}: "{key}" is {part!r:.80}; names with values are allowed, as attcell test writes'
        )
    return part


def _percent(path: Path, name: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not abs(value) < _LARGEST:
        raise DataError(f"{path}: the figure {name} is {value!r:.80}; a finite number is allowed")
    return float(value)


def _word(path: Path, part: dict[str, Any], key: str) -> str | None:
    value = part.get(key)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise DataError(f'{path}: "{key}" is {value!r:.80}; text is allowed')
    return value


def _number(path: Path, part: dict[str, Any], key: str) -> int | None:
    value = part.get(key)
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise DataError(f'{path}: "{key}" of the run is {value!r:.80}; a whole number is allowed')
    return value


def _published(path: Path, content: dict[str, Any], key: str) -> tuple[Published, ...]:
    found = content.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DataError(f'{path}: "{key}" is no list of figures, each with figure, value, source and row')
    figures = []
    for one in found:
        row, figure, source = (_word(path, one, key) for key in ("row", "figure", "source"))
        if row is None or figure is None or source is None or "value" not in one:
            raise DataError(
                f"{path}: a published figure needs row, figure, value and source, and has {', '.join(one)}; "
                "a value that is lost is null"
            )
        value = None if one["value"] is None else _percent(path, f"{figure} of {row}", one["value"])
        figures.append(Published(row, figure, value, source, str(one.get("note", ""))))
    return tuple(figures)
