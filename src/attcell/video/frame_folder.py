"""A folder of numbered pictures in place of a video file.

- *Names*: ``img_00001.jpg``, ``image_00001.jpg``, ``frame_000001.jpg`` or just ``00001.jpg``, with ``.jpg``,
  ``.jpeg`` or ``.png``, numbered from 0 or 1 without a gap. Other files, such as flow, are passed over.
- *Times*, a *reading*: the folder tells none, so 25 frames a second are taken, and ``notes`` says so.
- *Orientation*: as EXIF has it, in JPEG and PNG, as FFmpeg and OpenCV turn pictures; EXIF that cannot be read
  turns nothing.
- *Damage*: as in a video file, frames are what decodes. Where only some are wanted, damage in the others
  does not show; once some shows, all pictures are decoded, so that the count is the true one.
- *Sizes*: all pictures are brought to the first one's size. Only those that are looked at are compared.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from PIL import Image

from attcell._urls import is_url
from attcell._walls import alive
from attcell.errors import VideoError
from attcell.types import Size
from attcell.video._container import to_rgb
from attcell.video.info import NO_SIZE, DecodedPass, VideoInfo, Wanted

Made = TypeVar("Made")
FRAMES_A_SECOND = 25
NO_TIMES = f"a folder of frames tells no times: {FRAMES_A_SECOND} frames a second are taken"
_NAME = re.compile(r"(img_|image_|frame_|)([0-9]+)\.(?i:jpg|jpeg|png)")
_EXPECTED = "img_00001.jpg (or image_, frame_, or just the number; .jpg, .jpeg or .png)"


def is_frame_name(name: str) -> bool:
    """Whether a file is named as a frame."""
    return _NAME.fullmatch(name) is not None


def holds_frames(folder: Path) -> bool:
    """Whether a folder has a file that is named as a frame."""
    return any(is_frame_name(path.name) for path in folder.iterdir())


@dataclass
class DecodedPictures(DecodedPass):
    """What came out of one pass over a folder; ``lost`` names the pictures that do not decode."""

    lost: list[str] = field(default_factory=list)

    def lose(self, name: str) -> None:
        """Note that a picture does not decode."""
        self.lost.append(name)
        self.num_refused += 1

    def note_size(self, shown: Size, size: Callable[[Size], Size] | None) -> None:
        """Note the size of a picture. The first one's is that of all; ``size`` says at which they are
        kept."""
        if self.stored_size == NO_SIZE:
            self.stored_size = self.shown_size = shown
            self.kept_size = size(shown) if size else shown
        elif shown != self.stored_size:
            self.other_sizes.add(shown)

    def info(self, path: Path) -> VideoInfo:
        if not self.pts:
            raise VideoError(
                f"{path}: none of its {self.num_packets} pictures decodes, first {self.lost[0]}; "
                "get the folder again, or leave it out"
            )
        info = super().info(path)
        more = f" and {len(self.lost) - 1} more" if len(self.lost) > 1 else ""
        lost = [f"does not decode: {self.lost[0]}{more}"] if self.lost else []
        return replace(info, notes=(*info.notes, *lost, NO_TIMES))


@dataclass(frozen=True)
class FrameFolder:
    """The frames of a folder, or a window of them.

    Attributes:
        path: the folder.
        names: the N pictures, in their order.
        first: the place of the first of them in the folder, counted from 0.
    """

    path: Path
    names: tuple[str, ...]
    first: int

    def new_pass(self) -> DecodedPictures:
        """A pass in which nothing is decoded yet."""
        ticks = (1, FRAMES_A_SECOND)
        return DecodedPictures(ticks, FRAMES_A_SECOND, 0, num_packets=len(self.names), last_ticks=1)

    def times(self, places: np.ndarray) -> np.ndarray:
        """(n,) seconds of some of the pictures."""
        return (self.first + places) / FRAMES_A_SECOND

    def wanted_frames(
        self, wanted: Collection[int], size: Callable[[Size], Size] | None = None
    ) -> Generator[Wanted, None, DecodedPictures]:
        """Decode the wanted pictures alone; they come in their order with their indices, up to one that is
        damaged, and then what the pass was like. It has N frames only if nothing was seen to be damaged.

        ``size`` gets the size of the first picture, and says at which all are kept.
        """
        decoded, reformatter = self.new_pass(), VideoReformatter()
        shown = _made_of(self.path / self.names[0], _shown_size)
        if shown is None:
            decoded.lose(self.names[0])
        else:
            decoded.note_size(shown, size)
            for place, image in self._decodable(decoded, sorted(wanted), size):
                if not decoded.lost:
                    yield Wanted(place, _brought_to(decoded.kept_size, image, reformatter), self.times)
        lost = set(decoded.lost)
        decoded.pts = [self.first + place for place, name in enumerate(self.names) if name not in lost]
        decoded.dts = [None] * len(decoded.pts)
        return decoded

    def every_frame(
        self, wanted: Collection[int], size: Callable[[Size], Size] | None = None
    ) -> Generator[Wanted, None, DecodedPictures]:
        """The same, but decode every picture; frames are counted among those that decode."""
        decoded, reformatter = self.new_pass(), VideoReformatter()
        for index, image in enumerate(self._every(decoded, size)):
            if index in wanted:
                yield Wanted(index, _brought_to(decoded.kept_size, image, reformatter), decoded.seconds_of)
        return decoded

    def frames(
        self, decoded: DecodedPictures, size: Callable[[Size], Size] | None = None
    ) -> Iterator[np.ndarray]:
        """All that decodes as RGB, one after another; what it tells is noted in ``decoded``, a new pass."""
        reformatter = VideoReformatter()
        for image in self._every(decoded, size):
            yield _brought_to(decoded.kept_size, image, reformatter)

    def _every(self, decoded: DecodedPictures, size: Callable[[Size], Size] | None) -> Iterator[np.ndarray]:
        for place, image in self._decodable(decoded, range(len(self.names)), size):
            decoded.add_frame(self.first + place, None)
            yield image

    def _decodable(
        self, decoded: DecodedPictures, places: Iterable[int], size: Callable[[Size], Size] | None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Of the pictures at these places those that decode, (H, W, 3) of their own sizes."""
        for place in places:
            alive()
            image = _made_of(self.path / self.names[place], _upright)
            if image is None:
                decoded.lose(self.names[place])
                continue
            decoded.note_size(Size.of_image(image), size)
            yield place, image


