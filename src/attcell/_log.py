"""Messages to people go through the logger ``attcell``; bars with the time left go to stderr.

A Python program shows or collects the messages as those of any library; by default nothing is printed. The
command line shows all of them. Bars are drawn on a terminal for whoever sees messages of the level INFO:
``logging.basicConfig(level=logging.INFO)`` brings both.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")


logger = logging.getLogger("attcell")
logger.addHandler(logging.NullHandler())  # else Python itself prints warnings where nobody set anything up


class _ToStderr(logging.Handler):
    """Plain lines on what ``sys.stderr`` is at the moment; a bar of rich takes its place, and lets them pass
    above itself.
    """

    def emit(self, record: logging.LogRecord) -> None:
        level = "warning: " if record.levelno >= logging.WARNING else ""
        print(f"{level}{self.format(record)}", file=sys.stderr, flush=True)


_TO_STDERR = _ToStderr()


@contextmanager
def messages_on_stderr() -> Iterator[None]:
    """Show every message of attcell on stderr meanwhile, as the command line does."""
    if are_on_stderr():
        yield
        return
    before = logger.level, logger.propagate
    show_on_stderr()
    try:
        yield
    finally:
        logger.removeHandler(_TO_STDERR)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def show_on_stderr() -> None:
    """Show every message of attcell on stderr from now on."""
    logger.addHandler(_TO_STDERR)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def are_on_stderr() -> bool:
    """Whether messages are shown by :func:`messages_on_stderr` now."""
    return _TO_STDERR in logger.handlers


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar with the count done, the time gone and the time left, where messages are seen on a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    shown = console.is_terminal and logger.isEnabledFor(logging.INFO)
    with Progress(*columns, console=console, disable=not shown, transient=True) as progress:
        yield progress


def track(items: Iterable[T], total: int, description: str) -> Iterator[T]:
    """Pass the items on, with a bar that says how far it is."""
    with progress_bar() as progress:
        task = progress.add_task(description, total=total, note="")
        for item in items:
            yield item
            progress.advance(task)
