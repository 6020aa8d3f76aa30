"""``attcell extract features``: the features that a training or a test would keep, computed beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from attcell._paths import is_video_name
from attcell.choices import FeatureFormat, ViewsOf
from attcell.config.loading import ABOUT_STORE, find_recipe, merged_row, read_recipe_file
from attcell.config.overrides import read_overrides
from attcell.config.recipe import Recipe, check_recipe
from attcell.data.feature_arrays import FeatureArrays
from attcell.data.feature_store import FeatureKeeper, FeatureStore
from attcell.data.listing import Listing
from attcell.data.sources import read_source, videos_below
from attcell.errors import CallError
from attcell.inference.extract import extract_features, refuse_kept_silence, stores_of, unfit_features
from attcell.inference.heard import refuse_unheard
from attcell.inference.model import Model
from attcell.inference.run import best_device
from attcell.inference.stored_flow import unfit_flow
from attcell.models.build import build_network, evaluation_plan, input_spec, kept_plan, mirroring_of
from attcell.models.listings import with_features_dim
from attcell.nn import Network
from attcell.types import VideoRecord
from attcell.video.sampling import ViewPlan


@dataclass(frozen=True)
class FeaturesCall:
    """What is asked for.

    Attributes:
        source: the videos.
        out: the cache folder; with the format npy where the arrays go.
        root: what a list's paths are relative to.
        recipe: the name of one, and which row of a table.
        overrides: ``key=value`` over it.
        model: the name of one, in place of a recipe.
        views: those that a training keeps, those of its test, or both; by default those of the training, and
            those of the test of a model or with the format npy.
        form: how features lie in ``out``; by default as they do, or as the recipe says.
        workers: processes that decode.
    """

    source: Path
    out: Path
    root: Path | None = None
    recipe: tuple[str, str | None] | None = None
    overrides: tuple[str, ...] = ()
    model: str | None = None
    views: ViewsOf | None = None
    form: FeatureFormat | None = None
    workers: int | None = None


@dataclass
class FeaturesOutcome:
    """What became of the videos.

    Attributes:
        num_written: computed now, in some view or stream at least.
        num_kept: there already.
        failed: video id → message.
    """

    num_written: int = 0
    num_kept: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Subject:
    """A frozen network, and the videos that it looks at."""

    recipe: Recipe
    network: Network
    labels: tuple[str, ...]
    records: tuple[VideoRecord, ...]


def extract_features_of(call: FeaturesCall) -> FeaturesOutcome:
    """Compute what a folder lacks of the features of some videos.

    Raises:
        CallError: options that do not go together, a recipe that is not right, a backbone that is trained, or
            another process that fills the folder.
        DataError: a source that is not right, or features that were made otherwise.
        ModelError: weights that do not fit.
    """
    subject = _of_recipe(call) if call.model is None else _of_model(call)
    refuse_unheard(subject.recipe, subject.records)
    unfit = unfit_flow(subject.recipe, subject.records) | unfit_features(subject.recipe, subject.records)
    failed = {record.id: unfit[record.path] for record in subject.records if record.path in unfit}
    records = [record for record in subject.records if record.id not in failed]
    written: set[str] = set()
    for plan in _plans(call, subject):
        stores = stores_of(call.out, subject.recipe, subject.network, records, plan)
        _refuse_other_form(call, stores)
        keepers = _arrays(call, stores, records) if call.form == "npy" else stores
        lacking = {one.id for one in records if not all(of.holds(one) for of in keepers.values())}
        spec, workers = input_spec(subject.recipe), subject.recipe.data.workers
        found = extract_features(keepers, subject.network, records, spec, plan, workers=workers)
        if call.form != "npy":
            found |= refuse_kept_silence(stores, subject.recipe, records, found)
        written |= lacking - found.keys()
        failed |= found
        records = [record for record in records if record.id not in found]
    done = len(written - failed.keys())
    return FeaturesOutcome(done, len(subject.records) - done - len(failed), failed)


def _of_recipe(call: FeaturesCall) -> _Subject:
    """The network of a recipe, which learns from these videos or is tested on them."""
    assert call.recipe is not None, "or a model was given"
    name, row = call.recipe
    changes = read_overrides(call.overrides)
    for change in changes:
        if change.key.startswith("data.") or change.key in ("cache.folder", "cache.form"):
            raise CallError(
                f"{change.text}: SOURCE, OUT, --root, --workers and --format say that here; leave it out"
            )
    file = read_recipe_file(find_recipe(name))
    file.check_row(row)
    merged = merged_row(file, row, changes)
    replaced = ("data.", "cache.folder", "detection.", "fuse.")
    if missing := [key for key in merged.missing if not key.startswith(replaced)]:
        about = ABOUT_STORE if "flow.store" in missing else ""
        raise CallError(
            f"{merged.called} leaves {', '.join(missing)} open (???); give it: {missing[0]}=VALUE{about}"
        )
    given = merged.values.get("data", {})
    data = {
        "train": str(call.source),
        "root": None if call.root is None else str(call.root),
        "val": str(call.source) if given.get("val") else None,
        "val_fraction": given.get("val_fraction", 0) if not given.get("val") else 0,
    }
    cache = {**merged.values.get("cache", {}), "folder": str(call.out)}
    values = {**merged.values, "data": data, "cache": cache, "detection": None, "fuse": None}
    recipe = _asked(check_recipe(values, merged.called.removesuffix(",")), call)
    listing = _listing(call)
    recipe = with_features_dim(recipe, listing.records)
    torch.manual_seed(recipe.train.seed)  # as a training begins: of weights none
    network = build_network(recipe, max(2, len(listing.labels)), load_weights=True)
    device = torch.device("cpu") if recipe.train.accelerator == "cpu" else best_device()
    return _Subject(recipe, network.to(device), listing.labels, listing.records)


def _of_model(call: FeaturesCall) -> _Subject:
    """A model's network."""
    assert call.model is not None
    model = Model.from_pretrained(call.model).to(best_device())
    trained = [name for name in model.recipe.model.streams if not model.network.stream(name).backbone.frozen]
    if trained:
        raise CallError(
            f"this model's backbone was trained ({', '.join(trained)}): its features serve no other; name a "
            "model whose backbone is frozen, or a recipe"
        )
    return _Subject(_asked(model.recipe, call), model.network, model.labels, _listing(call).records)