def open_frames(path: Path, frames: range | None = None) -> FrameFolder:
    """Look which frames a folder holds, by their names.

    Args:
        path: the folder.
        frames: which of its frames, counted from 0; all if None.

    Raises:
        VideoError: no frames, frames of two numberings, a gap (the first missing one is named), or a window
            that is not inside.
    """
    if is_url(path):
        raise VideoError(
            f"{path}: folders of frames are read from local disks alone; copy it to one, or give a video file"
        )
    found: dict[int, str] = {}
    kinds: dict[str, str] = {}
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    for name in names:
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        kinds.setdefault(match[1], name)
        other = next(iter(kinds.values())) if len(kinds) > 1 else found.setdefault(int(match[2]), name)
        if other != name:
            raise VideoError(
                f"{path}: {other} and {name} are frames of two numberings; take one of them away"
            )
    if not found:
        raise VideoError(
            f"{path}: this is a folder without frames; a video file was expected, or a folder of pictures "
            f"named {_EXPECTED}"
        )
    _refuse_gaps(path, found)
    pictures = tuple(found[number] for number in sorted(found))
    if frames is None:
        return FrameFolder(path, pictures, 0)
    if not 0 <= frames.start < frames.stop <= len(pictures):
        raise VideoError(
            f"{path}: {len(frames)} frames from frame {frames.start} on were asked for, and the folder has "
            f"{len(pictures)}, counted from 0"
        )
    return FrameFolder(path, pictures[frames.start : frames.stop], frames.start)


def _refuse_gaps(path: Path, found: dict[int, str]) -> None:
    numbers = sorted(found)
    first = min(numbers[0], 1)
    missing = next((first + place for place, number in enumerate(numbers) if number != first + place), None)
    if missing is None:
        return
    pattern = found[numbers[0]]
    digits = _NAME.fullmatch(pattern)[2]  # type: ignore[index]
    named = pattern.replace(digits, f"{missing:0{len(digits)}d}")
    num_missing = numbers[-1] - first + 1 - len(numbers)
    raise VideoError(
        f"{path}: {named} is missing, the first of {num_missing}; frames are numbered from 0 or 1 without a "
        "gap. Get the folder again, or leave it out."
    )


def _made_of(path: Path, make: Callable[[Image.Image], Made]) -> Made | None:
    """What ``make`` makes of a picture; None for one that Pillow cannot decode. Pillow's warnings are
    dropped: a picture is used, or it counts as lost.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=("JPEG", "PNG")) as picture:
            return make(picture)
    except MemoryError:
        raise
    except Exception:  # Pillow raises errors of many kinds for a damaged picture
        return None


def _shown_size(picture: Image.Image) -> Size:
    """A picture's size as it is to be shown; only the header of its file is read."""
    size = Size(*picture.size)
    return size.turned if _turned(picture) in _SIDEWAYS else size


# EXIF's orientation: how the stored picture is turned or mirrored to be shown.
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)


def _turned(picture: Image.Image) -> int:
    """The picture's orientation by its EXIF; 1, upright, where there is none or it is damaged."""
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # whatever Pillow's reader raises: the picture may be whole all the same
        return 1


def _upright(picture: Image.Image) -> np.ndarray:
    """The picture as it is to be shown, (H, W, 3) RGB."""
    image, turn = picture.convert("RGB"), _TURNS.get(_turned(picture))
    return np.array(image if turn is None else image.transpose(turn))


def _brought_to(size: Size, image: np.ndarray, reformatter: VideoReformatter) -> np.ndarray:
    """An image at another size, scaled as the frames of a video file are."""
    if Size.of_image(image) == size:
        return image
    return to_rgb(VideoFrame.from_ndarray(image, format="rgb24"), size, reformatter)
