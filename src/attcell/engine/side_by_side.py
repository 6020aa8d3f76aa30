"""Several trainings or tests side by side: processes, and the threads of each."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

import torch

from attcell.errors import AttcellError


@contextmanager
def one_thread() -> Iterator[None]:
    """For small work: two threads gain little there, and lose much where another process wants the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def process_pool(processes: int, threads: int) -> Iterator[ProcessPoolExecutor]:
    """So many processes, each on so many threads. They are spawned, for a fork of threads may hang.

    At the end, also by an error, what has not begun is not begun any more.

    Raises:
        AttcellError: a process was ended from outside.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, _start, (threads,))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise AttcellError(
            "a process was ended from outside, perhaps for lack of memory; run again to go on, with fewer "
            "side by side"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start(threads: int) -> None:
    """A spawned process would spawn too what loads its data, and import everything anew in each epoch; so it
    starts processes as its parent does.
    """
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    multiprocessing.set_start_method(None, force=True)


def _end_with_parent() -> None:
    """A killed run must not leave processes behind that go on writing beside the run that takes over."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
