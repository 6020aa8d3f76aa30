"""Variants of one recipe: what STAN's paper takes away or changes to see what it was good for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from attcell._log import track
from attcell.choices import AblationSubject
from attcell.config.recipe import Recipe, check_recipe
from attcell.errors import CallError
from attcell.inference.evaluate import Evaluation, evaluate_model, listing_of
from attcell.inference.model import Model
from attcell.inference.run import best_device
from attcell.nn.backbones.registry import backbone_taps
from attcell.research.driver import PlannedRun

SEGMENT_COUNTS = tuple(range(5, 71, 5))  # of Fig. 5


def variants(recipe: Recipe, subject: AblationSubject) -> list[Recipe]:
    """The recipes to compare, each named after the given one and what it changes.

    Args:
        recipe: the given one.
        subject: ``tap``, all feature maps that every stream's backbone can give (Table VII); ``fusion``, SAN
            and STAN by early and late fusion (Tables II and III); ``modalities``, every set of the recipe's
            streams (Tables IV and V).

    Raises:
        CallError: nothing to compare, or a variant that cannot be.
    """
    found = list(_changes(recipe, subject))
    if len(found) < 2:
        raise CallError(
            f"recipe {recipe.name} has nothing to compare by {subject}: tap wants backbones of several taps, "
            "fusion and modalities want several streams"
        )
    return [_changed(recipe, name, model) for name, model in found]


def segment_counts(runs: Sequence[PlannedRun], counts: Sequence[int]) -> dict[int, list[Evaluation]]:
    """T → the test of every run with so many segments (Fig. 5). The runs must have been trained."""
    found: dict[int, list[Evaluation]] = {count: [] for count in counts}
    for run in track(runs, len(runs), "numbers of segments"):
        model = Model.from_folder(run.model).to(best_device())
        listing, cache = listing_of(model, "test"), run.recipe.cache.folder
        for count in counts:
            test = evaluate_model(model, listing, num_segments=count, cache_folder=cache)
            found[count].append(test)
    return found


def _changes(recipe: Recipe, subject: AblationSubject) -> Iterable[tuple[str, dict[str, Any]]]:
    """What each variant is called, and its model section."""
    model = recipe.model.model_dump(mode="json")
    names = [str(name) for name in model["streams"]]
    if subject == "tap":
        taps = [backbone_taps(recipe.model.streams[name].backbone) for name in recipe.model.streams]
        for tap in taps[0]:
            if all(tap in of_stream for of_stream in taps):
                streams = {name: {**model["streams"][name], "tap": tap} for name in names}
                yield tap, {**model, "streams": streams}
    elif subject == "fusion" and len(names) > 1:
        for kind, fusion in itertools.product(("san", "stan"), ("early", "late")):
            yield f"{kind}-{fusion}", {**model, "kind": kind, "fusion": fusion}
    elif subject == "modalities":
        for size in range(1, len(names) + 1):
            for chosen in itertools.combinations(names, size):
                fusion = model["fusion"] if size > 1 else "early"
                streams = {name: model["streams"][name] for name in chosen}
                yield "-".join(chosen), {**model, "streams": streams, "fusion": fusion}


def _changed(recipe: Recipe, name: str, model: dict[str, Any]) -> Recipe:
    values = recipe.model_dump(mode="json")
    values |= {"name": f"{recipe.name}-{name}", "model": model, "published": [], "rivals": []}
    return check_recipe(values, source=f"variant {name} of recipe {recipe.name}")
