"""Looking at what Python users hand in, so that a mistake ends in one clear message."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from numbers import Integral
from pathlib import Path
from typing import Any

from attcell import _servers
from attcell._urls import path_or_url
from attcell.errors import CallError, installing


def path_of(value: Any, name: str, example: str) -> Path:
    """``value`` as a path.

    Raises:
        CallError: it is neither text nor a path, or a URL of a kind that is not read.
    """
    try:
        return path_or_url(value)
    except TypeError as error:
        wanted = f'give one path as text or Path, such as "{example}"'
        raise CallError(f"{name} is {shown(value)}; {wanted}") from error


def whole_number(value: Any, name: str, *, least: int) -> int:
    """``value`` as an int; NumPy's whole numbers are some too, True and False are none.

    Raises:
        CallError: it is no whole number, or less than ``least``.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise CallError(f"{name} is {shown(value)}; give a whole number, at least {least}")
    return int(value)


def flat(error: BaseException) -> str:
    """A foreign error's text, which may have several lines, in one."""
    return " ".join(str(error).split())


def first_double(names: Iterable[str]) -> str | None:
    """The first name that is there a second time; None where each is there once."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def shown(value: Any) -> str:
    """A value, cut where it is long, with its type where that is not plain from the value."""
    text = reprlib.repr(_servers.shown(value) if isinstance(value, str) else value)
    return text if isinstance(value, int | float | str | None) else f"{text} ({type(value).__name__})"


def hint(name: str, known: Sequence[str], most: int = 10) -> str:
    """What an unknown name may have meant: the closest known one, else some of those that there are."""
    close = difflib.get_close_matches(name, known, n=1)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known[:most])}{more}"


def refuse_without(what: str, extra: str, *modules: str) -> None:
    """Raise a CallError where one of these modules is not installed.

    Args:
        what: needs them, such as "ONNX files".
        extra: of attcell, which brings them.
        modules: their names as they are imported.
    """
    lacking = [name for name in modules if find_spec(name) is None]
    if lacking:
        raise CallError(f"{what} need {', '.join(lacking)}, not installed here; install: {installing(extra)}")
