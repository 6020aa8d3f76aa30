"""What attention and detections are judged by: where people act, frame by frame, and when actions are.

*Boxes* (:func:`read_boxes`) come from generated videos, from UCF101-24, or from a JSON file of one's own.
*Actions in time* (:func:`read_detection_truth`) come from THUMOS14, ActivityNet, or a generated set.

The JSON of boxes: ``{"format": 1, "size": [W, H], "fps": 25, "videos": {NAME: {"num_frames": 120, "tubes":
[{"first_frame": 10, "boxes": [[left, top, right, bottom], …]}]}}}``, in pixels of a frame of that size; a
tube has a box for each frame from its first on, counted from 0, and null where there is none.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from attcell._files import OTHER_VALUES, read_json
from attcell._paths import composed
from attcell.data.annotations import activitynet, thumos14, ucf101
from attcell.data.annotations.reading import Annotation
from attcell.data.known_sets import KNOWN_SETS, read_known_set
from attcell.errors import CallError, DataError
from attcell.synth.truth import FILE_NAME, Truth, read_truth
from attcell.types import ActionInstance

FORMAT = 1
_MOST_BOXES = 1 << 25  # they take 1 GiB; UCF101-24 has a million
SLACK_SECONDS = 0.1  # containers' lengths and annotations' differ by a frame or two


@dataclass(frozen=True, eq=False)
class BoxedVideo:
    """Where the action is in one video.

    Attributes:
        fps: frames a second, so that a time has its frame.
        boxes: (N, M, 4) left, top, right, bottom as fractions of the frame, of up to M actors that act in it;
            NaN where there is none.
        action: (N,) bool, whether the frame belongs to the action.
    """

    fps: float
    boxes: np.ndarray
    action: np.ndarray

    def frames_at(self, seconds: np.ndarray) -> np.ndarray:
        """The frames shown at times from the video's start, those past the last are the last: (T,) int."""
        return np.clip((seconds * self.fps).round().astype(int), 0, len(self.action) - 1)


def read_boxes(source: Path, fps: float | None = None) -> dict[str, BoxedVideo]:
    """Video → where the action is.

    Args:
        source: a generated set or its truth.json; UCF101-24's ``finalAnnots.mat``; or a JSON file as above.
        fps: frames a second, where the source does not tell: UCF101 has 25.

    Raises:
        CallError: no such source, or it does not tell the rate and none is given.
        DataError: it is damaged.
    """
    if source.is_dir() or source.name == FILE_NAME:
        return generated_boxes(read_truth(source))
    if not source.is_file():
        raise CallError(f"{source}: no such file; give a generated set, finalAnnots.mat, or a JSON of boxes")
    if source.suffix == ".mat":
        return _of_tubes(source, ucf101.read_boxes(source), ucf101.SIZE, fps or ucf101.FPS)
    return _of_json(source, fps)


def generated_boxes(truth: Truth) -> dict[str, BoxedVideo]:
    """The boxes of generated videos, in the frames in which the actor acts."""
    found = {}
    for name, video in truth.videos.items():
        boxes = np.where(video.action[:, None], video.boxes / (*truth.size, *truth.size), np.nan)
        found[name] = BoxedVideo(truth.fps, boxes[:, None], video.action)
    return found


def _of_tubes(
    source: Path, found: Mapping[str, ucf101.Boxed], size: tuple[float, float], fps: float
) -> dict[str, BoxedVideo]:
    total = sum(num_frames * max(1, len(tubes)) for num_frames, tubes in found.values())
    if total > _MOST_BOXES:
        raise DataError(
            f"{source} tells of {total} frames with a box, more than the {_MOST_BOXES} that are read; mend it"
        )
    videos = {}
    for name, (num_frames, tubes) in found.items():
        boxes: np.ndarray = np.full((num_frames, max(1, len(tubes)), 4), np.nan)
        for place, (first, rows) in enumerate(tubes):
            last = max(first, min(first + len(rows), num_frames))
            boxes[first:last, place] = rows[: last - first] / (*size, *size)
        videos[name] = BoxedVideo(fps, boxes, ~np.isnan(boxes).any(axis=2).all(axis=1))
    return videos


def _of_json(source: Path, fps: float | None) -> dict[str, BoxedVideo]:
    try:
        content = read_json(source)
        if content["format"] != FORMAT:
            raise DataError(f"{source} has format {content['format']!r}; this version reads {FORMAT}")
        rate = fps or content.get("fps")
        if rate is None:
            raise CallError(f"{source} does not tell the frames a second; give --fps")
        size = (float(content["size"][0]), float(content["size"][1]))
        counts = [int(of["num_frames"]) for of in content["videos"].values()]
        if not (min(size) > 0 and rate > 0 and min(counts, default=1) > 0):
            raise ValueError(f"size {size}, fps {rate} and num_frames must be above 0")
        found = {
            str(name): (num_frames, [_tube(of) for of in told["tubes"]])
            for (name, told), num_frames in zip(content["videos"].items(), counts, strict=True)
        }
        return _of_tubes(source, found, size, float(rate))
    except OTHER_VALUES as error:
        raise DataError(
            f"{source} is no file of boxes ({error!r}); docs/data-sets.md says what is in one"
        ) from error


