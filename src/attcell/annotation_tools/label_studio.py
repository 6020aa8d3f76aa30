"""Label Studio: tasks with predictions out, its exports JSON and JSON-MIN in.

An action is a result of the kind ``timelinelabels`` with ``ranges`` of frames, which count from 1 and of
which the last belongs to the action. A task's ``fps`` is what the labelling configuration gives to its
player. Tracks of boxes (``videorectangle``) are read too: an action lasts as long as its box is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import quoteattr

from attcell._files import write_text
from attcell.annotation_tools.records import (
    SURE,
    LabelledVideo,
    Opened,
    Rates,
    Read,
    Wanted,
    frames_of,
    name_in,
    need_rate,
    number_of,
    parts_of,
    seconds_of,
)
from attcell.errors import DataError
from attcell.types import Detection

_OWN_NAME = "attcell_video"  # a task's field that keeps a video's name; Label Studio exports it again
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # before the name of a file that was uploaded


def write(out: Path, wanted: Wanted) -> list[Path]:
    """Write tasks with pre-labels, and beside them the labelling configuration; the files.

    Raises:
        CallError: the rate of a video is not known.
    """
    tasks = [_task(video, wanted.prefix) for video in wanted.videos]
    config = out.with_name(f"{out.stem}.config.xml")
    write_text(out, json.dumps(tasks, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    write_text(config, _config(wanted.labels))
    return [out, config]


def _task(video: LabelledVideo, prefix: str) -> dict[str, Any]:
    fps = need_rate(video)
    results = []
    for number, action in enumerate(video.actions, 1):
        first, after = frames_of(action, fps)
        results.append(
            {
                "id": f"a{number}",
                "from_name": "actions",
                "to_name": "video",
                "type": "timelinelabels",
                "origin": "prediction",
                "score": action.score,
                "value": {"ranges": [{"start": first + 1, "end": after}], "timelinelabels": [action.label]},
            }
        )
    prediction = {
        "model_version": "attcell",
        "score": max((action.score for action in video.actions), default=0.0),
        "result": results,
    }
    data = {"video": f"{prefix}{video.video}", "fps": fps, _OWN_NAME: video.video}
    return {"data": data, "predictions": [prediction]}


def _config(labels: Sequence[str]) -> str:
    lines = [f"    <Label value={quoteattr(label)}/>" for label in labels]
    return "\n".join(
        [
            "<View>",
            '  <Video name="video" value="$video" frameRate="$fps"/>',
            '  <TimelineLabels name="actions" toName="video">',
            *lines,
            "  </TimelineLabels>",
            "</View>",
            "",
        ]
    )


def tells(opened: Opened) -> bool:
    """Whether a file is one of Label Studio's."""
    value = opened.value
    return isinstance(value, list) and bool(value) and all(isinstance(of, dict) for of in value)


def read(opened: Opened, rates: Rates) -> Read:
    """The videos that a person annotated; of a video with several annotations the last one counts.

    Raises:
        CallError: the rate of a video is not known.
        DataError: it is no such file, or nobody annotated anything.
    """
    videos, notes, open_tasks = [], [], 0
    for number, task in enumerate(parts_of(opened.value, str(opened.path), list, "it"), 1):
        place = f"{opened.path}: task {number}"
        data, results, count = _annotation(place, task)
        if results is None:
            open_tasks += 1
            continue
        name = _name(place, data)
        if count > 1:
            notes.append(f"{name} has {count} annotations; the last one is taken")
        told = data.get("fps")
        fps = rates.rate(name, None if told is None else number_of(told, place, "fps"))
        actions = tuple(action for of in results for action in _actions(place, of, fps))
        videos.append(LabelledVideo(name, actions, fps))
    if open_tasks:
        notes.append(f"{open_tasks} of {len(opened.value)} tasks are annotated by nobody, and left out")
    if not videos:
        raise DataError(f"{opened.path}: none of its tasks is annotated; annotate and export them first")
    return Read(tuple(videos), tuple(notes))


def _annotation(place: str, task: Any) -> tuple[Mapping[str, Any], list[Any] | None, int]:
    """A task's data, what a person marked, None where nobody did, and how many annotations there are."""
    task = parts_of(task, place, dict, "it")
    if "data" not in task:  # JSON-MIN: the results of each control stand beside the data
        marked = [
            {"value": value}
            for values in task.values()
            if isinstance(values, list)
            for value in values
            if isinstance(value, dict)
        ]
        return task, marked if marked or "annotation_id" in task else None, 1
    data = parts_of(task["data"], place, dict, "data")
    done = [
        of
        for of in parts_of(task.get("annotations", []), place, list, "annotations")
        if isinstance(of, dict) and not of.get("was_cancelled")
    ]
    if not done:
        return data, None, 0
    return data, parts_of(done[-1].get("result", []), place, list, "result"), len(done)


def _name(place: str, data: Mapping[str, Any]) -> str:
    """A video's name: as attcell wrote it, or as it was before Label Studio stored the file."""
    name = name_in(data, _OWN_NAME)
    if name is not None:
        return name
    url = name_in(data, "video", "video_url", "url", "path")
    if url is None:
        raise DataError(f"{place}: it names no video; expected one in 'video'")
    if "/local-files/?d=" in url:
        return unquote(url.split("?d=", 1)[1])
    if "/data/upload/" in url:
        return _UPLOADED.sub("", unquote(url.rsplit("/", 1)[1]))
    return url


def _actions(place: str, result: Any, fps: float) -> Iterator[Detection]:
    """What one result says, a track of boxes as well as a range; a result of another kind says nothing."""
    value = result.get("value") if isinstance(result, dict) else None
    if not isinstance(value, dict):
        return
    score = result.get("score")
    score = SURE if score is None else number_of(score, place, "score")
    spans: list[tuple[float, float]] = []
    labels = value.get("timelinelabels")
    if labels is not None:
        for of in parts_of(value.get("ranges"), place, list, "ranges"):
            ends = parts_of(of, place, dict, "a range")
            first, last = (number_of(ends.get(key), place, key) for key in ("start", "end"))
            spans.append((first - 1, last))
    elif isinstance(value.get("sequence"), list):
        labels = value.get("labels", [])
        spans = _shown(place, value)
    for label in parts_of(labels or [], place, list, "the labels"):
        for first, after in spans:
            yield Detection(str(label), seconds_of(first, fps), seconds_of(after, fps), score)


def _shown(place: str, value: Mapping[str, Any]) -> list[tuple[float, float]]:
    """While a box is there, from its key frames; one that nobody ends lasts to the video's end."""
    spans, first = [], None
    for key in sorted(value["sequence"], key=lambda of: number_of(of.get("frame"), place, "frame")):
        frame = float(key["frame"])
        if first is None:
            first = frame
        if not key.get("enabled", True):
            spans.append((first - 1, frame))
            first = None
    if first is not None:
        last = value.get("framesCount", value["sequence"][-1]["frame"])
        spans.append((first - 1, number_of(last, place, "framesCount")))
    return spans
