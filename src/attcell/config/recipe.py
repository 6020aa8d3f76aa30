"""The recipe: everything a run is made of, checked strictly.

Paths in a recipe are relative to the folder the command runs in.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError, model_validator

from attcell._servers import shown as unsigned
from attcell.choices import ScoreRule
from attcell.config.backbones import with_own_figures
from attcell.config.beside import DetectionSection, FuseSection, PublishedSection
from attcell.config.schema import (
    AudioSection,
    CacheSection,
    ClipSection,
    DataSection,
    FeaturesSection,
    FlowSection,
    InputSection,
    ModelSection,
    Section,
    SegmentsSection,
    StreamSection,
)
from attcell.config.train_section import TrainSection
from attcell.errors import CallError, first_lines


class Recipe(Section):
    """A whole run."""

    name: str = ""  # by default the recipe file's
    published: tuple[PublishedSection, ...] = ()
    rivals: tuple[PublishedSection, ...] = ()  # figures of other people's methods that no run here is of
    data: DataSection
    input: InputSection = InputSection()
    flow: FlowSection = FlowSection()
    clip: ClipSection = ClipSection()
    features: FeaturesSection = FeaturesSection()
    audio: AudioSection = AudioSection()
    segments: SegmentsSection = SegmentsSection()
    model: ModelSection = ModelSection()
    cache: CacheSection = CacheSection()
    train: TrainSection = TrainSection()
    detection: DetectionSection | None = None  # actions that are found in the test videos
    fuse: FuseSection | None = None  # with the scores of another tool

    @model_validator(mode="after")
    def _name_is_one_folder(self) -> Recipe:
        if self.name != Path(self.name).name:
            raise ValueError(f"name is {self.name!r}; give one word that can name a folder, without / and ..")
        return self

    @model_validator(mode="after")
    def _frozen_where_needed(self) -> Recipe:
        for name, stream in self.model.streams.items():
            wants = "cache.folder" if self.cache.folder is not None else "standardise"
            if stream.train_from != "none" and (self.cache.folder is not None or stream.standardise):
                raise ValueError(f"{wants} needs model.streams.{name}.train_from=none (a frozen backbone)")
            begins = stream.init_from or self.model.init_from
            if stream.standardise and self.cache.folder is None and begins is None:
                raise ValueError(
                    f"model.streams.{name}.standardise needs cache.folder, whose features it measures"
                )
        return self

    @model_validator(mode="after")
    def _fits_the_kind(self) -> Recipe:
        model, train = self.model, self.train
        if (train.iterations is None) == (train.epochs is None) and model.kind != "pooled":
            raise ValueError("train needs either iterations (the paper's 15000) or epochs")
        frozen = all(stream.train_from == "none" for stream in model.streams.values())
        if model.kind == "pooled" and not (frozen and (train.iterations, train.epochs) == (None, None)):
            raise ValueError(
                "kind pooled trains an SVM alone: set train_from to none for each stream, and leave "
                "train.iterations and train.epochs out"
            )
        if model.kind == "pooled" and train.strategy == "fsdp":
            raise ValueError(
                "train.strategy=fsdp shards what learns in iterations, and kind pooled fits an SVM alone; "
                "take ddp"
            )
        if train.steps == "last" and (not model.has_branches or model.kind == "cnn"):
            raise ValueError(f"train.steps=last is for recurrent branches, and model.kind is {model.kind}")
        if train.loss == "sigmoid" and (model.has_branches or model.fusion == "late"):
            raise ValueError(
                "train.loss=sigmoid is for one STAN, SAN or average: branches and late fusion average the "
                "softmaxes of their parts"
            )
        if train.gate_penalty and model.kind != "branch_selection":
            raise ValueError(f"train.gate_penalty is for kind branch_selection, not {model.kind}")
        return self

    @model_validator(mode="after")
    def _can_be_augmented(self) -> Recipe:
        from attcell.video.modalities import modality

        train, streams = self.train, {name: modality(name) for name in self.model.streams}
        if self.model.kind == "pooled" and train.only_of_iterations:
            raise ValueError(
                f"train.{train.only_of_iterations[0]} is for networks that learn in iterations, and kind "
                "pooled fits an SVM alone; leave it out"
            )
        if train.changes_colours is not None and self.cache.folder is not None:
            raise ValueError(
                f"train.{train.changes_colours} changes pictures anew each time, and with cache.folder their "
                "features are computed once; leave it out (train.mixup and train.cutmix mix kept features), "
                "or set cache.folder to null"
            )
        if train.changes_colours is not None and not any(entry.is_colour for entry in streams.values()):
            raise ValueError(
                f"train.{train.changes_colours} changes the pictures of frame and clip streams, and this "
                f"recipe has {', '.join(streams)}; leave it out"
            )
        if train.early_stopping is not None and self.data.val is None and self.data.val_fraction == 0:
            raise ValueError(
                "train.early_stopping needs validation videos; give data.val or data.val_fraction"
            )
        if train.pictures is not None:
            if self.data.val is None and self.data.val_fraction == 0:
                raise ValueError("train.pictures shows validation videos; give data.val or data.val_fraction")
            if all(entry.looks_at == "features" for entry in streams.values()):
                raise ValueError(
                    "train.pictures shows frames, and this recipe has features in the videos' place; leave "
                    "it out"
                )
        return self

    @model_validator(mode="after")
    def _can_be_mirrored_and_cut(self) -> Recipe:
        from attcell.video.modalities import modality

        train = self.train
        given = [name for name in self.model.streams if modality(name).looks_at == "features"]
        unseen = [name for name in self.model.streams if modality(name).looks_at != "frames"]
        if train.cutmix and unseen:
            raise ValueError(
                f"train.cutmix exchanges parts of frames, and the {unseen[0]} stream sees none; take "
                "train.mixup"
            )
        if train.flip_pairs and given:
            raise ValueError(
                f"train.flip_pairs is of mirror images, and the {given[0]} stream has none: what was "
                "computed elsewhere cannot be mirrored; leave it out"
            )
        if train.flip and self.cache.folder is not None and not self.cache.mirrored:
            raise ValueError(
                "train.flip is true, and cache.mirrored false keeps no mirror images to teach from; leave "
                "one of them out"
            )
        return self

    @model_validator(mode="after")
    def _can_be_asked(self) -> Recipe:
        model, data = self.model, self.data
        if self.detection is not None:
            if model.has_branches or model.classifier == "svm":
                raise ValueError(
                    "detection needs a network that scores each segment by itself: model.kind stan, san or "
                    "average, and model.classifier linear"
                )
            if data.dataset is None and self.detection.truth is None:
                raise ValueError("detection.truth must say when the actions are, where there is no dataset")
        if self.fuse is not None:
            if self.score_rule != "softmax" and not self.fuse.softmax:
                raise ValueError(
                    f"fuse sums probabilities, and this network's scores are of the rule {self.score_rule}; "
                    "set fuse.softmax to true, which brings both to probabilities"
                )
            if self.fuse.tune is not None and data.val is None and data.val_fraction == 0:
                raise ValueError("fuse.tune needs validation videos; give data.val or data.val_fraction")
        return self

    @property
    def score_rule(self) -> ScoreRule:
        """What the network's logits become, to be averaged over crops and compared between videos."""
        return "margin" if self.model.classifier == "svm" else self.train.loss


