"""Before a training: videos are listed, the network is built, features of frozen backbones are computed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from attcell._log import logger
from attcell._owners import is_first_process
from attcell._paths import is_file
from attcell._shared_memory import workers_for
from attcell.config.recipe import Recipe
from attcell.config.train_section import TrainSection
from attcell.data.augmentation import Augmentation
from attcell.data.datasets import KeptViews, PlannedParts, TrainingFeatures, TrainingVideos
from attcell.errors import CallError
from attcell.inference.extract import (
    filled_stores,
    refuse_unfit_features,
    refuse_unopened,
    refuse_unread,
)
from attcell.inference.heard import refuse_unheard
from attcell.inference.run import best_device
from attcell.inference.stored_flow import refuse_unfit_flow, tell_of_test_flow
from attcell.models.build import (
    build_network,
    evaluation_plan,
    input_spec,
    mirroring_of,
    training_plan,
)
from attcell.models.hearing import refuse_unfit_sound
from attcell.models.listings import Listings, read_listings, with_features_dim
from attcell.models.warm_start import other_inputs, refuse_other_shapes, refuse_other_split
from attcell.nn import Network, Pooled, SVMNetwork
from attcell.nn.streams import Standardise, channel_figures
from attcell.training.data_notes import tell_of_videos
from attcell.training.run_folder import CHECKPOINT, check_run_folder, with_absolute_paths
from attcell.training.schedule import num_iterations
from attcell.types import VideoRecord


@dataclass(frozen=True)
class TrainingData:
    """What a training draws from.

    Attributes:
        train: (video index, position) → Sample.
        labels: the classes of each training video.
        num_classes: A.
        val: the validation videos' views in parts; ``None`` without a validation set.
        val_records: the validation videos.
        kept_features: the inputs are the backbones' feature maps, not pictures.
        identity: what must be the same for a run to go on: the classes, and the videos in their order.
        workers: processes that decode.
    """

    train: Dataset[Any]
    labels: tuple[tuple[int, ...], ...]
    num_classes: int
    val: Dataset[Any] | None
    val_records: tuple[VideoRecord, ...]
    kept_features: bool
    identity: dict[str, str]
    workers: int

    @property
    def num_videos(self) -> int:
        """In the training set."""
        return len(self.labels)


@dataclass(frozen=True, repr=False)
class PreparedTraining:
    """All that a training needs, checked. Nothing is written into the run folder yet.

    Attributes:
        recipe: with absolute paths.
        run_folder: where everything will go.
        listings: the training and validation videos, and the classes.
        network: the whole network at its start; its SVM, where the recipe wants one, knows nothing yet.
        data: what the iterations draw from; None for pooled features, of which only an SVM is fitted.
        svm_videos: the training videos in fixed views, in parts or as kept feature maps, for an SVM; None
            without.
        iterations: optimizer steps of the whole training.
        checkpoint: what to go on from; None to begin at the beginning.
        device: where features are computed.
    """

    recipe: Recipe
    run_folder: Path
    listings: Listings
    network: Network
    data: TrainingData | None
    svm_videos: Dataset[Any] | None
    iterations: int
    checkpoint: Path | None
    device: torch.device

    def __repr__(self) -> str:
        videos = f"{len(self.listings.train)} training and {len(self.listings.val)} validation videos"
        return f"PreparedTraining({self.run_folder}: {videos}, {self.iterations} iterations)"


def prepare(recipe: Recipe, run_folder: Path, *, resume: bool = False) -> PreparedTraining:
    """Check everything, build the network with its first weights, and compute the features that are kept.

    Args:
        recipe: the whole run.
        run_folder: where it will go; new or empty, unless ``resume``.
        resume: go on from the folder's last checkpoint.

    Raises:
        CallError, DataError, ModelError, TrainingError: as :func:`attcell.training.run.train`.
    """
    recipe = with_absolute_paths(recipe)
    if is_first_process():
        check_run_folder(run_folder, recipe, resume=resume)
    torch.manual_seed(recipe.train.seed)
    listings = read_listings(recipe)
    if is_first_process():
        tell_of_videos(recipe, listings)
    refuse_unheard(recipe, (*listings.train, *listings.val))
    recipe = with_features_dim(recipe, listings.train)
    refuse_other_shapes(recipe)
    refuse_other_split(recipe)
    mirroring = mirroring_of(recipe, listings.labels)
    if mirroring.told and is_first_process():
        logger.warning(mirroring.told)
    refuse_unfit_sound(recipe)
    network = build_network(recipe, len(listings.labels), load_weights=True)
    for sentence in other_inputs(recipe) if is_first_process() else ():
        logger.warning(sentence)
    device = _device(recipe.train)
    data, iterations = None, 0
    if not isinstance(network, SVMNetwork) or not isinstance(network.body, Pooled):
        data = gather_training_data(recipe, listings, network, device)
        fit_standardise(network, data)
        iterations = num_iterations(recipe.train, data.num_videos)
    svm_videos = None
    if isinstance(network, SVMNetwork):
        svm_videos = _svm_videos(recipe, listings, network, device)
    checkpoint = run_folder / CHECKPOINT
    return PreparedTraining(
        recipe,
        run_folder,
        listings,
        network,
        data,
        svm_videos,
        iterations,
        checkpoint if resume and checkpoint.is_file() else None,
        device,
    )


def gather_training_data(
    recipe: Recipe, listings: Listings, network: Network, device: torch.device
) -> TrainingData:
    """What a training draws from. With a cache folder, the feature maps that it lacks are computed, and the
    network is moved to ``device`` for that.

    Raises:
        DataError: videos that cannot be read, or whose flow on disk is not theirs, by name.
    """
    folder = recipe.cache.folder
    refuse_unfit_features(recipe, (*listings.train, *listings.val))
    refuse_unfit_flow(recipe, (*listings.train, *listings.val))
    if is_first_process():
        tell_of_test_flow(recipe, listings.labels)
    if folder is None:
        train, val = _decoded(recipe, listings)
    else:
        train, val = _kept(folder, recipe, listings, network, device)
    return TrainingData(
        train=train,
        labels=tuple(record.labels for record in listings.train),
        num_classes=len(listings.labels),
        val=val if listings.val else None,
        val_records=listings.val,
        kept_features=folder is not None,
        identity=_identity(listings),
        workers=workers_for(recipe.data.workers) if folder is None else 0,
    )


def fit_standardise(network: Network, data: TrainingData) -> None:
    """Fit a network's standardised streams, in place, to the kept feature maps of the training videos."""
    if not isinstance(data.train, TrainingFeatures):
        return
    for name, store in data.train.stores.items():
        standardise = network.stream(name).standardise
        if isinstance(standardise, Standardise):
            maps = (store.read(record)[0].float() for record in data.train.records)
            standardise.fit(*channel_figures(maps))


