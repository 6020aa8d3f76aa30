"""True actions in time, to judge detections by: THUMOS14, ActivityNet, or a generated set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from attcell.data.annotations import activitynet, thumos14
from attcell.data.annotations.records import Annotation
from attcell.data.box_truth import video_named
from attcell.data.detections import DetectionFile
from attcell.data.synth.truth import FILE_NAME, read_truth
from attcell.errors import CallError, DataError, first_lines
from attcell.records import ActionInstance, Detection

_SLACK_SECONDS = 0.1  # containers' lengths and annotations' differ by a frame or two


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

    def without(self, videos: Sequence[str]) -> DetectionTruth:
        """The same without some videos.

        Raises:
            CallError: a video that is not among them.
        """
        for video in videos:
            if video not in self.durations:
                raise CallError(f"--exclude {video}: {self.source} has no such video in {self.subset}")
        return replace(
            self,
            actions=tuple(of for of in self.actions if of.video_id not in videos),
            ambiguous=tuple(of for of in self.ambiguous if of.video_id not in videos),
            durations={name: of for name, of in self.durations.items() if name not in videos},
            excluded=tuple(dict.fromkeys(videos)),
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


def _is_of_a_set(file: Path) -> bool:
    """Whether a truth.json is that of a generated set; people call ActivityNet's so too."""
    try:
        return "database" not in json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, RecursionError):
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
        notes=annotation.notes,
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


def matched(found: DetectionFile, truth: DetectionTruth) -> tuple[list[Detection], list[str]]:
    """The detections with the truth's names for their videos, and what is wrong with them, line by line.

    A file names a video by its path: it is the one of the truth whose name the path ends with, with or
    without suffix. Of excluded videos nothing stays. Detections of unknown classes do not count; those in
    videos that the truth does not name, or outside of their video, count as they are.
    """
    names = {video: video_named(video, truth.durations) for video in found.videos}
    excluded = {video for video in found.videos if video_named(video, truth.excluded) is not None}
    kept: list[Detection] = []
    foreign, outside = [], []
    for of, place in zip(found.detections, found.places, strict=True):
        name = names[of.video_id]
        if of.video_id in excluded:
            continue
        if of.label not in truth.labels:
            foreign.append(f"{place}: {of.label}")
            continue
        length = (truth.durations[name] if name else None) or found.durations.get(of.video_id)
        if of.start_seconds < 0 or (length is not None and of.end_seconds > length + _SLACK_SECONDS):
            where = "" if length is None else f" in a video of {length:g} s"
            outside.append(f"{place}: {of.start_seconds:g} to {of.end_seconds:g} s{where}")
        kept.append(replace(of, video_id=name or of.video_id))
    unknown = [video for video, name in names.items() if name is None and video not in excluded]
    faults = {
        f"detections of classes that {truth.source} does not have; they do not count": foreign,
        "detections reach outside of their video; they count as they are": outside,
        f"videos that {truth.source} does not have in {truth.subset}; what was found there counts as wrong": (
            _with_places(unknown, found)
        ),
        "videos are named in more ways than one; what was found counts for each": _named_twice(names),
        "videos could not be read; nothing was found there": [
            f"{video}: {reason}" for video, reason in found.failed.items()
        ],
    }
    return kept, [
        "\n".join([f"{len(lines)} {message}:", *first_lines(lines)])
        for message, lines in faults.items()
        if lines
    ]


def _with_places(videos: Sequence[str], found: DetectionFile) -> list[str]:
    """Videos, each with the place of its first detection in the file."""
    places: dict[str, str] = {}
    for of, place in zip(found.detections, found.places, strict=True):
        places.setdefault(of.video_id, place)
    return [f"{places.get(video, found.source)}: {video}" for video in videos]


def _named_twice(names: dict[str, str | None]) -> list[str]:
    """The truth's videos that the file knows by several names."""
    called: dict[str, list[str]] = {}
    for video, name in names.items():
        if name is not None:
            called.setdefault(name, []).append(video)
    return [f"{name}: {' and '.join(videos)}" for name, videos in called.items() if len(videos) > 1]
