"""A whole protocol: recipes over a data set's splits and over seeds, each trained and tested.

``OUT/RECIPE/split1-seed0/`` is a run folder as ``attcell train`` makes it, with ``test-test/scores.json``
beside the model. What is there already is kept, so that a protocol that was broken off goes on.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

from attcell._log import logger, track
from attcell._parallel import process_pool
from attcell.config.recipe import Recipe, check_recipe
from attcell.data.known_sets import KNOWN_SETS, read_known_set
from attcell.errors import CallError
from attcell.inference.extract import filled_stores, refuse_unread
from attcell.inference.model import Model
from attcell.inference.run import best_device
from attcell.models.build import build_network, evaluation_plan, part_listing, read_listings, training_plan
from attcell.models.warm_start import refuse_other_split
from attcell.research.networks import ALL_STREAMS
from attcell.results.runs import read_run
from attcell.training.run import train
from attcell.training.run_folder import RECIPE_FILE, refuse_another_recipe
from attcell.types import VideoRecord


@dataclass(frozen=True)
class PlannedRun:
    """One training and its test."""

    recipe: Recipe
    folder: Path

    @property
    def scores(self) -> Path:
        """The file that is there when the run is done."""
        return self.folder / "test-test" / "scores.json"  # as attcell test has it


def plan_runs(
    recipes: Sequence[Recipe], out: Path, splits: Sequence[int] | None, seeds: Sequence[int]
) -> list[PlannedRun]:
    """Every recipe over every split and seed.

    Args:
        recipes: of different names.
        out: below which all run folders go.
        splits: None for those that a recipe names, or else all that its data set has.
        seeds: of the training.

    Raises:
        CallError: two recipes of one name, a split that a data set lacks, a recipe without test videos, or
            one that begins with a model of another split, which has seen videos that are tested.
        DataError: official files that are not what they should be.
    """
    names = [recipe.name for recipe in recipes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CallError(f"two recipes are called {twice[0]}; give one of them another name: key")
    planned = []
    for recipe in recipes:
        data = recipe.data
        if data.dataset is None and data.test is None:
            raise CallError(f"recipe {recipe.name} names no test videos; give data.test=SOURCE")
        there = range(1, (1 if data.dataset is None else KNOWN_SETS[data.dataset].splits) + 1)
        wanted = splits or data.splits or there
        for split in sorted(set(wanted)):
            if split not in there:
                raise CallError(f"recipe {recipe.name} has the splits {there[0]} to {there[-1]}, not {split}")
            if data.dataset is not None and data.root is not None:
                read_known_set(data.dataset, data.annotations or data.root, split)  # before any training
            for seed in seeds:
                values = recipe.model_dump(mode="json")
                values["data"]["split"], values["train"]["seed"] = split, seed
                one = check_recipe(values, source=f"recipe {recipe.name}")
                refuse_other_split(one)
                planned.append(PlannedRun(one, out / recipe.name / f"split{split}-seed{seed}"))
    return planned


def run_protocol(runs: Sequence[PlannedRun], jobs: int) -> Iterator[PlannedRun]:
    """Do what is not done yet, and yield every run when its scores are there.

    Args:
        runs: of :func:`plan_runs`.
        jobs: how many trainings go side by side, each on its share of the cores; what they say goes to
            a ``.log`` file beside their folder then.

    Raises:
        CallError: a folder holds a run of another recipe.
        DataError, VideoError, ModelError, TrainingError: as training and testing do.
    """
    for run in runs:
        refuse_another_recipe(run.folder, run.recipe)
    left = [run for run in runs if not run.scores.is_file()]
    yield from (run for run in runs if run.scores.is_file())
    if len(left) < len(runs):
        logger.info(f"{len(runs) - len(left)} of {len(runs)} runs are done already")
    for recipe_runs in _by_recipe(left):
        _keep_features(recipe_runs)
    if jobs == 1:
        for number, run in enumerate(left, 1):
            logger.info(f"run {number} of {len(left)}: {run.folder}")
            _run(run)
            yield run
        return
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with process_pool(jobs, threads) as pool:
        futures = {pool.submit(_run_with_log, run): run for run in left}
        for future in track(as_completed(futures), len(futures), "runs"):
            future.result()
            yield futures[future]


def unread_videos(run: PlannedRun) -> dict[str, str]:
    """Video id → why it could not be read in the test."""
    content = json.loads(run.scores.read_text(encoding="utf-8"))
    return dict(content["unread"])


def _by_recipe(runs: Sequence[PlannedRun]) -> list[list[PlannedRun]]:
    by_name: dict[str, list[PlannedRun]] = {}
    for run in runs:
        by_name.setdefault(run.recipe.name, []).append(run)
    return list(by_name.values())


def _keep_features(runs: Sequence[PlannedRun]) -> None:
    """Compute the feature maps that all runs of a recipe draw from, once and before they go side by side."""
    recipe = runs[0].recipe
    if recipe.cache.folder is None:
        return
    taught: dict[tuple[Path, range | None], VideoRecord] = {}  # ids of several parts may be alike
    seen: dict[tuple[Path, range | None], VideoRecord] = {}
    for run in runs:
        listings = read_listings(run.recipe)
        taught |= {(record.path, record.frames): record for record in listings.train}
        seen |= {(record.path, record.frames): record for record in listings.val}
        tested = part_listing(run.recipe.data, "test", listings.labels)
        assert tested is not None, "planned runs have test videos"
        there = [record for record in tested.records if record.path.exists()]
        seen |= {(record.path, record.frames): record for record in there}
    network = build_network(recipe, len(listings.labels), load_weights=True)
    for records, plan in ((taught, training_plan(recipe)), (seen, evaluation_plan(recipe))):
        filled_stores(recipe.cache.folder, recipe, network, list(records.values()), plan, best_device())


def _run_with_log(run: PlannedRun) -> None:
    """Several runs go at once, so each has a log of its own."""
    run.folder.parent.mkdir(parents=True, exist_ok=True)
    with (run.folder.parent / f"{run.folder.name}.log").open("a") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
        _run(run)


def _run(run: PlannedRun) -> None:
    recipe = run.recipe
    outcome = train(recipe, run.folder, resume=(run.folder / RECIPE_FILE).exists())
    saved = Model.from_folder(outcome.model_folder)
    saved.to(best_device()).evaluate(cache=recipe.cache.folder).write_scores(run.scores)


# Trainings and tests of a suite, and the accuracies that they came to.


def run_all(runs: Sequence[PlannedRun], jobs: int) -> None:
    """Train and test what is not yet, and refuse unread videos: they would count as wrong.

    A test that could not read all of its videos is done again, for they may have been mended.
    """
    for run in runs:
        if run.scores.is_file() and unread_videos(run):
            run.scores.unlink()
    refuse_unread([why for run in run_protocol(runs, jobs) for why in unread_videos(run).values()])


def accuracies(name: str, run: PlannedRun) -> dict[str, float]:
    """In percent, of the whole network, and of each stream that says something by itself."""
    found = read_run(run.scores).figures
    alone = {
        f"{name}: {stream} alone": found[f"top1_{stream}"]
        for stream in ALL_STREAMS
        if f"top1_{stream}" in found
    }
    return {name: found["top1"], **alone}


def model_of(folder: Path, name: str, seed: int) -> Path:
    """The model folder of a run of split 1."""
    return folder / name / f"split1-seed{seed}" / "model"
