"""Recipe files: by their path or by the name of a packaged one, with rows, with ``key=value`` overrides.

A file may hold a table: what all of its rows share, and under ``rows`` what each has of its own. A key of
``rows`` without ``*`` names rows, and ``{a,b}`` in it stands for a and for b. A row takes what is under every
key that fits its name, from top to bottom, over what the rows share; later values win.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from attcell._checks import flat, path_of, shown
from attcell.config.merging import merged, open_keys, resolved
from attcell.config.overrides import Override, read_overrides
from attcell.config.recipe import Recipe, check_recipe, refuse_older_names
from attcell.config.safe_yaml import parsed_yaml
from attcell.errors import CallError

PACKAGED = Path(__file__).parents[1] / "recipes"
FEW_ROWS = 8  # in a message
_MOST_ALTERNATIVES = 1000  # that one name may stand for
ABOUT_STORE = (
    ". flow.store is a folder that attcell extract flow has filled; or none, and flow is computed as it goes"
)


@dataclass(frozen=True)
class RecipeFile:
    """A file of recipes as it stands.

    Attributes:
        path: where it lies.
        shared: its values but for the rows: those of the only recipe, or what all rows have.
        rows: names of rows, or patterns that fit such → the values there; empty for a file of one recipe.
        row_names: of a table, in the file's order.
        about: what it is for, in one line; "" where the file does not say.
    """

    path: Path
    shared: dict[str, Any]
    rows: dict[str, dict[str, Any]]
    row_names: tuple[str, ...]
    about: str

    @property
    def name(self) -> str:
        """A packaged recipe's name, or any other's path."""
        return _packaged_name(self.path) if self.path.is_relative_to(PACKAGED) else str(self.path)

    def called(self, row: str | None) -> str:
        """What a message calls one recipe of this file."""
        return self.name if row is None else f"{self.name}, row {row},"

    def check_row(self, row: str | None) -> None:
        """Raise a CallError if there is no such row, or one must be chosen."""
        if row is not None and not self.row_names:
            raise CallError(f"{self.name} is one recipe and has no rows; leave row {row} out")
        if self.row_names and row not in self.row_names:
            given = f"{self.name} has no row {row!r}" if row is not None else f"{self.name} is a table"
            raise CallError(f"{given}; {choice_of_rows(row, self.row_names, [self.name], '--row ROW')}")


def load_recipe(path: str | Path, overrides: Sequence[str] = (), row: str | None = None) -> Recipe:
    """A recipe from its file, with ``key=value`` overrides over it (``train.epochs=3``), wholly checked.

    Args:
        path: of a YAML file, or the name of a recipe that is in the package, such as ``stan-small``.
        overrides: values that go over the file's.
        row: which recipe of a table, such as ``ucf101-frame-stan`` of ``stan-table-1``.

    Raises:
        CallError: no such file or row, not YAML, or any unknown or wrong value; ten at most in one message.
    """
    file = read_recipe_file(find_recipe(path))
    file.check_row(row)
    changes = read_overrides(overrides)
    for change in changes:
        if change.pattern is not None:
            raise CallError(
                f"override {change.text!r} is for some rows of several, and this is one; leave "
                f"{change.pattern}: out"
            )
    return merged_row(file, row, changes).checked()


def choose_rows(
    paths: Iterable[str | Path], patterns: Sequence[str] = ()
) -> list[tuple[RecipeFile, str | None]]:
    """Each file with each of its rows whose name fits a pattern; with None where a file is one recipe.

    Raises:
        CallError: no such file, or a pattern that fits no row.
    """
    files = [read_recipe_file(find_recipe(path)) for path in paths]
    names = list(dict.fromkeys(name for file in files for name in file.row_names))
    for pattern in patterns:
        if not any(fits(name, pattern) for name in names):
            there = choice_of_rows(pattern, names, [file.name for file in files if file.row_names])
            raise CallError(f"no row is called {pattern}; {there}")
    return [
        (file, row)
        for file in files
        for row in (file.row_names or (None,))
        if row is None or not patterns or any(fits(row, pattern) for pattern in patterns)
    ]


def packaged_recipes() -> list[RecipeFile]:
    """The recipes that are in the package, by name."""
    return [read_recipe_file(PACKAGED / f"{name}.yaml") for name in _packaged_names()]


def _packaged_names() -> list[str]:
    return sorted(_packaged_name(path) for path in PACKAGED.rglob("[!_]*.yaml"))


def _packaged_name(path: Path) -> str:
    """As ``stan-small`` or ``modern/mvit``."""
    return path.relative_to(PACKAGED).with_suffix("").as_posix()


def find_recipe(path: str | Path, beside: Path | None = None) -> Path:
    """The file of a recipe: at ``path``, or the packaged one of this name.

    Args:
        path: as ``mine/recipe.yaml``, or as ``stan-small``, ``stan-small.yaml``, ``recipes/stan-small.yaml``.
        beside: the folder that a path is relative to, in place of the current one.

    Raises:
        CallError: there is no such file.
    """
    path = path_of(path, "path", "recipes/stan-small.yaml")
    if (beside or Path()).joinpath(path).is_file():
        return (beside or Path()) / path
    names = _packaged_names()
    named = path.as_posix().removeprefix("recipes/").removesuffix(".yaml")
    if named in names or (named.startswith("_") and (PACKAGED / f"{named}.yaml").is_file()):
        return PACKAGED / f"{named}.yaml"
    raise CallError(
        f"no recipe at {path}; give the path of a YAML file, or the name of a packaged one; "
        f"{close_names(named, names) or close_names(path.stem, names)}packaged: {', '.join(names)}"
    )


def read_recipe_file(path: Path) -> RecipeFile:
    """A file of recipes, with its rows named.

    Raises:
        CallError: it is not YAML, or rows that are not as they should be.
    """
    from yaml import YAMLError

    try:
        values = parsed_yaml(path.read_text(encoding="utf-8"))
    except (YAMLError, OSError, ValueError) as error:
        raise CallError(f"{path} is not a recipe in YAML: {flat(error)}") from error
    if not isinstance(values, dict | None):
        raise CallError(f"{path} is no recipe: it must hold keys and values, such as data: and train:")
    shared = dict(values or {})
    about, rows = str(shared.pop("about", "")), shared.pop("rows", {})
    is_right = isinstance(rows, dict) and all(
        isinstance(key, str) and isinstance(own, dict | None) for key, own in rows.items()
    )
    if not is_right:
        raise CallError(f"{path}: rows is {shown(rows)}; give names with the values of each")
    try:
        named = dict.fromkeys(name for key in rows for name in _alternatives(key) if "*" not in name)
    except CallError as error:
        raise CallError(f"{path}: {error}") from error
    for key in rows:
        if key not in named and not any(fits(name, key) for name in named):
            raise CallError(
                f"{path}: no row's name fits {key}; {close_names(key, named)}rows: {', '.join(named)}"
            )
    return RecipeFile(path, shared, {key: own or {} for key, own in rows.items()}, tuple(named), about)


@dataclass(frozen=True)
class MergedRow:
    """One recipe of a file with its overrides, as plain values that nobody has checked yet.

    Attributes:
        file: where it stands.
        row: which of its rows; None where the file is one recipe.
        values: all of them; what is left open is ``???``.
        missing: the keys that are left open.
    """

    file: RecipeFile
    row: str | None
    values: dict[str, Any]
    missing: tuple[str, ...]

    @property
    def called(self) -> str:
        """What a message calls it, within a sentence."""
        return self.file.called(self.row)

    def checked(self) -> Recipe:
        """The recipe.

        Raises:
            CallError: something is left open, or any unknown or wrong value.
        """
        if self.missing:
            raise CallError(
                f"{self.called} leaves {', '.join(self.missing)} open (???); give it on the command line: "
                f"{self.missing[0]}=VALUE{ABOUT_STORE if 'flow.store' in self.missing else ''}"
            )
        return check_recipe(self.values, source=self.called.removesuffix(","))


def merged_row(file: RecipeFile, row: str | None, changes: Sequence[Override]) -> MergedRow:
    """One recipe of a file, with overrides over it.

    Raises:
        CallError: a ``${…}`` that stands for no value, or a recipe of an older attcell.
    """
    stem = file.path.stem
    given = {"name": stem if row is None else f"{stem}-{row}", "words": {"row": row or stem}}
    whole = merged([given, *_layers(file, row), *(change.values for change in changes)])
    try:
        values = resolved(whole)
    except ValueError as error:
        raise CallError(f"{file.called(row)} cannot be read: {error}") from error
    missing = sorted(open_keys(whole))
    refuse_older_names(values, file.called(row).removesuffix(","))  # before anybody fills in an old key
    del values["words"]  # they are where they were to be put
    return MergedRow(file, row, {str(key): value for key, value in values.items()}, tuple(missing))


def own_values(file: RecipeFile, row: str | None) -> dict[str, Any]:
    """The values of one recipe of a file, without overrides."""
    return merged_row(file, row, ()).values


def _layers(
    file: RecipeFile, row: str | None, below: tuple[tuple[Path, str | None], ...] = ()
) -> list[dict[str, Any]]:
    """The values of one recipe of a file, what goes over the others last."""
    place = (file.path.resolve(), row)
    if place in below:
        raise CallError(f"{file.name} extends itself; leave that out")
    below = (*below, place)
    layers = _with_extended(file.shared, file, below)
    for key, own in file.rows.items():
        if row is not None and fits(row, key):
            layers += _with_extended(own, file, below)
    return layers


def _with_extended(
    values: dict[str, Any], file: RecipeFile, below: tuple[tuple[Path, str | None], ...]
) -> list[dict[str, Any]]:
    """The values of the recipes that these extend, and then themselves, which go over them."""
    own = dict(values)
    extended = own.pop("extends", [])
    names = [extended] if isinstance(extended, str) else extended
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CallError(
            f"{file.path}: extends is {shown(extended)}; give the path or name of a recipe, of a table's row "
            "as TABLE#ROW, or a list of such"
        )
    layers = []
    for name in names:
        path, _, row = name.partition("#")
        try:
            other = read_recipe_file(find_recipe(path, file.path.parent))
            other.check_row(row or None)
        except CallError as error:
            raise CallError(f"{file.path} extends {name}: {error}") from error
        layers += _layers(other, row or None, below)
    return [*layers, own]


@lru_cache(maxsize=1024)
def _alternatives(text: str) -> tuple[str, ...]:
    """``a-{b,c}`` as a-b and a-c.

    Raises:
        CallError: more than ``_MOST_ALTERNATIVES``.
    """
    found, left = list[str](), [text]
    while left:
        one = left.pop()
        braces = re.search(r"\{([^{}]*)\}", one)
        if braces is None:
            found.append(one)
        else:
            before, after = one[: braces.start()], one[braces.end() :]
            left += [before + word.strip() + after for word in reversed(braces[1].split(","))]
        if len(found) + len(left) > _MOST_ALTERNATIVES:
            raise CallError(f"{shown(text)} stands for more than {_MOST_ALTERNATIVES} names; write fewer")
    return tuple(found)


def fits(name: str, pattern: str) -> bool:
    """Whether a row's name fits a pattern: ``*`` is any text, ``{a,b}`` a or b."""
    return any(fnmatchcase(name, one) for one in _alternatives(pattern))


def close_names(name: str | None, names: Iterable[str]) -> str:
    """A question for what was meant, with a space behind it; empty where nothing is like it."""
    close = difflib.get_close_matches(name or "", list(names), n=3)
    return f"did you mean {' or '.join(repr(one) for one in close)}? " if close else ""


def choice_of_rows(
    name: str | None, names: Sequence[str], tables: Sequence[str], how: str | None = None
) -> str:
    """Which rows there are: those that are like a name first; of many the first few, and how to list them.

    Args:
        name: what was asked for, None for nothing.
        names: of all rows.
        tables: where they are; none where there are no tables.
        how: the option that chooses one.
    """
    if not tables:
        return "rows: none, for each file is one recipe"
    rows = ", ".join(names[:FEW_ROWS])
    listed = f"attcell protocol {' '.join(tables)} --list"
    more = "" if len(names) <= FEW_ROWS else f", … ({len(names)} rows; {listed} names them all)"
    choose = f"choose one ({how}): " if how else "rows: "
    return f"{close_names(name, names)}{choose}{rows}{more}"
