"""One shard of kept features: a plain tar, in the manner of WebDataset, so that other tools read it too.

Each video is two members that follow each other: ``NAME.json``, what its maps are, and ``NAME.npy``, the maps
as they would lie in a file of NumPy. Nothing is compressed, so a segment of a video is a place in the file. A
video is whole when the last of its bytes is there; what follows the last whole one is what a killed process
had begun.

Beside ``SHARD.tar`` lies ``SHARD.index``: which videos stand where, up to some byte. It is no more than the
memory of a walk over the tar's headers: where it is missing, damaged or too short, they are walked over.
"""

from __future__ import annotations

import io
import json
import math
import mmap
import os
import re
import tarfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from attcell._files import OTHER_VALUES, parsed_json

BLOCK = 512  # bytes; a tar's members begin at multiples of it
END = bytes(2 * BLOCK)  # of a tar
ROW = np.dtype([("name", "S40"), ("start", "<i8")])  # of an index; the last one has no name: where it ends
_NAME = re.compile(r"[\w-]{1,40}", re.ASCII)
_MOST_DESCRIBED = 2**24  # bytes
_MOST_NUMPY = 4096  # bytes, of a header


class Source(Protocol):
    """Where a shard's bytes come from."""

    size: int

    def bytes(self, start: int, end: int) -> bytes:
        """A copy of some bytes; as many as are there."""

    def tensor(self, start: int, end: int) -> Tensor:
        """Bytes that are there, (n,) uint8."""


class Mapped:
    """A local file, memory-mapped: what is taken of it is read from the disk when it is looked at.

    Args:
        descriptor: of the open file, which may be closed afterwards.
    """

    def __init__(self, descriptor: int) -> None:
        self.size = os.fstat(descriptor).st_size
        # A private map may be written to, as PyTorch wants it; the file never changes by it.
        self._map = mmap.mmap(descriptor, self.size, access=mmap.ACCESS_COPY) if self.size else b""

    def bytes(self, start: int, end: int) -> bytes:
        return self._map[start:end]

    def tensor(self, start: int, end: int) -> Tensor:
        return torch.frombuffer(self._map, dtype=torch.uint8, count=end - start, offset=start)


class Opened:
    """A local file that is read piece by piece: another process may cut it meanwhile. To look behind its end
    in a memory map would end this process.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.size = os.fstat(file.fileno()).st_size
        self._file = file

    def bytes(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return self._file.read(end - start)

    def tensor(self, start: int, end: int) -> Tensor:
        content = bytearray(self.bytes(start, end))
        return torch.frombuffer(content, dtype=torch.uint8, count=end - start)


class Fetched:
    """Some bytes of a file, from one of them on; the others are not there."""

    def __init__(self, content: bytes, start: int, size: int) -> None:
        self.size = size
        self._content, self._start = bytearray(content), start

    def bytes(self, start: int, end: int) -> bytes:
        return bytes(self._content[max(0, start - self._start) : max(0, end - self._start)])

    def tensor(self, start: int, end: int) -> Tensor:
        first = start - self._start
        return torch.frombuffer(self._content, dtype=torch.uint8, count=end - start, offset=first)


class _Found(NamedTuple):
    """A video in a shard, its maps not read yet: they are the bytes from ``first`` to ``last``."""

    name: str
    described: dict[str, Any]
    shape: list[int]
    first: int
    last: int

    @property
    def end(self) -> int:
        return self.last + -self.last % BLOCK

    def maps(self, source: Source) -> Tensor:
        return source.tensor(self.first, self.last).view(torch.float16).view(self.shape)


class KeptVideo(NamedTuple):
    """A video in a shard.

    Attributes:
        name: of its content.
        described: what its maps are.
        maps: (V, T, F, K, K) in 16 bits.
        end: the byte where the next one begins.
    """

    name: str
    described: dict[str, Any]
    maps: Tensor
    end: int


# Writing


def checksum(maps: Tensor) -> int:
    """Of the maps' bytes."""
    return zlib.crc32(maps.numpy().data.cast("B"))


def video_parts(name: str, described: dict[str, Any], maps: Tensor) -> list[bytes | memoryview]:
    """A video as a shard holds it, in pieces to be written one after another: whole blocks.

    Args:
        name: of its content, of at most 40 ASCII letters, digits, dashes and underscores.
        described: of plain types; the shape is added.
        maps: contiguous, of 16-bit floats, on the CPU.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a video in a shard")
    shape = tuple(maps.shape)
    content = json.dumps({**described, "shape": shape}).encode()
    numpys, data = _numpy_header(shape), maps.numpy().data.cast("B")
    return [
        b"".join([_header(f"{name}.json", len(content)), content, _filler(len(content))]),
        _header(f"{name}.npy", len(numpys) + len(data)) + numpys,
        data,
        _filler(len(numpys) + len(data)),
    ]


def _header(name: str, size: int) -> bytes:
    """Of a member; nothing of who wrote it when."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


