"""The door for what users name: text becomes a path, on a disk or on a server.

``s3://``, ``gs://``, ``hf://``, ``https://`` and ``http://`` become a :class:`UrlPath`, which answers as
``pathlib.Path`` does, and raises an OSError where Path would. Everything else is a Path as ever. Nothing else
in attcell takes URLs apart.
"""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import re
from collections.abc import Iterator
from functools import total_ordering
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, cast

from attcell import _servers
from attcell._servers import PROTOCOLS, shown
from attcell.errors import CallError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
_CHUNKS = (1 << 16, 1 << 23)  # bytes that are read ahead: at first, and at most where they are read in order


def is_url(text: object) -> bool:
    """Whether a text or path is a URL, of whatever kind."""
    return isinstance(text, UrlPath) or (isinstance(text, str) and _URL.fullmatch(text) is not None)


def path_or_url(text: str | os.PathLike[str] | UrlPath) -> Path:
    """A path as users write it; of a URL a :class:`UrlPath`, which stands wherever a Path does.

    Raises:
        CallError: a URL of another kind, or one without a file's name, or with a password in it.
        TypeError: it is neither text nor a path.
    """
    if isinstance(text, UrlPath):
        return cast("Path", text)
    found = _URL.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return Path(cast("str", text))
    protocol, rest = found[1].lower(), found[2]
    kinds = ", ".join(f"{one}://" for one in PROTOCOLS)
    if protocol not in PROTOCOLS:
        raise CallError(f"{protocol}:// is not read; give a local path, or one of {kinds}")
    query = ""
    if protocol in ("http", "https"):
        rest, _, query = rest.partition("#")[0].partition("?")
    host, _, key = rest.partition("/")
    if "@" in host:
        raise CallError(
            f"{protocol}://…@{host.rpartition('@')[2]}: a password in a URL would stand in every file that "
            "names it; leave it out, and put it into the environment or ~/.netrc (docs/storage.md)"
        )
    if not host:
        raise CallError(f"{shown(str(text))}: a URL has a host or a bucket behind ://, and then a path")
    return cast("Path", UrlPath(f"{protocol}://{host}", key.rstrip("/"), query))


def joined(folder: Path, name: str) -> Path:
    """What a name means that is relative to a folder, unless it is a URL or absolute.

    Raises:
        CallError: a URL that is none, or a server's list names a file of this machine.
    """
    if isinstance(folder, UrlPath) and name.startswith("/"):
        raise CallError(
            f"{name} is a file of this machine, and a list on a server may not name one; write a path "
            "relative to the list, or a URL"
        )
    return path_or_url(name) if is_url(name) else folder / name


class UrlStat(NamedTuple):
    """What ``stat`` tells of a file on a server; times are 0 where the server does not say.

    Attributes:
        version: another one when the content is another; "" where the server does not say.
    """

    st_size: int
    st_mtime_ns: int
    st_dev: int
    version: str

    @property
    def st_mtime(self) -> float:
        return self.st_mtime_ns / 1e9

    @property
    def st_ctime(self) -> float:
        return self.st_mtime

    @property
    def st_ctime_ns(self) -> int:
        return self.st_mtime_ns

    @property
    def st_ino(self) -> int:
        return _as_number(self.version)


def _as_number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:6], "big")


