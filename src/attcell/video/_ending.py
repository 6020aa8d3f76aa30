"""Whether a file's container shows that the file was cut off: each tells in its own way where it ends.

What is looked at, a few reads of any file:

- MP4, MOV, 3GP: the boxes of the file, each with its size. Matroska, WebM: the size of the segment; a live
  recording tells none.
- AVI: the sizes of its chunks; where the file ends between two, the size of the whole, unless the index is
  there.
- ASF, WMV: the size of the file in its header. FLV: the same where it tells it, and the last tag. MXF: the
  place of the footer, and the items behind it.
- MPEG-TS: whole packets of 188, 192 or 204 bytes. MPEG-PS, VOB: the last packets. Ogg: the last page is
  whole, and says that it is the last.
- Y4M: whole frames. GIF, Motion JPEG: the mark at the end.

Raw H.264, HEVC and MPEG video say nothing of their end.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

from attcell._remote import binary

_TAIL = 1 << 18  # bytes; more than the largest Ogg page or packet of a program stream
_HEAD = 1 << 16
_SLACK = 8  # bytes: some write the size of an AVI with the 8 bytes before it


class _File(NamedTuple):
    """An open file, and how long it is."""

    file: IO[bytes]
    size: int

    def bytes_at(self, place: int, length: int) -> bytes:
        self.file.seek(place)
        return self.file.read(length)

    def tail(self) -> bytes:
        return self.bytes_at(max(0, self.size - _TAIL), _TAIL)

    def short(self, what: str, end: int) -> str:
        """The message where something ends behind the file, else nothing."""
        return f"{what} ends at byte {end}, the file at {self.size}" if end > self.size else ""


def cut_off(path: Path, container: str) -> str:
    """What shows that the file was cut off; "" where nothing does.

    Args:
        path: a file.
        container: FFmpeg's name of its container, such as ``matroska,webm``.
    """
    look = next((_LOOKS[name] for name in container.split(",") if name in _LOOKS), None)
    if look is None:
        return ""
    try:
        with binary(path) as file:
            return look(_File(file, file.seek(0, os.SEEK_END)))
    except (OSError, IndexError):  # of a header that is none
        return ""


_BOXES = frozenset(
    b"ftyp moov moof mdat mfra free skip wide uuid udta meta sidx ssix styp emsg prft pnot pict".split()
)


def _boxes(file: _File) -> str:
    place = 0
    while place + 8 <= file.size:
        head = file.bytes_at(place, 16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if kind not in _BOXES or length < 8:  # of length 0 it is the last, up to the end
            return ""
        if place + length > file.size:
            return file.short(f"its box {kind.decode()}", place + length)
        place += length
    return ""


def _segment(file: _File) -> str:
    place, head = 0, file.bytes_at(0, _HEAD)
    while place + 12 <= len(head):
        start = place + _number_len(head[place])
        length = _number_len(head[start])
        value = int.from_bytes(head[start : start + length], "big") & ((1 << 7 * length) - 1)
        end = start + length + value
        if head[place:start] == b"\x18\x53\x80\x67":
            return "" if value == (1 << 7 * length) - 1 else file.short("its segment", end)
        place = end
    return ""


def _number_len(first: int) -> int:
    """The bytes of a number of Matroska, by its first."""
    return 9 - first.bit_length()


def _riff(file: _File) -> str:
    place, end, has_index = 0, 0, False
    while place + 12 <= file.size:
        head = file.bytes_at(place, 12)
        kind, length = head[:4], int.from_bytes(head[4:8], "little")
        if kind == b"RIFF":
            if length in (0, 0xFFFFFFFF):  # never filled in
                return ""
            place, end = place + 12, place + 8 + length
            continue
        if place + 8 + length > file.size and place < end:
            return file.short(f"its part {kind.decode('latin-1')!r}", place + 8 + length)
        has_index = has_index or kind == b"idx1"
        place += 8 + length + length % 2
        if place >= end and file.bytes_at(place, 4) != b"RIFF":
            break
    return "" if has_index or end - file.size <= _SLACK else file.short("it", end)


def _asf(file: _File) -> str:
    head = file.bytes_at(0, _HEAD)
    place = head.find(b"\xa1\xdc\xab\x8c\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65")
    if place < 0 or head[place + 88] & 1:  # broadcast: the size is not known
        return ""
    return file.short("by its header it", int.from_bytes(head[place + 40 : place + 48], "little"))


def _flv(file: _File) -> str:
    told = file.bytes_at(0, _HEAD)
    place = told.find(b"filesize\0")
    if place > 0 and len(told) >= place + 17:
        (size,) = struct.unpack(">d", told[place + 9 : place + 17])
        if file.size < size < 2**63:
            return file.short("by its header it", int(size))
    last = int.from_bytes(file.bytes_at(file.size - 4, 4), "big")
    head = file.bytes_at(max(0, file.size - 4 - last), 4)
    if head[0] in (8, 9, 18) and int.from_bytes(head[1:4], "big") + 11 == last:
        return ""
    place = int.from_bytes(told[5:9], "big") + 4  # some write other sizes behind tags, so all are read
    while place + 11 <= file.size:
        place += 11 + int.from_bytes(file.bytes_at(place, 4)[1:4], "big") + 4
    return "" if file.size in (place - 4, place) else "its last tag is incomplete"


_MXF_PARTITION = bytes.fromhex("060e2b34020501010d0102010102")


def _mxf(file: _File) -> str:
    head = file.bytes_at(0, _HEAD)
    place = head.find(_MXF_PARTITION)
    if place < 0:
        return ""
    start, _ = _item(head[place : place + 32])
    footer = int.from_bytes(head[place + start + 24 : place + start + 32], "big")
    if footer == 0:  # left open
        return ""
    place = footer
    while place < file.size:
        start, length = _item(file.bytes_at(place, 32))
        place += start + length
    return file.short("its footer", max(place, footer + 1))


def _item(head: bytes) -> tuple[int, int]:
    """Where the value of an MXF item begins, counted from its key, and how long it is."""
    first = head[16]
    if first < 0x80:
        return 17, first
    return 17 + first - 0x80, int.from_bytes(head[17 : 17 + first - 0x80], "big")


def _transport_stream(file: _File) -> str:
    head = file.bytes_at(0, _HEAD)
    for length in (188, 192, 204):
        most = len(head) // length
        for first in range(length):
            marks = head[first::length][: max(most, 1)]
            if len(marks) >= min(most, 3) and len(marks) > 1 and not marks.strip(b"G"):
                start = first - 4 if length == 192 else first
                rest = (file.size - start) % length
                return f"its last packet has {rest} of {length} bytes" if rest else ""
    return ""


def _program_stream(file: _File) -> str:
    tail = file.tail()
    place = tail.find(b"\0\0\1\xba")
    while 0 <= place < len(tail) - 4:
        if tail[place] == 0 and tail[place : place + 3] != b"\0\0\1":
            place += 1  # stuffing
            continue
        if tail[place : place + 3] != b"\0\0\1":
            return ""
        kind = tail[place + 3]
        if kind == 0xBA:
            second = place + 4 < len(tail) and tail[place + 4] >> 6 == 1
            stuffing = tail[place + 13] & 7 if second and place + 13 < len(tail) else 0
            place += 14 + stuffing if second else 12
        elif kind == 0xB9:
            place += 4
        elif kind > 0xBA:
            place += 6 + int.from_bytes(tail[place + 4 : place + 6], "big")
        else:
            return ""
    return "" if place <= len(tail) else file.short("its last packet", file.size - len(tail) + place)


def _ogg(file: _File) -> str:
    tail = file.tail()
    place = tail.rfind(b"OggS")
    if place < 0:
        return ""
    sizes = tail[place + 27 : place + 27 + tail[place + 26]]
    end = place + 27 + tail[place + 26] + sum(sizes)
    if end > len(tail):
        return file.short("its last page", file.size - len(tail) + end)
    return "" if tail[place + 5] & 4 else "its last page is not the end of a stream"


_Y4M_CHROMA = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "411": (4, 1), "440": (1, 2)}


def _y4m(file: _File) -> str:
    line = file.bytes_at(0, 256).split(b"\n")[0].decode("latin-1")
    words = {word[0]: word[1:] for word in line.split()[1:]}
    chroma = re.fullmatch(r"(\d{3})(?:p(\d+)|jpeg|mpeg2|paldv)?", words.get("C", "420"))
    if chroma is None or chroma[1] not in _Y4M_CHROMA or not {"W", "H"} <= words.keys():
        return ""
    width, height, (across, down) = int(words["W"]), int(words["H"]), _Y4M_CHROMA[chroma[1]]
    samples = width * height + 2 * -(-width // across) * -(-height // down)
    frame = len(b"FRAME\n") + samples * (2 if int(chroma[2] or 8) > 8 else 1)
    if file.bytes_at(len(line) + 1, 6) != b"FRAME\n":
        return ""
    rest = (file.size - len(line) - 1) % frame
    return f"its last frame has {rest} of {frame} bytes" if rest else ""


def _marked(mark: bytes) -> Callable[[_File], str]:
    def look(file: _File) -> str:
        is_whole = file.tail().rstrip(b"\0").endswith(mark)
        return "" if is_whole else "the mark of its end is missing"

    return look


_LOOKS: dict[str, Callable[[_File], str]] = {
    "mov": _boxes,
    "matroska": _segment,
    "avi": _riff,
    "asf": _asf,
    "flv": _flv,
    "mxf": _mxf,
    "mpegts": _transport_stream,
    "mpeg": _program_stream,
    "ogg": _ogg,
    "yuv4mpegpipe": _y4m,
    "gif": _marked(b";"),
    "mjpeg": _marked(b"\xff\xd9"),
    "jpeg_pipe": _marked(b"\xff\xd9"),
}