def _filler(size: int) -> bytes:
    return bytes(-size % BLOCK)


def write_parts(descriptor: int, parts: list[bytes | memoryview], place: int) -> None:
    """Write all of them to an open file, from a byte on."""
    left = [memoryview(part) for part in parts if len(part)]
    while left:
        done = os.pwritev(descriptor, left, place)
        place += done
        while left and done >= len(left[0]):
            done -= len(left.pop(0))
        if left:
            left[0] = left[0][done:]


@lru_cache(maxsize=1024)
def _numpy_header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    described: Any = {"descr": "<f2", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


# Reading


def read_video(source: Source, start: int) -> KeptVideo:
    """The video that begins at a byte. Its checksum is not looked at.

    Raises:
        ValueError: none that is whole.
    """
    found = _found(source, start)
    return KeptVideo(found.name, found.described, found.maps(source), found.end)


def _found(source: Source, start: int) -> _Found:
    name, first, size = _member(source, start, ".json")
    if size > _MOST_DESCRIBED:
        raise ValueError(f"{name}.json has {size} bytes")
    described = parsed_json(source.bytes(first, first + size))
    shape = [int(length) for length in described["shape"]]
    of_maps, begin, length = _member(source, first + size + -size % BLOCK, ".npy")
    before = length - 2 * math.prod(shape)
    found = _Found(name, described, shape, begin + before, begin + length)
    is_there = found.end <= source.size
    if of_maps != name or min(shape, default=0) < 1 or not 10 <= before <= _MOST_NUMPY or not is_there:
        raise ValueError(f"{name} is not whole, or its maps are not of the shape {shape}")
    if before % 2 or source.bytes(begin, begin + 6) != b"\x93NUMPY":
        raise ValueError(f"{name}.npy is no array")
    return found


def walk(source: Source, start: int, *, thorough: bool) -> Iterator[tuple[str, int, int]]:
    """The name, first byte and end of each whole video from a byte on, as far as they reach.

    Args:
        source: the shard.
        start: where one begins.
        thorough: look at the checksums too; a power cut may have left holes.
    """
    while True:
        try:
            found = _found(source, start)
            if thorough and found.described["crc32"] != checksum(found.maps(source)):
                return
        except OTHER_VALUES:
            return
        yield found.name, start, found.end
        start = found.end


def _member(source: Source, start: int, suffix: str) -> tuple[str, int, int]:
    """A member's name without its suffix, where its content begins, and of how many bytes it is.

    Looked at here, and not by ``tarfile``: a training asks twice for each video.
    """
    block = source.bytes(start, start + BLOCK)
    try:
        told, size = int(block[148:155].rstrip(b"\0 "), 8), int(block[124:135], 8)
    except ValueError as error:
        raise ValueError(f"no member of a tar at byte {start} ({error})") from error
    if told != 256 + sum(block) - sum(block[148:156]) or block[257:262] != b"ustar":
        raise ValueError(f"no member of a tar at byte {start}: its checksum does not fit")
    named = block[:100].partition(b"\0")[0].decode("ascii", "replace")
    name = named.removesuffix(suffix)
    if not (block[156:157] == tarfile.REGTYPE and named.endswith(suffix) and _NAME.fullmatch(name)):
        raise ValueError(f"{named!r} at byte {start} is no member that attcell writes")
    if not 0 < size <= source.size - start - BLOCK:
        raise ValueError(f"{named} is cut off")
    return name, start + BLOCK, size


# The index


def index_bytes(rows: np.ndarray) -> bytes:
    """An index, as its file holds it."""
    file = io.BytesIO()
    np.save(file, rows, allow_pickle=False)
    return file.getvalue()


def index_rows(names: list[str], starts: list[int], end: int) -> np.ndarray:
    """(n + 1,) of ROW: the videos in their order, and where the last one ends."""
    rows = np.zeros(len(names) + 1, ROW)
    rows["name"][:-1], rows["start"] = names, [*starts, end]
    return rows


def read_index(content: bytes, size: int) -> np.ndarray:
    """The rows of an index; that of no video where it is none, or not one of a shard of this size."""
    try:
        rows = np.load(io.BytesIO(content), allow_pickle=False)
        starts = rows["start"]
        is_right = (
            rows.dtype == ROW
            and rows.ndim == 1
            and starts[0] == 0
            and starts[-1] <= size
            and bool((np.diff(starts) > 0).all())
            and bool((starts % BLOCK == 0).all())
        )
    except Exception:  # damaged, of which NumPy raises many kinds
        is_right = False
    return rows if is_right else index_rows([], [], 0)


def index_of(shard: Path) -> Path:
    """Where a shard's index lies."""
    return shard.with_suffix(".index")
