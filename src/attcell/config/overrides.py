"""Overrides of a recipe's values on the command line: ``key=value``; ``PATTERN:key=value`` for some rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from attcell._checks import flat, shown
from attcell._urls import is_url
from attcell.config.merging import literal
from attcell.config.recipe import Recipe
from attcell.config.safe_yaml import parsed_yaml
from attcell.config.section import Section
from attcell.errors import CallError


def _path_keys() -> tuple[str, ...]:
    """The keys of a recipe that are paths, as its sections declare them."""
    found = []
    for name, field in Recipe.model_fields.items():
        kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        for section in (kind for kind in kinds if issubclass(kind, Section)):
            keys = section.model_fields.items()
            found += [f"{name}.{key}" for key, own in keys if Path in _kinds(own.annotation)]
    return tuple(found)


def _kinds(annotation: Any) -> list[Any]:
    """A type, those that it may be, and those that are looked at before they are taken."""
    return [annotation, *(kind for inner in get_args(annotation) for kind in _kinds(inner))]


PATH_KEYS = _path_keys()
STREAM_PATH_KEYS = (".weights", ".init_from")  # of any stream, and of all of them
_PLACES = (  # what belongs to one data set, and is of no use to another
    "data.dataset", "data.train", "data.val", "data.test", "data.groups", "data.root", "data.annotations",
    "flow.store", "features.folder",
)  # fmt: skip


@dataclass(frozen=True)
class Override:
    """One change.

    Attributes:
        text: as it was given.
        pattern: which rows get it; None for all.
        key: such as ``train.epochs``.
        values: a recipe's, with this one alone.
    """

    text: str
    pattern: str | None
    key: str
    values: dict[str, Any]

    @property
    def is_of_a_data_set(self) -> bool:
        """True for where videos, their flow and their features lie, which another data set has elsewhere."""
        return self.key in _PLACES and not self.text.endswith("=none")

    @property
    def is_beside_the_test(self) -> bool:
        """True for what is asked of a trained network beside its test, which is not asked of a stage."""
        return self.key.split(".")[0] in ("detection", "fuse")

    @property
    def stream(self) -> str | None:
        """Whose stream's value it is; None for any other."""
        parts = self.key.split(".")
        return parts[2] if parts[:2] == ["model", "streams"] and len(parts) > 3 else None


def read_overrides(overrides: Sequence[str]) -> tuple[Override, ...]:
    """``key=value`` texts, each with or without a pattern before it; a path is taken letter by letter, not as
    YAML.

    Raises:
        CallError: one that is no such text, or whose value is not YAML.
    """
    is_list = isinstance(overrides, Sequence) and not isinstance(overrides, str)
    if not is_list or not all(isinstance(override, str) for override in overrides):
        raise CallError(f'overrides are {shown(overrides)}; give a list of texts, such as ["train.epochs=3"]')
    return tuple(_override(text) for text in overrides)


def _override(text: str) -> Override:
    from yaml import YAMLError

    place, is_pair, value = text.partition("=")
    pattern, is_scoped, key = place.rpartition(":")
    if not is_pair or not key or (is_scoped and not pattern):
        raise CallError(
            f"override {text!r} is not key=value; for example train.epochs=3, or for some rows alone "
            "ucf101-*:train.epochs=3"
        )
    try:
        given = _path(key, value) if is_path_key(key) else parsed_yaml(value)
    except (YAMLError, ValueError) as error:
        raise CallError(f"override {text!r} has a value that is not YAML: {flat(error)}") from error
    values = {key.split(".")[-1]: given}
    for section in reversed(key.split(".")[:-1]):
        values = {section: values}
    return Override(text, pattern if is_scoped else None, key, values)


def is_path_key(key: str) -> bool:
    """Whether a key's value is a path, which is taken letter by letter."""
    return key in PATH_KEYS or (key.startswith("model.") and key.endswith(STREAM_PATH_KEYS))


def _path(key: str, value: str) -> Any:
    if value in ("", "null"):
        return None
    if key == "data.groups" and not value.lower().endswith(".csv"):
        return literal(value)  # an expression
    try:
        return literal(value if is_url(value) else str(Path(value).expanduser()))
    except RuntimeError as error:
        raise CallError(
            f"{key} is {value!r}, the home of nobody on this machine; write ./{value} for a folder of this "
            "name"
        ) from error
