"""Features that were computed elsewhere: a NumPy file of T rows of D numbers for each video, such as I3D's.

Such a file may stand in the place of the video, whose frames are then its rows; or it lies beside the video,
in a folder of such files.

- *Times*, a *reading*: row r stands for the seconds from r · stride / fps on, as the recipe says them.
- *Beside a video*: a frame gets the row of its time by the video's own frame rate, near the end the last one.
  Windows that do not reach over the end cost some rows: 5 or 5 %, whichever is more, may be missing or too
  many.
- *Shape*: (T, D). An axis of length 1 before or behind T is taken off: (1, T, D) and (T, 1, D).
- *Numbers*: 16, 32 or 64 bits, memory-mapped, and seen in 32. Nothing is unpickled.
"""

from __future__ import annotations

import math
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from attcell._paths import is_folder
from attcell._urls import is_url
from attcell.errors import VideoError
from attcell.types import Size
from attcell.video._container import opened
from attcell.video.frame_folder import FRAMES_A_SECOND, open_frames
from attcell.video.info import DecodedPass, VideoInfo

SUFFIX = ".npy"
NO_PICTURE = np.zeros((1, 1, 3), dtype=np.uint8)  # what stands for the frame of a row
ROW_SECONDS = 16 / 25  # where no recipe tells: I3D's 16 frames at 25 a second
_LENIENT_ROWS, _LENIENT_SHARE = 5, 0.05
_BYTES_AT_ONCE = 2**26
_PARSING = threading.Lock()
_SAVE_PLAIN = "save a plain array of T rows: numpy.save(file, rows.astype('float32'))"


@dataclass(frozen=True)
class FeaturesInput:
    """What the features stream gets of a video, and where it lies.

    Attributes:
        dim: D, the numbers of a row; None until a file has told it.
        fps: frames a second of what the features were computed from.
        stride: such frames from one row to the next.
        folder: where the features of videos lie; None where they stand in the videos' place.
    """

    dim: int | None = None
    fps: float = 25.0
    stride: int = 16
    folder: Path | None = None

    @property
    def row_seconds(self) -> float:
        """From one row to the next."""
        return self.stride / self.fps


def is_features(path: Path) -> bool:
    """Whether a path is named as a file of features."""
    return path.suffix.lower() == SUFFIX


# A file of features by itself


def open_features(path: Path) -> np.ndarray:
    """A file's rows, (T, D) of 16, 32 or 64 bits, memory-mapped.

    Raises:
        VideoError: no such file, or it is no array of T rows: pickled objects, another shape or type, no row.
    """
    try:
        header = _header(path)
    except FileNotFoundError as error:
        raise VideoError(f"{path}: no such features file; check the path, or leave the video out") from error
    except Exception as error:  # NumPy parses a header as Python, which raises errors of many kinds
        if is_url(path) and isinstance(error, OSError):
            raise VideoError(f"{path}: cannot be read ({error.strerror})") from error
        raise VideoError(f"{path}: no array in NumPy's format ({error}); {_SAVE_PLAIN}") from error
    shape, dtype = header.shape, header.dtype
    if dtype.hasobject:
        raise VideoError(f"{path}: it holds pickled Python objects, which are not read; {_SAVE_PLAIN}")
    if dtype.kind != "f" or dtype.itemsize > 8:
        raise VideoError(f"{path}: numbers of type {dtype}; allowed are float16, float32 and float64")
    if not 0 < len(shape) < 4 or min(shape) < 1:
        raise VideoError(f"{path}: an array of shape {shape}, in which there is no row; leave the video out")
    if header.offset + math.prod(shape) * dtype.itemsize > path.stat().st_size:
        raise VideoError(f"{path}: the file is cut off, too short for an array of {shape}; get it again")
    try:
        array: np.ndarray = (
            np.frombuffer(path.read_bytes(), dtype, math.prod(shape), header.offset).reshape(
                shape, order=header.order
            )
            if is_url(path)
            else np.memmap(path, dtype, "r", header.offset, shape, header.order)
        )
    except (ValueError, OSError, OverflowError) as error:
        raise VideoError(f"{path}: the file is cut off ({error}); get it again") from error
    if array.ndim == 3 and 1 in array.shape[:2]:
        array = array[0] if array.shape[0] == 1 else array[:, 0]
    if array.ndim != 2:
        raise VideoError(
            f"{path}: an array of shape {shape}; expected are T rows of D numbers, (T, D), or (1, T, D) or "
            "(T, 1, D). Of several crops take one, or their mean"
        )
    return array


class _Header(NamedTuple):
    """What the beginning of a file says; ``offset`` is where the numbers begin, in bytes."""

    shape: tuple[int, ...]
    order: Literal["C", "F"]
    dtype: np.dtype
    offset: int


def _header(path: Path) -> _Header:
    # NumPy parses it as Python, and CPython 3.11 may fail where several threads do so at once.
    with path.open("rb") as file, _PARSING, warnings.catch_warnings(action="ignore"):
        version = np.lib.format.read_magic(file)
        is_first = version == (1, 0)
        read = np.lib.format.read_array_header_1_0 if is_first else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read(file)
        return _Header(shape, "F" if is_fortran else "C", dtype, file.tell())


