"""The one driver of all experiments: what is planned is trained, tested and measured, and kept.

A *run* is one training and its test. ``OUT/RECIPE/split1-seed0/`` is its folder, as ``attcell train`` makes
it, with ``test-test/scores.json`` beside the model. A *measurement* is what else is asked of a trained
network; its figures are kept as JSON. Protocols, ablations and suites consist of runs and measurements. What
is there already is kept, so that an experiment that was broken off goes on.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, as_completed, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from attcell._files import OTHER_VALUES, read_json, read_own, write_json
from attcell._log import logger, track
from attcell._parallel import process_pool
from attcell.config.recipe import Recipe
from attcell.data.feature_store import content_digest
from attcell.errors import DataError
from attcell.inference.extract import filled_stores, refuse_unread
from attcell.inference.model import Model
from attcell.inference.run import best_device
from attcell.models.build import build_network, evaluation_plan, kept_plan
from attcell.models.listings import part_listing, read_listings, with_features_dim
from attcell.research.asked import answer, is_answered, unread_beside
from attcell.results.runs import read_run
from attcell.training.flow_cost import tell_flow_cost
from attcell.training.run import train
from attcell.training.run_folder import RECIPE_FILE, refuse_another_recipe
from attcell.types import VideoRecord

K = TypeVar("K")
T = TypeVar("T")
Figures = dict[str, float]  # name → figure, in percent


def _side_by_side(tasks: Mapping[K, Callable[[], T]], processes: int, threads: int) -> Iterator[tuple[K, T]]:
    """What each task gives, with its key, as they end; tasks are of what a process can be handed."""
    with process_pool(processes, threads) as pool:
        keys = {pool.submit(task): key for key, task in tasks.items()}
        for future in as_completed(keys):
            yield keys[future], future.result()


# Runs


@dataclass(frozen=True)
class PlannedRun:
    """One training and its test.

    Attributes:
        recipe: with model folders where it named stages.
        folder: of the run.
        after: the folders of the runs that it begins with.
    """

    recipe: Recipe
    folder: Path
    after: frozenset[Path] = frozenset()

    @property
    def scores(self) -> Path:
        """The file that is there when the run is tested."""
        return self.folder / "test-test" / "scores.json"  # as attcell test has it

    @property
    def is_done(self) -> bool:
        """Whether it is tested, and whatever else its recipe asks is answered."""
        return self.scores.is_file() and is_answered(self.recipe, self.scores)

    @property
    def model(self) -> Path:
        """The folder of its trained model."""
        return self.folder / "model"

    def unread_videos(self) -> dict[str, str]:
        """Video id → why it could not be read in the test."""
        content = read_own(self.scores, "unread")
        return unread_beside(content) | content["unread"]

    def accuracies(self, name: str) -> Figures:
        """The top-1 accuracy of the whole network, called ``name``, and of each stream that says something
        by itself, called ``name: STREAM alone``.
        """
        found = read_run(self.scores).figures
        alone = {
            f"{name}: {stream} alone": found[f"top1_{stream}"]
            for stream in self.recipe.model.streams
            if f"top1_{stream}" in found
        }
        return {name: found["top1"], **alone}


def model_of(out: Path, name: str, seed: int) -> Path:
    """The model folder of a recipe's run on split 1."""
    return run_folder(out, name, 1, seed) / "model"


def run_folder(out: Path, name: str, split: int, seed: int) -> Path:
    """Where a recipe's run of this split and seed goes."""
    return out / name / f"split{split}-seed{seed}"


