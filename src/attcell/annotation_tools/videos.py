"""The videos that files of annotation tools speak of: where they lie, how many frames a second, how large."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from attcell._paths import is_folder
from attcell.data.sources import videos_below
from attcell.data.truth import video_named
from attcell.errors import CallError, VideoError
from attcell.types import Size


class Videos:
    """Where videos lie, and what a user says of them.

    Args:
        folder: below which they lie, or None.
        fps: frames a second of all, or None: then each file is asked.

    Raises:
        CallError: no such folder, or ``fps`` is not above 0.
    """

    def __init__(self, folder: Path | None = None, fps: float | None = None) -> None:
        if fps is not None and not 0 < fps < 1e6:
            raise CallError(f"--fps {fps:g} is no number of frames a second; give one above 0")
        if folder is not None and not folder.is_dir():
            raise CallError(f"--videos {folder}: no such folder; give the one that the videos lie below")
        self._folder = folder
        self._fps = fps

    @cached_property
    def _below(self) -> dict[str, Path]:
        if self._folder is None:
            return {}
        return {record.id: record.path for record in videos_below(self._folder).records}

    def name(self, video: str) -> str:
        """What the video is called below the folder; without a folder as it is called.

        Raises:
            CallError: it is not below the folder.
        """
        if self._folder is None:
            return video
        found = video_named(video, self._below) or self._only_ending(video)
        if found is None:
            raise CallError(
                f"{video}: there is no such video below {self._folder}; give the folder that it lies below, "
                "or take it out of the file"
            )
        return found

    def _only_ending(self, video: str) -> str | None:
        """The one video below the folder whose path ends with this: tools keep a file's name alone."""
        found = [name for name in self._below if name.endswith(f"/{video}")]
        if len(found) > 1:
            raise CallError(
                f"{video}: {len(found)} videos below {self._folder} are called so, such as {found[0]} and "
                f"{found[1]}; give the folder of the one by --videos"
            )
        return found[0] if found else None

    def path(self, video: str) -> Path | None:
        """Where it lies; None if it is not here. Errors as of :meth:`name`."""
        if self._folder is not None:
            return self._below[self.name(video)]
        path = Path(video)
        return path if path.exists() else None

    def rate(self, video: str, told: float | None = None) -> float:
        """Frames a second: what the user says, else what a tool's file tells, else what the video's does.

        Raises:
            CallError: nobody knows.
        """
        rate = self.known_rate(video, told)
        if rate is None:
            raise CallError(
                f"{video}: how many frames a second it has is not told, and the video is not here; give "
                "--fps, or the videos by --videos FOLDER"
            )
        return rate

    def known_rate(self, video: str, told: float | None = None) -> float | None:
        """As :meth:`rate`, and None where nobody knows."""
        from attcell.video.clips import mean_rate

        if self._fps is not None:
            return self._fps
        if told is not None and told > 0:
            return told
        path = self.path(video)
        return None if path is None else mean_rate(path)

    def size(self, video: str) -> Size | None:
        """The size of a frame as shown; None where the video is not here.

        Raises:
            VideoError: it cannot be read.
        """
        path = self.path(video)
        if path is None:
            return None
        if is_folder(path):
            return _size_of_folder(path)
        from attcell.video._container import opened, shown_size

        with opened(path, None) as (container, stream):
            frame = next(container.decode(stream), None)
        if frame is None:
            raise VideoError(f"{path}: nothing of it decodes; get it again, or leave it out")
        return shown_size(frame)


def _size_of_folder(path: Path) -> Size:
    from PIL import Image

    from attcell.video.frame_folder import open_frames

    with Image.open(path / open_frames(path).names[0]) as picture:
        return Size(*picture.size)