def refuse_not_finite(path: Path, rows: np.ndarray) -> None:
    """Raise a VideoError for rows (T, D) that hold something else than finite numbers of 32 bits."""
    at_once = max(1, _BYTES_AT_ONCE // (4 * rows.shape[1]))
    for start in range(0, len(rows), at_once):
        with np.errstate(over="ignore"):
            part = np.asarray(rows[start : start + at_once], dtype=np.float32)
        bad = np.flatnonzero(~np.isfinite(part).all(axis=1))
        if len(bad):
            raise VideoError(
                f"{path}: row {start + int(bad[0])}, counted from 0, holds NaN or something too large for 32 "
                "bits; compute these features again, or leave the video out"
            )


@dataclass
class Rows(DecodedPass):
    """A file of features as a video: its rows are the frames."""

    row_seconds: float = ROW_SECONDS

    @classmethod
    def of(cls, path: Path, row_seconds: float) -> Rows:
        """Those of a file.

        Raises:
            VideoError: as of :func:`open_features`.
        """
        num_rows, dim = open_features(path).shape
        shown = Size(dim, 1)
        return cls(
            (1, 1), 1.0, num_rows, pts=list(range(num_rows)), shown_size=shown, row_seconds=row_seconds
        )

    def seconds_of(self, frame_indices: np.ndarray) -> np.ndarray:
        return frame_indices * self.row_seconds

    def info(self, path: Path) -> VideoInfo:
        edges = np.arange(len(self.pts) + 1) * self.row_seconds
        return VideoInfo(len(self.pts), edges[:-1], float(edges[-1]), self.shown_size)


# The features of a video


def features_beside(folder: Path, video: Path) -> Path:
    """The file with a video's features in a folder.

    ``videos/train/wave/a.mp4`` is looked for as ``FOLDER/videos/train/wave/a.npy``, then without its first
    folders, so that a folder may hold the features of one split or of all of them.

    Raises:
        VideoError: there is none.
    """
    whole = video.absolute()
    parts = (whole if is_folder(video) else whole.with_suffix("")).parts[1:]
    for first in range(len(parts)):
        place = folder.joinpath(*parts[first:])
        found = place.with_name(place.name + SUFFIX)
        if found.is_file():
            return found
    raise VideoError(
        f"{folder} holds no features of {video}: no {parts[-1]}{SUFFIX}, neither there nor in the place that "
        "the video has; compute them, or leave the video out"
    )


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """The features of one video.

    Attributes:
        path: their file.
        rows: (T, D), memory-mapped.
        rows_a_frame: of the video; 1 where the rows are its frames.
    """

    path: Path
    rows: np.ndarray
    rows_a_frame: float = 1.0

    def at(self, frame_indices: np.ndarray) -> np.ndarray:
        """(n, D) float32, what frames (n,) of the video get.

        Raises:
            VideoError: they are not finite.
        """
        places = (frame_indices * self.rows_a_frame).astype(np.int64)  # rounded down
        found = np.asarray(self.rows[np.minimum(places, len(self.rows) - 1)], dtype=np.float32)
        if not np.isfinite(found).all():
            refuse_not_finite(self.path, self.rows)
        return found

    def refuse_other_length(self, num_frames: int) -> None:
        """Raise a VideoError for features that are not of a video of so many frames, by their number."""
        wanted = num_frames * self.rows_a_frame
        if abs(len(self.rows) - wanted) > max(_LENIENT_ROWS, _LENIENT_SHARE * wanted):
            raise VideoError(
                f"{self.path} has {len(self.rows)} rows, and its video asks for {wanted:.1f}; "
                f"{_LENIENT_ROWS} rows or {_LENIENT_SHARE:.0%} may be missing or too many. Set features.fps "
                "and features.stride to what they were computed with, or compute them again"
            )


def features_of(features: FeaturesInput, video: Path | None, frames: range | None = None) -> FeatureRows:
    """A video's features: its own file, or the one in the recipe's folder.

    Args:
        features: their width if it is known, and where they lie.
        video: a file of features, or a video file or folder of frames.
        frames: the part of a folder of frames that is the video.

    Raises:
        VideoError: there are none, or they are not of this width, or not as long as the video.
    """
    if video is not None and is_features(video):
        found = FeatureRows(video, open_features(video))
    else:
        found = _beside(features, video, frames)
    width = found.rows.shape[1]
    if features.dim not in (None, width):
        turned = "; it may be turned, (D, T)" if len(found.rows) == features.dim else ""
        raise VideoError(
            f"{found.path} has rows of {width} numbers, and the recipe's features have "
            f"{features.dim}{turned}; set features.dim, or leave the video out"
        )
    return found


def _beside(features: FeaturesInput, video: Path | None, frames: range | None) -> FeatureRows:
    if video is None or features.folder is None:
        raise VideoError(
            f"{video}: the features stream wants a file of features such as a{SUFFIX} in the video's place, "
            "or features.folder, where the features of videos lie"
        )
    if frames is not None:
        raise VideoError(
            f"{video}: {len(frames)} of its frames are the video; features can be given of whole folders of "
            "frames alone"
        )
    path = features_beside(features.folder, video)
    if is_folder(video):
        num_frames, rate = len(open_frames(video).names), float(FRAMES_A_SECOND)
    else:
        with opened(video, None) as (_, stream):
            num_frames = stream.frames  # 0 where the header does not say
            rate = float(stream.average_rate or stream.guessed_rate or FRAMES_A_SECOND)
    found = FeatureRows(path, open_features(path), 1 / (rate * features.row_seconds))
    if num_frames:
        found.refuse_other_length(num_frames)
    return found
