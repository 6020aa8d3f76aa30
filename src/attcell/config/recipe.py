"""The recipe: everything a run is made of, checked strictly, from YAML and ``key=value`` overrides.

Paths in a recipe are relative to the folder the command runs in.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError, model_validator

from attcell._checks import path_of, shown
from attcell.config.schema import (
    CacheSection,
    ClipSection,
    DataSection,
    FlowSection,
    InputSection,
    ModelSection,
    PublishedSection,
    Section,
    SegmentsSection,
    StreamSection,
    TrainSection,
)
from attcell.errors import CallError

PATH_KEYS = (
    "data.train", "data.val", "data.test", "data.root", "data.annotations", "cache.folder", "flow.store",
    "model.init_from",
)  # fmt: skip
STREAM_PATH_KEYS = (".weights", ".init_from")  # of any stream, and of all of them


class Recipe(Section):
    """A whole run."""

    name: str = ""  # by default the recipe file's
    published: tuple[PublishedSection, ...] = ()
    data: DataSection
    input: InputSection = InputSection()
    flow: FlowSection = FlowSection()
    clip: ClipSection = ClipSection()
    segments: SegmentsSection = SegmentsSection()
    model: ModelSection = ModelSection()
    cache: CacheSection = CacheSection()
    train: TrainSection = TrainSection()

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

    @property
    def score_rule(self) -> Literal["softmax", "sigmoid", "margin"]:
        """What the network's logits become, to be averaged over crops and compared between videos."""
        return "margin" if self.model.classifier == "svm" else self.train.loss


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe file, put ``key=value`` overrides over it (``train.epochs=3``), and check everything.

    A recipe may extend others (``extends: base.yaml``, or a list): their values come first, in this order.

    Raises:
        CallError: no such file, not YAML, or any unknown or wrong value; all of them in one message.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    path = path_of(path, "path", "recipes/stan-frame-vgg16.yaml")
    if not path.is_file():
        raise CallError(f"no recipe at {path}; give the path of a YAML file")
    changes = []
    is_list = isinstance(overrides, Sequence) and not isinstance(overrides, str)
    if not is_list or not all(isinstance(override, str) for override in overrides):
        raise CallError(f'overrides are {shown(overrides)}; give a list of texts, such as ["train.epochs=3"]')
    for override in overrides:
        if "=" not in override or override.startswith("="):
            raise CallError(f"override {override!r} is not key=value; for example train.epochs=3")
        try:
            changes.append(_change(override))
        except (YAMLError, OmegaConfBaseException, ValueError) as error:
            raise CallError(f"override {override!r} has a value that is not YAML: {error}") from error
    try:
        merged = OmegaConf.merge({"name": path.stem}, *_with_those_it_extends(path), *changes)
        missing = sorted(OmegaConf.missing_keys(merged))
        values = OmegaConf.to_container(merged, resolve=True)
    except (YAMLError, OmegaConfBaseException, OSError, ValueError) as error:
        raise CallError(f"{path} is not a recipe in YAML: {error}") from error
    if missing:
        raise CallError(
            f"{path} leaves {', '.join(missing)} open (???); give it on the command line: {missing[0]}=VALUE"
        )
    return check_recipe(values, source=str(path))


def refuse_foreign_streams(path: Path, overrides: Sequence[str]) -> None:
    """Raise a CallError for an override of a stream that a recipe lacks: where several recipes get the same
    overrides, it would make another network of this one.
    """
    from omegaconf import OmegaConf

    merged = OmegaConf.to_container(OmegaConf.merge(*_with_those_it_extends(path)))
    model = merged.get("model", {}) if isinstance(merged, dict) else {}
    own = model.get("streams") or {"frame": None}
    for override in overrides:
        key = override.partition("=")[0].split(".")
        if key[:2] == ["model", "streams"] and len(key) > 3 and key[2] not in own:
            raise CallError(
                f"{path} has no {key[2]} stream, and {override} would give it one; leave the recipe out, or "
                "give model.weights=FILE for the streams that each recipe has"
            )


def _with_those_it_extends(path: Path, below: tuple[Path, ...] = ()) -> list[Any]:
    """The values of the recipes that a file extends, and then its own, which go over them."""
    from omegaconf import OmegaConf
    from yaml import safe_load

    if path.resolve() in below:
        raise CallError(f"{path} extends itself; leave that out")
    if not path.is_file():
        raise CallError(f"no recipe at {path}, which {below[-1]} extends; paths there are relative to it")
    values = safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict | None):
        raise CallError(f"{path} is no recipe: it must hold keys and values, such as data: and train:")
    own = dict(values or {})
    extended = own.pop("extends", [])
    names = [extended] if isinstance(extended, str) else extended
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CallError(f"{path}: extends is {shown(extended)}; give the path of a recipe, or a list of such")
    others = [_with_those_it_extends(path.parent / name, (*below, path.resolve())) for name in names]
    return [*(of_one for of_other in others for of_one in of_other), OmegaConf.create(own)]


def _change(override: str) -> Any:
    """One ``key=value`` as a nested configuration; a path is taken letter by letter, not as YAML."""
    from omegaconf import OmegaConf

    key, _, value = override.partition("=")
    if key not in PATH_KEYS and not key.endswith(STREAM_PATH_KEYS):
        return OmegaConf.from_dotlist([override])
    change = OmegaConf.create()
    OmegaConf.update(change, key, None if value in ("", "null") else str(Path(value).expanduser()))
    return change


def check_recipe(values: Any, source: str) -> Recipe:
    """Check plain values against the schema.

    Raises:
        CallError: with every unknown key and wrong value, and ``source`` as the place they came from.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        problems = "\n".join(f"  {_explain(problem)}" for problem in error.errors())
        raise CallError(f"{source} is not a valid recipe:\n{problems}") from error


def _explain(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"] if part != "[key]")
    if problem["type"] == "extra_forbidden":
        allowed = _keys_beside(problem["loc"])
        close = difflib.get_close_matches(str(problem["loc"][-1]), allowed, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"{where}: unknown key; {hint}allowed: {', '.join(allowed)}"
    given = "" if isinstance(problem["input"], dict) else f" (given: {problem['input']!r})"
    return f"{where or 'recipe'}: {problem['msg'].removeprefix('Value error, ')}{given}"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the section at ``location`` has."""
    section: type[BaseModel] = Recipe
    for part in location[:-1]:
        if part == "streams":
            section = StreamSection
        elif str(part) in section.model_fields:
            annotation = section.model_fields[str(part)].annotation
            section = (
                annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else section
            )
    return list(section.model_fields)
