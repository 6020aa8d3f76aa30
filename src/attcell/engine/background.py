"""Work that goes on beside the main thread's."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

THREADS = 4


class Background:
    """Threads that write while a backbone goes on, for most of a write is waiting for the disk.

    What goes wrong in one is raised by the next :meth:`do`, or at the end; a bounded number waits.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS)
        self._waiting: deque[Future[None]] = deque()

    def do(self, work: Callable[[], None]) -> None:
        while len(self._waiting) > 2 * THREADS:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(work))

    def __enter__(self) -> Background:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)
        for one in self._waiting if kind is None else ():
            one.result()
