"""What a terminal shows of names that come from anywhere.

The name of a file or of a class may hold characters that move the cursor, change colours, clear the screen,
or turn the direction of reading. It may also hold the end of a line, after which the rest of the name looks
like a message of its own. Messages and tables show such characters as Python writes them, such as ``\\n``.
JSON is not changed: it escapes them itself.

Lines for stdout are handed over one by one (:func:`put`), so an end of a line inside one belongs to a name.
A message (:func:`message`) may have several lines, and each after the first is indented by two spaces. So
nothing that a name holds stands at the beginning of a line, where messages begin.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

# Control characters, except the end of a line and the tabulator; marks that turn the direction of reading;
# Unicode's own ends of lines and paragraphs; characters without width.
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
    """A message of one or more lines. The end of a line is shown as ``\\n`` where no indented line follows:
    there it is a name's.
    """
    return _END_OF_NAME.sub(r"\\n", escaped(text))


def put(*lines: str) -> None:
    """Print lines to stdout, each as one."""
    print(*map(one_line, lines), sep="\n", flush=True)


def _as_python_writes_it(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


class _Escaping:
    """Stdout, which escapes what is written to it. An OSError, as of a full disk, names it."""

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
    """Within this, what is printed goes to stdout escaped, as on the command line."""
    before = sys.stdout
    if isinstance(before, _Escaping):
        yield
        return
    sys.stdout = cast(TextIO, _Escaping(before))
    try:
        yield
    finally:
        sys.stdout = before
