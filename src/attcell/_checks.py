"""Looking at what Python users hand in, so that a mistake ends in one clear message."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from numbers import Integral
from pathlib import Path
from typing import Any

from attcell import _servers
from attcell._urls import path_or_url
from attcell.errors import CallError


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
