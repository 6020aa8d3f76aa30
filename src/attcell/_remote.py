"""Video files as their containers are read: from a disk, or from a server by ranges of bytes.

What was read of a file on a server lies in a temporary file ($TMPDIR) while this process works on it, so that
nothing is read twice, however often the video is opened. Of where reading goes on, each range is twice as
long as the one before; where it jumps, ranges are short again.
"""

from __future__ import annotations

import errno
import io
import os
import tempfile
import threading
import weakref
from functools import cache
from pathlib import Path
from typing import IO, Any, cast

from attcell import _servers
from attcell._log import logger
from attcell._urls import UrlPath
from attcell._walls import alive

_BLOCK = 1 << 15  # bytes; what FFmpeg asks for at a time. Measured: benchmarks/remote.py
_MOST_BLOCKS = 128  # of one range


def is_remote(path: Path) -> bool:
    """Whether a path is on a server."""
    return isinstance(path, UrlPath)


def binary(path: Path) -> IO[bytes]:
    """A file to be read, whose parts are not read from a server twice.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    return cast("IO[bytes]", RemoteFile(cast("UrlPath", path))) if is_remote(path) else path.open("rb")


class RemoteFile(io.RawIOBase):
    """A file on a server, as FFmpeg and others read one.

    Attributes:
        name: by which FFmpeg guesses a container, too.
        fault: why reading failed, which FFmpeg may take for the end of the file; None while it has not.
        is_outline: what was not read yet reads as zeros. The packets of an MP4 whose index is known are then
            gone through without their contents.
    """

    def __init__(self, path: UrlPath) -> None:
        self.name = str(path)
        self.fault: OSError | None = None
        self.is_outline = False
        self._parts = _parts_of(path)
        self._at = 0

    @property
    def size(self) -> int:
        return self._parts.size

    def readinto(self, buffer: Any) -> int:
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def read(self, size: int = -1) -> bytes:
        """At most so many bytes, and fewer where the next ones are not there yet; all of them for -1."""
        if size < 0:
            return self.readall()
        end = min(self._at + size, self.size)
        if end <= self._at:
            return b""
        try:
            found = self._parts.read(self._at, end, fetch=not self.is_outline)
        except OSError as fault:
            self.fault = fault
            raise
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


class _Parts:
    """What this process has of a file on a server, in a temporary file."""

    def __init__(self, url: str, found: _servers.Info) -> None:
        self.found, self.owner = found, os.getpid()
        self._url = url
        self._lock = threading.Lock()
        self._file, name = tempfile.mkstemp(prefix="attcell-")
        os.unlink(name)  # noqa: PTH108 it lives as long as this, also where this process is killed
        weakref.finalize(self, os.close, self._file)
        if found.has_ranges:
            self.size = found.size or 0
            self._there = bytearray(-(-self.size // _BLOCK))
        else:
            self._take_all()
        self._run, self._end = 1, -1  # blocks of the latest range, and where it ended

    def _take_all(self) -> None:
        _tell_of_no_ranges(self._url.partition("://")[2].partition("/")[0])
        with open(self._file, "rb+", closefd=False) as file:
            _servers.download(self._url, file, alive)
        self.size = os.fstat(self._file).st_size
        self._there = bytearray(b"\1") * -(-self.size // _BLOCK)

    def read(self, start: int, end: int, *, fetch: bool) -> bytes:
        """Bytes from ``start`` on, to before ``end`` or as many as are there; where none are, they are
        fetched. Not to be fetched, all come, and what is not there is zeros.
        """
        first, last = start // _BLOCK, -(-end // _BLOCK)
        with self._lock:
            if fetch and not self._there[first]:
                self._run = min(2 * self._run, _MOST_BLOCKS) if first == self._end else 1
                self._fetch(first, max(first + self._run, last))
            missing = self._there.find(0, first, last) if fetch else -1
            length = (end if missing < 0 else missing * _BLOCK) - start
            return os.pread(self._file, length, start).ljust(length, b"\0")

    def expect(self, start: int, end: int) -> None:
        """Fetch these bytes, that are wanted soon, in ranges as long as they are."""
        first, last = start // _BLOCK, -(-end // _BLOCK)
        with self._lock:
            while (missing := self._there.find(0, first, last)) >= 0:
                self._fetch(missing, min(last, missing + _MOST_BLOCKS))
            self._end = -1

    def _fetch(self, first: int, last: int) -> None:
        there = self._there.find(1, first, last)
        stop = min(last if there < 0 else there, len(self._there))
        alive()
        try:
            found = _servers.range_of(self._url, first * _BLOCK, min(stop * _BLOCK, self.size), self.size)
        except _servers.NoRanges:
            self._take_all()
            return
        alive()
        self._keep(found, first * _BLOCK)
        self._there[first:stop] = b"\1" * (stop - first)
        self._end = stop

    def _keep(self, found: bytes, place: int) -> None:
        view = memoryview(found)
        try:
            while view:
                done = os.pwrite(self._file, view, place)
                view, place = view[done:], place + done
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            reason = f"no room is left in {tempfile.gettempdir()} for what is read; set $TMPDIR"
            raise OSError(error.errno, reason) from error


_LATEST: dict[str, _Parts] = {}  # of one file: videos are read one after another


def expect(path: Path, start: int, end: int) -> None:
    """Bytes of a file that is open are wanted soon; of one on a disk nothing is done.

    Raises:
        OSError: they cannot be read.
    """
    if isinstance(path, UrlPath):
        _parts_of(path).expect(start, end)


def _parts_of(path: UrlPath) -> _Parts:
    """What this process has of a file, if it is still the same on the server."""
    latest = _LATEST.get(path.url)
    found = _servers.info(path.url)
    if found.is_folder:
        raise IsADirectoryError(errno.EISDIR, "it is a folder, and no video", str(path))
    if latest is not None and latest.owner == os.getpid() and found == latest.found and found.version:
        return latest
    made = _Parts(path.url, found)
    _LATEST.clear()
    _LATEST[path.url] = made
    return made


@cache
def _tell_of_no_ranges(host: str) -> None:
    logger.info(f"{host} sends no ranges of bytes: whole files are read")
