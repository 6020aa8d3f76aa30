"""Pictures of the attention on some validation videos, as a training goes. They change nothing in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning as L
import torch

from attcell._log import logger
from attcell.choices import Classifier
from attcell.config.recipe import Recipe
from attcell.config.train_section import PicturesSection
from attcell.errors import AttcellError
from attcell.inference.model import Model
from attcell.report.figures.gates import gates_picture
from attcell.report.figures.paper import attention_strip, picture_names
from attcell.training.schedule import num_validations
from attcell.training.tracking.tools import Show
from attcell.types import VideoRecord

PICTURES = "pictures"  # in the run folder
_PLAIN: Classifier = "linear"  # what an SVM takes the place of only after the iterations


@dataclass(frozen=True)
class Drawn:
    """What is drawn, where it goes, and what it takes.

    Attributes:
        section: how often, and of how many videos.
        recipe: of the training.
        labels: the classes.
        videos: the validation videos.
        run_folder: pictures go to ``pictures/ITERATION/VIDEO.png`` below it.
        shows: the tools that take them too.
        is_ending: whether the training has been told to end, so that nothing more is drawn.
    """

    section: PicturesSection
    recipe: Recipe
    labels: tuple[str, ...]
    videos: tuple[VideoRecord, ...]
    run_folder: Path
    shows: Sequence[Show] = ()
    is_ending: Callable[[], bool] = field(default=lambda: False)


class AttentionPictures(L.Callback):
    """Draws after every so many validations, and after the last one."""

    def __init__(self, drawn: Drawn) -> None:
        self._drawn = drawn
        model = drawn.recipe.model.model_copy(update={"classifier": _PLAIN})
        self._recipe = drawn.recipe.model_copy(update={"model": model})
        whole = [record for record in drawn.videos if record.frames is None]
        self._videos = in_turns(whole, drawn.section.videos)
        if not self._videos:
            logger.warning("train.pictures: all validation videos are parts of folders; none is drawn")
        self._seconds = self._began = 0.0

    def on_train_start(self, *_: Any) -> None:
        self._began = time.monotonic()

    def on_validation_end(self, trainer: L.Trainer, learner: Any) -> None:
        section, step = learner.section, learner.global_step
        number = num_validations(step, section.checkpoint_every)
        is_last = step >= learner.iterations
        if not trainer.is_global_zero or (number % self._drawn.section.every and not is_last):
            return
        start = time.monotonic()
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            self._draw(Model(learner.judged, self._drawn.labels, self._recipe), step)
        self._seconds += time.monotonic() - start

    def _draw(self, model: Model, step: int) -> None:
        folder = self._drawn.run_folder / PICTURES / f"{step:06}"
        names = picture_names([record.id for record in self._videos])
        for record, name in zip(self._videos, names, strict=True):
            if self._drawn.is_ending():
                return
            file = folder / f"{name}.png"
            try:
                found = model.predict(record.path)
                gates_picture(found, file) if found.gates else attention_strip(found, file)
            except AttcellError as error:
                logger.warning(f"train.pictures: {record.id} is not drawn: {error}")
                continue
            for show in self._drawn.shows:
                show(f"{PICTURES}/{name}", file, step)

    def on_train_end(self, *_: Any) -> None:
        if self._videos:
            share = self._seconds / max(time.monotonic() - self._began, 1e-9)
            logger.info(
                f"pictures of {len(self._videos)} validation videos took {100 * share:.0f} % of the "
                f"iterations' time: {self._drawn.run_folder / PICTURES}"
            )


def in_turns(records: Sequence[VideoRecord], most: int) -> list[VideoRecord]:
    """Some of the videos, of all classes in turn."""
    by_class: dict[int, list[VideoRecord]] = {}
    for record in records:
        by_class.setdefault(record.labels[0], []).append(record)
    turns = [of[number] for number in range(most) for of in by_class.values() if number < len(of)]
    return turns[:most]
