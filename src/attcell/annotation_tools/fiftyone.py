"""FiftyOne: a data set as a folder of JSON (``LegacyFiftyOneDataset``), which is written without FiftyOne.

Actions are a ``TemporalDetections`` field, whose frames count from 1 and of which the last belongs to the
action. Attention is a ``Heatmap`` of a frame for each stream, a grey picture in ``heatmaps/``; white is the
strongest region of the video. FiftyOne finds pictures by absolute paths alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attcell._files import write_text, written_whole
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
from attcell.errors import CallError
from attcell.types import Detection

if TYPE_CHECKING:
    import numpy as np

FILE_NAME = "samples.json"
_OWN_NAME = "attcell_video"  # a field that keeps a video's name
_FIELD, _CORRECTED = "detections", "ground_truth"
_CELL = 8  # pixels of a region in a picture
_AREA = tuple[float, float, float, float]


def write(out: Path, wanted: Wanted) -> list[Path]:
    """Write a data set into a folder; the files that say what is in it.

    Raises:
        CallError: ``out`` is a file, or the rate of a video is not known.
    """
    if out.is_file() or out.suffix:
        raise CallError(f"{out}: a data set of FiftyOne is a folder; name a folder that is new or empty")
    samples = []
    for number, video in enumerate(wanted.videos):
        frames = f"frames/{number:06d}.json"
        content = {"frames": _frames(out.absolute() / "heatmaps" / f"{number:06d}", video)}
        write_text(out / frames, _json(content))
        samples.append(_sample(video, wanted.prefix, frames))
    info = {"classes": list(wanted.labels)}
    write_text(out / FILE_NAME, _json({"samples": samples}))
    write_text(out / "metadata.json", _json({"name": out.name, "media_type": "video", "info": info}))
    return [out / FILE_NAME, out / "metadata.json"]


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"


def _sample(video: LabelledVideo, prefix: str, frames: str) -> dict[str, Any]:
    fps = need_rate(video)
    metadata: dict[str, Any] = {"_cls": "VideoMetadata", "frame_rate": fps}
    if video.duration_seconds is not None:
        metadata |= {
            "duration": video.duration_seconds,
            "total_frame_count": round(video.duration_seconds * fps),
        }
    detections = []
    for action in video.actions:
        first, after = frames_of(action, fps)
        detections.append(
            {
                "_cls": "TemporalDetection",
                "tags": [],
                "label": action.label,
                "support": [first + 1, after],
                "confidence": action.score,
            }
        )
    path = None if video.path is None or prefix else str(video.path.absolute())
    return {
        "filepath": path or f"{prefix}{video.video}",
        "tags": [],
        "metadata": metadata,
        "_media_type": "video",
        _OWN_NAME: video.video,
        _FIELD: {"_cls": "TemporalDetections", "detections": detections},
        "frames": frames,
    }


def _frames(folder: Path, video: LabelledVideo) -> dict[str, Any]:
    """Number of a frame → its heatmaps, each of which is written."""
    if video.track is None:
        return {}
    fps, track = need_rate(video), video.track
    found: dict[str, dict[str, Any]] = {}
    for name, maps in track.over_frames.items():
        strongest = float(maps.max())
        for seconds, region in zip(track.frame_seconds - track.seconds[0, 0], maps, strict=True):
            number = max(1, int(seconds * fps + 0.5) + 1)
            path = folder / f"{name}-{number:06d}.png"
            _write_picture(path, region / (strongest or 1.0), track.attended_area)
            frame = found.setdefault(str(number), {"_cls": "Frame", "frame_number": number})
            frame[f"attention_{name}"] = {"_cls": "Heatmap", "tags": [], "map_path": str(path)}
    return found


def _write_picture(path: Path, region: np.ndarray, area: _AREA) -> None:
    """Write a map of regions as a grey picture of the whole frame; what the network does not see is black."""
    import numpy as np
    from PIL import Image

    left, top, right, bottom = area
    height, width = (_CELL * side for side in region.shape)
    size = round(height / (bottom - top)), round(width / (right - left))
    picture = np.zeros(size, dtype=np.uint8)
    shown = np.repeat(np.repeat(np.round(region * 255), _CELL, axis=0), _CELL, axis=1).astype(np.uint8)
    y, x = min(round(top * size[0]), size[0] - height), min(round(left * size[1]), size[1] - width)
    picture[y : y + height, x : x + width] = shown
    with written_whole(path) as temporary:
        Image.fromarray(picture).save(temporary)


def tells(opened: Opened) -> bool:
    """Whether a file is the samples of a data set of FiftyOne."""
    return isinstance(opened.value, dict) and isinstance(opened.value.get("samples"), list)


def read(opened: Opened, rates: Rates) -> Read:
    """The videos of a data set.

    Their actions are those of the field ``ground_truth``, else of ``detections``, else of any other field of
    temporal detections.

    Raises:
        CallError: the rate of a video is not known.
        DataError: it is no such data set.
    """
    videos = []
    for number, sample in enumerate(opened.value["samples"], 1):
        place = f"{opened.path}: sample {number}"
        name = name_in(parts_of(sample, place, dict, "it"), _OWN_NAME, "filepath")
        metadata = sample.get("metadata")
        told = metadata.get("frame_rate") if isinstance(metadata, dict) else None
        fps = rates.rate(str(name), None if told is None else number_of(told, place, "frame_rate"))
        videos.append(LabelledVideo(str(name), tuple(_actions(place, sample, fps)), fps))
    return Read(tuple(videos))


def _actions(place: str, sample: dict[str, Any], fps: float) -> Iterator[Detection]:
    fields = [
        name for name, of in sample.items() if isinstance(of, dict) and of.get("_cls") == "TemporalDetections"
    ]
    field = next((name for name in (_CORRECTED, _FIELD, *fields) if name in fields), None)
    if field is None:
        return
    for of in parts_of(sample[field].get("detections"), place, list, field):
        told = parts_of(of, place, dict, "a detection")
        support = parts_of(told.get("support"), place, list, "support")
        if len(support) != 2:
            number_of(support, place, "support")
        first, last = (number_of(frame, place, "support") for frame in support)
        score = SURE if told.get("confidence") is None else number_of(told["confidence"], place, "confidence")
        yield Detection(str(told.get("label")), seconds_of(first - 1, fps), seconds_of(last, fps), score)
