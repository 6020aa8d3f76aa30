"""CVAT: the XML of "CVAT for video 1.1", one for each video.

An action is a track whose box covers the frame while it lasts, with its score as an attribute. Tracks of
other shapes are read the same way: an action lasts while the shape is there. Tags of frames are read too,
also those of "CVAT for images 1.1": an action is a run of frames with the same tag. Frames count from 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from attcell.annotation_tools import xml_files
from attcell.annotation_tools.records import (
    SURE,
    LabelledVideo,
    Opened,
    Rates,
    Read,
    Wanted,
    frames_of,
    need_rate,
    number_of,
    seconds_of,
)
from attcell.annotation_tools.xml_files import child
from attcell.errors import CallError, DataError
from attcell.types import Detection

_SCORE = "score"


def write(out: Path, wanted: Wanted) -> list[Path]:
    """Write the one video's XML; the file.

    Raises:
        CallError: its rate or its size is not known.
    """
    (video,) = wanted.videos
    fps = need_rate(video)
    if video.size is None:
        raise CallError(f"{video.video}: its size is not known, and CVAT needs a box; give --videos FOLDER")
    root = Element("annotations")
    child(root, "version", "1.1")
    _meta(root, video, fps, wanted.labels)
    for number, action in enumerate(video.actions):
        first, after = frames_of(action, fps)
        track = child(root, "track", id=str(number), label=action.label, source="auto")
        for frame, outside in ((first, "0"), (after, "1")):
            box = child(
                track, "box", frame=str(frame), outside=outside, occluded="0", keyframe="1", xtl="0.00",
                ytl="0.00", xbr=f"{video.size.width:.2f}", ybr=f"{video.size.height:.2f}", z_order="0",
            )  # fmt: skip
            child(box, "attribute", f"{action.score:.6g}", name=_SCORE)
    xml_files.write(out, root)
    return [out]


def _meta(root: Element, video: LabelledVideo, fps: float, labels: Sequence[str]) -> None:
    task = child(child(root, "meta"), "task")
    child(task, "name", video.video)
    if video.duration_seconds is not None:
        child(task, "size", str(round(video.duration_seconds * fps)))
    child(task, "mode", "interpolation")
    child(task, "start_frame", "0")
    offered = child(task, "labels")
    for label in labels:
        one = child(offered, "label")
        child(one, "name", label)
        child(one, "type", "any")
        attribute = child(child(one, "attributes"), "attribute")
        for tag, text in (
            ("name", _SCORE), ("mutable", "False"), ("input_type", "text"), ("default_value", ""),
            ("values", ""),
        ):  # fmt: skip
            child(attribute, tag, text)
    assert video.size is not None
    size = child(task, "original_size")
    child(size, "width", str(video.size.width))
    child(size, "height", str(video.size.height))
    child(task, "source", video.video.rsplit("/", 1)[-1])


def tells(opened: Opened) -> bool:
    """Whether a file is one of CVAT's."""
    return isinstance(opened.value, Element) and opened.value.tag == "annotations"


def read(opened: Opened, rates: Rates) -> Read:
    """The one video of a file.

    Raises:
        CallError: nobody knows the video's rate.
        DataError: it is of several tasks, or tells no video or no frames.
    """
    root, path = opened.value, opened.path
    if not tells(opened):
        raise DataError(f"{path} is no XML of CVAT; export as 'CVAT for video 1.1'")
    tasks = [*root.findall("meta/task"), *root.findall("meta/project/tasks/task")]
    if len(tasks) > 1:
        raise DataError(f"{path} is of {len(tasks)} tasks; export each task by itself")
    task = tasks[0] if tasks else root.find("meta/job")
    if task is None:
        task = Element("task")
    name = _name(path, task)
    fps, step = rates.rate(name), _step(task)
    spans = [*_of_tracks(path, root, step), *_of_tags(path, root, step)]
    actions = (Detection(label, seconds_of(a, fps), seconds_of(b, fps), of) for label, a, b, of in spans)
    return Read((LabelledVideo(name, tuple(actions), fps),))


def _name(path: Path, task: Element) -> str:
    """The name that attcell gave to the task, if it ends with the file's name, else that of the file."""
    source, name = (task.findtext("source") or "").strip(), (task.findtext("name") or "").strip()
    if source and (name == source or name.endswith(f"/{source}")):
        return name
    if not (source or name):
        raise DataError(f"{path} names no video; export it anew from its task")
    return source or name


def _step(task: Element) -> int:
    """Every how many frames of the video the task shows one."""
    told = (task.findtext("frame_filter") or "").replace(" ", "").removeprefix("step=")
    return max(1, int(told)) if told.isascii() and told.isdigit() else 1


def _of_tracks(path: Path, root: Element, step: int) -> Iterator[tuple[str, int, int, float]]:
    for track in root.iter("track"):
        place = f"{path}: track {track.get('id')}"
        shapes = sorted(
            (
                (_frame(place, of.get("frame")), of.get("outside") == "1", of)
                for of in track
                if "frame" in of.attrib
            ),
            key=lambda row: row[0],
        )
        first, last, score = None, 0, SURE
        for frame, is_outside, shape in shapes:
            if is_outside and first is not None:
                yield track.get("label", ""), first, frame, score
                first = None
            elif not is_outside:
                if first is None:
                    first, score = frame, _score(shape)
                last = frame
        if first is not None:
            yield track.get("label", ""), first, last + step, score


def _of_tags(path: Path, root: Element, step: int) -> Iterator[tuple[str, int, int, float]]:
    tagged: dict[str, dict[int, float]] = {}
    for image in root.iter("image"):
        for tag in image.iter("tag"):
            frame = _frame(f"{path}: image", image.get("id"))
            tagged.setdefault(tag.get("label", ""), {})[frame] = _score(tag)
    for tag in root.findall("tag"):
        tagged.setdefault(tag.get("label", ""), {})[_frame(f"{path}: tag", tag.get("frame"))] = _score(tag)
    for label, frames in tagged.items():
        first = last = None
        for frame in sorted(frames):
            if first is not None and last is not None and frame > last + step:
                yield label, first, last + step, frames[first]
                first = None
            first, last = frame if first is None else first, frame
        if first is not None and last is not None:
            yield label, first, last + step, frames[first]


def _frame(place: str, told: str | None) -> int:
    return int(number_of(told, place, "a frame"))


def _score(shape: Element) -> float:
    for of in shape.iter("attribute"):
        if of.get("name") == _SCORE:
            try:
                score = float(of.text or "")
            except ValueError:
                return SURE
            return score if math.isfinite(score) else SURE
    return SURE
