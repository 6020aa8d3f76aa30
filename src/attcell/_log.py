"""Messages to people go through the logger ``attcell``; bars with the time left go to stderr.

Where there is no terminal, a line every 30 seconds says how far work is. What a program wants to read is an
*event*: a message with names and values (:func:`tell`), which :func:`json_lines` writes as a line of JSON.

A Python program shows or collects the messages as those of any library; by default nothing is printed. The
command line shows all of them. Bars are drawn on a terminal for whoever sees messages of the level INFO:
``logging.basicConfig(level=logging.INFO)`` brings both.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attcell._files import Lines
from attcell._terminal import escaped_stdout, is_escaped, message, one_line
from attcell.errors import AttcellError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn

T = TypeVar("T")
LINE_EVERY_SECONDS = 30.0
_LEAST_SECONDS = 1.0  # from one look whether a line is due to the next
_NARROW = 80  # columns; with fewer there is no room for a bar
_REST = 20  # columns for counts and time

logger = logging.getLogger("attcell")
logger.addHandler(logging.NullHandler())  # else Python itself prints warnings where nobody set anything up


class _ToStderr(logging.Handler):
    """Plain lines on what ``sys.stderr`` is at the moment; a bar of rich takes its place, and lets them pass
    above itself.
    """

    def emit(self, record: logging.LogRecord) -> None:
        level = "warning: " if record.levelno >= logging.WARNING else ""
        print(message(f"{level}{self.format(record)}"), file=sys.stderr, flush=True)


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
    """Show every message of attcell on stderr from now on; with ``$ATTCELL_DEBUG`` also what says more of a
    fault.
    """
    logger.addHandler(_TO_STDERR)
    logger.setLevel(logging.DEBUG if os.environ.get("ATTCELL_DEBUG") else logging.INFO)
    logger.propagate = False


def are_on_stderr() -> bool:
    """Whether messages are shown by :func:`messages_on_stderr` now."""
    return _TO_STDERR in logger.handlers


# Events, for programs


def tell(event: str, text: str, **values: Any) -> None:
    """Send a message that is an event too: JSON has its name and values beside the text."""
    logger.info(text, extra={"event": {"event": event, **values}})


def tell_programs(event: str, text: str, **values: Any) -> None:
    """The same for JSON alone: people see it in another way."""
    for handler in logger.handlers:
        if isinstance(handler, _JsonLines):
            more = {"event": {"event": event, **values}}
            handler.handle(logger.makeRecord(logger.name, logging.INFO, "", 0, text, (), None, extra=more))


class _JsonLines(logging.Handler):
    """A line of JSON for every message: ``event`` and ``text``, and the values of an event."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        plain = {"event": "warning" if record.levelno >= logging.WARNING else "message"}
        line = {**getattr(record, "event", plain), "text": self.format(record)}
        self._write(json.dumps(line))


@contextmanager
def json_lines(path: str | None) -> Iterator[None]:
    """Write every message of attcell as a line of JSON meanwhile: to a file, to stdout for a dash, or nowhere
    for None.
    """
    if path is None:
        yield
        return
    file = None if path == "-" else Lines(Path(path))
    handler = _JsonLines(partial(print, flush=True) if file is None else file.add)
    logger.addHandler(handler)
    try:
        yield
    except AttcellError as error:
        tell_programs("error", str(error))
        raise
    finally:
        logger.removeHandler(handler)
        if file is not None:
            file.close()


# One step of many


class _Within(logging.Filter):
    """Lets pass how far work is and what warns, once, while one step of many is done."""

    def __init__(self) -> None:
        super().__init__()
        self.step = ""
        self.said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        if not self.step or getattr(record, "event", {}).get("event") == "progress":
            return True
        is_new = record.getMessage() not in self.said
        self.said.add(record.getMessage())
        return is_new and record.levelno >= logging.WARNING


_WITHIN = _Within()
logger.addFilter(_WITHIN)


@contextmanager
def within(step: str) -> Iterator[None]:
    """Do one step of many, such as ``both-stan 2/5``: bars name it, messages that warn of nothing are not
    shown, and one warning is shown once.
    """
    before, _WITHIN.step = _WITHIN.step, step
    try:
        yield
    finally:
        _WITHIN.step = before


def is_within() -> bool:
    """Whether this is one step of many, which have been told of together."""
    return bool(_WITHIN.step)


# How far work is

Hear = Callable[[str, float], None]  # what is being done, and how much of it

_HEARS: ContextVar[Hear | None] = ContextVar("hears", default=None)


@contextmanager
def heard_by(hear: Hear) -> Iterator[None]:
    """Within this, every bar tells a function too how far it is, from its beginning on."""
    token = _HEARS.set(hear)
    try:
        yield
    finally:
        _HEARS.reset(token)


