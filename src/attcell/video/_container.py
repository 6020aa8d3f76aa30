"""Opening a video file: the container and its video stream, or one clear VideoError."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.codec.context import CodecContext
from av.container import InputContainer
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from attcell._paths import in_other_form
from attcell._remote import RemoteFile, binary, is_remote
from attcell.errors import VideoError
from attcell.types import Size
from attcell.video._ending import cut_off

_TEXT_CODECS = frozenset({"ansi", "bintext", "xbin", "idf"})  # FFmpeg would draw a text file as a picture

# What FFmpeg reads as a list of other files or addresses. Who sends a video could have it open any of them.
LISTS = frozenset({"concat", "dash", "hls", "image2", "imf", "rtsp", "sap", "sdp", "vobsub"})
_LIST_HEADS = (b"#EXTM3U", b"ffconcat", b"v=0", b"# VobSub", b"<MPD")
THIS_FILE_ALONE = {
    "protocol_whitelist": "file",
    "format_whitelist": ",".join(sorted(av.formats_available - LISTS)),
}


@contextmanager
def opened(
    path: Path, stream: int | None, *, is_outline: bool = False
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The open container and its video stream, or one clear VideoError; ``is_outline`` as of
    :func:`open_container`.
    """
    with open_container(path, is_outline=is_outline) as container:
        yield container, _video_stream(path, container, stream)


@cache
def prepare() -> None:
    """Change two things of the whole process before its first video is opened, and not by an import.

    A fork leaves alone what it inherits: a decoder that an error's traceback keeps alive has threads in the
    parent alone, and a garbage collector that freed it in the fork would wait for them for ever. And PyAV
    gets a name for each kind of side data; where it has none, it refuses to show any of a frame's.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=gc.freeze)
    SideDataType._missing_ = classmethod(_unnamed)  # type: ignore[assignment, method-assign]


def _unnamed(kind: type[SideDataType], value: object) -> SideDataType:
    """A member for side data that FFmpeg knows and PyAV does not, such as EXIF."""
    member: Any = object.__new__(kind)
    member._name_, member._value_ = f"UNNAMED_{value}", value
    return member


@contextmanager
def open_container(path: Path, *, is_outline: bool = False) -> Iterator[InputContainer]:
    """The open container, whatever is in it, or one clear VideoError: a connection to a server that breaks
    off while it is read is one, too.

    Args:
        path: a file, on a disk or on a server.
        is_outline: of a file on a server its packets are wanted without their contents, which are zeros.
    """
    prepare()
    _check_file(path)
    # Without its protocol a colon in a name would read as one.
    file = _remote_file(path) if is_remote(path) else f"file:{path}"
    try:
        container = cast("InputContainer", av.open(file, options=THIS_FILE_ALONE))
    except (av.FFmpegError, OSError, ValueError) as error:
        _refuse_broken_off(path, file)
        raise VideoError(_why_not_a_video(path, getattr(error, "strerror", None) or str(error))) from None
    with container:
        if isinstance(file, RemoteFile):
            file.is_outline = is_outline
        try:
            yield container
        except Exception:
            _refuse_broken_off(path, file)
            raise
        _refuse_broken_off(path, file)


def _remote_file(path: Path) -> RemoteFile:
    try:
        file = cast("RemoteFile", binary(path))
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror or error})") from None
    if file.size == 0:
        raise VideoError(f"{path}: {_EMPTY}")
    return file


def _refuse_broken_off(path: Path, file: str | RemoteFile) -> None:
    """Raise a VideoError if a server did not give all that was asked for: FFmpeg takes it for the end."""
    if isinstance(file, RemoteFile) and file.fault is not None:
        raise VideoError(f"{path}: cannot be read ({file.fault.strerror or file.fault})") from None


_EMPTY = "the file is empty (0 bytes); get it again, or leave it out"


def _check_file(path: Path) -> None:
    if is_remote(path):  # it is asked about when it is opened
        return
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        other = in_other_form(path)
        hint = "" if other is None else ", but one whose name differs in its Unicode form (é, or e and ´)"
        raise VideoError(f"{path}: there is no such file{hint}") from None
    except (OSError, ValueError) as error:  # too long, no permission, a disk that fails, links in a circle
        raise VideoError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if size == 0:
        raise VideoError(f"{path}: {_EMPTY}")


def _why_not_a_video(path: Path, reason: str) -> str:
    try:
        with binary(path) as file:
            head = file.read(80)
    except OSError:
        return f"{path}: cannot be read ({reason}); check its permissions"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_LIST_HEADS):
        return (
            f"{path}: a list of other files or addresses, such as a playlist, and these are not opened; give "
            "the videos themselves"
        )
    if head[4:8] == b"ftyp":
        return (
            f"{path}: an MP4 file without a readable index ({reason}): it was probably cut off while it was "
            "copied or recorded. Get it again, or leave it out."
        )
    return f"{path}: not a video that FFmpeg can read ({reason}). Get it again, or leave it out."


def _video_stream(path: Path, container: InputContainer, index: int | None) -> VideoStream:
    videos = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if index is not None:
        named = [s for s in videos if s.index == index]
        if not named:
            allowed = ", ".join(str(s.index) for s in videos) or "none"
            raise VideoError(f"{path}: stream {index} is not a video stream; video streams: {allowed}")
        videos = named
    # PyAV's type stub does not know of streams without a decoder.
    unknown = [s for s in videos if cast("CodecContext | None", s.codec_context) is None]
    if unknown and len(unknown) == len(videos):
        raise VideoError(_no_decoder(path, container, unknown[0].index))
    if index is not None:
        return videos[0]
    videos = [s for s in videos if s not in unknown and s.codec_context.name not in _TEXT_CODECS]
    if not videos:
        kinds = ", ".join(sorted({s.type for s in container.streams if s.type != "video"}))
        if kinds == "audio":
            raise VideoError(
                f"{path}: a file with sound alone, and a video is wanted, whose frames say where its "
                "segments are. Leave it out, or give the video that the sound is of."
            )
        found = f"only {kinds}" if kinds else "only text or a cover picture"
        raise VideoError(f"{path}: there is no video in this file, FFmpeg finds {found}. Leave it out.")
    best = container.streams.best("video")
    return next((s for s in videos if s is best), videos[0])


def _no_decoder(path: Path, container: InputContainer, index: int) -> str:
    """What is said of a video that nothing here decodes, with its codec's name as the file tells it."""
    if broken := cut_off(path, container.format.name):
        return f"{path}: nothing of it decodes, for it was cut off: {broken}. Get it again, or leave it out."
    told = re.search(rf"#0:{index}(?!\d)[^\n]*?: Video: ([^,\n]*)", _described(container))
    name = told[1].removeprefix("none").strip(" ()").split(" / ")[0] if told else ""
    if not name:  # Matroska has names of its own
        with binary(path) as file:
            named = re.search(rb"\x86[\x80-\xff](V_[\w/]+)", file.read(1 << 16))
        name = named[1].decode() if named else "which has no name"
    return (
        f"{path}: FFmpeg has no decoder for the codec of its video, {name}; bring it to another codec, such "
        "as H.264, or leave it out"
    )