def augmentation_of(recipe: Recipe, labels: Sequence[str]) -> Augmentation:
    """What is done to training pictures."""
    section = recipe.train
    return Augmentation(mirroring_of(recipe, labels), section.randaugment, section.colour_jitter)


def _device(section: TrainSection) -> torch.device:
    """Where features are computed, before Lightning takes over."""
    if section.accelerator == "gpu" and not torch.cuda.is_available():
        raise CallError("train.accelerator is gpu, and PyTorch finds none; use cpu or auto")
    return torch.device("cpu") if section.accelerator == "cpu" else best_device()


def _decoded(recipe: Recipe, listings: Listings) -> tuple[Dataset[Any], Dataset[Any]]:
    spec, segments = input_spec(recipe), recipe.segments
    refuse_unopened((*listings.train, *listings.val))
    augmentation = augmentation_of(recipe, listings.labels)
    train = TrainingVideos(
        listings.train, spec, segments.train, segments.short, recipe.train.seed, augmentation
    )
    return train, PlannedParts(listings.val, spec, evaluation_plan(recipe))


def _kept(
    folder: Path, recipe: Recipe, listings: Listings, network: Network, device: torch.device
) -> tuple[Dataset[Any], Dataset[Any]]:
    mirroring = mirroring_of(recipe, listings.labels)
    plan = training_plan(recipe, mirroring)
    stores, unread = filled_stores(folder, recipe, network, listings.train, plan, device)
    val_stores, unread_val = filled_stores(
        folder, recipe, network, listings.val, evaluation_plan(recipe), device
    )
    refuse_unread([*unread.values(), *unread_val.values()])
    positions, seed = recipe.cache.positions, recipe.train.seed
    train = TrainingFeatures(listings.train, stores, positions, seed, mirroring)
    return train, KeptViews(listings.val, val_stores)


def _svm_videos(
    recipe: Recipe, listings: Listings, network: SVMNetwork, device: torch.device
) -> Dataset[Any]:
    """The training videos in the views that are kept for training, as feature maps or decoded in parts.

    A video is the mean of its views, so mirror images that show another class are not among them.
    """
    records = listings.train
    if isinstance(network.body, Pooled):  # else they have been looked at for the iterations
        refuse_unfit_features(recipe, records)
        refuse_unfit_flow(recipe, records)
    plan = training_plan(recipe, mirroring_of(recipe, listings.labels).averaged)
    if recipe.cache.folder is None:
        if isinstance(network.body, Pooled):
            refuse_unopened(records)
        return PlannedParts(records, input_spec(recipe), plan)
    stores, unread = filled_stores(recipe.cache.folder, recipe, network, records, plan, device)
    refuse_unread(list(unread.values()))
    return KeptViews(records, stores)


def _identity(listings: Listings) -> dict[str, str]:
    """The classes, and digests of the training and the validation videos with their labels and sizes: a file
    that another of its name replaced is nearly always of another size, and a copy of it never is.
    """
    parts = {"training videos": listings.train, "validation videos": listings.val}
    lists = {
        name: "\n".join(f"{r.id} {','.join(map(str, r.labels))} {_file_size(r.path)}" for r in records)
        for name, records in parts.items()
    }
    digests = {name: hashlib.sha256(os.fsencode(text)).hexdigest()[:16] for name, text in lists.items()}
    return {"classes": ", ".join(listings.labels), **digests}


def _file_size(path: Path) -> int:
    """In bytes; 0 of a folder of frames, which may hold too many files to ask each."""
    return path.stat().st_size if is_file(path) else 0
