"""Networks and streams that begin as a trained model's: is it of their shape, and is its input made alike?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attcell.config import Recipe
from attcell.engine.model_folder import read_recipe
from attcell.errors import CallError, ModelError

# What changes the numbers that a trained stream sees, and not the shape of its weights.
_COLOURS = ("input.mean", "input.std")
_INPUT = {
    "frame": _COLOURS,
    "flow": ("flow.method", "flow.bound", "flow.deviation", "flow.short_side"),
    "clip": (*_COLOURS, "clip.frames"),
}
_INPUT_OF_PICTURES = {"frame": _COLOURS, "flow": (), "clip": _COLOURS}  # where it begins as a frame stream


# What decides the shape of the weights.
_NETWORK = ("kind", "fusion", "cell", "lstm_hidden", "lstm_layers", "lstm_bidirectional")
_STREAM = ("backbone", "tap", "conv6_channels", "standardise")


def refuse_other_shapes(recipe: Recipe) -> None:
    """Raise a ModelError for a model that the recipe begins with and whose network is another.

    It names each difference: the kind, the backbone, the size of a layer.
    """
    if recipe.model.begin_with is not None:
        _refuse_another_network(recipe, recipe.model.begin_with)
        return
    for name, section in recipe.model.streams.items():
        before = None if section.begin_with is not None else read_recipe(Path(section.weights))
        source = None if before is None else before.model.streams.get(name)
        if source is not None and source.backbone != section.backbone:
            raise ModelError(
                f"model.streams.{name}.weights: the backbone of {section.weights} is {source.backbone}, and "
                f"this recipe's is {section.backbone}; set model.streams.{name}.backbone={source.backbone}, "
                "or give another model's folder"
            )


def _refuse_another_network(recipe: Recipe, folder: Path) -> None:
    before = read_recipe(folder)
    if before is None:
        raise CallError(f"no model at {folder}: model.begin_with wants a model folder, with its config.json")
    now, old = recipe.model, before.model
    differing = [
        f"model.{key} is {getattr(old, key)} there and {getattr(now, key)} here"
        for key in _NETWORK
        if getattr(old, key) != getattr(now, key)
    ]
    if set(old.streams) != set(now.streams):
        differing.append(f"its streams are {', '.join(old.streams)} and here {', '.join(now.streams)}")
    differing += [
        f"model.streams.{name}.{key} is {getattr(old.streams[name], key)} there and "
        f"{getattr(stream, key)} here"
        for name, stream in now.streams.items()
        if name in old.streams
        for key in _STREAM
        if getattr(old.streams[name], key) != getattr(stream, key)
    ]
    if "flow" in now.streams and before.flow.channels != recipe.flow.channels:
        differing.append(f"flow has {before.flow.channels} channels there and {recipe.flow.channels} here")
    if differing:
        raise ModelError(
            f"model.begin_with {folder} is another network: {'; '.join(differing)}. "
            "Set them alike, or begin with another model"
        )


def other_inputs(recipe: Recipe) -> Iterator[str]:
    """A sentence for each stream that begins with a model's weights, and sees its input otherwise.

    Raises:
        ModelError: the model's ``config.json`` is damaged.
    """
    for name, section in recipe.model.streams.items():
        folder = recipe.model.begin_with or section.begin_with or Path(section.weights)
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
