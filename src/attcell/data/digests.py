"""Names for the content of videos, and a book of those that were computed before."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from attcell.errors import DataError
from attcell.video.frame_folder import open_frames


def content_digest(path: Path, frames: range | None = None) -> str:
    """A name for a video's content: a hash of all of it, which costs little beside decoding it.

    Of a folder of frames, or of the part ``frames`` of it, it is a hash of the names and contents.

    Raises:
        DataError: the file cannot be read.
        VideoError: the folder is none of frames, or has a gap.
    """
    if path.is_dir():
        folder = open_frames(path, frames)
        lines = [f"{content_digest(path / name)} {name}\n" for name in folder.names]
        return hashlib.sha256("".join(lines).encode()).hexdigest()[:24]
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:24]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; check the path") from error


class DigestBook:
    """Remembers the digests of files, so that a run over a large data set need not read all of it to start.

    A file counts as the same while its place on the disk, its length and the time of its last change, which
    nobody can set, are the same. What is remembered lies in ``digests.sqlite``; where that cannot be written
    or read, every file is read.

    Args:
        folder: where the book lies; it is made when the first digest is written.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "digests.sqlite"

    def digest(self, path: Path, frames: range | None = None) -> str:
        """As :func:`content_digest`. Folders of frames are read anew each time."""
        if path.is_dir():
            return content_digest(path, frames)
        try:
            seen = path.stat()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}; check the path") from error
        key = f"{seen.st_dev} {seen.st_ino} {seen.st_size} {seen.st_ctime_ns}"
        known = self._known(key)
        if known is None:
            known = content_digest(path)
            self._remember(key, known)
        return known

    def _known(self, key: str) -> str | None:
        if not self._file.is_file():
            return None
        try:
            with closing(sqlite3.connect(self._file, timeout=30)) as book:
                row = book.execute("SELECT digest FROM digests WHERE file = ?", (key,)).fetchone()
        except sqlite3.Error:
            return None
        return None if row is None else str(row[0])

    def _remember(self, key: str, digest: str) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file, timeout=30)) as book, book:
                book.execute("PRAGMA synchronous = OFF")  # what a power cut takes is computed again
                book.execute("CREATE TABLE IF NOT EXISTS digests (file TEXT PRIMARY KEY, digest TEXT)")
                book.execute("INSERT OR REPLACE INTO digests VALUES (?, ?)", (key, digest))
        except (sqlite3.Error, OSError):
            return
