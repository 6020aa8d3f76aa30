"""Where people act, frame by frame: boxes of generated videos, of UCF101-24, or of a JSON file of one's own.

The JSON: ``{"format": 1, "size": [W, H], "fps": 25, "videos": {NAME: {"num_frames": 120, "tubes":
[{"first_frame": 10, "boxes": [[left, top, right, bottom], …]}]}}}``, in pixels of a frame of that size; a
tube has a box for each frame from its first on, counted from 0, and null where there is none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attcell.data.annotations import ucf101_24
from attcell.data.synth.truth import FILE_NAME, Truth, read_truth
from attcell.errors import CallError, DataError

FORMAT = 1


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
        return {
            name: _of_tubes(tubes, num_frames, ucf101_24.SIZE, fps or ucf101_24.FPS)
            for name, (num_frames, tubes) in ucf101_24.read(source).items()
        }
    return _of_json(source, fps)


def generated_boxes(truth: Truth) -> dict[str, BoxedVideo]:
    """The boxes of generated videos, in the frames in which the actor acts."""
    found = {}
    for name, video in truth.videos.items():
        boxes = np.where(video.action[:, None], video.boxes / (*truth.size, *truth.size), np.nan)
        found[name] = BoxedVideo(truth.fps, boxes[:, None], video.action)
    return found


def _of_tubes(
    tubes: Iterable[tuple[int, np.ndarray]], num_frames: int, size: tuple[float, float], fps: float
) -> BoxedVideo:
    """Tubes of (first frame, (n, 4) boxes in pixels)."""
    tubes = list(tubes)
    boxes = np.full((num_frames, max(1, len(tubes)), 4), np.nan)
    for place, (first, rows) in enumerate(tubes):
        last = min(first + len(rows), num_frames)
        boxes[first:last, place] = rows[: last - first] / (*size, *size)
    return BoxedVideo(fps, boxes, ~np.isnan(boxes).any(axis=2).all(axis=1))


def _of_json(source: Path, fps: float | None) -> dict[str, BoxedVideo]:
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise DataError(f"{source} has format {content['format']!r}; this version reads {FORMAT}")
        rate = fps or content.get("fps")
        if rate is None:
            raise CallError(f"{source} does not tell the frames a second; give --fps")
        size = (float(content["size"][0]), float(content["size"][1]))
        counts = [int(of["num_frames"]) for of in content["videos"].values()]
        if not (min(size) > 0 and rate > 0 and min(counts, default=1) > 0):
            raise ValueError(f"size {size}, fps {rate} and num_frames must be above 0")
        return {
            str(name): _of_tubes(map(_tube, of["tubes"]), int(of["num_frames"]), size, float(rate))
            for name, of in content["videos"].items()
        }
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
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
    """The name that a video's path ends with, with or without its suffix; None if there is none."""
    known = names if isinstance(names, dict) else set(names)
    parts = video.replace("\\", "/").split("/")
    for first in range(len(parts)):
        end = "/".join(parts[first:])
        stem = end.rsplit(".", 1)[0] if "." in parts[-1].lstrip(".") else end
        for name in (end, stem):
            if name in known:
                return name
    return None
