"""Checks of a recipe that begins with a trained model: does the network have its shape, and the same input?

Weights that do not fit are refused when they are loaded; here what differs is named by the recipe's keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

from attcell.config.recipe import Recipe
from attcell.config.schema import ModelSection, StreamSection
from attcell.config.section import Section
from attcell.data.known_sets import KNOWN_SETS
from attcell.errors import CallError, ModelError
from attcell.models.build import input_spec
from attcell.models.folder import read_recipe
from attcell.models.weights import no_weights
from attcell.video.modalities import modality

NONE_PLANNED: Mapping[Path, Recipe] = MappingProxyType({})


def refuse_missing_weights(recipe: Recipe, planned: Mapping[Path, Recipe] = NONE_PLANNED) -> None:
    """Raise a CallError for a model or a file that the recipe begins with and that is not there.

    Args:
        recipe: the whole run.
        planned: model folders that will be there when the run starts → the recipes that they come of.
    """
    model = recipe.model
    for folder in (model.init_from, *(stream.init_from for stream in model.streams.values())):
        if folder is not None and folder not in planned and not (folder / "model.safetensors").is_file():
            raise CallError(f"{folder} is no model folder: it holds no model.safetensors")
    for path in _named_weights(model):
        if path not in planned and not path.exists():
            raise CallError(no_weights(path))


def refuse_other_shapes(recipe: Recipe, planned: Mapping[Path, Recipe] = NONE_PLANNED) -> None:
    """Raise a ModelError for a model that the recipe begins with and whose network is another.

    It names each difference: the kind, the backbone, the size of a layer. Arguments as of
    :func:`refuse_missing_weights`.
    """
    if recipe.model.init_from is not None:
        _refuse_another_network(recipe, recipe.model.init_from, planned)
        return
    for name, section in recipe.model.streams.items():
        if section.init_from is not None:
            _refuse_another_stream(recipe, name, section.init_from, planned)
        else:
            _refuse_another_backbone(section, name, planned)


def refuse_other_split(recipe: Recipe, planned: Mapping[Path, Recipe] = NONE_PLANNED) -> None:
    """Raise a CallError for a model that the recipe begins with, or that such a model began with, and that
    has seen videos which are tested: it was trained on another split of the same data set, or on a data set
    that holds this one. Arguments as of :func:`refuse_missing_weights`.
    """
    own = recipe.data
    for chain, before in _learnt_from(recipe, planned):
        data = before.data
        if own.dataset is None or data.dataset is None:
            continue
        what = chain[0] if len(chain) == 1 else f"{chain[0]} goes back to {chain[-1]}, which"
        if own.dataset in KNOWN_SETS[data.dataset].holds:
            raise CallError(
                f"{what} was trained on {data.dataset}, whose training videos are also all of {own.dataset}, "
                "those too that are tested here; begin with a model that has not seen them"
            )
        if data.dataset == own.dataset and data.split != own.split:
            raise CallError(
                f"{what} was trained on split {data.split} of {own.dataset}, and this is split {own.split}, "
                "some of whose test videos it has seen; give a model of the same split, split by split "
                f"(--splits {data.split})"
            )


def _learnt_from(
    recipe: Recipe, planned: Mapping[Path, Recipe], above: tuple[Path, ...] = ()
) -> Iterator[tuple[tuple[Path, ...], Recipe]]:
    """Each model that a recipe's network comes of, as far back as there are model folders: the folders that
    lead to it, itself last, and its recipe. What lies further back and cannot be read is passed over.
    """
    model = recipe.model
    given = [model.init_from, *(stream.init_from for stream in model.streams.values())]
    for folder in dict.fromkeys(path for path in (*given, *_named_weights(model)) if path is not None):
        try:
            before = None if folder in above else _recipe_at(folder, planned)
        except ModelError:
            if not above:
                raise
            continue
        if before is not None:
            yield (*above, folder), before
            yield from _learnt_from(before, planned, (*above, folder))


def _named_weights(model: ModelSection) -> list[Path]:
    """The files and folders that streams take their backbones' weights from."""
    return [Path(of.weights) for of in model.streams.values() if of.weights not in ("pretrained", "none")]


def _recipe_at(folder: Path, planned: Mapping[Path, Recipe]) -> Recipe | None:
    """The recipe of a model that is there, or that will be; None for what is no model folder."""
    return planned[folder] if folder in planned else read_recipe(folder)


def _refuse_another_network(recipe: Recipe, folder: Path, planned: Mapping[Path, Recipe]) -> None:
    before = _recipe_at(folder, planned)
    if before is None:
        raise CallError(f"no model at {folder}: model.init_from wants a model folder, with its config.json")
    now, old = recipe.model, before.model
    differing = [] if old.kind == now.kind else [f"model.kind is {old.kind} there and {now.kind} here"]
    fusion = () if now.has_branches else ("fusion", "attention")
    differing += _differing(old, now, (*fusion, *_temporal_keys(now), *_recurrent_keys(now)), "model")
    if set(old.streams) != set(now.streams):
        differing.append(f"its streams are {', '.join(old.streams)} and here {', '.join(now.streams)}")
    for name in now.streams:
        if name in old.streams:
            differing += _differing_stream(before, recipe, name)
    _refuse(f"model.init_from {folder} is another network", differing)


