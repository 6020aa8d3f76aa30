"""Which runs an experiment consists of: recipes over splits and seeds, and before them what they begin with.

All that can be told to be wrong before any training is told here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attcell.config.recipe import Recipe, check_recipe
from attcell.config.stages import stages_of
from attcell.data.known_sets import KNOWN_SETS, read_known_set
from attcell.errors import CallError
from attcell.models.hearing import refuse_unfit_sound
from attcell.models.warm_start import refuse_missing_weights, refuse_other_shapes, refuse_other_split
from attcell.research.asked import check_asked
from attcell.research.driver import PlannedRun, run_folder

NO_STAGES: Mapping[str, Recipe] = MappingProxyType({})


def plan_runs(
    recipes: Sequence[Recipe],
    out: Path,
    splits: Sequence[int] | None,
    seeds: Sequence[int],
    stages: Mapping[str, Recipe] = NO_STAGES,
) -> list[PlannedRun]:
    """Every recipe over every split and seed, each run after those that it begins with.

    A stage's run is of the same split and seed; where its data set has no such split, of its first. It is
    planned once, however many runs begin with it.

    Args:
        recipes: of different names.
        out: below which all run folders go.
        splits: None for those that a recipe names, or else all that its data set has.
        seeds: of the training.
        stages: ``TABLE#ROW`` → its recipe, for what the recipes begin with.

    Raises:
        CallError: two recipes of one name, a split that a data set lacks, a recipe without test videos, or on
            several devices, one that begins with a model that is not there, or with a model of another split,
            which has seen videos that are tested.
        ModelError: a recipe that begins with another network than its own.
        DataError: official files that are not what they should be.
    """
    _refuse_same_names(recipes, stages.values())
    plan = _Plan(out, stages)
    for recipe in recipes:
        there = _splits_of(recipe)
        for split in sorted(set(splits or recipe.data.splits or there)):
            if split not in there:
                raise CallError(f"recipe {recipe.name} has the splits {there[0]} to {there[-1]}, not {split}")
            for seed in seeds:
                plan.add(recipe, split, seed)
    return list(plan.runs.values())


def _refuse_same_names(recipes: Sequence[Recipe], stages: Iterable[Recipe]) -> None:
    """Raise a CallError for two recipes of one name; one that was asked for may be a stage too."""
    asked_for = {id(recipe) for recipe in recipes}
    others = {id(stage): stage for stage in stages if id(stage) not in asked_for}
    names = Counter(recipe.name for recipe in (*recipes, *others.values()))
    for name in sorted(name for name, count in names.items() if count > 1):
        raise CallError(f"two recipes are called {name}; give one of them another name: key")


def _splits_of(recipe: Recipe) -> range:
    """All splits that its data set has."""
    dataset = recipe.data.dataset
    return range(1, (1 if dataset is None else KNOWN_SETS[dataset].splits) + 1)


class _Plan:
    """Runs by recipe, split and seed, in the order in which they can go."""

    def __init__(self, out: Path, stages: Mapping[str, Recipe]) -> None:
        self._out, self._stages = out, stages
        self.runs: dict[tuple[str, int, int], PlannedRun] = {}

    def add(self, recipe: Recipe, split: int, seed: int) -> PlannedRun:
        """The run of a recipe, planned with those that it begins with if it is not planned yet."""
        key = recipe.name, split, seed
        if key in self.runs:
            return self.runs[key]
        if recipe.data.dataset is None and recipe.data.test is None:
            raise CallError(f"recipe {recipe.name} names no test videos; give data.test=SOURCE")
        begun = {where: self._stage(name, split, seed) for where, name in stages_of(recipe).items()}
        values = recipe.model_dump(mode="json")
        values["data"]["split"], values["train"]["seed"] = split, seed
        for where, run in begun.items():
            _put(values, where, str(run.model))
        if recipe.fuse is not None:
            values["fuse"] = recipe.fuse.of_split(split).model_dump(mode="json")
        one = check_recipe(values, source=f"recipe {recipe.name}")
        folder = run_folder(self._out, recipe.name, split, seed)
        _check(one, {run.model: run.recipe for run in begun.values()})
        refuse_other_split(one, {run.model: run.recipe for run in self.runs.values()})
        after = frozenset(run.folder for run in begun.values())
        return self.runs.setdefault(key, PlannedRun(one, folder, after))

    def _stage(self, name: str, split: int, seed: int) -> PlannedRun:
        recipe = self._stages[name]
        there = _splits_of(recipe)
        return self.add(recipe, split if split in there else there[0], seed)


def _refuse_several_devices(recipe: Recipe) -> None:
    """Raise a CallError for a training on several devices: each device's process would start the whole
    experiment once more, and test, write and go on beside the others.
    """
    key = "num_nodes" if recipe.train.num_nodes > 1 else "devices"
    if recipe.train.processes > 1:
        raise CallError(
            f"recipe {recipe.name} has train.{key} {getattr(recipe.train, key)}, and what runs one training "
            f"after another gives each of them one device; set train.{key}=1 and let --jobs train several "
            "runs at once, each on a GPU of its own; or train this one alone (attcell train … --out RUN, "
            "then attcell test RUN)"
        )


def _put(values: dict[str, Any], where: str, value: str) -> None:
    """Set what a key such as ``model.streams.frame.weights`` names."""
    *sections, key = where.split(".")
    for section in sections:
        values = values[section]
    values[key] = value


def _check(recipe: Recipe, planned: Mapping[Path, Recipe]) -> None:
    """Find what is wrong with one run; ``planned`` are the models that will be there when it starts."""
    _refuse_several_devices(recipe)
    data = recipe.data
    if data.dataset is not None and data.root is not None:
        read_known_set(data.dataset, data.annotations or data.root, data.split)
    refuse_missing_weights(recipe, planned)
    refuse_other_shapes(recipe, planned)
    refuse_unfit_sound(recipe)
    check_asked(recipe)
