"""TAN's stages of training on a small set of other classes: what a CNN and a TAN bring that saw more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from attcell.config import Recipe, check_recipe
from attcell.reproduce.networks import STREAMS, TAN, Videos, cnn_recipe, network_recipe, on_trimmed

NUM_CLASSES = 10  # of the small set: more appearances and motions than the large one has, and other pairs
LARGE = replace(TAN, name="TAN of the large set")
NO_STAGE = replace(TAN, name="TAN without a stage")
OWN_CNNS = replace(TAN, name="TAN on the small set's CNNs")
LARGE_CNNS = replace(TAN, name="TAN on the large set's CNNs")
LARGE_TAN = replace(TAN, name="TAN begun as the large set's")


def large_recipe(large: Videos, cnns: Mapping[str, Path], features: Path, epochs: int) -> Recipe:
    """TAN on the large set, which another one begins with."""
    return on_trimmed(network_recipe(LARGE, large, cnns, features, epochs))


def small_cnn_recipes(small: Videos, epochs: int) -> list[Recipe]:
    """The CNN stage on the small set."""
    return [_named(cnn_recipe(small, stream, epochs), f"small-cnn-{stream}") for stream in STREAMS]


def without_stage(small: Videos, epochs: int) -> Recipe:
    """TAN on the small set, all at once and from nothing: nothing is frozen, and nothing is kept."""
    nothing = dict.fromkeys(STREAMS, Path("none"))
    recipe = on_trimmed(network_recipe(NO_STAGE, small, nothing, Path("none"), epochs))
    values = recipe.model_dump(mode="json")
    values["cache"] = {}
    for stream in values["model"]["streams"].values():
        stream.update(weights="none", train_from="all", standardise=False)
    return check_recipe(values, source="the suite's recipe")


def later_recipes(
    small: Videos,
    small_cnns: Mapping[str, Path],
    large_cnns: Mapping[str, Path],
    large_tan: Path,
    features: Path,
    epochs: int,
) -> dict[str, Recipe]:
    """Name → TAN on the small set, with something that was trained before.

    Args:
        small: the small set.
        small_cnns: stream → the model folder of its CNN, trained on the small set.
        large_cnns: the same of the large set.
        large_tan: the model folder of the large set's TAN.
        features: where feature maps are kept.
        epochs: over the small set.
    """
    begun = network_recipe(LARGE_TAN, small, large_cnns, features, epochs).model_dump(mode="json")
    begun["model"]["begin_with"] = str(large_tan)
    for stream in begun["model"]["streams"].values():
        del stream["weights"]  # its CNNs are the large set's too
    recipes = {
        OWN_CNNS.name: network_recipe(OWN_CNNS, small, small_cnns, features, epochs),
        LARGE_CNNS.name: network_recipe(LARGE_CNNS, small, large_cnns, features, epochs),
        LARGE_TAN.name: check_recipe(begun, source="the suite's recipe"),
    }
    return {name: on_trimmed(recipe) for name, recipe in recipes.items()}


def _named(recipe: Recipe, name: str) -> Recipe:
    return recipe.model_copy(update={"name": name})
