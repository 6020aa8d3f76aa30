"""What flow that is computed as it goes costs a training, said before it begins."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import numpy as np
import torch

from attcell._log import logger
from attcell._parallel import one_thread
from attcell.config.recipe import Recipe
from attcell.flow import PRESETS
from attcell.inference.stored_flow import store_command
from attcell.models.build import input_spec, read_listings, training_plan
from attcell.types import Size
from attcell.video.optical_flow import flow_method
from attcell.video.transforms import centre_size

MEASURED_FROM = 100_000  # fields; fewer are no matter of hours
_USUAL = Size(320, 240)  # of a video's frames


def tell_flow_cost(recipes: Sequence[Recipe]) -> None:
    """Say how many fields these trainings compute as they go, how long that takes here, and what spares it.

    Of trainings whose flow is in a store, or that have no flow stream, nothing is said.
    """
    costly = [recipe for recipe in recipes if "flow" in recipe.model.streams and recipe.flow.store is None]
    counts = [_num_fields(recipe) for recipe in costly]
    if not costly:
        return
    largest, how = costly[int(np.argmax([count for count, _ in counts]))], max(counts)[1]
    total, num = sum(count for count, _ in counts), len(costly)
    trainings = "this training" if num == 1 else f"these {num} trainings, the most in one"
    logger.info(
        f"flow is computed as it goes: {total:,} fields in {trainings} ({how}){_hours(largest, total)}. "
        f"To compute each field once: {store_command(largest)}; then give flow.store=flow"
    )


def _num_fields(recipe: Recipe) -> tuple[int, str]:
    """How many fields a training computes, and how they are counted."""
    train, segments, fields = recipe.train, recipe.segments.train, recipe.flow.fields
    if recipe.cache.folder is not None or recipe.model.kind == "pooled":
        positions, num_videos = training_plan(recipe).num_positions, _num_videos(recipe)
        return num_videos * positions * segments * fields, (
            f"{num_videos:,} videos × {positions} positions × {segments} segments × {_fields(fields)}, once"
        )
    if train.iterations is not None:
        num_videos, words = (
            train.iterations * train.batch_size,
            (f"{train.iterations:,} iterations × {train.batch_size} videos"),
        )
    else:
        assert train.epochs is not None, "a recipe has iterations or epochs"
        num_videos = train.epochs * _num_videos(recipe)
        words = f"{train.epochs} epochs × {_num_videos(recipe):,} videos"
    return num_videos * segments * fields, f"{words} × {segments} segments × {_fields(fields)}"


def _fields(number: int) -> str:
    return f"{number} field{'s' * (number > 1)}"


def _num_videos(recipe: Recipe) -> int:
    return len(read_listings(recipe).train)


def _hours(recipe: Recipe, num_fields: int) -> str:
    """In words, by a quick measurement; nothing where that is not worth it, or would download a method."""
    if num_fields < MEASURED_FROM or recipe.flow.method not in PRESETS:
        return ""
    processes = min(max(recipe.data.workers, 1), os.cpu_count() or 1)
    rate = _fields_a_second(recipe)
    hours = num_fields / rate / processes / 3600
    doing = f"{processes} process{'es' * (processes > 1)}"
    return f", about {hours:,.0f} hours in {doing} at {rate:.2g} fields a second each"


def _fields_a_second(recipe: Recipe) -> float:
    """On one thread, of frames of a usual size that are resized as the recipe says."""
    spec = input_spec(recipe)
    width, height = spec.flow.spec.size(centre_size(_USUAL, spec.frame))
    pictures = torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8)
    method = flow_method(recipe.flow.method)
    prepared, spent = method.prepare(pictures), []
    with one_thread():
        for _ in range(2):  # the first one may have to compile
            start = time.perf_counter()
            method.between(prepared[:1], prepared[1:])
            spent.append(time.perf_counter() - start)
    return 1 / min(spent)