def _refuse_another_stream(recipe: Recipe, name: str, folder: Path, planned: Mapping[Path, Recipe]) -> None:
    before = _recipe_at(folder, planned)
    if before is None or name not in before.model.streams:
        return  # what reads the weights refuses that
    now, old = recipe.model, before.model
    if _recurrent_keys(now) and not _recurrent_keys(old):
        raise ModelError(
            f"model.streams.{name}.init_from {folder} is of kind {old.kind} and has no recurrent layer; "
            f"take its backbone: model.streams.{name}.weights={folder}"
        )
    differing = _differing_stream(before, recipe, name)
    differing += _differing(old, now, _recurrent_keys(now) or ("attention",), "model")
    _refuse(f"model.streams.{name}.init_from {folder} is another stream", differing)


def _refuse(what: str, differing: Sequence[str]) -> None:
    """Raise a ModelError that names what differs, where anything does."""
    if differing:
        raise ModelError(f"{what}: {'; '.join(differing)}. Set them alike, or begin with another model")


def _refuse_another_backbone(section: StreamSection, name: str, planned: Mapping[Path, Recipe]) -> None:
    before = _recipe_at(Path(section.weights), planned)
    source = None if before is None else before.model.streams.get(name)
    if source is not None and source.backbone != section.backbone:
        raise ModelError(
            f"model.streams.{name}.weights: the backbone of {section.weights} is {source.backbone}, and "
            f"this recipe's is {section.backbone}; set model.streams.{name}.backbone={source.backbone}, "
            "or give another model's folder"
        )


def _recurrent_keys(model: ModelSection) -> tuple[str, ...]:
    """The keys of the branches' recurrent layers; none where there are no such layers."""
    return ("cell", "lstm_hidden", "lstm_layers") if model.has_branches and model.kind != "cnn" else ()


def _temporal_keys(model: ModelSection) -> tuple[str, ...]:
    """The keys of what weights a STAN's segments."""
    if model.kind != "stan":
        return ()
    lstm = ("lstm_hidden", "lstm_layers", "lstm_bidirectional")
    own = {
        "lstm": lstm,
        "encoder_decoder": (*lstm, "decoder_score", "decoder_steps"),
        "attcell": (),
        "self_attention": ("lstm_hidden",),
    }
    return ("temporal", *own[model.temporal])


def _differing_stream(before: Recipe, now: Recipe, name: str) -> list[str]:
    """What gives one stream's weights another shape."""
    conv6 = () if now.model.has_branches else ("conv6_channels",)
    differing = _differing(
        before.model.streams[name],
        now.model.streams[name],
        ("backbone", "tap", "standardise", *conv6),
        f"model.streams.{name}",
    )
    there, here = (modality(name).channels(input_spec(recipe)) for recipe in (before, now))
    if there != here:
        differing.append(f"{name} has {there} channels there and {here} here")
    return differing


def _differing(old: Section, now: Section, keys: tuple[str, ...], where: str) -> list[str]:
    return [
        f"{where}.{key} is {getattr(old, key)} there and {getattr(now, key)} here"
        for key in keys
        if getattr(old, key) != getattr(now, key)
    ]


def other_inputs(recipe: Recipe) -> Iterator[str]:
    """A sentence for each stream that begins with a model's weights and whose input is made otherwise.

    Raises:
        ModelError: the model's ``config.json`` is damaged.
    """
    for name, section in recipe.model.streams.items():
        folder = recipe.model.init_from or section.init_from or Path(section.weights)
        before = read_recipe(folder)
        if before is None:
            continue
        old, now = _input_of(before, name), _input_of(recipe, name)
        differing = [
            f"{key} {old[key]} instead of {value}"
            for key, value in now.items()
            if key in old and old[key] != value
        ]
        if differing:
            yield (
                f"the {name} stream begins as that of {folder}, which was trained with "
                f"{', '.join(differing)}; it will see other numbers. Set them alike unless this is meant"
            )


# Of these keys a stream's input says nothing where they are as usual.
_USUAL: dict[str, dict[str, object]] = {"flow": {"flow.camera": "keep"}, "clip": {"clip.stride": 1}}


def _input_of(recipe: Recipe, name: str) -> dict[str, object]:
    """What the numbers of a stream's input depend on, by the recipe's keys.

    A recipe without this stream is one whose other streams it begins as: only how these see colours counts,
    because sizes and lengths are free.
    """
    spec = input_spec(recipe)
    if name in spec.streams:
        entry = modality(name)
        sizes = {f"input.{key}": value for key, value in asdict(spec.frame).items()}
        usual = _USUAL.get(name, {})
        return {**(sizes if entry.looks_at == "frames" else {}), **usual, **entry.described(spec)}
    return {key: value for other in spec.streams for key, value in modality(other).described(spec).items()}