def run_planned(runs: Sequence[PlannedRun], jobs: int) -> Iterator[PlannedRun]:
    """Do what is not done yet, and yield every run when its scores are there.

    Args:
        runs: of :func:`attcell.research.plan.plan_runs`.
        jobs: how many go side by side, each on its share of the cores and, where there are GPUs, on one of
            them; what they say goes to a ``.log`` file beside their folder then. A run starts when those are
            done that it begins with, and when the features are there that it shares with others.

    Raises:
        CallError: a folder holds a run of another recipe.
        DataError, VideoError, ModelError, TrainingError: as training and testing do.
    """
    for run in runs:
        refuse_another_recipe(run.folder, run.recipe)
    are_done = [run.is_done for run in runs]
    left = [run for run, is_done in zip(runs, are_done, strict=True) if not is_done]
    yield from (run for run, is_done in zip(runs, are_done, strict=True) if is_done)
    tell_flow_cost([run.recipe for run in left if not run.scores.is_file()])
    if len(left) < len(runs):
        logger.info(f"{len(runs) - len(left)} of {len(runs)} runs are done already")
    if jobs > 1:
        yield from track(_runs_side_by_side(left, jobs), len(left), "runs")
        return
    queue, number = _Queue(left), 0
    while ready := queue.ready():
        for together in _sharing_features(ready):
            if together[0].recipe.cache.folder is not None:
                _keep_features(together)
            for run in together:
                number += 1
                logger.info(f"run {number} of {len(left)}: {run.folder}")
                train_and_test(run)
                queue.done(run)
                yield run


class _Queue:
    """Runs that wait for those that they begin with."""

    def __init__(self, runs: Sequence[PlannedRun]) -> None:
        self._waiting = list(runs)
        self._undone = {run.folder for run in runs}

    def ready(self) -> list[PlannedRun]:
        """Those that can start now; they leave the queue."""
        ready = [run for run in self._waiting if not run.after & self._undone]
        self._waiting = [run for run in self._waiting if run.after & self._undone]
        return ready

    def done(self, run: PlannedRun) -> None:
        """Let those go that wait for it."""
        self._undone.discard(run.folder)


