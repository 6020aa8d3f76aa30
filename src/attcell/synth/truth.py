"""The truth about a generated set: ``truth.json``, written last, read back with checks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attcell._checks import path_of
from attcell._files import OTHER_VALUES, read_json, write_text
from attcell.errors import DataError
from attcell.types import ActionInstance, Size

FORMAT = 1
FILE_NAME = "truth.json"


@dataclass(frozen=True, eq=False)
class SoundTruth:
    """When and where the tone of a video's class is.

    Attributes:
        intervals: [start, end) in seconds, in which it is heard.
        band_hz: the lowest and the highest of its frequencies.
        notes: (n, 4) of each note its start and end in seconds, and the frequencies in Hz from which and to
            which it goes, evenly in octaves.
    """

    intervals: tuple[tuple[float, float], ...]
    band_hz: tuple[float, float]
    notes: np.ndarray


@dataclass(frozen=True, eq=False)
class VideoTruth:
    """What is true of one generated video.

    Attributes:
        label: the class's name.
        num_frames: N.
        intervals: [start, end) of the action in seconds.
        boxes: (N, 4) left, top, right, bottom of the actor in pixels of the frame; NaN where it is not there.
        action: (N,) bool, whether the frame belongs to the action.
        sound: of a video with sound.
    """

    label: str
    num_frames: int
    intervals: tuple[tuple[float, float], ...]
    boxes: np.ndarray
    action: np.ndarray
    sound: SoundTruth | None = None


@dataclass(frozen=True)
class Truth:
    """A generated set: sorted labels, and the truth of each video by its name (``test/kick_red/000.mp4``)."""

    kind: str
    seed: int
    size: Size
    fps: float
    labels: tuple[str, ...]
    videos: Mapping[str, VideoTruth]

    def actions(self) -> list[ActionInstance]:
        """All true actions, video by video."""
        return [
            ActionInstance(video_id, video.label, start, end)
            for video_id, video in self.videos.items()
            for start, end in video.intervals
        ]


def write_truth(truth: Truth, path: Path) -> None:
    """Write ``truth`` to ``path`` as JSON, whole or not at all; coordinates keep two decimals, a
    sound's times and frequencies four."""
    videos = {
        name: {
            "label": video.label,
            "num_frames": video.num_frames,
            "intervals": [list(interval) for interval in video.intervals],
            "boxes": [
                None if np.isnan(box).any() else [round(float(v), 2) for v in box] for box in video.boxes
            ],
            "action": video.action.astype(int).tolist(),
            **({} if video.sound is None else {"sound": _written(video.sound)}),
        }
        for name, video in truth.videos.items()
    }
    head = {
        "format": FORMAT,
        "kind": truth.kind,
        "seed": truth.seed,
        "size": list(truth.size),
        "fps": truth.fps,
    }
    write_text(path, json.dumps({**head, "labels": list(truth.labels), "videos": videos}) + "\n")


def _written(sound: SoundTruth) -> dict[str, Any]:
    return {
        "intervals": [list(interval) for interval in sound.intervals],
        "band_hz": [round(hz, 4) for hz in sound.band_hz],
        "notes": [[round(float(v), 4) for v in note] for note in sound.notes],
    }


def read_truth(path: str | Path) -> Truth:
    """Read the truth of a generated set from its folder or its ``truth.json``.

    Raises DataError where the file is missing, is not JSON, has another format, or misses something, and
    CallError where ``path`` is none.
    """
    path = path_of(path, "path", "videos")
    file = path / FILE_NAME if path.is_dir() else path
    try:
        content = read_json(file)
    except FileNotFoundError:
        raise DataError(
            f"{file} does not exist; write a set of generated videos with `attcell synth`"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as JSON ({error}); write the set again") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise DataError(
            f"{file} has format {found!r}; this version reads format {FORMAT}: write the set again"
        )
    try:
        return Truth(
            kind=str(content["kind"]),
            seed=int(content["seed"]),
            size=Size(int(content["size"][0]), int(content["size"][1])),
            fps=float(content["fps"]),
            labels=tuple(str(label) for label in content["labels"]),
            videos={str(name): _video(name, entry) for name, entry in content["videos"].items()},
        )
    except OTHER_VALUES as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"{file} is not the truth of a generated set: {reason}; write the set again"
        ) from error


def _video(name: str, entry: dict[str, Any]) -> VideoTruth:
    num_frames = int(entry["num_frames"])
    boxes = [(np.nan,) * 4 if box is None else box for box in entry["boxes"]]
    video = VideoTruth(
        label=str(entry["label"]),
        num_frames=num_frames,
        intervals=tuple((float(start), float(end)) for start, end in entry["intervals"]),
        boxes=np.array(boxes, dtype=np.float64).reshape(len(boxes), 4),
        action=np.array(entry["action"], dtype=bool),
        sound=None if "sound" not in entry else _sound(entry["sound"]),
    )
    if len(video.boxes) != num_frames or len(video.action) != num_frames:
        counts = f"{len(video.boxes)} boxes and {len(video.action)} action marks"
        raise ValueError(f"{name} has {num_frames} frames but {counts}")
    return video


def _sound(entry: dict[str, Any]) -> SoundTruth:
    low, high = entry["band_hz"]
    return SoundTruth(
        intervals=tuple((float(start), float(end)) for start, end in entry["intervals"]),
        band_hz=(float(low), float(high)),
        notes=np.array(entry["notes"], dtype=np.float64).reshape(len(entry["notes"]), 4),
    )
