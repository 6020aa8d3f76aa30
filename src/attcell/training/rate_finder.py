"""A learning rate to begin with: some iterations in which it grows, and what the loss does meanwhile.

The range test of Smith (2017): the rate grows by the same factor from one iteration to the next. Where the
loss falls fastest the rate does most, and a little further the training breaks. Nothing is kept of it.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from attcell._checks import whole_number
from attcell._log import track
from attcell._shared_memory import data_loader, loading
from attcell.config.recipe import Recipe
from attcell.data.datasets import Batch, collate
from attcell.data.order import TrainingOrder
from attcell.errors import CallError, VideoError
from attcell.nn import Pooled, SVMNetwork
from attcell.training.learner import Learner
from attcell.training.prepare import PreparedTraining, prepare
from attcell.training.schedule import build_optimizer

LOWEST, HIGHEST = 1e-6, 10.0
SMOOTHING = 0.9  # of the loss before, in the smoothed one
BROKEN = 4.0  # times the lowest smoothed loss: the training has broken
FEWEST = 20  # iterations that can be judged
UNSETTLED = 5  # smoothed losses at the beginning, which are of few batches


@dataclass(frozen=True, eq=False)
class RateSearch:
    """The loss while the learning rate grew.

    Attributes:
        rates: (n,) of each iteration, up to where the training broke.
        losses: (n,) smoothed: of the latest batches together.
        suggestion: the rate where the loss falls fastest, to two digits; None where it falls nowhere.
        broke: whether the training broke before the last rate.
    """

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float | None
    broke: bool


def find_learning_rate(recipe: Recipe, *, iterations: int = 100) -> RateSearch:
    """Try learning rates from 1e-6 to 10, and find the one to begin with. The same call finds the same.

    The recipe's optimizer, batch, seed and augmentation hold; its schedule does not.

    Args:
        recipe: the whole run.
        iterations: how many rates; each takes a batch of videos.

    Raises:
        CallError: fewer than 20 iterations, or a recipe without any.
        DataError, VideoError, ModelError: as :func:`attcell.training.run.train`.
    """
    iterations = whole_number(iterations, "iterations", least=FEWEST)
    if recipe.model.kind == "pooled":
        raise CallError("kind pooled fits an SVM alone, which has no learning rate; choose another kind")
    section = recipe.train.model_copy(update={"early_stopping": None})
    with tempfile.TemporaryDirectory() as folder:  # the run's, in which nothing is left
        prepared = prepare(recipe.model_copy(update={"train": section}), Path(folder) / "run")
    rates = np.geomspace(LOWEST, HIGHEST, iterations)
    smoothed: list[float] = []
    mean = 0.0
    with loading():
        for number, loss in enumerate(track(_losses(prepared, rates), iterations, "learning rates"), 1):
            mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
            value = mean / (1 - SMOOTHING**number)
            if not math.isfinite(value) or (number > UNSETTLED and value > BROKEN * min(smoothed)):
                break
            smoothed.append(value)
    losses = np.array(smoothed)
    tried = rates[: len(losses)]
    return RateSearch(tried, losses, _steepest(tried, losses), len(losses) < iterations)


def _steepest(rates: np.ndarray, losses: np.ndarray) -> float | None:
    """The rate at which the smoothed loss falls fastest over the logarithm of the rate."""
    if len(losses) < UNSETTLED + 3:
        return None
    slopes = np.asarray(np.gradient(losses, np.log(rates)))[UNSETTLED:-1]
    place = int(slopes.argmin())
    return float(f"{rates[UNSETTLED + place]:.1e}") if slopes[place] < 0 else None


def _losses(prepared: PreparedTraining, rates: np.ndarray) -> Iterator[float]:
    """The loss of each iteration, before its step with its rate; the network learns in place."""
    section, data, network = prepared.recipe.train, prepared.data, prepared.network
    assert data is not None, "the recipe has iterations"
    learning = network.body if isinstance(network, SVMNetwork) else network
    assert not isinstance(learning, Pooled), "the recipe has iterations"
    learner = Learner(learning, section, len(rates), replace(data, val=None), lambda *_: None)
    learner.to(prepared.device).train()
    trained = [parameter for parameter in learner.parameters() if parameter.requires_grad]
    optimizer = build_optimizer(section, trained)
    order = TrainingOrder(
        learner.videos, section.batch_size, range(len(rates)), accumulate=section.accumulate
    )
    loader = iter(
        data_loader(
            data.train,
            batch_size=order.part_size,
            sampler=order,
            num_workers=data.workers,
            collate_fn=collate,
        )
    )
    for rate in rates:
        optimizer.zero_grad()
        total = 0.0
        for part in islice(loader, section.accumulate):
            if isinstance(part, VideoError):
                raise part
            loss = _loss(learner, part, prepared.device) / section.accumulate
            loss.backward()
            total += float(loss.detach())
        yield total
        optimizer.param_groups[0]["lr"] = float(rate)
        if section.clip_gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(trained, section.clip_gradient_norm)
        optimizer.step()


def _loss(learner: Learner, batch: Batch, device: torch.device) -> torch.Tensor:
    inputs = {name: of.to(device) for name, of in batch.inputs.items()}
    with torch.autocast(device.type, torch.bfloat16, enabled=learner.section.precision == "bf16"):
        return learner.loss_of(replace(batch, inputs=inputs))