def _runs_side_by_side(runs: Sequence[PlannedRun], jobs: int) -> Iterator[PlannedRun]:
    """Each run when it is done, so many at once.

    The features of one recipe are computed at a time, as one of the jobs: other recipes may draw from the
    same ones, and need not compute them once more. They get all the threads that there are, as without other
    jobs; with fewer some of their last bits would be others.
    """
    queue, threads = _Queue(runs), torch.get_num_threads()
    running = dict[Future[None], PlannedRun]()
    computing, to_compute = dict[Future[None], list[PlannedRun]](), deque[list[PlannedRun]]()
    with process_pool(jobs, max(1, (os.cpu_count() or 1) // jobs)) as pool:
        while True:
            for together in _sharing_features(queue.ready()):
                if together[0].recipe.cache.folder is not None:
                    to_compute.append(together)
                else:
                    running |= {pool.submit(train_and_test_with_log, run): run for run in together}
            if to_compute and not computing:
                together = to_compute.popleft()
                computing[pool.submit(_keep_features_with_log, together, threads)] = together
            if not (running or computing):
                return
            for future in wait([*running, *computing], return_when=FIRST_COMPLETED).done:
                future.result()
                if future in computing:
                    together = computing.pop(future)
                    running |= {pool.submit(train_and_test_with_log, run): run for run in together}
                else:
                    run = running.pop(future)
                    queue.done(run)
                    yield run


def run_all(runs: Sequence[PlannedRun], jobs: int) -> None:
    """Do what is not done yet, and refuse unread videos: they would count as wrong.

    A test that could not read all of its videos is done again, because they may have been mended.

    Raises:
        DataError: videos that cannot be read, by name; and all errors of :func:`run_planned`.
    """
    for run in runs:
        if run.scores.is_file() and run.unread_videos():
            run.scores.unlink()
    refuse_unread([why for run in run_planned(runs, jobs) for why in run.unread_videos().values()])


def _sharing_features(runs: Sequence[PlannedRun]) -> list[list[PlannedRun]]:
    """The runs of one recipe that begin with the same models."""
    together: dict[tuple[str, frozenset[Path]], list[PlannedRun]] = {}
    for run in runs:
        together.setdefault((run.recipe.name, run.after), []).append(run)
    return list(together.values())


def _keep_features(runs: Sequence[PlannedRun]) -> None:
    """Compute the feature maps that several runs draw from, once and before they start."""
    recipe = runs[0].recipe
    folder = recipe.cache.folder
    assert folder is not None, "they keep features"
    training: dict[tuple[Path, range | None], VideoRecord] = {}  # ids of several parts may be alike
    evaluated: dict[tuple[Path, range | None], VideoRecord] = {}
    for run in runs:
        listings = read_listings(run.recipe)
        training |= {(record.path, record.frames): record for record in listings.train}
        evaluated |= {(record.path, record.frames): record for record in listings.val}
        tested = part_listing(run.recipe.data, "test", listings.labels)
        assert tested is not None, "planned runs have test videos"
        there = [record for record in tested.records if record.path.exists()]
        evaluated |= {(record.path, record.frames): record for record in there}
    recipe = with_features_dim(recipe, listings.train)
    network = build_network(recipe, len(listings.labels), load_weights=True)
    plans = kept_plan(recipe, listings.labels), evaluation_plan(recipe)
    for records, plan in zip((training, evaluated), plans, strict=True):
        filled_stores(folder, recipe, network, list(records.values()), plan, best_device())


def train_and_test_with_log(run: PlannedRun) -> None:
    """Do a run in a process of its own, whose messages go to a ``.log`` file beside the run's folder."""
    log_to(run.folder.parent / f"{run.folder.name}.log")
    train_and_test(run)


def _keep_features_with_log(runs: Sequence[PlannedRun], threads: int) -> None:
    log_to(runs[0].folder.parent / "features.log")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        _keep_features(runs)
    finally:
        torch.set_num_threads(before)  # the process does something else next


def log_to(file: Path) -> None:
    """In a process of its own, where several go at once: what it says from now on goes to a log."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())


def train_and_test(run: PlannedRun) -> None:
    """Train by a run's recipe, test, and answer what else it asks; what is done already is left."""
    recipe = run.recipe
    if not run.scores.is_file():  # else only what is asked beside is left to do
        is_begun = (run.folder / RECIPE_FILE).exists()
        outcome = train(recipe, run.folder, resume=is_begun)
        model = Model.from_folder(outcome.model_folder).to(best_device())
        model.evaluate(cache=recipe.cache.folder).write_scores(run.scores)
    if not run.is_done:
        answer(recipe, run.folder, run.scores)


# Measurements

VERSION = 2  # raise it when the same model would give other figures


@dataclass(frozen=True)
class Measurement:
    """Something to measure on a trained network.

    Attributes:
        measure: gives name → figure; of what a process can be handed.
        model: the model folder.
        settings: whatever else the figures depend on, in plain types.
    """

    measure: Callable[[], Figures]
    model: Path
    settings: Mapping[str, Any]

    @property
    def made_by(self) -> dict[str, Any]:
        """What a kept result must have been measured on."""
        model = content_digest(self.model / "model.safetensors")
        return {"version": VERSION, "model": model, **self.settings}


def measure_all(measurements: Mapping[str, Measurement], folder: Path, jobs: int) -> dict[str, Figures]:
    """Each measurement's figures, by its name.

    Args:
        measurements: name → what is measured; the longest come first, so that none is left alone at the end.
        folder: each one's figures are kept there, in ``NAME.json``, and taken from there while they hold.
        jobs: how many go side by side, each on one thread.

    Raises:
        DataError: a damaged file in ``folder``; and whatever a measurement raises. What others found is kept.
    """
    kept = {name: _kept(folder / f"{name}.json", one) for name, one in measurements.items()}
    found = {name: figures for name, figures in kept.items() if figures is not None}
    left = {name: one for name, one in measurements.items() if name not in found}
    for name, figures in track(_measured(left, min(jobs, len(left))), len(left), "measuring"):
        found[name] = figures
        folder.mkdir(parents=True, exist_ok=True)
        content = {"made_by": measurements[name].made_by, "figures": figures}
        write_json(str(folder / f"{name}.json"), content)
    return {name: found[name] for name in measurements}


def _measured(measurements: Mapping[str, Measurement], processes: int) -> Iterator[tuple[str, Figures]]:
    """Name and figures of each, as they come."""
    if processes > 1:
        tasks = {name: one.measure for name, one in measurements.items()}
        yield from _side_by_side(tasks, processes, threads=1)
        return
    for name, one in measurements.items():  # another process would take longer to start than many of them
        yield name, one.measure()


def _kept(file: Path, measurement: Measurement) -> Figures | None:
    """What was measured before, if on the same."""
    if not file.is_file():
        return None
    try:
        content = read_json(file)
        if content["made_by"] != measurement.made_by:
            return None
        return {str(name): float(value) for name, value in content["figures"].items()}
    except OTHER_VALUES as error:
        raise DataError(f"{file} is damaged ({error}); delete it and run again") from error
