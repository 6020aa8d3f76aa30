"""What a worker on some machine of the cluster does: a block of videos by the function that one process
would have called, and with the same walls."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from threading import Lock, Timer
from typing import Any, NamedTuple

import torch

import attcell
from attcell._checks import flat
from attcell._log import logger
from attcell._paths import is_missing, is_shown
from attcell._ray.entry import Sent
from attcell._ray.ledger import Begun
from attcell._ray.wire import dumps, loads
from attcell._urls import is_url
from attcell._workers import allot
from attcell.errors import AttcellError, DataError, VideoError
from attcell.flow import use_cores

OURS = "ATTCELL_"  # variables of the environment that go along
_TOGETHER = 1.0  # seconds; answers go out that often
_TOLD_EVERY = 0.03  # seconds; the ledger is told that often


class Job(NamedTuple):
    """What is done with videos, and the file of each."""

    function: Callable[[Sequence[Any]], Iterable[Any]]
    path_of: Callable[[Any], Path]


class Answer(NamedTuple):
    """What came of one video.

    Attributes:
        place: its number, from 0.
        result: of the function; where it failed, the error, which ends all.
        is_error: it failed.
        lacking: the node, if it has no such file.
        messages: that came meanwhile.
    """

    place: int
    result: Any
    is_error: bool = False
    lacking: str = ""
    messages: tuple[logging.LogRecord, ...] = ()


def versions() -> dict[str, str]:
    """What must be the same on every machine, for equal results."""
    python = ".".join(map(str, sys.version_info[:2]))
    return {"attcell": attcell.__version__, "torch": torch.__version__, "Python": python}


_KEPT: dict[str, Job] = {}  # of this process, by the list's name


class Block:
    """One block in a worker.

    Args:
        sent: what all blocks have in common.
        first: its first video's number.
    """

    def __init__(self, sent: Sent, first: int) -> None:
        import ray

        self._ray: Any = ray
        self._sent, self._first = sent, first
        self._items: Sequence[Any] = ()
        self._rows: tuple[int, ...] = ()  # where they ended before
        self._ledger: Any = ray.get_actor(sent.ledger)
        self._node = ray.get_runtime_context().get_node_id()
        self._messages = _Messages()
        self._telling = _Telling(self._tell)

    def rows(self, content: memoryview) -> Iterator[bytes]:
        """The answers to its videos, those of about a second each; of a block that was begun before, first
        the same rows again.
        """
        row, since, end = list[bytes](), time.monotonic(), self._first
        for answer in self._answers(content):
            row.append(answer)
            end += 1
            is_new = end > max(self._rows, default=0)
            is_last = end == self._first + len(self._items)
            if is_new and (is_last or time.monotonic() - since > _TOGETHER):
                self._telling.send()
                self._ray.get(self._ledger.sends.remote(self._sent.run, self._first, end))
            elif end not in self._rows:
                continue
            yield dumps(row)
            row, since = [], time.monotonic()
        if row:  # with an error
            yield dumps(row)

    def _answers(self, content: memoryview) -> Iterator[bytes]:
        """Of all its videos, in their order; of those up to an error that ends all."""
        settle(self._sent, self._messages)
        place = self._first
        try:
            job = self._job()
            self._items = self._taken(content)
            begun = self._begun()
            self._rows = begun.rows
            for place, answer in self._of_all(job, begun):  # noqa: B007 the error is of this place
                yield answer
        except Exception as error:
            yield _error(place, error, self._where)
            return
        self._ledger.ends.remote(self._sent.run, self._first)

    def _begun(self) -> Begun:
        sent, count = self._sent, len(self._items)
        asked = self._ledger.begins.remote(sent.run, self._first, count, self._node, sent.cores)
        begun: Begun = self._ray.get(asked)
        return begun

    def _job(self) -> Job:
        sent = self._sent
        if sent.run not in _KEPT:
            _KEPT.clear()
            self._refuse_other_versions()
            refuse_other_stores(self._sent, self._where)
            given = self._ray.get(self._ledger.function.remote(sent.run))
            if not given:
                raise AttcellError(
                    "workers end again and again while they take the network, perhaps for lack of memory; "
                    "give the nodes more, or let fewer workers run on one (ray start --num-cpus)"
                )
            _KEPT[sent.run] = self._taken(self._ray.get(given[0]))
        return _KEPT[sent.run]

    def _taken(self, content: bytes | memoryview) -> Any:
        try:
            return loads(content)
        except (ImportError, AttributeError) as error:
            raise DataError(
                f"{self._where} cannot take the work ({flat(error)}); install there what is installed here"
            ) from error

    @property
    def _where(self) -> str:
        return f"the node {self._ray.util.get_node_ip_address()} ({self._node[:8]})"

    def _refuse_other_versions(self) -> None:
        here, wanted = versions(), self._sent.versions
        differing = [
            f"{name} {here[name]} instead of {of}" for name, of in wanted.items() if here[name] != of
        ]
        if differing:
            raise DataError(
                f"{self._where} has {', '.join(differing)}, and results would differ; install the same there"
            )

    def _of_all(self, job: Job, begun: Begun) -> Iterator[tuple[int, bytes]]:
        def group_of(place: int) -> int:
            """Videos that are done together have the same number."""
            is_single = place in begun.answers or place in begun.alone or place in begun.left_out
            return place if is_single else -1

        places = range(self._first, self._first + len(self._items))
        for key, group in groupby(places, group_of):
            together = list(group)
            if key in begun.answers:
                yield key, begun.answers[key]
            elif key in begun.left_out:
                yield key, self._told(Answer(key, self._fault(job.path_of(self._of(key)))))
            else:
                yield from self._of_some(job, together)

    def _of_some(self, job: Job, places: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        items = [self._of(place) for place in places]
        paths = map(job.path_of, items)
        lacking = [self._where if not is_url(path) and is_missing(path) else "" for path in paths]
        for place, lacks, result in zip(places, lacking, job.function(items), strict=True):
            yield place, self._told(Answer(place, result, lacking=lacks, messages=self._messages.taken()))

    def _of(self, place: int) -> Any:
        return self._items[place - self._first]

    def _told(self, answer: Answer) -> bytes:
        content = dumps(answer)
        self._telling.add(answer.place, content)
        return content

    def _tell(self, answers: dict[int, bytes]) -> None:
        self._ledger.answered.remote(self._sent.run, self._first, answers)

    def _fault(self, path: Path) -> VideoError:
        return VideoError(
            f"{path}: the work on it ended its process on {self._where}, and again alone, perhaps for lack "
            "of memory; leave it out"
        )


class _Telling:
    """Tells the ledger of answers: at once, but those of some hundredths of a second together, for a message
    takes some thousandths. What it was not told of is done again where the worker ends.
    """

    def __init__(self, tell: Callable[[dict[int, bytes]], object]) -> None:
        self._tell = tell
        self._waiting: dict[int, bytes] = {}
        self._sent = 0.0
        self._lock = Lock()

    def add(self, place: int, answer: bytes) -> None:
        with self._lock:
            self._waiting[place] = answer
            is_first = len(self._waiting) == 1
            left = self._sent + _TOLD_EVERY - time.monotonic()
        if left <= 0:
            self.send()
        elif is_first:
            timer = Timer(left, self.send)
            timer.daemon = True
            timer.start()

    def send(self) -> None:
        """Tell what waits."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            self._sent = time.monotonic()
            if waiting:
                self._tell(waiting)