def _described(container: InputContainer) -> str:
    """The container in FFmpeg's words; PyAV gets them from the log."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        return container.dumps_format()  # type: ignore[attr-defined]
    finally:
        av.logging.set_level(before)


# A decoded frame as the picture that is to be shown: RGB, rotated and mirrored as the file asks.


def to_rgb(frame: VideoFrame, size: Size, reformatter: VideoReformatter) -> np.ndarray:
    """The frame as it is to be shown, (H, W, 3) uint8, brought to ``size``."""
    orientation = _orientation(frame)
    width, height = size.turned if _is_transposed(orientation) else size
    image = reformatter.reformat(frame, width, height, "rgb24").to_ndarray()
    if _is_transposed(orientation):
        image = image.transpose(1, 0, 2)
    # The shown picture's x grows with the stored x (a) or y (c), its y with b or d; a minus runs backwards.
    a, b, c, d = orientation
    image = image[:: -1 if b + d < 0 else 1, :: -1 if a + c < 0 else 1]
    return np.ascontiguousarray(image)


def shown_size(frame: VideoFrame) -> Size:
    """The size of the frame as it is to be shown."""
    size = Size(frame.width, frame.height)
    return size.turned if _is_transposed(_orientation(frame)) else size


def _orientation(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Signs a, b, c, d of the file's display matrix: shown x = a·x + c·y, shown y = b·x + d·y."""
    # Not ``frame.side_data``: that and its frame hold one another, so each frame would wait for the garbage
    # collector, and a decoder that fills but a part of a damaged one would find other pictures in its memory.
    container: Any = SideDataContainer  # PyAV's type stub names neither its argument nor its keys
    stored = container(frame).get(SideDataType.DISPLAYMATRIX)
    if stored is None:
        return (1, 0, 0, 1)
    a, b, c, d = np.frombuffer(bytes(stored), dtype=np.int32)[[0, 1, 3, 4]].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return (0, _sign(b), _sign(c), 0)
    return (_sign(a), 0, 0, _sign(d))


def _sign(value: int) -> int:
    return -1 if value < 0 else 1


def _is_transposed(orientation: tuple[int, int, int, int]) -> bool:
    return orientation[0] == 0
