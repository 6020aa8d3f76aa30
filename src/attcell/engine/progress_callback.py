"""The progress bar of a training: iterations, loss, validation accuracy, time left."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import lightning as L

from attcell.progress import progress_bar


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
