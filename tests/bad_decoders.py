"""A decoder that does to its process what a file's name says."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang() -> None:
    time.sleep(1000)


def _eat() -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    assert limit != resource.RLIM_INFINITY, "nothing holds it, and the machine would go down"
    np.ones(40 * 2**30, np.uint8)


def _raise() -> None:
    raise RuntimeError("no such side data")


DOES: dict[str, Callable[[], None]] = {
    "raises": _raise, "crashes": _crash, "leaves": lambda: os._exit(3), "hangs": _hang, "eats": _eat,
}  # fmt: skip


def bad_open(file: Any, *args: Any, **options: Any) -> Any:
    """``av.open``; of a file named such as ``crashes-3.mp4`` it does that."""
    does = DOES.get(Path(str(file)).stem.partition("-")[0])
    if does is not None:
        does()
    return _OPEN(file, *args, **options)


_OPEN = av.open
