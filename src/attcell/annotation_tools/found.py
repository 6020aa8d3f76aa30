"""What was found, from the JSON of ``attcell detect`` or ``attcell predict``, as videos with actions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attcell._files import OTHER_VALUES
from attcell.annotation_tools.records import LabelledVideo, check
from attcell.annotation_tools.videos import Videos
from attcell.errors import CallError, DataError
from attcell.results.detections import read_detections
from attcell.results.predictions import json_values, read_predictions
from attcell.types import Detection


@dataclass(frozen=True)
class Found:
    """What a file of found actions says.

    Attributes:
        videos: with their actions, each best first, or as the file has them.
        labels: every class that the file names, sorted.
        failed: video → why it could not be read.
    """

    videos: tuple[LabelledVideo, ...]
    labels: tuple[str, ...]
    failed: dict[str, str]


def read_found(path: Path, least_score: float = 0.0) -> Found:
    """Read found actions; of a prediction, its best class over the whole video.

    Args:
        path: the JSON of ``attcell detect`` or ``attcell predict``, or a result file of ActivityNet.
        least_score: actions of a lower score are left out; their classes and videos stay.

    Raises:
        CallError: no such file.
        DataError: it is no such file.
    """
    found = _predictions(path) or _detections(path)
    check(path, found.videos, None)
    kept = [
        replace(video, actions=tuple(of for of in video.actions if of.score >= least_score))
        for video in found.videos
    ]
    return replace(found, videos=tuple(kept))


def _detections(path: Path) -> Found:
    file = read_detections(path)
    actions: dict[str, list[Detection]] = {video: [] for video in file.videos}
    for of in file.detections:
        actions[of.video_id].append(replace(of, video_id=""))
    videos = [
        LabelledVideo(name, tuple(found), duration_seconds=file.durations.get(name))
        for name, found in actions.items()
    ]
    labels = sorted({of.label for of in file.detections})
    return Found(tuple(videos), tuple(labels), file.failed)


def _predictions(path: Path) -> Found | None:
    """None where the file is none of predictions."""
    if not path.is_file():
        raise CallError(f"{path}: no such file; give what attcell detect --json or predict --json wrote")
    rows = _rows(path)
    if not rows:
        return None
    tracks, failed = read_predictions(path)
    videos, labels = [], set[str]()
    try:
        for row, (name, track) in zip(rows, tracks, strict=True):
            best = row["top"][0]
            seconds = float(row["duration_seconds"])
            action = Detection(str(best["label"]), 0.0, seconds, float(best["score"]))
            videos.append(LabelledVideo(name, (action,), duration_seconds=seconds, track=track))
            labels.update(map(str, row["labels"]))
    except OTHER_VALUES as error:
        raise DataError(
            f"{path} is not what attcell predict --json writes ({error!r}); write it anew"
        ) from error
    return Found(tuple(videos), tuple(sorted(labels)), failed)


def _rows(path: Path) -> list[dict[str, Any]]:
    """The predictions of a file; none of a file of something else."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8 ({error.reason}); write it anew") from error
    if text.lstrip()[:1] not in ("{", "["):
        return []
    values = json_values(path, text)
    first = values[0] if values else None
    if len(values) == 1 and isinstance(first, dict) and isinstance(first.get("predictions"), list):
        values = first["predictions"]
    rows = [row for row in values if isinstance(row, dict) and "error" not in row]
    return rows if rows and all("segments_seconds" in row for row in rows) else []


def completed(video: LabelledVideo, videos: Videos, *, need_size: bool) -> LabelledVideo:
    """The same with its place, its rate and, if needed, its size, as far as the file of the video is here.

    Raises:
        CallError, VideoError: as of :class:`Videos`.
    """
    return replace(
        video,
        fps=videos.known_rate(video.video, video.fps),
        path=videos.path(video.video),
        size=videos.size(video.video) if need_size else video.size,
    )
