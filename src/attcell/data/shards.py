"""Kept features of very many videos: some large files, in which each video and segment has its place.

``FOLDER/WRITER.tar`` is a shard (:mod:`attcell.data._tar`), and the store is the union of all that lie
there. Who writes has shards of its own, so that any number of processes and machines write side by side. A
shard that is not full is gone on with by the next process on that machine; what a killed process had begun of
a video is cut off first.

On a server, such as S3, a shard appears when it is whole: what lay in one that was not is done again.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from torch import Tensor

from attcell._files import written_whole
from attcell._owners import held, let_go, machine, opened_alone
from attcell._servers import range_of
from attcell._urls import UrlPath, is_url
from attcell.data import _tar
from attcell.data._tar import Fetched, KeptVideo, Mapped, Opened
from attcell.errors import CallError, DataError

SHARD_BYTES = 2**29  # a shard that has so many is full
_SERVED_BYTES = 2**26  # the same on a server, where it is lost with its writer until it is full
_ASKED_AT_ONCE = 16  # shards
_MOST_MAPPED = 128  # shards; each holds a descriptor of an open file
_SHARD = re.compile(r"[0-9a-f]{8}-[0-9a-f]{8}\.tar")


def is_disk(path: Path) -> bool:
    """Whether files there can be locked, added to and memory-mapped."""
    return not is_url(path)


class Span(NamedTuple):
    """Where a video lies: its shard, its first byte and the one where the next begins."""

    shard: Path
    start: int
    end: int


class Shards:
    """A folder of shards.

    Args:
        folder: is made when the first video is written.
        most_bytes: a shard that has so many is full; by default 512 MiB, and 64 MiB on a server.
    """

    def __init__(self, folder: Path, most_bytes: int | None = None) -> None:
        self.folder = folder
        self._most_bytes = most_bytes or (SHARD_BYTES if is_disk(folder) else _SERVED_BYTES)
        self._union: _Union | None = None
        self._written: dict[str, Span] = {}  # since the union was made
        self._mapped: OrderedDict[Path, Mapped] = OrderedDict()
        self._writer: _Writer | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Shards, (self.folder, self._most_bytes)

    def has(self, name: str) -> bool:
        """Whether a video of this name is there."""
        return self._span(name) is not None

    def put(self, name: str, described: dict[str, Any], maps: Tensor) -> None:
        """Keep a video, whole or not at all; inside :meth:`writing`, from any thread."""
        if self._writer is None:
            with self.writing():
                self.put(name, described, maps)
            return
        if name not in self._written:  # a copy of a video has its name
            self._written[name] = self._writer.add(name, described, maps)

    def get(self, name: str) -> tuple[dict[str, Any], Tensor]:
        """What a video's maps are, and the maps (V, T, F, K, K), memory-mapped where it lies on a disk.

        Raises:
            OSError, ValueError: it is not there, or damaged.
        """
        span = self._span(name)
        if span is None:
            raise FileNotFoundError("they are not there")
        video = self._read(span)
        if (video.name, video.end) != (name, span.end):
            raise ValueError(f"another video is at byte {span.start}, {video.name}")
        return video.described, video.maps

    def file_of(self, name: str) -> Path:
        """The shard in which a video lies; the folder where it is not there."""
        span = self._span(name)
        return self.folder if span is None else span.shard

    def forget(self, name: str) -> str:
        """Take a damaged video's name out of its shard's index: it counts as not there. What to do next."""
        span = cast("Span", self._span(name))
        try:
            rows = _rows_of(span.shard)
            rows["name"][rows["start"] == span.start] = b""
            _write_index(span.shard, rows)
        except OSError as error:
            index = _tar.index_of(span.shard)
            return f"{index} cannot be written ({error.strerror}); mend that and run again"
        self._union = None
        self._written.pop(name, None)
        return "run again, and they are computed anew; the rest of that file stays"

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Around all that fills the store, wherever its workers are: no other process fills it meanwhile.

        Raises:
            CallError: another process does.
        """
        if not is_disk(self.folder):
            yield
            self._forget()
            return
        with held(self.folder):
            self._forget()
            self._tidy()
            yield
            self._forget()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around :meth:`put` in one process: at the end all lies in the folder, with its index."""
        self._writer = _Writer(self.folder, self._most_bytes)
        try:
            yield
            self._writer.close()
        except BaseException:
            with suppress(OSError):  # a disk that is full is still: what was wrong first is told
                self._writer.close()
            raise
        finally:
            self._writer = None

    def _span(self, name: str) -> Span | None:
        if name in self._written:
            return self._written[name]
        if self._union is None:
            self._union = _Union.of(self.folder)
        return self._union.span(name)

    def _read(self, span: Span) -> KeptVideo:
        if not is_disk(span.shard):
            return _tar.read_video(Fetched(_part(span), span.start, span.end), span.start)
        source = self._mapped.get(span.shard)
        if source is None or source.size < span.end:
            source = self._mapped[span.shard] = _mapped(span.shard)
            while len(self._mapped) > _MOST_MAPPED:
                self._mapped.popitem(last=False)
        return _tar.read_video(source, span.start)

    def _tidy(self) -> None:
        """Give each shard that a killed process left its end and its index; one that may still be written to,
        such as another machine's, the index alone.
        """
        for shard in _shards_in(self.folder):
            size, rows = shard.stat().st_size, _known_rows(shard)
            if size == int(rows["start"][-1]) + len(_tar.END):
                continue
            opened = _Shard.reopened(shard) if shard.name.startswith(machine()) else None
            if opened is not None:
                opened.close()
            elif len(found := _rows_of(shard)) > len(rows):
                _write_index(shard, found)

    def _forget(self) -> None:
        self._union = None
        self._written.clear()


class _Union:
    """Which videos the shards of a folder hold, of which there may be millions."""

    def __init__(self, shards: list[Path], indices: list[np.ndarray]) -> None:
        self._shards = shards
        names = np.concatenate([np.zeros(0, _tar.ROW["name"]), *(rows["name"][:-1] for rows in indices)])
        order = np.argsort(names, kind="stable")
        self._names = names[order]
        self._shard = np.repeat(np.arange(len(shards)), [len(rows) - 1 for rows in indices])[order]
        nothing = np.zeros(0, np.int64)
        self._start = np.concatenate([nothing, *(rows["start"][:-1] for rows in indices)])[order]
        self._end = np.concatenate([nothing, *(rows["start"][1:] for rows in indices)])[order]

    @classmethod
    def of(cls, folder: Path) -> _Union:
        """Of what lies there now."""
        shards = _shards_in(folder)
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:  # servers are asked side by side
            return cls(shards, list(pool.map(_rows_of, shards)))

    def span(self, name: str) -> Span | None:
        sought = name.encode()
        at = int(np.searchsorted(self._names, sought))
        if at == len(self._names) or self._names[at] != sought:
            return None
        return Span(self._shards[self._shard[at]], int(self._start[at]), int(self._end[at]))


class _Writer:
    """Writes videos to shards that nobody else writes to, one shard after another; from any thread."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._shard: _Shard | None = None
        self._lock = threading.Lock()

    def add(self, name: str, described: dict[str, Any], maps: Tensor) -> Span:
        parts = _tar.video_parts(name, described, maps)
        with self._lock:
            if self._shard is None:
                self._shard = _Shard.opened(self._folder, self._most_bytes)
            span = self._shard.add(name, parts)
            if span.end >= self._most_bytes:
                self._close()
        return span

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._shard is not None:
            shard, self._shard = self._shard, None
            shard.close()


