"""VIA, the VGG Image Annotator 3 for video: its project (JSON) out and in, its CSV in.

An action is a piece of metadata with two times, ``z: [start, end]`` in seconds. Its class is an attribute of
temporal segments (anchor ``FILE1_Z2_XY0``), by the number of an option or as free text.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attcell._files import parsed_json, write_text
from attcell.annotation_tools.records import (
    SURE,
    LabelledVideo,
    Opened,
    Rates,
    Read,
    Wanted,
    number_of,
    parts_of,
)
from attcell.errors import DataError
from attcell.types import Detection

_TEXT, _SELECT, _VIDEO = 1, 4, 4
_LOCAL, _HTTP, _FILE = 1, 2, 3  # where a file lies
_SEGMENTS = "FILE1_Z2_XY0"
_CLASS, _SCORE = "action", "score"  # attributes' names
_HEADER = "# CSV_HEADER = "
_DIGITS = 3  # VIA keeps milliseconds


def write(out: Path, wanted: Wanted) -> list[Path]:
    """Write one project of all videos; the file."""
    numbers = {label: str(number) for number, label in enumerate(wanted.labels)}
    views = {str(number): video for number, video in enumerate(wanted.videos, 1)}
    content = {
        "project": {
            "pid": "__VIA_PROJECT_ID__",
            "rev": "__VIA_PROJECT_REV_ID__",
            "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
            "pname": out.stem,
            "data_format_version": "3.1.1",
            "creator": "attcell",
            "created": 0,
            "vid_list": list(views),
        },
        "config": {
            "file": {"loc_prefix": {"1": "", "2": "", "3": "", "4": ""}},
            "ui": {
                "file_content_align": "center",
                "file_metadata_editor_visible": True,
                "spatial_metadata_editor_visible": True,
                "temporal_segment_metadata_editor_visible": True,
                "spatial_region_label_attribute_id": "",
                "gtimeline_visible_row_count": "4",
            },
        },
        "attribute": {
            "1": _attribute(_CLASS, _SELECT, {number: label for label, number in numbers.items()}),
            "2": _attribute(_SCORE, _TEXT, {}),
        },
        "file": {number: _file(number, video.video, wanted.prefix) for number, video in views.items()},
        "view": {number: {"fid_list": [number]} for number in views},
        "metadata": {
            f"{number}_{count:08d}": {
                "vid": number,
                "flg": 0,
                "z": [round(action.start_seconds, _DIGITS), round(action.end_seconds, _DIGITS)],
                "xy": [],
                "av": {"1": numbers[action.label], "2": f"{action.score:.6g}"},
            }
            for number, video in views.items()
            for count, action in enumerate(video.actions, 1)
        },
    }
    write_text(out, json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")
    return [out]


def _attribute(name: str, kind: int, options: Mapping[str, str]) -> dict[str, Any]:
    return {
        "aname": name,
        "anchor_id": _SEGMENTS,
        "type": kind,
        "desc": "",
        "options": dict(options),
        "default_option_id": "",
    }


def _file(number: str, video: str, prefix: str) -> dict[str, Any]:
    place = _LOCAL if not prefix else _HTTP if prefix.startswith(("http://", "https://")) else _FILE
    name = video.rsplit("/", 1)[-1]
    return {"fid": number, "fname": name, "type": _VIDEO, "loc": place, "src": f"{prefix}{video}"}


def tells(opened: Opened) -> bool:
    """Whether a file is a project of VIA 3, or its CSV."""
    if isinstance(opened.value, str):
        return _HEADER in opened.value
    return isinstance(opened.value, dict) and {"metadata", "attribute", "file", "view"} <= opened.value.keys()


def read(opened: Opened, rates: Rates) -> Read:
    """The videos of a project, or those of a CSV, which names only videos with segments.

    Raises:
        DataError: it is no such file.
    """
    if isinstance(opened.value, str):
        return _read_csv(opened.path, opened.value)
    path, project = str(opened.path), parts_of(opened.value, str(opened.path), dict, "it")
    parts = {
        key: parts_of(project.get(key), path, dict, key) for key in ("metadata", "attribute", "file", "view")
    }
    classes = _Classes(path, parts["attribute"])
    names = {}
    for view, of in parts["view"].items():
        files = parts_of(of.get("fid_list") if isinstance(of, dict) else None, path, list, "fid_list")
        file = parts["file"].get(str(files[0])) if files else None
        names[view] = _name(path, parts_of(file, path, dict, f"the file of view {view}"))
    found: dict[str, list[Detection]] = {name: [] for name in names.values()}
    for key, of in parts["metadata"].items():
        place = f"{path}: {key}"
        told = parts_of(of, place, dict, "it")
        view = str(told.get("vid"))
        if view not in names:
            raise DataError(f"{place}: it is of view {view}, which there is not; export it anew")
        found[names[view]] += classes.actions(place, told.get("z"), told.get("av"))
    return _videos(path, found)


def _read_csv(path: Path, text: str) -> Read:
    columns: list[str] = []
    attributes: Any = {}
    found: dict[str, list[Detection]] = {}
    lines = text.splitlines(keepends=True)
    try:
        for line in lines:
            if line.startswith(("# ATTRIBUTE = ", "# ATTRIBUTES = ")):
                attributes = parsed_json(line.split("=", 1)[1])
            elif line.startswith(_HEADER):
                columns = line.removeprefix(_HEADER).strip().split(",")
        if "temporal_segment_start" in columns:
            raise DataError(
                f"{path}: VIA's CSV of temporal segments alone has no names of classes; export as VIA3 CSV, "
                "or save the project"
            )
        classes = _Classes(str(path), parts_of(attributes, str(path), dict, "ATTRIBUTE"))
        rows = csv.reader(io.StringIO("".join(of for of in lines if not of.startswith("#")), newline=""))
        for number, row in enumerate((row for row in rows if row), 1):
            place = f"{path}: row {number}"
            told = dict(zip(columns, row, strict=False))
            (name, *_) = parts_of(parsed_json(told["file_list"]), place, list, "file_list")
            times, values = parsed_json(told["temporal_coordinates"]), parsed_json(told["metadata"])
            found.setdefault(str(name), []).extend(classes.actions(place, times, values))
    except (KeyError, ValueError, csv.Error) as error:
        raise DataError(
            f"{path} is no CSV of VIA 3 ({error!r}); it needs file_list, temporal_coordinates and metadata"
        ) from error
    return _videos(str(path), found)


def _videos(path: str, found: Mapping[str, list[Detection]]) -> Read:
    if not found:
        raise DataError(f"{path}: it names no video; export it anew")
    return Read(tuple(LabelledVideo(name, tuple(actions)) for name, actions in found.items()))


def _name(path: str, file: Mapping[str, Any]) -> str:
    name = file.get("src") if file.get("loc") != _LOCAL or file.get("src") else file.get("fname")
    if not isinstance(name, str) or not name or name.startswith("data:"):
        name = file.get("fname")
    if not isinstance(name, str) or not name:
        raise DataError(f"{path}: a file has no name; export it anew")
    return name


class _Classes:
    """Which attribute of temporal segments is the class, and what its values mean."""

    def __init__(self, path: str, attributes: Mapping[str, Any]) -> None:
        names = {}
        for key, told in attributes.items():  # an early CSV has the names alone
            of = {"aname": told} if isinstance(told, str) else parts_of(told, path, dict, f"attribute {key}")
            if of.get("anchor_id", _SEGMENTS) == _SEGMENTS:
                names[key] = str(of.get("aname"))
        others = [key for key, name in names.items() if name != _SCORE]
        if not others:
            raise DataError(f"{path}: no attribute of temporal segments tells the class; name one 'action'")
        self._class = next((key for key in others if names[key] == _CLASS), others[0])
        self._score = next((key for key, name in names.items() if name == _SCORE), None)
        told = attributes[self._class]
        options = told.get("options", {}) if isinstance(told, dict) and told.get("type") != _TEXT else {}
        self._options: Mapping[str, Any] = parts_of(options, path, dict, "options")

    def actions(self, place: str, times: Any, values: Any) -> Iterator[Detection]:
        """The action of a piece of metadata; none of a still frame, a region or a whole file."""
        times = parts_of(times, place, list, "its times")
        values = parts_of(values, place, dict, "its attributes")
        if len(times) != 2:
            return
        start, end = (number_of(time, place, "a time") for time in times)
        told = str(values.get(self._class, ""))
        score = SURE
        if self._score is not None:
            try:
                score = float(values.get(self._score, SURE))
            except (TypeError, ValueError):
                score = math.nan
        score = score if math.isfinite(score) else SURE  # a person may have written anything there
        yield Detection(str(self._options.get(told, told)), start, end, score)
