"""Ctrl-C during a training: it ends between two batches, and not in the middle of anything."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import current_thread, main_thread
from typing import Any

import lightning as L

from attcell._log import progress_bar


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


# The progress bar of a training: iterations, loss, validation accuracy, time left.


class TrainingProgress(L.Callback):
    """One bar over the whole training, on the first process only."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def on_train_start(self, trainer: L.Trainer, learner: Any) -> None:
        if not trainer.is_global_zero:
            return
        self._bar = self._open.enter_context(progress_bar())
        self._task = self._bar.add_task(
            "training", total=learner.iterations, completed=trainer.global_step, note=""
        )

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if not trainer.is_global_zero:
            return
        figures = {key: float(value) for key, value in trainer.callback_metrics.items()}
        shown = {"train_loss": "loss", "val_accuracy": "validation accuracy"}
        note = "  ".join(f"{name} {figures[key]:.3f}" for key, name in shown.items() if key in figures)
        self._bar.update(self._task, completed=trainer.global_step, note=note)

    def on_train_end(self, *_: Any) -> None:
        self._open.close()

    def on_exception(self, *_: Any) -> None:
        self._open.close()
