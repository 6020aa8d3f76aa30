"""What ``--live`` is given: a file, an address of a server, a camera, or stdin; and how PyAV opens it."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from attcell._paths import is_file
from attcell.errors import CallError, VideoError
from attcell.video._container import LISTS, THIS_FILE_ALONE, prepare

TIMEOUT_SECONDS = 10.0  # without a byte, and the stream counts as broken
_SERVERS = ("http", "https", "rtsp", "rtsps")
_PASSWORD = re.compile(r"(://)[^/@]*@")
_PROTOCOLS = "http,https,tls,tcp,udp,rtp,rtsp,srtp,crypto,httpproxy"  # none that reads this machine's files
_ANALYSE = "2000000"  # µs of a stream that FFmpeg looks at before its first frame
_CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}")}


@dataclass(frozen=True)
class Address:
    """Where a stream comes from.

    Attributes:
        text: as it was given.
        kind: ``file``, ``server``, ``camera`` or ``stdin``.
    """

    text: str
    kind: str

    @classmethod
    def of(cls, text: str) -> Address:
        """The address that a text names.

        Raises:
            CallError: another protocol, no such file or camera, or nothing comes by stdin.
        """
        if text == "-":
            if sys.stdin is None or sys.stdin.isatty():
                raise CallError("--live - takes a video's bytes by stdin, and nothing comes there")
            return cls(text, "stdin")
        protocol, mark, _ = text.partition("://")
        if mark:
            if protocol.lower() not in _SERVERS:
                raise CallError(
                    f"--live {protocol}:// is not read; give a file, camera:0, -, or one of "
                    f"{', '.join(f'{one}://' for one in _SERVERS)}"
                )
            return cls(text, "server")
        if text.startswith("camera:"):
            _refuse_camera(text)
            return cls(text, "camera")
        if not is_file(Path(text)):
            raise CallError(
                f"--live {text}: no such file; give a file, http://…, rtsp://…, camera:0, or - for stdin"
            )
        return cls(text, "file")

    def __str__(self) -> str:
        """For people and for files: without a name and password."""
        return _PASSWORD.sub(r"\1", self.text)

    @property
    def goes_on(self) -> bool:
        """Whether its frames come whether or not anybody takes them."""
        return self.kind in ("server", "camera")

    @property
    def advice(self) -> str:
        """What else may help, behind the reason why it cannot be read."""
        if self.kind != "stdin":
            return ""
        return (
            ". By stdin come formats that are read from the beginning, as MPEG-TS and Matroska, and MP4 with "
            "its index there (-movflags +faststart); for others give the file"
        )

    def open(self) -> tuple[InputContainer, VideoStream]:
        """The open container and its video stream.

        Raises:
            VideoError: it cannot be opened, or shows no pictures.
        """
        prepare()
        file, given = self._given()
        try:
            container = cast("InputContainer", av.open(file, **given))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise VideoError(
                f"{self}: cannot be opened ({_words(error)}); check the address, and that it sends a "
                f"video{self.advice}"
            ) from None  # FFmpeg's own message holds the password
        if not container.streams.video:
            container.close()
            raise VideoError(f"{self}: it sends no pictures; give the address of a video")
        return container, container.streams.video[0]

    def _given(self) -> tuple[Any, dict[str, Any]]:
        """What PyAV's ``open`` gets."""
        if self.kind == "stdin":
            return sys.stdin.buffer, {"options": THIS_FILE_ALONE}
        if self.kind == "file":
            return f"file:{self.text}", {"options": THIS_FILE_ALONE}
        if self.kind == "camera":
            form, name = _CAMERAS[sys.platform]
            return name.format(self.text.partition(":")[2]), {"format": form}
        is_rtsp = self.text.lower().startswith("rtsp")
        lists = LISTS - ({"rtsp", "sdp"} if is_rtsp else {"hls", "dash"})  # what a server's own stream may be
        options = {
            "protocol_whitelist": _PROTOCOLS,
            "format_whitelist": ",".join(sorted(av.formats_available - lists)),
            "analyzeduration": _ANALYSE,
        }
        if is_rtsp:
            options["rtsp_transport"] = "tcp"  # packets that UDP loses would be damage
        return self.text, {"options": options, "timeout": TIMEOUT_SECONDS}


def _refuse_camera(text: str) -> None:
    number = text.partition(":")[2]
    if not number.isascii() or not number.isdigit():
        raise CallError(f"--live {text}: a camera is named by its number, such as camera:0")
    if sys.platform not in _CAMERAS:
        raise CallError(f"--live {text}: cameras are read on Linux and macOS; give a stream's address")
    if sys.platform == "linux" and not Path(f"/dev/video{number}").exists():
        there = sorted(path.name.removeprefix("video") for path in Path("/dev").glob("video*"))
        known = ", ".join(f"camera:{one}" for one in there) or "none"
        raise CallError(f"--live {text}: there is no /dev/video{number}; cameras of this machine: {known}")


def _words(error: Exception) -> str:
    """What an error says, without the address."""
    with suppress(AttributeError):
        return str(error.strerror or type(error).__name__)  # type: ignore[attr-defined]
    return type(error).__name__
