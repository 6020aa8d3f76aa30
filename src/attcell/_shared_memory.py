"""Memory that processes share. Tensors go through it from one process to another, and some machines have
little of it.
"""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.reduction import ForkingPickler
from typing import Any

import torch
from torch.multiprocessing.reductions import reduce_storage
from torch.utils.data import DataLoader, Dataset

from attcell._checks import flat
from attcell._log import logger
from attcell.errors import TrainingError

_FOR_LOCKS = 1 << 20  # bytes that tensors leave free


def workers_for(wanted: int) -> int:
    """How many processes may be used: as many as are wanted; or 0, with a warning, where no memory can be
    shared. Then this process does their work.
    """
    if wanted > 0 and (reason := why_nothing_is_shared()):
        logger.warning(
            f"processes cannot share memory here ({reason}), so one process does all the work, slower; mount "
            "/dev/shm, in Docker by --shm-size=8g"
        )
        return 0
    return wanted


@cache
def why_nothing_is_shared() -> str:
    """Why processes can hand nothing over; "" where they can."""
    if _shared_bytes_left() < 0:
        return "less than 1 MiB is free"
    try:
        multiprocessing.Lock()
        torch.zeros(1).share_memory_()
    except (OSError, ImportError, RuntimeError) as error:
        return getattr(error, "strerror", None) or str(error).split("\n")[0]
    return ""


def data_loader(videos: Dataset[Any], **arguments: Any) -> DataLoader[Any]:
    """PyTorch's data loader with these arguments. Its processes can hand pictures over also where shared
    memory is full.
    """
    return DataLoader(videos, worker_init_fn=_begin, **arguments)


def _begin(_: int) -> None:
    """Replace PyTorch's way to hand over a tensor's values, in a loader's process and in no other."""
    ForkingPickler.register(torch.UntypedStorage, _handed_over)


@contextmanager
def loading() -> Iterator[None]:
    """Within this, say it clearly if a process that loads videos ends.

    Raises:
        TrainingError: one has ended.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise TrainingError(
            f"a process that decodes videos has ended ({flat(error)}): `attcell data check` "
            "names a video that does that. Take it out of the source and train anew; or where the machine was"
            " short of memory, go on with --resume"
        ) from None


def _handed_over(storage: torch.UntypedStorage) -> Any:
    """What another process gets of a tensor's values: a place in shared memory; or where that is full, the
    values themselves. PyTorch alone would lose them, and the other process would wait for ever.
    """
    if not storage.is_cuda and storage.nbytes() > max(0, _shared_bytes_left()):
        values = torch.empty(0, dtype=torch.uint8).set_(storage)
        return _values_of, (values.numpy().tobytes(),)
    return reduce_storage(storage)


def _shared_bytes_left() -> float:
    """How many bytes are free for tensors; endless where the system does not tell."""
    try:
        disk = os.statvfs("/dev/shm")
    except OSError:  # another system, which keeps them elsewhere
        return math.inf
    return disk.f_bavail * disk.f_frsize - _FOR_LOCKS


def _values_of(content: bytes) -> torch.UntypedStorage:
    _tell_of_full_memory()
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).untyped_storage()


@cache
def _tell_of_full_memory() -> None:
    logger.warning(
        "the memory that processes share is full, so they hand pictures over in a slower way; enlarge "
        "/dev/shm, in Docker by --shm-size=8g, or take fewer data.workers"
    )
