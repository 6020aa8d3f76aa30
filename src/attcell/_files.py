"""Files: written whole or not at all; JSON and text that are read, also from strangers."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attcell._owners import lock, temporary_in
from attcell._paths import refuse_device
from attcell._urls import UrlPath
from attcell.errors import CallError, DataError

_MOST_LEVELS = 100  # of nested JSON; the deepest file that attcell reads has ten
# What Python raises where a value in a file is of another kind than it should be, or too large for a number.
OTHER_VALUES = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; it becomes ``path`` only if nothing went wrong.

    The temporary name keeps the suffix, for libraries that choose a format by it. Parent folders are made.
    On an error or an interruption the temporary file is removed and ``path`` stays as it was. An OSError, as
    of a full disk, names ``path``. For a file on a server the temporary path is on a disk, in $TMPDIR.
    """
    if isinstance(path, UrlPath):
        with tempfile.TemporaryDirectory(prefix="attcell-") as folder:
            local = Path(folder) / path.name
            yield local
            path.upload(local)
        return
    refuse_device(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_in(path.parent, path.stem, path.suffix)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # else a power cut could leave the new name with nothing in it
        temporary.replace(path)
    except OSError as error:
        if error.filename in (None, str(temporary)):  # PyAV's errors let no file name be set
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise
    finally:
        with suppress(OSError):  # a disk may have become read-only; then a later process removes it
            temporary.unlink()


class Lines:
    """A file of lines: each goes to the disk at once, whole or not at all. What was there is replaced.

    An OSError, as of a full disk, names the file.

    Raises:
        CallError: another process writes lines there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._length = 0  # in bytes
        self._file = path.open("ab", buffering=0)
        try:
            lock(self._file.fileno(), path)
        except CallError:
            self._file.close()
            raise
        self._cut()

    def add(self, line: str) -> None:
        """One more, without its end."""
        content = f"{line}\n".encode("utf-8", "surrogateescape")
        done = 0
        try:
            while done < len(content):
                done += self._file.write(content[done:]) or 0
        except OSError as error:
            self._cut()
            raise OSError(error.errno, error.strerror, str(self._path)) from error
        self._length += len(content)

    def _cut(self) -> None:
        with suppress(OSError):  # a pipe
            self._file.truncate(self._length)

    def close(self) -> None:
        """Nothing more comes."""
        self._file.close()


def read_json(path: Path, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """What stands in a file of JSON in UTF-8, with or without a byte order mark.

    Args:
        path: the file.
        pairs: makes each object, in place of a dict, of its names and values.

    Raises:
        OSError: it is not there, or cannot be read.
        ValueError: it is no JSON, no UTF-8, or nested too deeply.
    """
    return parsed_json(path.read_bytes(), pairs)


def parsed_json(text: str | bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """What :func:`read_json` gives, of a text. Its errors are ValueErrors."""
    too_deep = json.JSONDecodeError(f"Nested too deeply, more than {_MOST_LEVELS} levels", "", 0)
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        content = json.loads(text, object_pairs_hook=pairs)
    except RecursionError as error:
        raise too_deep from error
    if _is_deep(content):
        raise too_deep
    return content


def _is_deep(content: Any) -> bool:
    """Whether a value is nested so deeply that a function that calls itself for each level might fail."""
    level = [content]
    for _ in range(_MOST_LEVELS):
        inside = (of.values() if isinstance(of, dict) else of for of in level if isinstance(of, dict | list))
        level = [value for values in inside for value in values if type(value) in (dict, list)]
        if not level:
            return False
    return True


def read_own(path: Path, *parts: str) -> dict[str, Any]:
    """What stands in a JSON object that attcell wrote for itself, to go on from.

    Args:
        path: the file.
        parts: keys whose values must be objects; one that is not there gets an empty object.

    Raises:
        DataError: it is damaged.
    """
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}); delete it and run the same again") from error
    if not isinstance(content, dict) or any(not isinstance(content.get(key, {}), dict) for key in parts):
        raise DataError(f"{path} is damaged (it holds something else); delete it and run the same again")
    return {**{key: {} for key in parts}, **content}


def read_names(path: Path, newline: str | None = None) -> str:
    """The text of a file that names files, as :func:`write_text` writes it: UTF-8, with or without a byte
    order mark. Names may hold bytes that are no UTF-8; Python keeps them (``surrogateescape``).

    Args:
        path: the file.
        newline: as of ``open``; "" leaves the ends of lines as they are, for CSV.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is no text: it holds zero bytes.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline=newline) as file:
        text = file.read()
    if "\0" in text:
        raise UnicodeDecodeError("utf-8", b"\0", 0, 1, "a zero byte")
    return text


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to ``path``, whole or not at all; a file's name that is no UTF-8 goes as its bytes."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")


def write_json(path: str, content: object) -> None:
    """Write JSON to the file ``path``, whole or not at all; to stdout where ``path`` is a dash."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    if path == "-":
        sys.stdout.write(text)
    else:
        write_text(Path(path), text)