def refuse_older_names(values: Any, source: str) -> None:
    """Raise a CallError for a recipe of an older attcell, with what its names are now."""
    if older := list(_older_names(values)):
        raise CallError(
            f"{source} is a recipe of an older attcell: {', '.join(older)}. Change that, or take a recipe "
            "that comes with attcell (attcell recipes lists them), and train again"
        )


def check_recipe(values: Any, source: str) -> Recipe:
    """Check plain values against the schema.

    Raises:
        CallError: with the unknown keys and wrong values, ten at most, and ``source`` as the place they came
            from; or a recipe of an older attcell, with what its names are now.
        ModelError: a backbone of transformers whose files cannot be downloaded, or are damaged.
    """
    refuse_older_names(values, source)
    try:
        return Recipe.model_validate(with_own_figures(values, source))
    except ValidationError as error:
        problems = "\n".join(first_lines([_explain(problem) for problem in error.errors()]))
        raise CallError(f"{source} is not a valid recipe:\n{problems}") from error


def differing_keys(recipes: Sequence[Recipe]) -> dict[str, tuple[Any, ...]]:
    """The keys in which some of these recipes differ, as in ``train.seed`` → each one's value in plain types;
    None where it has no such key, as of a stream that it lacks.
    """
    flat = [flat_values(recipe) for recipe in recipes]
    keys = dict.fromkeys(key for of in flat for key in of)
    values = {key: tuple(of.get(key) for of in flat) for key in keys}
    return {key: each for key, each in values.items() if any(one != each[0] for one in each)}


def flat_values(recipe: Recipe) -> dict[str, Any]:
    """Each key of the recipe, as in ``train.seed`` → its value in plain types."""
    return dict(_flat(recipe.model_dump(mode="json")))


def _flat(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


# Of keys and of values; nothing is read by its older name.
_NAMES_NOW = {"begin_with": "init_from", "own_gates": "self_gates"}


def _older_names(values: Any, where: str = "") -> Iterator[str]:
    """``model.begin_with is model.init_from now``, for each key and each value of an older recipe."""
    for key, value in values.items() if isinstance(values, dict) else ():
        if key in _NAMES_NOW:
            yield f"{where}{key} is {where}{_NAMES_NOW[key]} now"
        elif isinstance(value, str) and value in _NAMES_NOW and f"{where}{key}" == "model.kind":
            yield f"{where}{key}={value} is {_NAMES_NOW[value]} now"
        else:
            yield from _older_names(value, f"{where}{key}.")


def _explain(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"] if part != "[key]")
    if problem["type"] == "extra_forbidden":
        allowed = _keys_beside(problem["loc"])
        close = difflib.get_close_matches(str(problem["loc"][-1]), allowed, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"{where}: unknown key; {hint}allowed: {', '.join(allowed)}"
    value = problem["input"]
    value = unsigned(value) if isinstance(value, str) else value
    given = "" if isinstance(value, dict) else f" (given: {value!r})"
    return f"{where or 'recipe'}: {problem['msg'].removeprefix('Value error, ')}{given}"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the section at ``location`` has."""
    section: type[BaseModel] = Recipe
    for part in location[:-1]:
        if part == "streams":
            section = StreamSection
        elif str(part) in section.model_fields:
            annotation = section.model_fields[str(part)].annotation
            for kind in (annotation, *get_args(annotation)):  # a section may be null
                section = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else section
    return list(section.model_fields)
