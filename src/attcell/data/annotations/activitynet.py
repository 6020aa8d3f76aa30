"""ActivityNet's truth: JSON with ``database``: ID -> ``subset``, ``duration`` and ``annotations``.

Parts are the subsets, by their own names (``training``, ``validation``, ``testing``). The classes are the
labels that occur, sorted. A video's labels are the classes of its annotations; test videos may have none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from attcell._checks import first_double, path_of
from attcell._files import parsed_json
from attcell.data.annotations.reading import (
    AnnotatedVideo,
    Annotation,
    checked_interval,
    class_names,
    interval_notes,
    text_of,
)
from attcell.errors import DataError
from attcell.types import ActionInstance


def read(file: Path | str) -> Annotation:
    """Read a truth file.

    Raises:
        CallError: no such file.
        DataError: it is no such JSON, a video stands twice, lacks something, or has an interval that is none.
    """
    file = path_of(file, "file", "activity_net.v1-3.min.json")
    database = _database(file)
    found = {video: _checked(f"{file}: {video}", of) for video, of in database.items()}
    instances = {video: tuple(_instances(file, video, of)) for video, of in found.items()}
    first: dict[str, str] = {}
    for video, actions in instances.items():
        for action in actions:
            first.setdefault(action.label, f"{file}: {video}")
    labels = tuple(sorted(class_names(file, ((place, name) for name, place in first.items()))))
    numbers = {name: number for number, name in enumerate(labels)}
    parts: dict[str, list[AnnotatedVideo]] = {}
    for video, of in found.items():
        classes = tuple(sorted({numbers[action.label] for action in instances[video]}))
        entry = AnnotatedVideo(
            video, classes, instances=instances[video], duration_seconds=of.get("duration")
        )
        parts.setdefault(of["subset"], []).append(entry)
    notes = {part: tuple(interval_notes(videos)) for part, videos in parts.items()}
    return Annotation(
        labels,
        {part: tuple(videos) for part, videos in parts.items()},
        multi_label=True,
        notes=tuple(chain.from_iterable(notes.values())),
        part_notes=notes,
    )


def _database(file: Path) -> dict[str, Any]:
    def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = first_double(key for key, _ in pairs)
            raise DataError(f"{file}: {twice} is there twice; leave one of them out")
        return found

    try:
        content = parsed_json(text_of(file), without_doubles)
    except ValueError as error:  # a number may have too many digits, too
        raise DataError(f"{file} is not JSON ({error}); get it anew") from error
    database = content.get("database") if isinstance(content, dict) else None
    if not isinstance(database, dict) or not database:
        raise DataError(f"{file} has no videos in 'database'; give a truth file of ActivityNet")
    return database


def _checked(place: str, video: Any) -> Mapping[str, Any]:
    """What is told of a video, as far as it is read, of the types that it should be."""
    if not isinstance(video, dict) or not video.get("subset") or not isinstance(video["subset"], str):
        raise DataError(f"{place} has no subset; expected training, validation or testing")
    duration = video.get("duration")
    if duration is not None and not (_is_number(duration) and 0 < duration < math.inf):
        raise DataError(f"{place}: duration is {duration!r}; expected seconds above 0")
    if not isinstance(video.get("annotations", []), list):
        raise DataError(f"{place}: annotations is no list; expected a segment and a label for each action")
    return video


def _instances(file: Path, video: str, told: Mapping[str, Any]) -> Iterator[ActionInstance]:
    for number, action in enumerate(told.get("annotations", []), 1):
        place = f"{file}: {video}, annotation {number}"
        segment, label = (action.get(of) if isinstance(action, dict) else None for of in ("segment", "label"))
        times = segment if isinstance(segment, list) and all(map(_is_number, segment)) else []
        if len(times) != 2 or not isinstance(label, str):
            raise DataError(f"{place}: {str(action)[:80]}; expected a segment [start, end] and a label")
        yield ActionInstance(video, label, *checked_interval(place, float(times[0]), float(times[1])))


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < 1e15  # so that it fits a float
    return isinstance(value, float)