class Bar:
    """How far work is: a bar on a terminal, else a line every 30 seconds, also while one of few items takes
    longer. One task at a time.

    Args:
        drawn: on a terminal.
        room: columns for what is being done.
    """

    def __init__(self, drawn: Progress | None, room: int = 0) -> None:
        self._drawn, self._room = drawn, room
        self._task: Any = None
        self._description, self._of, self._note = "", "", ""
        self._total: float | None = None
        self._done = self._begun_with = 0.0
        self._started = self._told = time.monotonic()
        self._ended = threading.Event()

    def add_task(self, description: str, total: float | None, note: str = "", completed: float = 0.0) -> int:
        """Begin; ``completed`` was done before."""
        self._description = f"{_WITHIN.step}: {description}" if _WITHIN.step else description
        self._total, self._note, self._done, self._begun_with = total, note, completed, completed
        self._started = self._told = time.monotonic()
        self._of = description
        self._be_heard()
        if self._drawn is not None:
            shown = one_line(self._description)
            shown = f"{shown[: self._room - 1]}…" if len(shown) > self._room else shown
            self._task = self._drawn.add_task(shown, total=total, note=note, completed=int(completed))
        return 0

    def advance(self, task: int, amount: float = 1.0) -> None:
        """So much more is done."""
        self.update(task, completed=self._done + amount)

    def update(
        self, task: int, *, completed: float, total: float | None = None, note: str | None = None
    ) -> None:
        """So much is done of all."""
        self._done = completed
        self._total = self._total if total is None else total
        self._note = self._note if note is None else note
        self._be_heard()
        if self._drawn is not None:
            self._drawn.update(self._task, completed=completed, total=self._total, note=self._note)
        if time.monotonic() - self._told >= LINE_EVERY_SECONDS:
            self._told = time.monotonic()
            self._tell()

    def keep_telling(self) -> None:
        """Say how far it is every 30 seconds from now on, in a thread, until :meth:`end`."""
        threading.Thread(target=self._keep_telling, daemon=True).start()

    def end(self) -> None:
        """Nothing more is said."""
        self._ended.set()

    def _be_heard(self) -> None:
        if (hear := _HEARS.get()) is not None:
            hear(self._of, self._done)

    def _keep_telling(self) -> None:
        while not self._ended.wait(max(_LEAST_SECONDS, LINE_EVERY_SECONDS)):
            if self._description and time.monotonic() - self._told >= LINE_EVERY_SECONDS:
                self._told = time.monotonic()
                self._tell()

    def _tell(self) -> None:
        """A line; where a bar is drawn, of JSON alone."""
        gone = self._told - self._started
        new = self._done - self._begun_with
        left = None if self._total is None or new <= 0 else gone / new * (self._total - self._done)
        of_all = "" if self._total is None else f" of {self._total:g}"
        words = [f"{self._description}: {self._done:.0f}{of_all}", f"{minutes(gone)} gone"]
        words += [] if left is None else [f"{minutes(left)} left"]
        text = ", ".join([*words, *([self._note] if self._note else [])])
        values = {
            "doing": self._description,
            "done": round(self._done, 2),
            "total": self._total,
            "seconds": round(gone, 1),
            "left_seconds": None if left is None else round(left, 1),
        }
        (tell if self._drawn is None else tell_programs)("progress", text, **values)


def minutes(seconds: float) -> str:
    """As 0:07, 12:30 or 1:02:03."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """What shows how far work is, to whoever sees messages: on a terminal a bar with the count done, the time
    gone and the time left, or what of it a narrow one has room for.
    """
    from rich.console import Console
    from rich.progress import Progress

    is_terminal = sys.stderr is not None and sys.stderr.isatty()  # rich would believe FORCE_COLOR
    console = Console(stderr=True, force_terminal=is_terminal)
    is_shown = logger.isEnabledFor(logging.INFO)
    if not (is_terminal and is_shown) or console.is_dumb_terminal:
        bar = Bar(None)
        if is_shown:
            bar.keep_telling()
        try:
            yield bar
        finally:
            bar.end()
        return
    # What is printed meanwhile goes above the bar, but only on a terminal: into a file it goes as ever.
    is_above = sys.stdout is not None and sys.stdout.isatty()
    escaping = escaped_stdout if is_escaped() else nullcontext
    columns = _columns(console)
    with (
        Progress(*columns, console=console, transient=True, redirect_stdout=is_above) as progress,
        escaping(),  # for what is above the bar does not go through the stdout from before
    ):
        yield Bar(progress, console.width - (_REST if console.width < _NARROW else 0))


def _columns(console: Console) -> list[ProgressColumn]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    cut = Column(no_wrap=True, overflow="ellipsis")
    doing = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))
    if console.width < _NARROW:
        return [doing, MofNCompleteColumn(), TimeRemainingColumn(compact=True)]
    return [
        doing,
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False, table_column=cut),
    ]


def track(items: Iterable[T], total: int, description: str) -> Iterator[T]:
    """Pass the items on, with a bar that says how far it is."""
    with progress_bar() as bar:
        task = bar.add_task(description, total=total)
        for item in items:
            yield item
            bar.advance(task)
