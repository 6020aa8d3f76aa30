"""Processes in which several trainings or tests go side by side."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import torch


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
