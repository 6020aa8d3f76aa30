"""How long training lasts, how the learning rate goes, and which network is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR, StepLR

from attcell.choices import Loss
from attcell.config.train_section import TrainSection


@dataclass(frozen=True)
class ValidationResult:
    """How a network did on the validation videos after some iterations; None for both without such videos.

    Attributes:
        iterations: after so many.
        accuracy: 0 to 1. A video of several classes is right if the best one is among them.
        loss: the mean log-loss.
        interval: in which the accuracy lies, 0 to 1.
    """

    iterations: int
    accuracy: float | None = None
    loss: float | None = None
    interval: tuple[float, float] | None = None

    def beats(self, other: ValidationResult | None) -> bool:
        """True if this network is the one to keep; without validation videos, the latest is."""
        if other is None or None in (self.accuracy, self.loss, other.accuracy, other.loss):
            return True
        return (self.accuracy, -self.loss) > (other.accuracy, -other.loss)  # type: ignore[operator]


def num_iterations(section: TrainSection, num_videos: int) -> int:
    """Optimizer steps of the whole training."""
    if section.iterations is not None:
        return section.iterations
    assert section.epochs is not None, "a recipe has iterations or epochs"
    return max(1, math.ceil(section.epochs * num_videos / section.batch_size))


def periods(iterations: int, checkpoint_every: int) -> list[range]:
    """The training cut into periods; each ends with a validation and a checkpoint."""
    starts = range(0, iterations, checkpoint_every)
    return [range(start, min(start + checkpoint_every, iterations)) for start in starts]


def num_validations(iterations: int, checkpoint_every: int) -> int:
    """How many periods have ended after so many iterations, each with a validation."""
    return math.ceil(iterations / checkpoint_every)


def balanced_weights(
    labels: Sequence[tuple[int, ...]], num_classes: int, loss: Loss
) -> Float[Tensor, " A"] | Float[Tensor, "2 A"]:
    """How much a class counts in the loss: all videos / (classes with videos × the videos of the class).

    With sigmoids every class is a question of its own, and its videos and the others count alike: (2, A),
    the weights of the answers no and yes. A class that no video has, or all have, counts 1.

    Args:
        labels: the classes of each training video.
        num_classes: A.
        loss: what is weighted.
    """
    counts = torch.zeros(num_classes, dtype=torch.float64)
    for label in (label for of_video in labels for label in of_video):
        counts[label] += 1
    if loss == "sigmoid":
        both = torch.stack([len(labels) - counts, counts])
        is_open = (both > 0).all(dim=0)
        return torch.where(is_open, len(labels) / (2 * both.clamp_min(1)), 1.0).float()
    there = int((counts > 0).sum())
    return torch.where(counts > 0, counts.sum() / (there * counts.clamp_min(1)), 1.0).float()


def build_optimizer(section: TrainSection, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """SGD with momentum, as in the paper, or AdamW."""
    if section.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=section.learning_rate,
            momentum=section.momentum,
            weight_decay=section.weight_decay,
        )
    return torch.optim.AdamW(
        parameters, lr=section.learning_rate, weight_decay=section.weight_decay, fused=True
    )


def build_schedule(section: TrainSection, optimizer: torch.optim.Optimizer, iterations: int) -> LRScheduler:
    """The learning rate, iteration by iteration."""
    if section.schedule == "step":
        return StepLR(optimizer, step_size=section.step_iterations, gamma=0.1)
    if section.schedule == "onecycle":
        # PyTorch would cycle the momentum too; with SGD the recipe's own momentum holds.
        return OneCycleLR(
            optimizer,
            max_lr=section.learning_rate,
            total_steps=iterations + 1,
            cycle_momentum=section.optimizer == "adamw",
        )
    return ConstantLR(optimizer, factor=1.0)