class _Shard:
    """A shard that this process writes to, and no other.

    Args:
        path: where it lies, or will.
        descriptor: of the open file: the shard itself, or on storage that is no disk what will become it.
        rows: the videos that are there.
    """

    def __init__(self, path: Path, descriptor: int, rows: np.ndarray) -> None:
        self._path, self._descriptor = path, descriptor
        self._names = [name.decode() for name in rows["name"][:-1]]
        *self._starts, self._end = rows["start"].tolist()

    @classmethod
    def opened(cls, folder: Path, most_bytes: int) -> _Shard:
        """One of this machine that is not full, or a new one."""
        nothing = _tar.index_rows([], [], 0)
        path = folder / f"{machine()}-{uuid.uuid4().hex[:8]}.tar"
        if not is_disk(folder):
            with tempfile.TemporaryFile() as file:
                return cls(path, os.dup(file.fileno()), nothing)
        folder.mkdir(parents=True, exist_ok=True)
        for begun in _shards_in(folder):
            if begun.name.startswith(machine()) and begun.stat().st_size < most_bytes:
                shard = cls.reopened(begun)
                if shard is not None:
                    return shard
        try:
            return cls(path, opened_alone(path, os.O_RDWR | os.O_CREAT | os.O_EXCL), nothing)
        except CallError:  # in this moment another process has taken it to go on with
            return cls.opened(folder, most_bytes)

    @classmethod
    def reopened(cls, path: Path) -> _Shard | None:
        """One that is there, cut behind its last whole video; None where another process may write to it."""
        try:
            descriptor = opened_alone(path, os.O_RDWR, surely=True)
        except CallError:
            return None
        try:
            shard = cls(path, descriptor, _rows_of(path, thorough=True))
            os.ftruncate(descriptor, shard._end)
        except BaseException:
            let_go(descriptor)
            raise
        return shard

    def add(self, name: str, parts: list[bytes | memoryview]) -> Span:
        span = Span(self._path, self._end, self._end + sum(map(len, parts)))
        try:
            with _naming(self._path):
                _tar.write_parts(self._descriptor, parts, self._end)
        except OSError:  # a full disk
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
            raise
        self._names.append(name)
        self._starts.append(span.start)
        self._end = span.end
        return span

    def close(self) -> None:
        """Its end, and its index beside it."""
        try:
            with _naming(self._path):
                _tar.write_parts(self._descriptor, [_tar.END], self._end)
                os.fsync(self._descriptor)
            if not is_disk(self._path):
                self._upload()
            _write_index(self._path, _tar.index_rows(self._names, self._starts, self._end))
        finally:
            let_go(self._descriptor)

    def _upload(self) -> None:
        with (
            open(self._descriptor, "rb", closefd=False) as file,
            written_whole(self._path) as temporary,
            temporary.open("wb") as whole,
        ):
            file.seek(0)
            shutil.copyfileobj(file, whole, 2**22)
            whole.flush()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of a descriptor name no file."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _shards_in(folder: Path) -> list[Path]:
    """The shards in a folder.

    Raises:
        DataError: a tar lies there that is none.
    """
    try:
        tars = sorted(path for path in folder.iterdir() if path.suffix == ".tar" and path.name[0] != ".")
    except (FileNotFoundError, NotADirectoryError):
        return []
    for path in tars:
        if not _SHARD.fullmatch(path.name):
            raise DataError(f"{path} is no shard of kept features; take it away, or name another folder")
    return tars


