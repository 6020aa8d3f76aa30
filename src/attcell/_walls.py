"""Walls between videos: what one of them does to its decoder costs this video alone.

Whatever a library raises for a video becomes its :class:`VideoError` (:func:`the_videos_own`). Of several
videos, each is decoded in a worker process (``_workers.py``), for a decoder may also crash, never end, or
want more memory than there is. Two limits end that; 0 is no limit:

- ``$ATTCELL_VIDEO_SECONDS`` (300): how long a worker may go without a sign of life: a packet that was read,
  flow of some pairs, or a part of the video that is done.
- ``$ATTCELL_VIDEO_GIB`` (8, and at most half of the machine's memory): what a worker may take beside what it
  begins with. Linux alone holds it.

A video that ends its worker is tried once more, with nothing beside it; if it does so again, it is named.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import torch

from attcell._checks import flat
from attcell._log import logger
from attcell._parallel import Line, end_with_parent
from attcell.errors import AttcellError, CallError, VideoError

SECONDS, GIB = "ATTCELL_VIDEO_SECONDS", "ATTCELL_VIDEO_GIB"
_SIGN_EVERY = 1.0  # seconds

Item = TypeVar("Item")
Part = TypeVar("Part")


class Limits(NamedTuple):
    """What one video may take in a worker; None for no limit."""

    seconds: float | None
    gib: float | None


def limits() -> Limits:
    """The limits that the environment sets, or the usual ones.

    Raises:
        CallError: one is no number.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return Limits(_limit(SECONDS, 300.0), _limit(GIB, min(8.0, memory / 2)))


def _limit(name: str, usual: float) -> float | None:
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else usual
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise CallError(f"${name} is {text!r}; give a number above 0, or 0 for no limit")
    return value or None


# What goes wrong with one video


@contextmanager
def the_videos_own(path: Path) -> Iterator[None]:
    """Whatever goes wrong meanwhile is this video's VideoError, and no end of all. Read and decode in it, and
    nothing else: what a network does wrong is no video's fault.

    Errors of attcell's own kinds pass through. What attcell's own code did wrong is told as such; its
    traceback is a message of the level DEBUG, which ``ATTCELL_DEBUG=1`` shows.
    """
    try:
        yield
    except AttcellError:
        raise
    except Exception as error:
        logger.debug("".join(traceback.format_exception(error)))
        _THIS.ran_out = _THIS.ran_out or isinstance(error, MemoryError)
        raise VideoError(f"{path}: {_reason(error)}") from error


def own_parts(path: Path, parts: Iterable[Part]) -> Iterator[Part]:
    """The parts of a video; what goes wrong in making them is its VideoError."""
    with the_videos_own(path):
        yield from parts


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"it wants more memory than {_THIS.memory}; leave it out"
    said = flat(error)[:300]
    if isinstance(error, OSError) and error.errno == errno.EAGAIN:
        return "no thread or no memory is left to decode it; end other programs, or raise limits (ulimit)"
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror or said or type(error).__name__})"
    place = traceback.extract_tb(error.__traceback__)[-1]
    file = Path(place.filename)
    kind, library = type(error).__name__, type(error).__module__.partition(".")[0]
    where = f"{kind}{f': {said}' if said else ''}, in {'/'.join(file.parts[-2:])}, line {place.lineno}"
    if Path(__file__).parent in file.parents and library in ("builtins", "attcell"):
        return f"attcell itself fails on it ({where}); please report that, with this video"
    return f"a library fails on it ({where}); leave it out, or convert it with FFmpeg"


# In a worker


@dataclass
class _ThisProcess:
    """What a worker knows of itself.

    Attributes:
        line: to the parent; None where this is no worker.
        told: when it last gave a sign of life.
        memory: how much a video may take, in words.
        ran_out: a video wanted more, and another process goes on.
    """

    line: Line | None = None
    told: float = 0.0
    memory: str = "there is"
    ran_out: bool = False


_THIS = _ThisProcess()


def alive() -> None:
    """Tell that decoding goes on; whoever decodes calls this with each packet."""
    if _THIS.line is not None and time.monotonic() - _THIS.told > _SIGN_EVERY:
        _THIS.told = time.monotonic()
        _THIS.line.send(("sign", -1, None))


@dataclass(frozen=True)
class Task(Generic[Item, Part]):
    """What the workers of one call do."""

    produce: Callable[[Item], Iterable[Part]]
    items: Sequence[Item]
    prepare: Callable[[], None]
    gib: float | None
    level: int  # of messages


def work(connection: Connection, task: Task[Item, Part]) -> None:
    """Do the items whose numbers come, one after another, and send what comes of them."""
    for number in (signal.SIGINT, signal.SIGHUP):  # of a terminal: the parent ends it
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=end_with_parent, daemon=True).start()
    line = _THIS.line = Line(connection)
    _THIS.ran_out = False
    _hold_memory(task.gib)
    torch.set_num_threads(1)  # a fork has none of the others, and would wait for them
    task.prepare()
    logger.handlers, logger.propagate = [_ToParent(line)], False
    logger.setLevel(task.level)
    while not _THIS.ran_out:
        place = connection.recv()
        line.send(("begins", place, None))
        try:
            for part in task.produce(task.items[place]):
                line.send(("part", place, part))
                del part  # before the next one is made
        except VideoError as error:
            line.send(("ends", place, error))
        except Exception as error:
            error.add_note(f"in a process that decodes:\n{traceback.format_exc()}")
            line.send(("raises", place, error))
            break
        else:
            line.send(("ends", place, None))
    os._exit(0)


def _hold_memory(gib: float | None) -> None:
    """A malloc beyond the limit fails. Files that are mapped, as libraries are, and what is only reserved do
    not count."""
    if gib is None or sys.platform != "linux":
        return
    import resource

    before = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    wanted, (_, most) = before + int(gib * 2**30), resource.getrlimit(resource.RLIMIT_DATA)
    wanted = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))
    _THIS.memory = f"the {gib:g} GiB that one may take (${GIB})"


class _ToParent(logging.Handler):
    """Messages are shown by the parent, which knows whether a bar is drawn and who else wants them."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        self._line.send(("log", -1, record))
