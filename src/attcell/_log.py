"""Messages to people go through the logger ``attcell``; progress with the time left goes to stderr.

Python users silence or collect messages as those of any library. The command line shows them all. Bars are
drawn where stderr is a terminal.
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


class _ToStderr(logging.Handler):
    """Plain lines on whatever ``sys.stderr`` is now; a progress bar moves out of their way."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)


_TO_STDERR = _ToStderr()


@contextmanager
def messages_on_stderr() -> Iterator[None]:
    """Show every message of attcell on stderr meanwhile, as the command line does."""
    if are_on_stderr():
        yield
        return
    before = logger.level, logger.propagate
    logger.addHandler(_TO_STDERR)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(_TO_STDERR)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def are_on_stderr() -> bool:
    """Whether messages are shown by :func:`messages_on_stderr` now."""
    return _TO_STDERR in logger.handlers


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar with the count done, the time gone and the time left."""
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
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield progress


def track(items: Iterable[T], total: int, description: str) -> Iterator[T]:
    """Pass the items on, with a bar that says how far it is."""
    with progress_bar() as progress:
        task = progress.add_task(description, total=total, note="")
        for item in items:
            yield item
            progress.advance(task)