def _known_rows(shard: Path) -> np.ndarray:
    """What a shard's index tells."""
    try:
        return _tar.read_index(_tar.index_of(shard).read_bytes(), shard.stat().st_size)
    except OSError:
        return _tar.index_rows([], [], 0)


def _rows_of(shard: Path, *, thorough: bool = False) -> np.ndarray:
    """The whole videos of a shard; those of its index, and those that a walk finds behind them."""
    rows, size = _known_rows(shard), shard.stat().st_size
    known = int(rows["start"][-1])
    if size <= known + len(_tar.END):
        return rows
    if is_disk(shard):
        with shard.open("rb") as file:
            found = list(_tar.walk(Opened(file), known, thorough=thorough))
    else:
        rest = Fetched(_part(Span(shard, known, size)), known, size)
        found = list(_tar.walk(rest, known, thorough=thorough))
    names = [name.decode() for name in rows["name"][:-1]] + [name for name, _, _ in found]
    starts = [*rows["start"][:-1].tolist(), *(start for _, start, _ in found)]
    return _tar.index_rows(names, starts, found[-1][2] if found else known)


def _mapped(shard: Path) -> Mapped:
    descriptor = os.open(shard, os.O_RDONLY)
    try:
        return Mapped(descriptor)
    finally:
        os.close(descriptor)


def _part(span: Span) -> bytes:
    """A video's bytes from a server, in one request."""
    shard = cast("UrlPath", span.shard)
    return range_of(shard.url, span.start, span.end, span.end)


def _write_index(shard: Path, rows: np.ndarray) -> None:
    with written_whole(_tar.index_of(shard)) as temporary:
        temporary.write_bytes(_tar.index_bytes(rows))
