"""What a training draws from: the listed videos, decoded as it goes or as kept feature maps."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from attcell.config import Recipe
from attcell.data.dataset import KeptViews, PlannedViews, TrainingFeatures, TrainingVideos, ViewPlan
from attcell.data.digests import content_digest
from attcell.data.feature_store import FeatureStore
from attcell.data.holdout import hold_out
from attcell.data.recipe_videos import part_listing
from attcell.engine.build import evaluation_plan, input_spec, training_plan
from attcell.engine.extract import channel_figures, extract_features, feature_store
from attcell.errors import DataError, VideoError, first_lines
from attcell.nn import Network
from attcell.nn.streams import Standardise
from attcell.progress import say, track
from attcell.records import VideoRecord
from attcell.video.decode import promised_frames
from attcell.video.flow_codes import check_store


@dataclass(frozen=True)
class Material:
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


@dataclass(frozen=True)
class Listings:
    """The training and validation videos, the classes, and whether a video may have several."""

    train: tuple[VideoRecord, ...]
    val: tuple[VideoRecord, ...]
    labels: tuple[str, ...]
    multi_label: bool = False


def read_listings(recipe: Recipe, labels: Sequence[str] | None = None) -> Listings:
    """Read the sources that a recipe names, with a model's classes or with those that the sources show.

    Raises:
        CallError, DataError: a source that is not there or not right.
    """
    data = recipe.data
    listing = part_listing(data, "train", labels)
    assert listing is not None, "the section names training videos"
    if len(listing.labels) < 2:
        raise DataError(
            f"{data.train or data.dataset} has one class, {listing.labels[0]}; at least 2 are needed"
        )
    given = part_listing(data, "val", listing.labels)
    if given is not None:
        val = given.records
        trained = {(record.path.resolve(), record.frames) for record in listing.records}
        shared = [
            record.path.resolve() for record in val if (record.path.resolve(), record.frames) in trained
        ]
        if shared:
            say(
                f"warning: {len(shared)} videos are in both data.train and data.val, first {min(shared)}; "
                "the validation accuracy repeats what was learnt"
            )
        return Listings(
            _teaching(recipe, listing.records), _teaching(recipe, val), listing.labels, listing.multi_label
        )
    train, val = hold_out(_teaching(recipe, listing.records), data.val_fraction, recipe.train.seed)
    if data.val_fraction > 0 and not val:
        raise DataError(
            f"data.val_fraction {data.val_fraction} of {data.train or data.dataset} is not one video of any "
            "class; raise it, or set it to 0 to train without validation"
        )
    return Listings(train, val, listing.labels, listing.multi_label)


def _teaching(recipe: Recipe, records: tuple[VideoRecord, ...]) -> tuple[VideoRecord, ...]:
    """The videos that a softmax learns from: those of none of the classes have no target to share."""
    is_softmax = recipe.model.kind != "pooled" and recipe.train.loss == "softmax"
    if not is_softmax or all(record.labels for record in records):
        return records
    kept = tuple(record for record in records if record.labels)
    say(
        f"{len(records) - len(kept)} of {len(records)} videos are of none of the classes, and left out: a "
        "softmax has nothing to learn from them (train.loss=sigmoid has)"
    )
    return kept


def gather_material(recipe: Recipe, listings: Listings, network: Network, device: torch.device) -> Material:
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
    return Material(
        train=train,
        num_videos=len(listings.train),
        val=val if listings.val else None,
        val_records=listings.val,
        kept_features=folder is not None,
        identity=_identity(listings),
        workers=recipe.data.workers if folder is None else 0,
    )


def unfit_flow(recipe: Recipe, records: Sequence[VideoRecord]) -> dict[Path, str]:
    """Video → why its flow on disk cannot be taken; none where flow is computed from the frames."""
    if "flow" not in recipe.model.streams or recipe.flow.store is None:
        return {}
    unfit: dict[Path, str] = {}
    spec = input_spec(recipe).flow
    of_others: dict[Path, Path] = {}  # flow that does not say what it was made from → the video that has it
    paths = dict.fromkeys(record.path for record in records)
    there = [path for path in paths if path.exists()]  # others are named for that
    for path in track(there, len(there), "checking flow"):
        try:
            files = check_store(spec, path, content_digest(path))
        except (DataError, VideoError) as error:
            unfit[path] = str(error)
            continue
        if files.description is None and of_others.setdefault(files.path, path) != path:
            unfit[path] = (
                f"{files.path} would be the flow of both {of_others[files.path]} and {path}; put each "
                "video's flow into a folder as the video's own"
            )
    if of_others:
        say(
            f"the flow of {len(of_others)} videos in {spec.store} is another tool's and does not say how it "
            f"was made: taken with a bound of {spec.bound:g} (flow.bound), between neighbouring frames"
        )
    return unfit


def filled_stores(
    folder: Path,
    recipe: Recipe,
    network: Network,
    records: Sequence[VideoRecord],
    plan: ViewPlan,
    device: torch.device,
) -> tuple[dict[str, FeatureStore], dict[str, str]]:
    """Stream → the store with all that can be read, and video id → message of what cannot."""
    spec = input_spec(recipe)
    stores = {name: feature_store(folder, name, network.stream(name), spec, plan) for name in spec.streams}
    failed = extract_features(
        stores, network.to(device), records, spec, plan, workers=recipe.data.workers, device=device
    )
    return stores, failed


def refuse_unopened(records: Sequence[VideoRecord]) -> None:
    """Raise a DataError that names the videos which cannot even be opened, before long work is done."""
    unread = []
    for record in track(records, len(records), "opening"):
        try:
            promised_frames(record.path, frames=record.frames)
        except VideoError as error:
            unread.append(str(error))
    refuse_unread(unread)


def refuse_unread(unread: Sequence[str]) -> None:
    """Raise a DataError with the messages on videos that cannot be read, if there are any."""
    if unread:
        raise DataError(
            "\n".join(
                [
                    f"{len(unread)} videos cannot be read; `attcell data check` names them all. "
                    "Mend them or take them out of the source:",
                    *first_lines(unread),
                ]
            )
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
