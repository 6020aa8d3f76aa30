"""From a video to the input of each stream: one pass of decoding serves all modalities of a segment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from attcell._paths import is_folder
from attcell.errors import VideoError
from attcell.types import Size
from attcell.video.decode import read_frames
from attcell.video.info import VideoInfo
from attcell.video.input_spec import InputSpec
from attcell.video.modalities import modality
from attcell.video.readers import FramesAround, Reader, Sheet, window
from attcell.video.transforms import Crop, kept_size, resized


@dataclass(frozen=True, eq=False)
class SampledFrames:
    """The frames around n frame indices of a video, at the size they are kept at.

    Attributes:
        num_frames: of the video; frames around a frame index are moved inside it.
        frame_indices: (n,) int64, from 0.
        seconds: (n,) when these frames are shown.
        images: index → (H, W, 3) uint8.
    """

    num_frames: int
    frame_indices: np.ndarray
    seconds: np.ndarray
    images: dict[int, np.ndarray]

    @property
    def size(self) -> Size:
        """Of the images."""
        return Size.of_image(next(iter(self.images.values())))


def read_sampled_frames(
    path: Path, spec: InputSpec, choose: Callable[[int], np.ndarray], frames: range | None = None
) -> tuple[SampledFrames, VideoInfo]:
    """Decode what all streams need around the frame indices that ``choose`` wants; and what the video holds.

    Args:
        path: a video file, or a folder of frames.
        spec: which frames around a frame index are needed.
        choose: number of frames N -> (n,) indices; asked again if the file turns out to have another N.
        frames: the part of a folder of frames that is the video; all of it if None.

    Raises:
        VideoError: as :func:`attcell.video.decode.read_frames`, or a damaged folder whose flow lies on disk.
    """
    frame_indices = np.empty(0, dtype=np.int64)

    def needed(num_frames: int) -> np.ndarray:
        nonlocal frame_indices
        frame_indices = choose(num_frames)
        return frames_around(frame_indices, num_frames, spec)

    decoded = read_frames(
        path,
        needed,
        size=lambda shown: kept_size(shown, spec.frame),
        frames=frames,
        row_seconds=spec.features.row_seconds,
    )
    refuse_damage(path, decoded.info, spec)
    images = dict(zip(decoded.indices.tolist(), decoded.images, strict=True))
    info = decoded.info
    return SampledFrames(info.num_frames, frame_indices, info.frame_seconds[frame_indices], images), info


def refuse_damage(path: Path, info: VideoInfo, spec: InputSpec) -> None:
    """Raise a VideoError for a folder of frames that do not all decode, where a stream's input lies on disk:
    the frames that do have other numbers than that.
    """
    if info.is_damaged and spec.needs_store and is_folder(path):
        raise VideoError(
            f"{path}: {info.notes[0]}, so that frames have other numbers than their flow on disk; "
            "get the folder again, or leave it out"
        )


def frames_around(frame_indices: np.ndarray, num_frames: int, spec: InputSpec) -> np.ndarray:
    """(m,) the frames that the streams need around some frame indices (n,), each once and in rising order.

    The frame indices themselves are always among them, to be shown.
    """
    around = [window(frame_indices, num_frames, *of).ravel() for of in spec.windows]
    return np.unique(np.concatenate([frame_indices, *around]))


@dataclass(frozen=True, eq=False)
class ResizedFrames:
    """The resized frames around some frame indices and what the streams make of them: views are cut from it.

    Attributes:
        spec: which streams.
        around: the resized frames.
        sheets: stream → the whole pictures of its input.
    """

    spec: InputSpec
    around: FramesAround
    sheets: Mapping[str, Sheet]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the streams' readers have to say of the video so far."""
        return tuple(note for sheet in self.sheets.values() for note in sheet.notes)

    def view(self, crop: Crop, change: Callable[[Tensor], Tensor] | None = None) -> dict[str, Tensor]:
        """Stream → its input for n frame indices: frame (n, 3, S, S), flow (n, 2·F or 3, S, S), clip
        (n, 3, L, S, S), all uint8; audio (n, 1, F, M) and features (n, D, 1, 1) float32; of others what their
        modality says.

        ``change`` is what becomes of the cut pictures (P, 3, S, S) of colours.
        """
        view = {}
        for name, sheet in self.sheets.items():
            entry, cut = modality(name), sheet.pictures
            if entry.looks_at == "frames":
                cut = crop.cut(cut, self.spec.frame.size)
                cut = entry.mirror(cut) if crop.mirrored else cut
            if change is not None and entry.is_colour:
                cut = change(cut)
            view[name] = entry.arrange(cut[sheet.rows], self.spec)
        return view

    def mean_flow(self) -> Tensor | None:
        """The mean motion that the input of each frame index shows, (n, 2, H, W) float32 in pixels a frame,
        from the first stream that shows any; None where no stream does. It is computed anew at each call."""
        for name, sheet in self.sheets.items():
            motion = modality(name).motion
            if motion is not None:
                return motion(sheet, self.spec)
        return None


def resize_frames(
    sampled_frames: SampledFrames, spec: InputSpec, size: Size, readers: Mapping[str, Reader]
) -> ResizedFrames:
    """Resize the frames around some frame indices, and have the streams' readers make their pictures of them.

    Args:
        sampled_frames: of :func:`read_sampled_frames`, by the same ``spec``.
        spec: which streams.
        size: of the resized frames.
        readers: each stream's, of ``spec.readers``.

    Raises:
        VideoError: flow on disk that does not belong to the video.
    """
    places = sorted(sampled_frames.images)
    size = size if spec.sees_pictures else Size(1, 1)  # nobody looks at them
    pictures = resized([sampled_frames.images[index] for index in places], size)
    around = FramesAround(
        sampled_frames.num_frames,
        sampled_frames.frame_indices,
        np.array(places),
        pictures,
        sampled_frames.seconds,
    )
    return ResizedFrames(spec, around, {name: readers[name](around) for name in spec.streams})
