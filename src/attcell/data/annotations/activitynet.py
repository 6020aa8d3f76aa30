"""ActivityNet's JSON of the truth: subset, duration, and segments with labels for each video."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attcell.data.annotations.records import AnnotatedVideo, Annotation, class_names, raise_problems
from attcell.errors import DataError
from attcell.files import write_text
from attcell.records import ActionInstance


def read(source: Path) -> Annotation:
    """Read a JSON file, or the only one in a folder. The parts are its subsets, under their own names.

    A video's classes are those of its segments. Classes are sorted by name. A segment beyond the video's
    duration is noted.

    Raises:
        DataError: no such file, no such JSON, or segments that are none, each with its video.
    """
    file = _the_file(source)
    database = _database(file)
    problems: list[str] = []
    notes: list[str] = []
    found = {id: _instances(file, id, entry, problems, notes) for id, entry in database.items()}
    raise_problems(problems)
    names = sorted({instance.label for instances in found.values() for instance in instances})
    labels = class_names(file, names)
    numbers = {name: number for number, name in enumerate(labels)}
    parts: dict[str, list[AnnotatedVideo]] = {}
    for id, instances in found.items():
        own = tuple(sorted({numbers[instance.label] for instance in instances}))
        parts.setdefault(str(database[id]["subset"]), []).append(AnnotatedVideo(id, own, "", instances))
    return Annotation(labels, {part: tuple(videos) for part, videos in parts.items()}, True, tuple(notes))


def write(annotation: Annotation, file: Path, durations: Mapping[str, float]) -> None:
    """Write the JSON; ``durations`` are the videos' lengths in seconds."""
    database = {
        video.id: {
            "subset": part,
            "duration": durations[video.id],
            "annotations": [
                {"segment": [of.start_seconds, of.end_seconds], "label": of.label} for of in video.instances
            ],
        }
        for part, videos in annotation.parts.items()
        for video in videos
    }
    write_text(file, json.dumps({"database": database}, indent=1, allow_nan=False) + "\n")


def read_durations(source: Path) -> dict[str, float]:
    """The videos' lengths in seconds, by their ids."""
    return {id: float(entry["duration"]) for id, entry in _database(_the_file(source)).items()}


def _the_file(source: Path) -> Path:
    if source.is_file():
        return source
    files = sorted(source.glob("*.json"))
    if len(files) != 1:
        found = ", ".join(path.name for path in files) or "none"
        raise DataError(f"{source}: one JSON file was expected there, and it holds {found}; name the file")
    return files[0]


def _database(file: Path) -> dict[str, dict[str, Any]]:
    try:
        database = json.loads(file.read_text(encoding="utf-8-sig"))["database"]
        for id, entry in database.items():
            if not isinstance(entry["annotations"], list) or not isinstance(entry["subset"], str):
                raise TypeError(f"{id} has no list of annotations, or no subset")
            float(entry["duration"])
    except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise DataError(f"{file} is not JSON that can be read ({error}); get it again") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            f"{file} is no ActivityNet truth ({error!r}): it needs database, and for each video subset, "
            "duration and annotations"
        ) from error
    return dict(database)


def _instances(
    file: Path, id: str, entry: dict[str, Any], problems: list[str], notes: list[str]
) -> tuple[ActionInstance, ...]:
    found = []
    for one in entry["annotations"]:
        try:
            start, end = (float(value) for value in one["segment"])
            label = one["label"]
        except (KeyError, TypeError, ValueError):
            problems.append(
                f"{file}: {id}: {one!r} is no annotation; expected segment [start, end] and label"
            )
            continue
        if not (math.isfinite(start) and math.isfinite(end) and 0 <= start <= end) or not isinstance(
            label, str
        ):
            problems.append(f"{file}: {id}: segment {one['segment']} of {label!r} is none; mend it")
            continue
        if end > float(entry["duration"]) + 0.5:
            notes.append(f"{id}: {label} ends at {end:g} s, and the video at {float(entry['duration']):g} s")
        found.append(ActionInstance(id, label, start, end))
    return tuple(found)