def _asked(recipe: Recipe, call: FeaturesCall) -> Recipe:
    """The recipe, with the options that go over it."""
    data = {} if call.workers is None else {"workers": call.workers}
    cache = {} if call.form in (None, "npy") else {"form": call.form}
    return recipe.model_copy(
        update={
            "data": recipe.data.model_copy(update=data),
            "cache": recipe.cache.model_copy(update=cache),
        }
    )


def _listing(call: FeaturesCall) -> Listing:
    """The videos: of a folder per class or a list with the classes; of any other folder without."""
    source = call.source
    if source.is_dir() and call.root is None:
        inside = list(source.iterdir())
        if call.model is not None or any(is_video_name(path) for path in inside):
            return videos_below(source)
    return read_source(source, call.root)


def _plans(call: FeaturesCall, subject: _Subject) -> list[ViewPlan]:
    """Which views."""
    views = call.views or ("train" if call.model is None and call.form != "npy" else "test")
    if views == "both" and call.form == "npy":
        raise CallError("--views both is two arrays a video; with --format npy choose train or test")
    recipe, plans = subject.recipe, list[ViewPlan]()
    if views != "test":
        plans.append(kept_plan(recipe, subject.labels))
    if views == "both":
        plans.append(evaluation_plan(recipe))  # of the validation
    if views != "train":
        mirroring = mirroring_of(recipe, subject.labels)
        plans.append(evaluation_plan(recipe, None, recipe.segments.crops, mirroring))
    return list(dict.fromkeys(plans))


def _refuse_other_form(call: FeaturesCall, stores: Mapping[str, FeatureStore]) -> None:
    """Raise a CallError where a store is there in another form than was asked for."""
    for store in stores.values():
        if call.form not in (None, "npy", store.form):
            raise CallError(
                f"{store.folder} holds these features as {store.form}, not as {call.form}; leave --format "
                "out to go on with it, or name another folder"
            )


def _arrays(
    call: FeaturesCall, stores: Mapping[str, FeatureStore], records: Sequence[VideoRecord]
) -> dict[str, FeatureKeeper]:
    several = len(stores) > 1
    return {
        name: FeatureArrays(call.out / name if several else call.out, store, records)
        for name, store in stores.items()
    }
