"""Ctrl-C during a training: it ends between two batches, and not in the middle of anything."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any

import lightning as L


class Interruption(L.Callback):
    """Raises KeyboardInterrupt before the next batch once it was asked for.

    Raised by the signal itself it could come in a destructor, where Python swallows it; and the processes
    that decode, which a terminal signals too, would die of it.
    """

    def __init__(self) -> None:
        self._asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within this, SIGINT asks for the end (only the main thread can listen)."""
        if current_thread() is not main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def on_train_batch_start(self, *_: Any) -> None:
        self._end()

    def on_validation_batch_start(self, *_: Any) -> None:
        self._end()

    def _ask(self, *_: Any) -> None:
        self._asked = True

    def _end(self) -> None:
        if self._asked:
            raise KeyboardInterrupt
