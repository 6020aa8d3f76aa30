"""What a training draws from: the listed videos, decoded as it goes or as kept feature maps."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from attcell.config.recipe import Recipe
from attcell.data.datasets import KeptViews, PlannedViews, TrainingFeatures, TrainingVideos
from attcell.errors import DataError, first_lines
from attcell.inference.extract import filled_stores, refuse_unopened, refuse_unread, unfit_flow
from attcell.models.build import Listings, evaluation_plan, input_spec, training_plan
from attcell.nn import Network
from attcell.nn.streams import Standardise, channel_figures
from attcell.types import VideoRecord


@dataclass(frozen=True)
class TrainingData:
    """What a training draws from.

    Attributes:
        train: (video index, position) → Sample.
        num_videos: in the training set.
        val: video index → (V, T, ...) views; ``None`` without a validation set.
        val_records: the validation videos.
        kept_features: the inputs are the backbones' feature maps, not pictures.
        identity: what must be the same for a run to go on: the classes, and the videos in their order.
        workers: processes that decode.
    """

    train: Dataset[Any]
    num_videos: int
    val: Dataset[Any] | None
    val_records: tuple[VideoRecord, ...]
    kept_features: bool
    identity: dict[str, str]
    workers: int


def gather_training_data(
    recipe: Recipe, listings: Listings, network: Network, device: torch.device
) -> TrainingData:
    """Make the data sets. With a cache folder, compute the feature maps that it lacks, and fit the
    standardised streams to those of the training videos.

    Raises:
        DataError: videos that cannot be read, or whose flow on disk is not theirs, by name.
    """
    folder = recipe.cache.folder
    unfit = list(unfit_flow(recipe, (*listings.train, *listings.val)).values())
    if unfit:
        raise DataError(
            "\n".join([f"{recipe.flow.store} does not fit {len(unfit)} videos:", *first_lines(unfit)])
        )
    if folder is None:
        train, val = _decoded(recipe, listings)
    else:
        train, val = _kept(folder, recipe, listings, network, device)
    return TrainingData(
        train=train,
        num_videos=len(listings.train),
        val=val if listings.val else None,
        val_records=listings.val,
        kept_features=folder is not None,
        identity=_identity(listings),
        workers=recipe.data.workers if folder is None else 0,
    )


def _decoded(recipe: Recipe, listings: Listings) -> tuple[Dataset[Any], Dataset[Any]]:
    spec, segments = input_spec(recipe), recipe.segments
    refuse_unopened((*listings.train, *listings.val))
    train = TrainingVideos(listings.train, spec, segments.train, segments.short, recipe.train.seed)
    return train, PlannedViews(listings.val, spec, evaluation_plan(recipe))


def _kept(
    folder: Path, recipe: Recipe, listings: Listings, network: Network, device: torch.device
) -> tuple[Dataset[Any], Dataset[Any]]:
    stores, unread = filled_stores(folder, recipe, network, listings.train, training_plan(recipe), device)
    val_stores, unread_val = filled_stores(
        folder, recipe, network, listings.val, evaluation_plan(recipe), device
    )
    refuse_unread([*unread.values(), *unread_val.values()])
    for name, store in stores.items():
        standardise = network.stream(name).standardise
        if isinstance(standardise, Standardise):
            maps = (store.read(record)[0].float() for record in listings.train)
            standardise.fit(*channel_figures(maps))
    train = TrainingFeatures(listings.train, stores, recipe.cache.positions, recipe.train.seed)
    return train, KeptViews(listings.val, val_stores)


def _identity(listings: Listings) -> dict[str, str]:
    parts = {"training videos": listings.train, "validation videos": listings.val}
    lists = {
        name: "\n".join(f"{r.id} {','.join(map(str, r.labels))}" for r in records)
        for name, records in parts.items()
    }
    digests = {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in lists.items()}
    return {"classes": ", ".join(listings.labels), **digests}
