"""The videos that a recipe's data section names: sources of the user's own, or a known data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from attcell._log import logger
from attcell._paths import real_path
from attcell.choices import GROUP_COLUMN, DataPart
from attcell.config.recipe import Recipe
from attcell.config.schema import DataSection
from attcell.data.datasets import hold_out
from attcell.data.groups import with_groups
from attcell.data.known_sets import set_listing
from attcell.data.listing import Listing
from attcell.data.sources import read_source
from attcell.errors import DataError, VideoError
from attcell.types import VideoRecord
from attcell.video.features import FeaturesInput, features_of


def part_listing(data: DataSection, part: DataPart, labels: Sequence[str] | None = None) -> Listing | None:
    """The videos of one part, with the groups that the section tells; None where it names no such part.

    Args:
        data: a recipe's section. What it holds out of its training videos is still among them here.
        part: a known data set has train and test.
        labels: a model's classes; by default those that the source shows.

    Raises:
        CallError, DataError: a source that is not there or not right, or a video without a group.
    """
    listing = _named_listing(data, part, labels)
    if listing is None or data.groups in (None, GROUP_COLUMN):
        return listing
    return replace(listing, records=with_groups(listing.records, data.groups))


def _named_listing(data: DataSection, part: DataPart, labels: Sequence[str] | None) -> Listing | None:
    if data.dataset is not None:
        assert data.root is not None, "checked by the section"
        if part == "val":
            return None
        return set_listing(
            data.dataset,
            data.root,
            data.annotations,
            data.split,
            part,
            leave_out_missing=data.missing == "leave_out",
            labels=labels,
        )
    source = {"train": data.train, "val": data.val, "test": data.test}[part]
    if source is None:
        return None
    return read_source(source, data.root, labels, group_column=data.groups == GROUP_COLUMN)


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
        if shared := shared_videos(listing.records, val, "data.val"):
            logger.warning(f"{shared}; the validation accuracy repeats what was learnt")
        return Listings(
            _teaching(recipe, listing.records), _teaching(recipe, val), listing.labels, listing.multi_label
        )
    train, val = hold_out(_teaching(recipe, listing.records), data.val_fraction, recipe.train.seed)
    if data.val_fraction > 0 and not val:
        raise DataError(_nothing_held_out(data, train))
    return Listings(train, val, listing.labels, listing.multi_label)


def shared_videos(taught: Sequence[VideoRecord], records: Sequence[VideoRecord], part: str) -> str:
    """Words where videos of a part are among those that are learnt from, by the files they are; else ""."""
    trained = {(real_path(record.path), record.frames) for record in taught}
    shared = [
        real_path(record.path) for record in records if (real_path(record.path), record.frames) in trained
    ]
    return f"{len(shared)} videos are in both data.train and {part}, first {min(shared)}" if shared else ""


def _nothing_held_out(data: DataSection, train: Sequence[VideoRecord]) -> str:
    """Why a fraction leaves no validation videos, and what to do."""
    source = data.train or data.dataset
    groups = {record.group for record in train if record.group}
    if len(groups) == 1:
        return (
            f"all {len(train)} training videos of {source} are of one group, {min(groups)}, and groups are "
            f"held out whole: data.val_fraction {data.val_fraction} leaves no validation videos; mend "
            "data.groups, give data.val, or set data.val_fraction to 0 to train without validation"
        )
    of_class: dict[int, set[str]] = {}
    for record in train if groups else ():
        for label in record.labels:
            of_class.setdefault(label, set()).add(record.group)
    if groups and all(len(of) == 1 for of in of_class.values()):
        return (
            f"each class of {source} has one group, and groups are held out whole: data.val_fraction "
            f"{data.val_fraction} leaves no validation videos; mend data.groups, give data.val, or set "
            "data.val_fraction to 0 to train without validation"
        )
    unit = f"group of any class ({len(groups)} groups, held out whole)" if groups else "video of any class"
    return (
        f"data.val_fraction {data.val_fraction} of {source} is not one {unit}; raise it, or set it to 0 to "
        "train without validation"
    )


def with_features_dim(recipe: Recipe, records: Sequence[VideoRecord]) -> Recipe:
    """The recipe with the width of its features, from the first video's file, where it does not say it.

    Raises:
        DataError: this video has no features.
    """
    features = recipe.features
    if "features" not in recipe.model.streams or features.dim is not None:
        return recipe
    try:
        found = features_of(FeaturesInput(**features.model_dump()), records[0].path, records[0].frames)
    except VideoError as error:
        raise DataError(f"how wide the features are is not known: {error}") from error
    dim = found.rows.shape[1]
    return recipe.model_copy(update={"features": features.model_copy(update={"dim": dim})})


def _teaching(recipe: Recipe, records: tuple[VideoRecord, ...]) -> tuple[VideoRecord, ...]:
    """The videos that a softmax learns from: those of none of the classes have no target to share."""
    is_softmax = recipe.model.kind != "pooled" and recipe.train.loss == "softmax"
    if not is_softmax or all(record.labels for record in records):
        return records
    kept = tuple(record for record in records if record.labels)
    logger.info(
        f"{len(records) - len(kept)} of {len(records)} videos are of none of the classes, and left out: a "
        "softmax has nothing to learn from them (train.loss=sigmoid has)"
    )
    return kept
