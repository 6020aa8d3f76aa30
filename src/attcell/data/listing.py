"""What a source of videos comes to, whether it is a folder per class or a list file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from attcell.records import VideoRecord

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg",
    ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".ts", ".vob", ".webm", ".wmv",
    ".y4m",
})
# fmt: on
_NUM_SHOWN = 10  # bad lines or names in one message


@dataclass(frozen=True)
class Listing:
    """The videos of a source.

    Attributes:
        records: every video, in the list's order, or by class and then by path.
        labels: the A class names; ``record.labels`` count in them from 0.
        ignored: what a folder per class holds besides: files that are not videos by their suffix, videos
            outside any class folder, and class folders without a video.
        multi_label: a video may have several classes, or none.
        num_left_out: videos of a known data set that are not there, and that the recipe leaves out.
    """

    records: tuple[VideoRecord, ...]
    labels: tuple[str, ...]
    ignored: tuple[Path, ...] = ()
    multi_label: bool = False
    num_left_out: int = 0


def is_video_name(path: Path) -> bool:
    """Whether the suffix is one that videos have."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def shortened(items: Sequence[str], separator: str) -> str:
    """The first items in one text, and how many more there are."""
    more = f"{separator}and {len(items) - _NUM_SHOWN} more" if len(items) > _NUM_SHOWN else ""
    return separator.join(items[:_NUM_SHOWN]) + more
