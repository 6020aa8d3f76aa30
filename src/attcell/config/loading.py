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

from attcell._checks import path_of, shown
from attcell.config.recipe import Recipe, check_recipe, refuse_older_names
from attcell.errors import CallError

PACKAGED = Path(__file__).parents[1] / "recipes"
PATH_KEYS = (
    "data.train", "data.val", "data.test", "data.root", "data.annotations", "cache.folder", "flow.store",
    "model.init_from",
)  # fmt: skip
_ABOUT_STORE = (
    ". flow.store is a folder that attcell extract flow has filled; or none, and flow is computed as it goes"
)
STREAM_PATH_KEYS = (".weights", ".init_from")  # of any stream, and of all of them


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
        return self.path.stem if self.path.parent == PACKAGED else str(self.path)

    def called(self, row: str | None) -> str:
        """What a message calls one recipe of this file."""
        return self.name if row is None else f"{self.name}, row {row},"

    def check_row(self, row: str | None) -> None:
        """Raise a CallError if there is no such row, or one must be chosen."""
        if row is not None and not self.row_names:
            raise CallError(f"{self.name} is one recipe and has no rows; leave row {row} out")
        if self.row_names and row not in self.row_names:
            given = f"{self.name} has no row {row!r}" if row is not None else f"{self.name} is a table"
            raise CallError(
                f"{given}; {_close(row, self.row_names)}choose one (--row ROW): {', '.join(self.row_names)}"
            )


def load_recipe(path: str | Path, overrides: Sequence[str] = (), row: str | None = None) -> Recipe:
    """A recipe from its file, with ``key=value`` overrides over it (``train.epochs=3``), wholly checked.

    Args:
        path: of a YAML file, or the name of a recipe that is in the package, such as ``stan-small``.
        overrides: values that go over the file's.
        row: which recipe of a table, such as ``ucf101-frame-stan`` of ``stan-table-1``.

    Raises:
        CallError: no such file or row, not YAML, or any unknown or wrong value; all of them in one message.
    """
    file = read_recipe_file(find_recipe(path))
    file.check_row(row)
    return _load(file, row, _changes(overrides))


def load_rows(
    paths: Iterable[str | Path], overrides: Sequence[str] = (), patterns: Sequence[str] = ()
) -> list[Recipe]:
    """The recipes of several files: all rows of a table, or those whose names fit a pattern (``ucf101-*``).

    All get the same overrides. One of them that gives a recipe a stream which it does not have is refused: it
    would make another network of it.

    Raises:
        CallError: as :func:`load_recipe`, or a pattern that fits no row.
    """
    changes = _changes(overrides)
    chosen = choose_rows(paths, patterns)
    recipes = [_load(file, row, changes) for file, row in chosen]
    for file, row in chosen:
        _refuse_foreign_streams(file, row, overrides)
    return recipes


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
        if not any(_fits(name, pattern) for name in names):
            there = ", ".join(names) or "none, for each file is one recipe"
            raise CallError(f"no row is called {pattern}; {_close(pattern, names)}rows: {there}")
    return [
        (file, row)
        for file in files
        for row in (file.row_names or (None,))
        if row is None or not patterns or any(_fits(row, pattern) for pattern in patterns)
    ]


def packaged_recipes() -> list[RecipeFile]:
    """The recipes that are in the package, by name."""
    return [read_recipe_file(PACKAGED / f"{name}.yaml") for name in _packaged_names()]


def _packaged_names() -> list[str]:
    return sorted(path.stem for path in PACKAGED.glob("[!_]*.yaml"))


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
    if path.parent in (Path(), Path("recipes")) and path.suffix in ("", ".yaml"):
        packaged = PACKAGED / f"{path.name.removesuffix('.yaml')}.yaml"
        if packaged.is_file():
            return packaged
    names = _packaged_names()
    raise CallError(
        f"no recipe at {path}; give the path of a YAML file, or the name of a packaged one; "
        f"{_close(path.name.removesuffix('.yaml'), names)}packaged: {', '.join(names)}"
    )


def read_recipe_file(path: Path) -> RecipeFile:
    """A file of recipes, with its rows named.

    Raises:
        CallError: it is not YAML, or rows that are not as they should be.
    """
    from yaml import YAMLError

    try:
        values = _parsed(path.read_text(encoding="utf-8"))
    except (YAMLError, OSError, ValueError) as error:
        raise CallError(f"{path} is not a recipe in YAML: {error}") from error
    if not isinstance(values, dict | None):
        raise CallError(f"{path} is no recipe: it must hold keys and values, such as data: and train:")
    shared = dict(values or {})
    about, rows = str(shared.pop("about", "")), shared.pop("rows", {})
    is_right = isinstance(rows, dict) and all(
        isinstance(key, str) and isinstance(own, dict | None) for key, own in rows.items()
    )
    if not is_right:
        raise CallError(f"{path}: rows is {shown(rows)}; give names with the values of each")
    named = dict.fromkeys(name for key in rows for name in _alternatives(key) if "*" not in name)
    for key in rows:
        if not any(_fits(name, key) for name in named):
            raise CallError(f"{path}: no row's name fits {key}; {_close(key, named)}rows: {', '.join(named)}")
    return RecipeFile(path, shared, {key: own or {} for key, own in rows.items()}, tuple(named), about)


@lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    """The values of a YAML text, to be read only: the rows of a table have files in common."""
    from yaml import safe_load

    return safe_load(text)


def _load(file: RecipeFile, row: str | None, changes: Sequence[Any]) -> Recipe:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    stem = file.path.stem
    given = {"name": stem if row is None else f"{stem}-{row}", "words": {"row": row or stem}}
    try:
        merged = OmegaConf.merge(given, *_layers(file, row), *changes)
        missing = sorted(OmegaConf.missing_keys(merged))
        values = OmegaConf.to_container(merged, resolve=True)
    except (OmegaConfBaseException, ValueError) as error:
        raise CallError(f"{file.called(row)} is not a recipe in YAML: {error}") from error
    refuse_older_names(values, file.called(row).removesuffix(","))  # before anybody fills in an old key
    if missing:
        raise CallError(
            f"{file.called(row)} leaves {', '.join(missing)} open (???); give it on the command line: "
            f"{missing[0]}=VALUE{_ABOUT_STORE if 'flow.store' in missing else ''}"
        )
    assert isinstance(values, dict), "what merges into a dictionary is one"
    del values["words"]  # they are where they were to be put
    return check_recipe(values, source=file.called(row).removesuffix(","))


def _layers(file: RecipeFile, row: str | None, below: tuple[tuple[Path, str | None], ...] = ()) -> list[Any]:
    """The values of one recipe of a file, what goes over the others last."""
    place = (file.path.resolve(), row)
    if place in below:
        raise CallError(f"{file.name} extends itself; leave that out")
    below = (*below, place)
    layers = _with_extended(file.shared, file, below)
    for key, own in file.rows.items():
        if row is not None and _fits(row, key):
            layers += _with_extended(own, file, below)
    return layers


def _with_extended(
    values: dict[str, Any], file: RecipeFile, below: tuple[tuple[Path, str | None], ...]
) -> list[Any]:
    """The values of the recipes that these extend, and then themselves, which go over them."""
    from omegaconf import OmegaConf

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
    return [*layers, OmegaConf.create(own)]


def _changes(overrides: Sequence[str]) -> list[Any]:
    """``key=value`` texts as nested configurations; a path is taken letter by letter, not as YAML."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    is_list = isinstance(overrides, Sequence) and not isinstance(overrides, str)
    if not is_list or not all(isinstance(override, str) for override in overrides):
        raise CallError(f'overrides are {shown(overrides)}; give a list of texts, such as ["train.epochs=3"]')
    changes = []
    for override in overrides:
        key, is_pair, value = override.partition("=")
        if not is_pair or not key:
            raise CallError(f"override {override!r} is not key=value; for example train.epochs=3")
        try:
            if key in PATH_KEYS or key.endswith(STREAM_PATH_KEYS):
                change = OmegaConf.create()
                path = None if value in ("", "null") else str(Path(value).expanduser())
                OmegaConf.update(change, key, path)
            else:
                change = OmegaConf.from_dotlist([override])
        except (YAMLError, OmegaConfBaseException, ValueError) as error:
            raise CallError(f"override {override!r} has a value that is not YAML: {error}") from error
        changes.append(change)
    return changes


def _refuse_foreign_streams(file: RecipeFile, row: str | None, overrides: Sequence[str]) -> None:
    """Raise a CallError for an override of a stream that a recipe lacks."""
    from omegaconf import OmegaConf

    merged = OmegaConf.to_container(OmegaConf.merge(*_layers(file, row)))
    model = merged.get("model", {}) if isinstance(merged, dict) else {}
    own = model.get("streams") or {"frame": None}
    for override in overrides:
        key = override.partition("=")[0].split(".")
        if key[:2] == ["model", "streams"] and len(key) > 3 and key[2] not in own:
            raise CallError(
                f"{file.called(row)} has no {key[2]} stream, and {override} would give it one; leave the "
                "recipe out (--rows chooses those of a table), or give model.weights=FILE for the streams "
                "that each recipe has"
            )


def _alternatives(text: str) -> list[str]:
    """``a-{b,c}`` as a-b and a-c."""
    braces = re.search(r"\{([^{}]*)\}", text)
    if braces is None:
        return [text]
    before, after = text[: braces.start()], text[braces.end() :]
    return [whole for one in braces[1].split(",") for whole in _alternatives(before + one.strip() + after)]


def _fits(name: str, pattern: str) -> bool:
    return any(fnmatchcase(name, one) for one in _alternatives(pattern))


def _close(name: str | None, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name or "", list(names), n=3)
    return f"did you mean {' or '.join(repr(one) for one in close)}? " if close else ""
