"""One uploaded video, as its bytes come: into a temporary file, and cut off where it is too much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import BinaryIO

from attcell.serving.limits import Limits, Refused

FIELD = "video"  # of the form
_BESIDE = 1 << 16  # bytes of a form that are not the video
_MOST_TITLE = 200  # letters


async def received(
    stream: AsyncIterator[bytes], headers: Mapping[str, str], path: Path, limits: Limits
) -> str:
    """Write the one video of a form to a new file.

    Args:
        stream: the body of a request.
        headers: of the request, by small letters.
        path: of the new file, which nobody but the server chooses.
        limits: of its size and time.

    Returns:
        The name that the sender gave it, to be shown. It is no path.

    Raises:
        Refused: 400 no form with one video, 408 too slow, 413 too large, 415 another content type.
    """
    parts = _form(headers, limits)
    try:
        with path.open("xb") as file:
            form = _Form(parts, file, limits)
            async with asyncio.timeout(limits.upload_seconds):
                async for chunk in stream:
                    form.write(chunk)
            return form.end()
    except TimeoutError:
        raise Refused(
            408,
            f"the video had not come after {limits.upload_seconds:g} s (--upload-seconds); send a smaller "
            "one, or over a faster connection",
        ) from None


def _form(headers: Mapping[str, str], limits: Limits) -> bytes:
    """The line between the parts of the form that the headers announce."""
    from python_multipart.multipart import parse_options_header

    given = headers.get("content-type", "")
    kind, options = parse_options_header(given)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise Refused(
            415,
            f"the content type is {given[:100]!r}; send multipart/form-data with one file in the field "
            f"{FIELD}, such as curl -F {FIELD}=@clip.mp4",
        )
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.bytes + _BESIDE:
        raise _too_large(limits)
    return options[b"boundary"]


def _too_large(limits: Limits) -> Refused:
    return Refused(
        413,
        f"the video has more than {limits.megabytes:g} MB (--megabytes), the most that is taken here; "
        "cut it, or make it smaller",
    )


class _Form:
    """The parts of a form as they come; the video's bytes go to a file."""

    def __init__(self, boundary: bytes, file: BinaryIO, limits: Limits) -> None:
        from python_multipart.multipart import MultipartParser

        self._file, self._limits = file, limits
        self._bytes = self._all = 0
        self._name = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._is_video = self._is_whole = False
        self._title: str | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._part_data,
                "on_end": self._on_end,
            },
        )

    def write(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        from python_multipart.exceptions import FormParserError

        self._all += len(chunk)
        if self._all > self._limits.bytes + _BESIDE:
            raise _too_large(self._limits)
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise Refused(400, f"the form cannot be read ({error}); send it again") from None

    def end(self) -> str:
        """The video's title, now that the whole body has come."""
        if not self._is_whole:
            raise Refused(400, "the form ends in its middle; send it again")
        if self._title is None:
            raise Refused(400, f"the form has no file in the field {FIELD}; send one video there")
        if self._bytes == 0:
            raise Refused(400, "the video is empty; send one with bytes in it")
        return self._title

    def _part_begin(self) -> None:
        self._name = self._value = b""
        self._headers, self._is_video = {}, False

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _headers_finished(self) -> None:
        from python_multipart.multipart import parse_options_header

        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if options.get(b"name") != FIELD.encode() or b"filename" not in options:
            raise Refused(400, f"the form has another part than the file {FIELD}; send that alone")
        if self._title is not None:
            raise Refused(400, "the form has more than one video; send one at a time")
        kind = self._headers.get(b"content-type", b"video/*").decode("latin-1").lower()
        if not kind.startswith(("video/", "application/octet-stream", "image/gif")):
            raise Refused(415, f"the file's content type is {kind[:100]!r}; send video/…")
        self._title = title_of(options[b"filename"].decode("utf-8", "replace"))
        self._is_video = True

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._bytes += end - start
        if self._bytes > self._limits.bytes:
            raise _too_large(self._limits)
        self._file.write(data[start:end])

    def _on_end(self) -> None:
        self._is_whole = True


def title_of(name: str) -> str:
    """What is shown of a name that a stranger gave: its last part, in one line."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(letter for letter in last if letter.isprintable())[:_MOST_TITLE]
    return shown if shown.strip(". ") else "video"
