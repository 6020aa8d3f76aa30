"""What flow that is computed as it goes costs a training, said before it begins."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from attcell._log import logger
from attcell._parallel import one_thread
from attcell.config.recipe import Recipe
from attcell.flow import PRESETS
from attcell.inference.stored_flow import store_command
from attcell.models.build import input_spec, training_plan
from attcell.models.listings import read_listings
from attcell.types import Size
from attcell.video.optical_flow import flow_method
from attcell.video.transforms import centre_size

MEASURED_FROM = 100_000  # fields; fewer are no matter of hours
_USUAL = Size(320, 240)  # of a video's frames


def tell_flow_cost(recipes: Sequence[Recipe]) -> None:
    """Say how many fields these trainings compute as they go, how long that takes here, and what spares it.

    Of trainings whose flow is in a store, or that have no flow stream, nothing is said. A video whose
    features several trainings draw from one cache folder counts once.
    """
    costly = [recipe for recipe in recipes if "flow" in recipe.model.streams and recipe.flow.store is None]
    if not costly:
        return
    kept: dict[str, set[Path]] = {}
    costs = [_cost(recipe, kept) for recipe in costly]
    largest = max(range(len(costs)), key=lambda place: costs[place].alone)
    total, num = sum(cost.added for cost in costs), len(costly)
    trainings = "this training" if num == 1 else f"these {num} trainings, the most in one"
    shared = ", and what several draw from one cache counts once" * (
        total < sum(cost.alone for cost in costs)
    )
    logger.info(
        f"flow is computed as it goes: {total:,} fields in {trainings} ({costs[largest].counted}){shared}"
        f"{_hours(costly[largest], total)}. To compute each field once: {store_command(costly[largest])}; "
        "then give flow.store=flow"
    )


class _Cost(NamedTuple):
    """How many fields a training computes alone, and how many beside those before it; the count in words."""

    alone: int
    added: int
    counted: str


def _cost(recipe: Recipe, kept: dict[str, set[Path]]) -> _Cost:
    """Of one training; ``kept``: cache → the videos whose features are kept in it, those of this training
    are added.
    """
    train, segments, fields = recipe.train, recipe.segments.train, recipe.flow.fields
    if recipe.cache.folder is not None or recipe.model.kind == "pooled":
        positions = training_plan(recipe).num_positions
        videos = {record.path for record in read_listings(recipe).train}
        there = kept.setdefault(_cache_name(recipe), set()) if recipe.cache.folder is not None else set()
        new = len(videos - there)
        there |= videos
        each = positions * segments * fields
        words = (
            f"{len(videos):,} videos × {positions} positions × {segments} segments × {_fields(fields)}, once"
        )
        return _Cost(len(videos) * each, new * each, words)
    if train.iterations is not None:
        num_videos = train.iterations * train.batch_size
        words = f"{train.iterations:,} iterations × {train.batch_size} videos"
    else:
        assert train.epochs is not None, "a recipe has iterations or epochs"
        num_listed = len(read_listings(recipe).train)
        num_videos, words = train.epochs * num_listed, f"{train.epochs} epochs × {num_listed:,} videos"
    num = num_videos * segments * fields
    return _Cost(num, num, f"{words} × {segments} segments × {_fields(fields)}")


def _cache_name(recipe: Recipe) -> str:
    """What the features of the flow stream follow from, and where they lie."""
    stream, plan = recipe.model.streams["flow"], training_plan(recipe)
    source = (stream.backbone, stream.tap, stream.weights, stream.init_from, recipe.model.init_from)
    return f"{recipe.cache.folder} {source} {plan} {recipe.flow!r} {recipe.input!r}"


def _fields(number: int) -> str:
    return f"{number} field{'s' * (number > 1)}"


def _hours(recipe: Recipe, num_fields: int) -> str:
    """The time in words, by a quick measurement; nothing where that is not worth it, or would download a
    method.
    """
    if num_fields < MEASURED_FROM or recipe.flow.method not in PRESETS:
        return ""
    processes = min(max(recipe.data.workers, 1), os.cpu_count() or 1)
    rate = _fields_a_second(recipe)
    hours = num_fields / rate / processes / 3600
    doing = f"{processes} process{'es' * (processes > 1)}"
    return f", about {hours:,.0f} hours in {doing} at {rate:.2g} fields a second each"


def _fields_a_second(recipe: Recipe) -> float:
    """Pairs of frames a second on one thread, of a usual size that is changed as the recipe says."""
    spec = input_spec(recipe)
    width, height = spec.flow.spec.size(centre_size(_USUAL, spec.frame))
    pictures = _moving_texture(height, width)
    method = flow_method(recipe.flow.method, camera=recipe.flow.camera)
    prepared, spent = method.prepare(pictures), []
    with one_thread():
        for _ in range(2):  # the first one may have to compile
            start = time.perf_counter()
            method.between(prepared[:1], prepared[1:])
            spent.append(time.perf_counter() - start)
    return 1 / min(spent)


def _moving_texture(height: int, width: int) -> Tensor:
    """Two colour pictures (2, 3, H, W) uint8 of one smooth texture, two pixels apart.

    TV-L1 is done with a pair once its flow hardly moves: in noise, which does not move, it comes to no end.
    """
    generator, margin = torch.Generator().manual_seed(0), 2
    coarse = torch.rand(1, 3, height // 8 + 2, width // 8 + 2, generator=generator)
    size = (height + margin, width + margin)
    texture = torch.nn.functional.interpolate(coarse, size, mode="bilinear") * 255
    moved = (texture[..., :height, :width], texture[..., margin:, margin:])
    return torch.cat(moved).round().to(torch.uint8)
