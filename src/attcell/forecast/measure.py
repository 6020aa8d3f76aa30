"""A few videos go through what a recipe's commands call, and the times of it are taken.

The commands' own functions run, into a folder that is removed, so that decoding, computing and writing share
the cores as they will. The network has random weights: these cost the same, and nothing is downloaded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from attcell._log import within
from attcell._parallel import one_thread
from attcell._shared_memory import loading
from attcell.config.recipe import Recipe
from attcell.data.listing import Listing
from attcell.errors import DataError
from attcell.forecast.pace import Clock, Pace, listening, pace_of
from attcell.forecast.videos import ListedVideos, Sample
from attcell.inference.evaluate import evaluate_model
from attcell.inference.extract import filled_stores
from attcell.inference.extract_flow import extract_flow, usual_workers
from attcell.inference.flow_jobs import place_of
from attcell.inference.model import Model
from attcell.inference.run import best_device, part_maps
from attcell.models.build import build_network, evaluation_plan, input_spec, kept_plan
from attcell.models.listings import Listings
from attcell.nn import Network
from attcell.nn.pooled import VLAD
from attcell.training.fit import fit
from attcell.training.prepare import PreparedTraining, fit_standardise, gather_training_data
from attcell.types import VideoRecord
from attcell.video.optical_flow import FlowSpec
from attcell.video.parts import ViewParts
from attcell.video.sampling import ViewPlan

PATIENCE = 60.0  # seconds that one phase is measured, if it has come so far that there is something to tell
LEAST = 4  # videos or iterations
FEWEST_ITERATIONS = 12


@dataclass(frozen=True)
class TrainingPace:
    """What training takes.

    Attributes:
        part: of an iteration with ``part_size`` videos on one device.
        part_size: videos.
        period: seconds that a checkpoint takes, and what is begun anew after it.
    """

    part: Pace
    part_size: int
    period: float


@dataclass(frozen=True)
class Kept:
    """What features took: one video's, written to the disk.

    Attributes:
        pace: of a video.
        bytes: of a video.
    """

    pace: Pace
    bytes: float


@dataclass(frozen=True)
class Measured:
    """What was measured. What the recipe has no use for is None.

    Attributes:
        sample: the videos, those that were measured to the end.
        network: as the recipe has it, with random weights.
        device: where it computes.
        flow: ``extract flow``, of a frame, with the bytes of a frame.
        features: of a training video.
        kept_val: features of a validation video.
        training: the iterations.
        validation: of a video.
        test: of a video.
    """

    sample: Sample
    network: Network
    device: torch.device
    flow: Kept | None
    features: Kept | None
    kept_val: Kept | None
    training: TrainingPace | None
    validation: Pace | None
    test: Pace | None


def measured_recipe(recipe: Recipe, work: Path) -> Recipe:
    """The recipe as it is measured: into the folder ``work``, from random weights, on one device, and of no
    other videos than those that are measured.
    """
    model = recipe.model
    bare = {"weights": "none", "init_from": None}
    streams = {name: stream.model_copy(update=bare) for name, stream in model.streams.items()}
    alone = {"devices": 1, "num_nodes": 1, "strategy": "ddp"}
    train = {**alone, "early_stopping": None, "class_weights": None, "balanced_sampling": False}
    data = {"train": work, "val": None, "test": None, "val_fraction": 0.0, "dataset": None, "groups": None}
    flow, cache, features = recipe.flow, recipe.cache, work / "features"
    return recipe.model_copy(
        update={
            "model": model.model_copy(update={"streams": streams, "init_from": None}),
            "data": recipe.data.model_copy(update=data),
            "train": recipe.train.model_copy(update=train),
            "flow": flow if flow.store is None else flow.model_copy(update={"store": work / "flow"}),
            "cache": cache if cache.folder is None else cache.model_copy(update={"folder": features}),
        }
    )


def measure(recipe: Recipe, videos: ListedVideos, sample: Sample, work: Path) -> Measured:
    """Measure what the recipe's commands do with the sample, one after another.

    Args:
        recipe: the whole run.
        videos: all that it names.
        sample: those that are measured.
        work: an empty folder, on the disk where features and flow will lie.

    Raises:
        DataError: too few of the videos can be gone through with.
    """
    section = recipe.train
    part_size = section.batch_size // section.parts
    recipe = measured_recipe(recipe, work)
    torch.manual_seed(section.seed)
    flow = features = kept_val = training = validation = test = None
    if "flow" in recipe.model.streams and recipe.flow.store is not None:
        with within("flow"):
            flow, sample = _measure_flow(recipe, sample)
    device = torch.device("cpu") if section.accelerator == "cpu" else best_device()
    network = build_network(recipe, len(videos.labels), load_weights=False).to(device)
    make_whole(network, first_inputs(sample.records[0], recipe))
    setting = _Setting(recipe, videos, network, device, work)
    if recipe.cache.folder is not None:
        plan, val_plan = kept_plan(recipe, videos.labels), evaluation_plan(recipe)
        with within("features"):
            features, sample = _measure_features(setting, sample, plan)
            if videos.val:
                kept_val = features
                if val_plan != plan:
                    kept_val, sample = _measure_features(setting, sample, val_plan)
    if recipe.model.kind != "pooled":
        with within("training"):
            training = _measure_training(setting, sample, part_size)
        if videos.val:
            with within("validation"):
                validation = _measure_validation(setting, sample)
    if videos.test:
        is_measured = validation is not None and recipe.cache.folder is None and recipe.segments.crops == 1
        with within("test"):
            test = validation if is_measured else _measure_test(setting, sample)
    return Measured(sample, network, device, flow, features, kept_val, training, validation, test)


def first_inputs(
    record: VideoRecord, recipe: Recipe, streams: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """Stream → (V, t, ...): the first part of a video's input, as in a validation, decoded on one thread."""
    spec = input_spec(recipe)
    chosen = spec if streams is None else spec.only(list(streams))
    with one_thread():
        for part in ViewParts(record.path, chosen, evaluation_plan(recipe), record.frames):
            return part.views
    raise DataError(f"{record.path} gave no frames; leave it out")


