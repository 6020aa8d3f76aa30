"""What people see on a terminal: names from anywhere, and no more than names.

A file's name or a class may hold what moves the cursor, changes colours, clears the screen, or turns the
direction of reading, so that one thing looks like another; or the end of a line, so that its rest looks like
a message of its own. Messages and tables show such characters as Python writes them; JSON, which escapes them
itself, is as it was.

What goes to stdout is printed line by line (:func:`put`), so that the end of a line within one is a name's.
Of a message of several lines those after the first begin with two spaces: any other end is a name's.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

# Controls but the line's end and the tabulator; marks that turn the direction of reading; what ends a line or
# a paragraph elsewhere; what is not seen.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]"
)


def escaped(text: str) -> str:
    """The text with each such character as ``\\x1b`` or ``\\u202e``."""
    return _UNSEEN.sub(_as_python_writes_it, text)


_END_OF_NAME = re.compile("\n(?!  )")


def one_line(text: str) -> str:
    """The same, with the end of a line as ``\\n`` too."""
    return escaped(text).replace("\n", "\\n")


def message(text: str) -> str:
    """A message for people, whose lines but for the first begin with two spaces; any other end of a line is
    shown as ``\\n``.
    """
    return _END_OF_NAME.sub(r"\\n", escaped(text))


def put(*lines: str) -> None:
    """Print lines to stdout, each as one."""
    print(*map(one_line, lines), sep="\n", flush=True)


def _as_python_writes_it(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


class _Escaping:
    """A stream that escapes what is written to stdout, and is in all else that one. An OSError, as of a full
    disk, names it.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        with _named():
            self._file.write(escaped(text))
        return len(text)

    def flush(self) -> None:
        with _named():
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, "stdout") from error


def is_escaped() -> bool:
    """Whether stdout is one that escapes."""
    return isinstance(sys.stdout, _Escaping)


@contextmanager
def escaped_stdout() -> Iterator[None]:
    """What is printed meanwhile goes to stdout escaped, as on the command line."""
    before = sys.stdout
    if isinstance(before, _Escaping):
        yield
        return
    sys.stdout = cast(TextIO, _Escaping(before))
    try:
        yield
    finally:
        sys.stdout = before