def refuse_other_stores(sent: Sent, where: str) -> None:
    """Raise a DataError where a folder that the work is written to is not the driver's: it would be lost."""
    for sign in sent.signs:
        if not is_shown(sign, sent.patience):
            raise DataError(
                f"{where} does not have the folder {sign.parent} that the command writes to, or another one "
                "of this name; choose one on a disk that all nodes share"
            )


def _error(place: int, error: Exception, where: str) -> bytes:
    """The error as an answer. It names the node, also where nobody sees its traceback."""
    error.add_note(f"on {where}:\n{traceback.format_exc()}")
    if isinstance(error, AttcellError) and where not in str(error):
        error.args = (f"{where}: {error}",)
    answer = Answer(place, error, is_error=True)
    try:
        loads(content := dumps(answer))
    except Exception:  # it cannot be sent, or not be made again
        told = RuntimeError(f"{type(error).__name__}: {error}")
        told.add_note(error.__notes__[-1])
        return dumps(answer._replace(result=told))
    return content


def settle(sent: Sent, messages: logging.Handler) -> None:
    """Make this process like the driver's, where that matters to results."""
    with suppress(OSError):  # then relative paths are missing, which is told of each
        os.chdir(sent.folder)
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    os.environ.update(sent.environment)
    if not sent.computes:  # a GPU belongs to those that run a network
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    torch.set_num_threads(sent.threads)
    allot(sent.cores)
    use_cores(sent.cores)
    logger.handlers, logger.propagate = [messages], False
    logger.setLevel(sent.level)


class _Messages(logging.Handler):
    """They are shown by the driver, except how far a block is."""

    def __init__(self) -> None:
        super().__init__()
        self._come: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "event", {}).get("event") != "progress":
            record.msg, record.args, record.exc_info = record.getMessage(), None, None
            self._come.append(record)

    def taken(self) -> tuple[logging.LogRecord, ...]:
        come, self._come = tuple(self._come), []
        return come