def make_whole(network: Network, inputs: Mapping[str, Tensor]) -> None:
    """Give a network of random weights, in place, what else it needs to compute: batch norms the figures of
    some pictures, without which a deep network's feature maps overflow 16 bits, and VLAD its centres.
    """
    for one in network.modules():
        if isinstance(one, VLAD):
            one.fit(one.mean, torch.randn_like(one.components), torch.randn_like(one.centres))
    norms = [one for one in network.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    before = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    if norms:
        part_maps(network, {name: of[:1, :2] for name, of in inputs.items()})
    for norm, momentum in zip(norms, before, strict=True):
        norm.eval()
        norm.momentum = momentum


@dataclass(frozen=True)
class _Setting:
    """What is measured, and where; the recipe is the measured one."""

    recipe: Recipe
    videos: ListedVideos
    network: Network
    device: torch.device
    work: Path

    @property
    def workers(self) -> int:
        return max(1, self.recipe.data.workers)

    def listing(self, records: Sequence[VideoRecord]) -> Listing:
        return Listing(tuple(records), self.videos.labels, multi_label=self.videos.multi_label)

    def model(self) -> Model:
        return Model(self.network.to(self.device).eval(), self.videos.labels, self.recipe)


def _pace(clock: Clock, workers: int) -> Pace:
    """Of the videos that a clock heard of.

    Raises:
        DataError: too few have been gone through with.
    """
    found = pace_of(clock.times(), workers)
    if found is None:
        raise DataError(
            f"{clock.doing}: fewer than two videos could be measured; put more of the recipe's videos where "
            "it looks for them, or give a larger --videos"
        )
    return found


def _measure_flow(recipe: Recipe, sample: Sample) -> tuple[Kept, Sample]:
    """``attcell extract flow``, with the options that the recipe's own advice gives."""
    flow, store = recipe.flow, recipe.flow.store
    assert store is not None, "asked before"
    spec = FlowSpec(flow.method, flow.bound, flow.short_side or recipe.input.short_side, flow.camera)
    clock = Clock("flow", PATIENCE, least=LEAST)
    with listening(clock):
        extract_flow(Listing(sample.records, ()), store, spec)
    rest = sample.only([one for one in sample.records if place_of(store, one.whole(), "folder").exists()])
    times = clock.times()
    pace = pace_of(times, usual_workers(), sample.frames[: len(times) - 1])
    if pace is None or not rest.records:
        raise DataError("flow: fewer than two videos could be measured; give a larger --videos")
    return Kept(pace, folder_bytes(store) / sum(rest.frames)), rest


def _measure_features(setting: _Setting, sample: Sample, plan: ViewPlan) -> tuple[Kept, Sample]:
    """What fills the cache of features before a training or a validation."""
    folder = setting.recipe.cache.folder
    assert folder is not None, "asked before"
    given = folder, setting.recipe, setting.network
    before, clock = folder_bytes(folder), Clock("features", PATIENCE, least=LEAST)
    with listening(clock):
        filled_stores(*given, sample.records, plan, setting.device)
    stores, _ = filled_stores(*given, (), plan, setting.device)
    held = [one for one in sample.records if all(store.holds(one) for store in stores.values())]
    pace = _pace(clock, setting.workers)
    return Kept(pace, (folder_bytes(folder) - before) / len(held)), sample.only(held)


def _measure_training(setting: _Setting, sample: Sample, part_size: int) -> TrainingPace:
    """Some iterations by Lightning: first of one video each, which tells how many can be measured."""
    section = setting.recipe.train
    listings = Listings(sample.records, (), setting.videos.labels, setting.videos.multi_label)
    data = gather_training_data(setting.recipe, listings, setting.network, setting.device)
    fit_standardise(setting.network, data)
    step = 2 if section.mixup or section.cutmix else 1  # videos are mixed in pairs
    begun = PreparedTraining(
        setting.recipe, setting.work / "run-1", listings, setting.network, data, None, 0, None, setting.device
    )
    times = _fitted(begun, step, 4, 2).times()
    one = max(1e-6, ((times[2] - times[1]) + (times[4] - times[3])) / 2)
    period = max(0.0, times[3] - times[2] - one)
    iterations = max(FEWEST_ITERATIONS, 3 * data.workers + 2)
    size = min(part_size, int(PATIENCE / iterations / (one / step)))
    size = max(step, size - size % step)
    clock = _fitted(replace(begun, run_folder=setting.work / "run-2"), size, iterations, iterations)
    pace = pace_of(clock.times(), max(1, data.workers))
    return TrainingPace(Pace(one, math.inf, 1) if pace is None else pace, size if pace else step, period)


def _fitted(begun: PreparedTraining, batch_size: int, iterations: int, every: int) -> Clock:
    """What a training says of how far it is that has so many iterations."""
    changed = {
        "batch_size": batch_size,
        "accumulate": 1,
        "iterations": iterations,
        "epochs": None,
        "checkpoint_every": every,
    }
    recipe = begun.recipe.model_copy(update={"train": begun.recipe.train.model_copy(update=changed)})
    clock = Clock("training", 2 * PATIENCE, least=LEAST)
    with listening(clock), loading():
        fit(replace(begun, recipe=recipe, iterations=iterations))
    return clock


def _measure_validation(setting: _Setting, sample: Sample) -> Pace:
    """What a validation takes of a video, from its features where they are kept."""
    folder = setting.recipe.cache.folder
    clock = Clock("testing", PATIENCE, least=LEAST)
    with listening(clock):
        evaluate_model(setting.model(), setting.listing(sample.records), num_crops=1, cache_folder=folder)
    return _pace(clock, setting.workers if folder is None else 1)


def _measure_test(setting: _Setting, sample: Sample) -> Pace:
    clock = Clock("testing", PATIENCE, least=LEAST)
    with listening(clock):
        evaluate_model(setting.model(), setting.listing(sample.records))
    return _pace(clock, setting.workers)


def folder_bytes(folder: Path) -> float:
    """Of all files below a folder, which may not be there yet."""
    return float(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