@total_ordering
class UrlPath:
    """A file or folder on a server. Whoever prints it sees no signature (:func:`attcell._servers.shown`).

    Args:
        root: protocol and host or bucket, such as ``s3://bucket``.
        key: the rest, without a slash at its ends.
        query: of http, what is behind the ?.
    """

    __slots__ = ("_key", "_query", "_root")

    def __init__(self, root: str, key: str, query: str = "") -> None:
        if {".", ".."} & set(key.split("/")):
            key = posixpath.normpath(f"/{key}").lstrip("/")
        self._root, self._key, self._query = root, key, query

    @property
    def url(self) -> str:
        """All of it, as a server is asked."""
        return f"{self._root}/{self._key}" + (f"?{self._query}" if self._query else "")

    @property
    def unsigned(self) -> str:
        """The same without what is behind a ?."""
        return f"{self._root}/{self._key}"

    # Names.

    def __str__(self) -> str:
        return shown(self.url)

    def __repr__(self) -> str:
        return f"UrlPath({str(self)!r})"

    def as_posix(self) -> str:
        return str(self)

    def __eq__(self, other: object) -> bool:
        return self.url == other.url if isinstance(other, UrlPath) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self.parts < other.parts if isinstance(other, UrlPath) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.url)

    @property
    def name(self) -> str:
        return self._key.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem

    @property
    def parts(self) -> tuple[str, ...]:
        return (f"{self._root}/", *filter(None, self._key.split("/")))

    @property
    def parent(self) -> UrlPath:
        return UrlPath(self._root, self._key.rpartition("/")[0])

    @property
    def parents(self) -> tuple[UrlPath, ...]:
        found, here = [], self
        while here._key:
            here = here.parent
            found.append(here)
        return tuple(found)

    def __truediv__(self, name: str | PurePosixPath) -> UrlPath | Path:
        text = str(name)
        if text.startswith("/"):
            return Path(text)
        return UrlPath(self._root, f"{self._key}/{text}".strip("/") if text not in ("", ".") else self._key)

    def joinpath(self, *names: str | PurePosixPath) -> UrlPath | Path:
        return self / "/".join(map(str, names))

    def with_name(self, name: str) -> UrlPath:
        return UrlPath(self._root, f"{self._key.rpartition('/')[0]}/{name}".lstrip("/"))

    def with_suffix(self, suffix: str) -> UrlPath:
        return self.with_name(PurePosixPath(self.name).with_suffix(suffix).name)

    def relative_to(self, other: object) -> PurePosixPath:
        if not isinstance(other, UrlPath) or not self.is_relative_to(other):
            raise ValueError(f"{self} is not below {other}")
        return PurePosixPath(*self.parts[len(other.parts) :])

    def is_relative_to(self, other: object) -> bool:
        return isinstance(other, UrlPath) and self.parts[: len(other.parts)] == other.parts

    def absolute(self) -> UrlPath:
        return self

    def resolve(self) -> UrlPath:
        return self

    def expanduser(self) -> UrlPath:
        return self

    # What is there.

    def exists(self) -> bool:
        return self._info() is not None

    def is_dir(self) -> bool:
        """Whether there is a folder; http has none."""
        if self._root.startswith("http"):
            return False
        found = self._info()
        return found is not None and found.is_folder

    def is_file(self) -> bool:
        found = self._info()
        return found is not None and not found.is_folder

    def is_symlink(self) -> bool:
        return False

    def _info(self) -> _servers.Info | None:
        try:
            return _servers.info(self.url)
        except FileNotFoundError:
            return None

    def stat(self) -> UrlStat:
        found = _servers.info(self.url)
        return UrlStat(found.size or 0, int(found.changed * 1e9), _as_number(self.unsigned), found.version)

    def samefile(self, other: object) -> bool:
        return self == other

    def iterdir(self) -> Iterator[UrlPath | Path]:
        return iter([self / name for name in _servers.names_in(self.url)])

    def glob(self, pattern: str) -> Iterator[UrlPath | Path]:
        """What is directly in a folder, by its name; a file has nothing in it."""
        inside = self.iterdir() if self.is_dir() else ()
        return iter([path for path in inside if PurePosixPath(path.name).match(pattern)])

    def files(self) -> dict[UrlPath, _servers.Info]:
        """Every file below this folder."""
        found = _servers.files_below(self.url)
        return {cast("UrlPath", path_or_url(url)): of for url, of in found.items() if not of.is_folder}

    # Contents.

    def open(self, mode: str = "r", **options: Any) -> IO[Any]:
        """The file to be read, by ranges of bytes where the server sends them; ``options`` as of text."""
        file = io.BufferedReader(_Ranges(self.url), _CHUNKS[0])
        if "b" in mode and not set(mode) - set("rb"):
            return file
        if mode in ("r", "rt"):
            return io.TextIOWrapper(file, **options)
        raise CallError(f"{self}: files on servers are read, and written whole; {mode!r} is neither")

    def read_bytes(self) -> bytes:
        return _servers.content_of(self.url)

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self.read_bytes().decode(encoding, errors)

    def upload(self, file: Path) -> None:
        """Put a local file here, whole or not at all.

        Raises:
            CallError: nothing is written by http.
            OSError: it cannot be written.
        """
        _servers.upload(file, self.url)

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: stores of objects have no empty folders."""


class _Ranges(io.RawIOBase):
    """A file on a server, read piece by piece; in order, each piece is twice as long as the one before."""

    def __init__(self, url: str) -> None:
        found = _servers.info(url)
        if found.is_folder:
            raise IsADirectoryError(21, "it is a folder", shown(url))
        self._url, self._at = url, 0
        self._start, self._piece, self._next = 0, b"", _CHUNKS[0]
        if not found.has_ranges:
            self._take_all()
        else:
            self._size = found.size or 0

    def _take_all(self) -> None:
        self._start, self._piece = 0, _servers.content_of(self._url)
        self._size = len(self._piece)

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        inside = self._at - self._start
        if not 0 <= inside < len(self._piece):
            self._next = min(2 * self._next, _CHUNKS[1]) if inside == len(self._piece) else _CHUNKS[0]
            end = min(self._at + max(wanted, self._next), self._size)
            try:
                self._start, self._piece = self._at, _servers.range_of(self._url, self._at, end, self._size)
            except _servers.NoRanges:
                self._take_all()
            inside = self._at - self._start
        found = self._piece[inside : inside + wanted]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
