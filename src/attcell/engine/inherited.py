"""Streams that begin as a trained model's: is their input made as it was for that model?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attcell.config import Recipe
from attcell.engine.model_folder import read_recipe

# What changes the numbers that a trained stream sees, and not the shape of its weights.
_COLOURS = ("input.mean", "input.std")
_INPUT = {
    "frame": _COLOURS,
    "flow": ("flow.method", "flow.bound", "flow.deviation", "flow.short_side"),
    "clip": (*_COLOURS, "clip.frames"),
}
_INPUT_OF_PICTURES = {"frame": _COLOURS, "flow": (), "clip": _COLOURS}  # where it begins as a frame stream


def other_inputs(recipe: Recipe) -> Iterator[str]:
    """A sentence for each stream that begins with a model's weights, and sees its input otherwise.

    Raises:
        ModelError: the model's ``config.json`` is damaged.
    """
    for name, section in recipe.model.streams.items():
        folder = section.begin_with or Path(section.weights)
        before = read_recipe(folder)
        if before is None:
            continue
        keys = (_INPUT if name in before.model.streams else _INPUT_OF_PICTURES)[name]
        differing = [
            f"{key} {_value(before, key)} instead of {_value(recipe, key)}"
            for key in keys
            if _value(before, key) != _value(recipe, key)
        ]
        if differing:
            yield (
                f"warning: the {name} stream begins as that of {folder}, which was trained with "
                f"{', '.join(differing)}; it will see other numbers. Set them alike unless this is meant"
            )


def _value(recipe: Recipe, key: str) -> object:
    section, _, name = key.partition(".")
    return getattr(getattr(recipe, section), name)
