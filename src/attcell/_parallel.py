"""Work in parallel: processes, and the threads of each."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.queues import SimpleQueue
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from attcell._log import are_on_stderr, show_on_stderr
from attcell._shared_memory import why_nothing_is_shared
from attcell.errors import AttcellError, CallError

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_AHEAD = 2  # items that wait for a thread
THREADS = 4  # that write

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def one_thread() -> Iterator[None]:
    """For small work: two threads gain little there, and lose much where another process wants the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_order(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """The function's results, in the order of the items, which are taken in this thread meanwhile: some more
    than there are threads, and no further.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > threads + _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class Background:
    """Threads that write while a backbone goes on, for most of a write is waiting for the disk.

    What goes wrong in one is raised by the next :meth:`do`, or at the end; a bounded number waits.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS)
        self._waiting: deque[tuple[int, Future[None]]] = deque()
        self._done: list[int] = []

    def do(self, work: Callable[[], None], place: int = 0) -> None:
        """Begin some work, of the item of this place."""
        self._take(2 * THREADS)
        self._waiting.append((place, self._pool.submit(work)))

    def done(self) -> list[int]:
        """The items of which all work that was begun is done, each once."""
        self._take_what_is_done()
        left = {place for place, _ in self._waiting}
        found = [place for place in dict.fromkeys(self._done) if place not in left]
        self._done = [place for place in self._done if place in left]
        return found

    def wait(self) -> None:
        """Until all is done."""
        self._take(0)

    def _take(self, most: int) -> None:
        while len(self._waiting) > most:
            place, work = self._waiting.popleft()
            work.result()
            self._done.append(place)

    def _take_what_is_done(self) -> None:
        while self._waiting and self._waiting[0][1].done():
            self._take(len(self._waiting) - 1)

    def __enter__(self) -> Background:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)
        if kind is None:
            self.wait()


@contextmanager
def process_pool(processes: int, threads: int) -> Iterator[ProcessPoolExecutor]:
    """So many processes, each on so many threads, and each on a GPU of its own as far as there are enough;
    where there are fewer GPUs, processes share them in turn.

    At the end, also after an error, jobs that have not begun are dropped. After an interruption those that
    have begun are ended too.

    Args:
        processes: how many.
        threads: of each.

    Raises:
        CallError: processes can share nothing here.
        AttcellError: a process was ended from outside.
    """
    if reason := why_nothing_is_shared():
        raise CallError(
            f"processes cannot share memory here ({reason}), so none go side by side; mount /dev/shm, or "
            "leave --jobs out"
        )
    context = server_context()
    gpus = gpu_names()
    own = context.SimpleQueue()  # each process takes one
    for number in range(processes):
        own.put(gpus[number % len(gpus)] if len(gpus) > 1 else None)
    pool = ProcessPoolExecutor(processes, context, _start, (threads, are_on_stderr(), own))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise AttcellError(
            "a process was ended from outside, perhaps for lack of memory; run again to go on, with fewer "
            "--jobs or --workers"
        ) from error
    except KeyboardInterrupt:
        for process in pool._processes.values():
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def as_they_end(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], at_once: int
) -> Iterator[tuple[Item, Result]]:
    """Each item with what the function gives of it, as they end; so many are in the pool at a time, and none
    is begun before it is asked for, so that whoever has enough may stop.
    """
    left, running = iter(items), dict[Future[Result], Item]()
    try:
        while True:
            for item in islice(left, at_once - len(running)):
                running[pool.submit(function, item)] = item
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except KeyboardInterrupt:
        running.clear()  # nobody waits for them
        raise
    finally:
        wait(running)


def gpu_names() -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    count = torch.cuda.device_count()
    named = os.environ.get(_VISIBLE) or ",".join(map(str, range(count)))
    return [name.strip() for name in named.split(",")][:count]


def server_context() -> BaseContext:
    """A fork of a process with threads may hang. So a server without threads is forked, which has imported
    everything once; where there is none, each process is spawned, and imports everything itself.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["attcell.research.driver", "attcell.training.fit"])
    return context


def _start(threads: int, shows_messages: bool, own_gpu: SimpleQueue[str | None]) -> None:
    """A process sees its own GPU alone, from before anything asks for one.

    It would start what loads its data in the way that it was started itself, at some cost in each epoch; so
    it starts processes as its parent does.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the parent ends it
    gpu = own_gpu.get()
    if gpu is not None:
        os.environ[_VISIBLE] = gpu
    torch.set_num_threads(threads)
    if shows_messages:
        show_on_stderr()
    threading.Thread(target=end_with_parent, daemon=True).start()
    multiprocessing.set_start_method(None, force=True)


def in_own_process(function: Callable[[], Result]) -> Result:
    """What a function returns that may crash its process, as some libraries do. It runs in a fork of this
    process; where there is no fork, or none is allowed, in this one.

    Raises:
        RuntimeError: the function raised an error, whose text this has, or its process has ended.
    """
    if sys.platform != "linux" or multiprocessing.current_process().daemon:
        return function()
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(theirs, function), daemon=True)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of forks beside threads
        process.start()
    theirs.close()
    try:
        found, error = Line(ours).receive()
    except (EOFError, OSError):
        process.join()
        status = process.exitcode or 0
        how = signal.Signals(-status).name if status < 0 else "by its own exit"
        raise RuntimeError(f"reading it crashes the process ({how})") from None
    finally:
        ours.close()
    process.join()
    if error:
        raise RuntimeError(error)
    result: Result = found
    return result


def _tell(connection: Connection, function: Callable[[], object]) -> None:
    import resource  # not on every system

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    for end in (signal.SIGTERM, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT, signal.SIGILL):
        signal.signal(end, signal.SIG_DFL)  # the parent tells of it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    torch.set_num_threads(1)  # a fork has none of the others, and would wait for them
    line = Line(connection)
    try:
        line.send((function(), ""))
    except Exception as error:
        line.send((None, str(error) or type(error).__name__))


def end_with_parent() -> None:
    """A killed run must not leave processes behind that go on writing beside the run that takes over."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


class Line:
    """One end of what two processes talk through.

    Arrays and tensors go through it as they are, not through shared memory, of which some machines have
    little. :meth:`send` waits until the other end has read most of it.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        """Send what can be pickled, from any thread."""
        apart: list[pickle.PickleBuffer] = []
        whole = io.BytesIO()
        _Pickler(whole, protocol=5, buffer_callback=apart.append).dump(message)
        parts = [buffer.raw() for buffer in apart]
        with self._lock:
            self.connection.send_bytes(pickle.dumps((whole.getvalue(), [part.nbytes for part in parts])))
            for part in parts:
                self.connection.send_bytes(part)

    def receive(self) -> Any:
        """The next message, when all of it has come.

        Raises:
            EOFError, OSError: the other process has ended.
        """
        whole, lengths = pickle.loads(self.connection.recv_bytes())  # noqa: S301 of a process that we started
        parts = [np.empty(length, np.uint8) for length in lengths]
        for part in parts:
            self.connection.recv_bytes_into(part)
        return pickle.loads(whole, buffers=parts)  # noqa: S301


class _Pickler(pickle.Pickler):
    """Tensors of the CPU go as arrays."""

    def reducer_override(self, value: object) -> Any:
        if type(value) is Tensor and value.device.type == "cpu" and not value.requires_grad:
            return torch.from_numpy, (value.numpy(),)
        return NotImplemented