def _tube(of: dict[str, Any]) -> tuple[int, np.ndarray]:
    rows = np.array([[math.nan] * 4 if box is None else box for box in of["boxes"]], dtype=float)
    first = int(of["first_frame"])
    if first < 0 or rows.reshape(-1, 4).shape != rows.shape:
        raise ValueError(f"a tube from frame {first} with boxes of the shape {rows.shape}")
    return first, rows


def video_named(video: str, names: Iterable[str]) -> str | None:
    """The name that a video's path ends with, with or without its suffix; None if there is none.

    A file of features has the name of the video that they are of, whatever that one's suffix is. Names are
    compared letter by letter, and then in Unicode's composed form.
    """
    known = names if isinstance(names, dict) else set(names)
    found = _ending(video, known)
    if found is not None or video.isascii():
        return found
    forms = {composed(name): name for name in known}
    return forms.get(_ending(composed(video), forms) or "")


def _ending(video: str, known: Collection[str]) -> str | None:
    stems = {name.rsplit(".", 1)[0]: name for name in known} if video.lower().endswith(".npy") else {}
    parts = video.replace("\\", "/").split("/")
    for first in range(len(parts)):
        end = "/".join(parts[first:])
        stem = end.rsplit(".", 1)[0] if "." in parts[-1].lstrip(".") else end
        for name in (end, stem, stems.get(stem)):
            if name in known:
                return name
    return None


@dataclass(frozen=True)
class DetectionTruth:
    """The true actions of one part of a data set.

    Attributes:
        source: what was read.
        subset: the part.
        labels: the classes.
        actions: in the order of the files.
        ambiguous: intervals that are neither action nor background.
        durations: video → seconds, None where it is not known; it names all videos of the part.
        excluded: videos that were left out.
        notes: what is odd in the files.
    """

    source: str
    subset: str
    labels: tuple[str, ...]
    actions: tuple[ActionInstance, ...]
    ambiguous: tuple[ActionInstance, ...]
    durations: dict[str, float | None]
    excluded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def without(self, videos: Sequence[str], option: str = "--exclude") -> DetectionTruth:
        """The same without some videos; ``option`` is how they were named, for the message.

        Raises:
            CallError: a video that is not among them.
        """
        for video in videos:
            if video not in self.durations:
                raise CallError(f"{option} {video}: {self.source} has no such video in {self.subset}")
        kept = self.only(self.durations.keys() - set(videos))
        return replace(kept, excluded=tuple(dict.fromkeys(videos)))

    def only(self, videos: Collection[str]) -> DetectionTruth:
        """The same of these videos alone."""
        return replace(
            self,
            actions=tuple(of for of in self.actions if of.video_id in videos),
            ambiguous=tuple(of for of in self.ambiguous if of.video_id in videos),
            durations={name: of for name, of in self.durations.items() if name in videos},
        )


def read_detection_truth(source: Path, subset: str | None = None) -> DetectionTruth:
    """Read true actions.

    Args:
        source: the folder of THUMOS14's annotation files, a truth file of ActivityNet, or a generated set.
        subset: the part; by default ``test``, of ActivityNet ``validation``.

    Raises:
        CallError: no such source, or no such part in it.
        DataError: what the readers refuse, or a part without an action.
    """
    if (source / FILE_NAME).is_file() or (source.name == FILE_NAME and _is_of_a_set(source)):
        return _generated(source, subset or "test")
    if source.is_dir():
        return _annotated(source, thumos14.read(source), subset or "test")
    return _annotated(source, activitynet.read(source), subset or "validation")


def set_truth(name: str, folder: Path, split: int) -> DetectionTruth:
    """The true actions of the videos that a known data set tests on.

    Args:
        name: one of ``KNOWN_SETS``.
        folder: where its official files lie.
        split: from 1.

    Raises:
        CallError: no such data set, folder or split.
        DataError: official files that are not what they should be, or that say of no action when it is.
    """
    return _annotated(folder, read_known_set(name, folder, split), KNOWN_SETS[name].testing)


def _is_of_a_set(file: Path) -> bool:
    """Whether a truth.json is that of a generated set; people call ActivityNet's so too."""
    try:
        return "database" not in read_json(file)
    except (OSError, ValueError, TypeError):
        return True  # its reader says what is wrong


def _annotated(source: Path, annotation: Annotation, subset: str) -> DetectionTruth:
    videos = annotation.parts.get(subset)
    if videos is None:
        raise CallError(f"{source} has no subset {subset!r}; it has {', '.join(annotation.parts)}")
    ids = {video.id for video in videos}
    actions = tuple(of for video in videos for of in video.instances)
    if not actions:
        raise DataError(f"{source}: no video of {subset} has an action; there is nothing to judge by")
    return DetectionTruth(
        str(source),
        subset,
        annotation.labels,
        actions,
        tuple(of for of in annotation.ambiguous if of.video_id in ids),
        {video.id: video.duration_seconds for video in videos},
        notes=annotation.notes_of(subset),
    )


def _generated(source: Path, subset: str) -> DetectionTruth:
    truth = read_truth(source)
    own = {name: of for name, of in truth.videos.items() if name.startswith(f"{subset}/")}
    if not own:
        parts = sorted({name.split("/")[0] for name in truth.videos})
        raise CallError(f"{source} has no subset {subset!r}; it has {', '.join(parts)}")
    actions = tuple(of for of in truth.actions() if of.video_id in own)
    durations: dict[str, float | None] = {name: of.num_frames / truth.fps for name, of in own.items()}
    return DetectionTruth(str(source), subset, truth.labels, actions, (), durations)
