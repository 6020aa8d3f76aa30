"""Several trainings or tests side by side: processes, and the threads of each."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """For small work: two threads gain little there, and lose much where another process wants the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def process_pool(processes: int, threads: int) -> ProcessPoolExecutor:
    """So many processes, each on so many threads. They are spawned, for a fork of threads may hang."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, context, _start, (threads,))


def _start(threads: int) -> None:
    """A spawned process would spawn too what loads its data, and import everything anew in each epoch; so it
    starts processes as its parent does.
    """
    torch.set_num_threads(threads)
    multiprocessing.set_start_method(None, force=True)
