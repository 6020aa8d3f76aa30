"""How long training lasts, where it is checkpointed, and how the learning rate goes."""

from __future__ import annotations

import math

import torch
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR, StepLR

from attcell.sections import TrainSection


def num_iterations(section: TrainSection, num_videos: int) -> int:
    """Optimizer steps of the whole training."""
    if section.iterations is not None:
        return section.iterations
    assert section.epochs is not None, "a recipe has iterations or epochs"
    return max(1, math.ceil(section.epochs * num_videos / section.batch_size))


def rounds(iterations: int, checkpoint_every: int) -> list[range]:
    """The training cut into rounds; each ends with a validation and a checkpoint."""
    starts = range(0, iterations, checkpoint_every)
    return [range(start, min(start + checkpoint_every, iterations)) for start in starts]


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
