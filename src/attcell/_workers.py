"""Videos side by side in worker processes, and what becomes of those that end theirs (``_walls.py``)."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
import warnings
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from attcell._log import logger
from attcell._parallel import Line, server_context
from attcell._walls import SECONDS, Task, limits, work
from attcell.errors import VideoError

_LOOK_EVERY = 0.5  # seconds, whether a worker is silent
_SHORT = 1.0  # seconds; a worker that did a video in less is given the next one ahead

_ALLOTTED: list[int] = []  # of a worker of a cluster: processes beside it

Item = TypeVar("Item")
Part = TypeVar("Part")
Result = TypeVar("Result")


def _nothing() -> None:
    """What a worker begins with where nobody asks for more."""


class Event(NamedTuple, Generic[Part]):
    """What came of one of the items.

    Attributes:
        place: its number, from 0.
        kind: it begins; or begins again, and what came of it is void; a part; it ends.
        part: of a part.
        error: why it ends early.
    """

    place: int
    kind: str
    part: Part | None = None
    error: VideoError | None = None


def walled(
    produce: Callable[[Item], Iterable[Part]],
    items: Sequence[Item],
    path_of: Callable[[Item], Path],
    *,
    workers: int,
    prepare: Callable[[], None] = _nothing,
    ahead: int | None = None,
    on_gpu: bool = False,
) -> Generator[Event[Part], None, None]:
    """What comes of the items, several at a time, the parts of each in their order. One item alone is done in
    this process, except in a worker of a cluster.

    Args:
        produce: gives the parts of an item, which are sent between processes; a VideoError is the item's own.
        items: videos.
        path_of: an item's file.
        workers: processes. Each is at most one part ahead of what was taken here.
        prepare: is called in each worker at its start; there PyTorch has one thread.
        ahead: so many items may be begun from the first on that has not ended; by default any number.
        on_gpu: ``produce`` computes on a GPU. Then it, ``prepare`` and the items must be such as can be
            pickled.

    Raises:
        Exception: whatever ``produce`` raises else.
    """
    if not decodes_apart(items):
        return _here(produce, items[0])
    task = Task(produce, items, prepare, limits().gib, logger.getEffectiveLevel())
    return _Crew(task, path_of, min(workers, len(items), *_ALLOTTED), ahead, on_gpu).events()


def decodes_apart(items: Sequence[Item]) -> bool:
    """Whether :func:`walled` does these items in other processes."""
    return len(items) != 1 or bool(_ALLOTTED)


def allot(processes: int) -> None:
    """From now on this process is a worker of a cluster, on whose machine there are others: it has so many
    processes beside it at most, and no video is decoded in this one.
    """
    _ALLOTTED[:] = [processes]


def in_turn(
    events: Iterable[Event[Part]],
    begin: Callable[[int], Callable[[Part], None]],
    end: Callable[[int], Result],
) -> Iterator[tuple[int, Result | VideoError]]:
    """In the order of the items, each one's place and what it comes to, or why it is not done.

    Args:
        events: of :func:`walled`.
        begin: takes a place, and gives what takes the item's parts.
        end: what an item comes to whose parts have all been taken.
    """
    takes: dict[int, Callable[[Part], None]] = {}
    done: dict[int, Result | VideoError] = {}
    following = 0
    for place, kind, part, error in events:
        if kind == "begins":
            takes[place] = begin(place)
        elif kind == "part":
            takes[place](part)  # type: ignore[arg-type]
        else:
            takes.pop(place, None)
            done[place] = end(place) if error is None else error
        while following in done:
            yield following, done.pop(following)
            following += 1


def results_in_turn(
    function: Callable[[Item], Result], items: Sequence[Item], path_of: Callable[[Item], Path], workers: int
) -> Iterator[Result | VideoError]:
    """What a function gives of each item, in their order, or why it gives nothing; as :func:`walled`."""
    given: dict[int, list[Result]] = {}
    events = walled(partial(_only, function), items, path_of, workers=workers)
    found = in_turn(
        events, lambda place: given.setdefault(place, []).append, lambda place: given.pop(place)[-1]
    )
    return (result for _, result in found)


class _BeginsAgain(Exception):
    """What came of an item so far is void."""


def one_by_one(
    produce: Callable[[Item], Iterable[Part]],
    items: Sequence[Item],
    path_of: Callable[[Item], Path],
    consume: Callable[[Item, Iterator[Part]], Result],
    *,
    prepare: Callable[[], None] = _nothing,
    on_gpu: bool = False,
) -> Iterator[tuple[Item, Result | VideoError]]:
    """Each item with what is made here of its parts, or why it is not done, in their order. A worker goes
    ahead by a part, or to the next item; arguments as of :func:`walled`.

    Args:
        consume: may be called again for an item whose worker ended.
    """
    with closing(walled(produce, items, path_of, workers=1, prepare=prepare, on_gpu=on_gpu)) as events:
        for item in items:
            found: Result | VideoError | None = None
            begun = False
            while found is None:
                try:
                    found = consume(item, _parts_of_one(events, begun=begun))
                except _BeginsAgain:
                    begun = True
                except VideoError as error:
                    found = error
            yield item, found


def the_one(found: Iterable[tuple[Item, Result | VideoError]]) -> Result:
    """The result of the only item that :func:`one_by_one` gave; where it has none, the reason is raised."""
    ((_, result),) = found
    if isinstance(result, VideoError):
        raise result
    return result


def _parts_of_one(events: Iterator[Event[Part]], *, begun: bool) -> Iterator[Part]:
    """The parts of the item that begins next, or has begun."""
    for _, kind, part, error in events:
        if kind == "part":
            yield part  # type: ignore[misc]
        elif kind == "begins":
            if begun:
                raise _BeginsAgain
            begun = True
        elif error is not None:
            raise error
        else:
            return


def _only(function: Callable[[Item], Result], item: Item) -> Iterator[Result]:
    yield function(item)


def _here(produce: Callable[[Item], Iterable[Part]], item: Item) -> Generator[Event[Part], None, None]:
    yield Event(0, "begins")
    try:
        for part in produce(item):
            yield Event(0, "part", part)
    except VideoError as error:
        yield Event(0, "ends", error=error)
        return
    yield Event(0, "ends")


@dataclass(eq=False)
class _Worker:
    """A process, and what it was given: the first of ``given`` is being done if it has ``begun``."""

    process: BaseProcess
    line: Line
    given: deque[int] = field(default_factory=deque)
    begun: float | None = None
    heard: float = field(default_factory=time.monotonic)
    has_done: bool = False
    is_quick: bool = False
    is_silent: bool = False

    def give(self, place: int) -> None:
        if not self.given:
            self.heard = time.monotonic()
        self.given.append(place)
        with suppress(OSError):  # it has ended, which is seen when it is heard
            self.line.connection.send(place)

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.line.connection.close()


class _Crew(Generic[Item, Part]):
    """Workers, and what each of them does."""

    def __init__(
        self,
        task: Task[Item, Part],
        path_of: Callable[[Item], Path],
        most: int,
        ahead: int | None,
        on_gpu: bool,
    ) -> None:
        self._task, self._path_of, self._most = task, path_of, max(1, most)
        self._ahead = len(task.items) if ahead is None else ahead
        self._seconds = limits().seconds
        methods = multiprocessing.get_all_start_methods()
        # A fork knows what was registered in Python, begins at once, and may use no GPU that its parent used.
        is_forked = not on_gpu and "fork" in methods and sys.platform == "linux"
        self._context = multiprocessing.get_context("fork") if is_forked else server_context()
        self._workers: list[_Worker] = []
        self._left = deque(range(len(task.items)))  # never begun, in order
        self._undone = OrderedDict.fromkeys(self._left)
        self._suspects: deque[int] = deque()  # ended a worker once
        self._alone: int | None = None  # the one of them that is tried again

    def events(self) -> Generator[Event[Part], None, None]:
        try:
            while self._undone:
                self._hand_out()
                by_connection = {worker.line.connection: worker for worker in self._workers}
                heard = [by_connection[of] for of in wait(list(by_connection), _LOOK_EVERY)]  # type: ignore[index]
                for worker in heard:
                    yield from self._hear(worker)
                for worker in self._workers:
                    if worker not in heard:
                        self._end_if_silent(worker)
        finally:
            for worker in self._workers:
                worker.end()

    def _hand_out(self) -> None:
        if self._alone is not None:
            return
        if self._suspects:
            if not any(worker.given for worker in self._workers):
                self._alone = self._suspects.popleft()
                while self._workers:
                    self._workers.pop().end()
                self._start().give(self._alone)
            return
        while self._left and self._left[0] < next(iter(self._undone)) + self._ahead:
            free = [worker for worker in self._workers if len(worker.given) < 1 + worker.is_quick]
            worker = min(free, key=lambda worker: len(worker.given), default=None)
            if (worker is None or worker.given) and len(self._workers) < self._most:
                worker = self._start()
            if worker is None:
                return
            worker.give(self._left.popleft())

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=work, args=(theirs, self._task), daemon=True)  # type: ignore[attr-defined]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: see work
            process.start()
        theirs.close()
        self._workers.append(_Worker(process, Line(ours)))
        return self._workers[-1]

    def _hear(self, worker: _Worker) -> Iterator[Event[Part]]:
        """The next of what a worker has to say."""
        try:
            kind, place, content = worker.line.receive()
        except (EOFError, OSError):
            yield from self._ended(worker)
            return
        worker.heard = time.monotonic()
        if kind == "log":
            logger.handle(content)
        elif kind == "raises":
            raise content
        elif kind == "begins":
            worker.begun = worker.heard
            yield Event(place, kind)
        elif kind == "part":
            yield Event(place, kind, content)
        elif kind == "ends":
            assert worker.begun is not None, "it has begun"
            worker.is_quick = worker.heard - worker.begun < _SHORT
            worker.begun, worker.has_done = None, True
            worker.given.popleft()
            yield self._done(place, content)

    def _done(self, place: int, error: VideoError | None) -> Event[Part]:
        del self._undone[place]
        if self._alone == place:
            self._alone = None
        return Event(place, "ends", error=error)

    def _end_if_silent(self, worker: _Worker) -> None:
        if self._seconds is None or not worker.given or worker.line.connection.poll():
            return  # or it spoke while its parent was busy
        if time.monotonic() - worker.heard > self._seconds:
            worker.is_silent = True
            worker.process.kill()  # which is heard

    def _ended(self, worker: _Worker) -> Iterator[Event[Part]]:
        """A worker is no more: what it had not begun goes to others, and what ended it is tried alone."""
        worker.process.join()
        self._workers.remove(worker)
        worker.line.connection.close()
        had_its_time = worker.process.exitcode == 0 and worker.begun is None and worker.has_done
        if worker.given and not had_its_time:
            place = worker.given.popleft()
            if self._alone == place:
                fault = f"{self._path_of(self._task.items[place])}: {self._fault(worker)}, and again alone"
                yield self._done(place, VideoError(f"{fault}; leave it out"))
            else:
                self._suspects.append(place)
        self._left.extendleft(reversed(worker.given))
        self._left = deque(sorted(self._left))

    def _fault(self, worker: _Worker) -> str:
        code = worker.process.exitcode or 0
        if worker.is_silent:
            return f"decoding it gave no sign of life for {self._seconds:g} s (${SECONDS})"
        if code >= 0:
            return f"decoding it ended its process, with status {code}"
        name = signal.Signals(-code).name
        return f"decoding it crashed its process ({name})" + (
            ", perhaps for lack of memory" if -code == signal.SIGKILL else ""
        )
