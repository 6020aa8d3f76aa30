"""Rows of tables together with the rows that they begin with.

Wherever a recipe takes a model folder, it may say ``TABLE#ROW``: the model that this row's run gives. Such a
row is a *stage*; it may begin with a stage itself. A file that is one recipe is named as ``FILE#``. A file's
path is looked for beside the row's own file, as of ``extends``, and then below the current folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from attcell.config.loading import (
    ABOUT_STORE,
    MergedRow,
    RecipeFile,
    choose_rows,
    close_names,
    find_recipe,
    fits,
    merged_row,
    own_values,
    read_recipe_file,
)
from attcell.config.overrides import Override, read_overrides
from attcell.config.recipe import Recipe
from attcell.errors import CallError

MARK = "#"  # what tells a stage from a folder or a file
_Place = tuple[Path, str | None]  # the file, and which of its rows


@dataclass(frozen=True)
class LoadedRows:
    """Recipes, and what they begin with.

    Attributes:
        recipes: those that were asked for.
        stages: each ``TABLE#ROW`` that they, or their stages, name → its recipe; one that was asked for too
            is the same.
    """

    recipes: tuple[Recipe, ...]
    stages: Mapping[str, Recipe]


def load_rows(
    paths: Iterable[str | Path], overrides: Sequence[str] = (), patterns: Sequence[str] = ()
) -> LoadedRows:
    """The recipes of several files: all rows of a table, or those whose names fit a pattern (``ucf101-*``);
    and the rows that these begin with.

    A plain override goes to all of them; but where the videos lie goes to stages of the same data set alone,
    and what is asked beside the test (``detection``, ``fuse``) to no stage. ``PATTERN:key=value`` goes over
    that, to every row and stage whose name, or ``TABLE#ROW``, fits the pattern; what is asked beside the test
    goes to a stage only by ``TABLE#ROW``, unless that row is asked for too.

    Raises:
        CallError: no such file, row or stage, a pattern that fits none, not YAML, any unknown or wrong value,
            a row that begins with itself, or an override that would give a recipe a stream which it does not
            have. Whatever all rows leave open is in one message.
    """
    found = _Found(read_overrides(overrides), choose_rows(paths, patterns))
    found.refuse_foreign_streams(found.rows)
    return found.loaded()


def load_row(path: str | Path, overrides: Sequence[str] = (), row: str | None = None) -> LoadedRows:
    """One recipe as of :func:`attcell.config.load_recipe`, and the rows that it begins with.

    Raises:
        CallError: as of :func:`load_rows`, or a row that is not there.
    """
    file = read_recipe_file(find_recipe(path))
    file.check_row(row)
    return _Found(read_overrides(overrides), [(file, row)]).loaded()


def stages_of(recipe: Recipe) -> dict[str, str]:
    """Key → the stage that it names, of a recipe that begins with other rows' models."""
    return dict(_stages_in(recipe.model.model_dump(mode="json")))


def refuse_stages(recipe: Recipe) -> None:
    """Raise a CallError for a recipe that begins with another row's model, which is not there yet."""
    named = stages_of(recipe)
    if named:
        key, stage = next(iter(named.items()))
        table, _, row = stage.partition(MARK)
        rows = f" --row {row}" if row else ""
        raise CallError(
            f"recipe {recipe.name} begins with what another row gives: {key} is {stage}. Train that first "
            f"(attcell train {table}{rows}) and give its model folder, {key}=FOLDER; or say attcell protocol "
            "in place of train, which does one after the other"
        )


def _stages_in(model: Mapping[str, Any], where: str = "model.") -> Iterator[tuple[str, str]]:
    """(key, ``TABLE#ROW``) of a model section, checked or not."""
    for key, value in model.items():
        if key in ("init_from", "weights") and isinstance(value, str) and _is_stage(value):
            yield f"{where}{key}", value
        elif isinstance(value, Mapping):
            yield from _stages_in(value, f"{where}{key}.")


def _is_stage(value: str) -> bool:
    """Whether a value names a row; a file or a folder may have ``#`` in its name too."""
    return MARK in value and not Path(value).exists()


def _find_stages_file(path: str, begun: RecipeFile) -> Path:
    """The file of a stage: beside that of the row which begins with it, as of ``extends``; or below the
    current folder, as on the command line.
    """
    try:
        return find_recipe(path, begun.path.parent)
    except CallError:
        return find_recipe(path)


def _place(file: RecipeFile, row: str | None) -> _Place:
    return file.path.resolve(), row


def _own_dataset(file: RecipeFile, row: str | None) -> str | None:
    """The data set that a recipe's file names."""
    return (own_values(file, row).get("data") or {}).get("dataset")


class _Found:
    """Rows with their overrides, and the stages that they lead to.

    Args:
        changes: all overrides.
        chosen: the rows that are asked for, each with its file.
    """

    def __init__(self, changes: Sequence[Override], chosen: Sequence[tuple[RecipeFile, str | None]]) -> None:
        self._changes, self._chosen = changes, chosen
        self._asked_for = {_place(file, row) for file, row in chosen}
        self.rows: dict[_Place, MergedRow] = {}
        self.stages: dict[str, _Place] = {}
        self._begun: dict[_Place, MergedRow] = {}  # what begins with a stage that nobody asked for
        for file, row in chosen:
            self._merge(file, row, [change for change in changes if change.pattern is None])
        for place in list(self.rows):
            self._follow(place, ())

    def loaded(self) -> LoadedRows:
        """The recipes, checked."""
        self._refuse_idle_patterns()
        self.refuse_foreign_streams(self._begun)
        self._refuse_open_keys()
        recipes = {place: row.checked() for place, row in self.rows.items()}
        asked_for = tuple(recipes[_place(file, row)] for file, row in self._chosen)
        return LoadedRows(asked_for, {name: recipes[place] for name, place in self.stages.items()})

    def _merge(self, file: RecipeFile, row: str | None, plain: Sequence[Override]) -> None:
        scoped = [change for change in self._changes if self._is_meant(change, file, row)]
        self.rows[_place(file, row)] = merged_row(file, row, [*plain, *scoped])

    def _is_meant(self, change: Override, file: RecipeFile, row: str | None) -> bool:
        """Whether an override's pattern means this row. What is asked beside the test means a stage that
        nobody asked for only where the pattern has its table's name too.
        """
        pattern = change.pattern
        if pattern is None or not _fits_row(pattern, file, row):
            return False
        return not change.is_beside_the_test or MARK in pattern or _place(file, row) in self._asked_for

    def _follow(self, place: _Place, above: tuple[_Place, ...]) -> None:
        """Find the stages of a row, and theirs; ``above`` is what led to it."""
        begun, above = self.rows[place], (*above, place)
        for key, name in _stages_in(begun.values.get("model") or {}):
            path, _, word = name.partition(MARK)
            row = word or None
            try:
                file = read_recipe_file(_find_stages_file(path, begun.file))
                file.check_row(row)
            except CallError as error:
                raise CallError(f"{begun.called} begins with {name} ({key}): {error}") from error
            stage = _place(file, row)
            if self.stages.setdefault(name, stage) != stage:
                raise CallError(
                    f"{begun.called} begins with {name} ({key}) in {file.path.parent}, and another row with "
                    f"one of that name in {self.stages[name][0].parent}; give their files different names"
                )
            if stage in above:
                raise CallError(
                    f"{begun.called} begins with {name} ({key}), which begins with it in turn; begin one of "
                    "them with a model folder, a file of weights, pretrained or none"
                )
            if stage not in self.rows:
                self._begun[stage] = begun
                self._merge(file, row, self._for_stage(file, row))
            self._follow(stage, above)

    def _for_stage(self, file: RecipeFile, row: str | None) -> list[Override]:
        """The plain overrides that a stage gets."""
        is_same = _own_dataset(file, row) in self._datasets
        return [
            change
            for change in self._changes
            if change.pattern is None
            and not change.is_beside_the_test
            and (is_same or not change.is_of_a_data_set)
        ]

    @cached_property
    def _datasets(self) -> set[str | None]:
        """The data sets of the rows that are asked for, as their files name them."""
        return {_own_dataset(file, row) for file, row in self._chosen}

    def _refuse_idle_patterns(self) -> None:
        for change in self._changes:
            pattern, rows = change.pattern, self.rows.values()
            if pattern and not any(self._is_meant(change, one.file, one.row) for one in rows):
                stages = [one for one in rows if _fits_row(pattern, one.file, one.row)]
                if stages:  # of what is asked beside the test
                    name = f"{stages[0].file.path.stem}{MARK}{stages[0].row or ''}"
                    raise CallError(
                        f"override {change.text!r}: {pattern} fits only what other rows begin with, and "
                        f"{change.key} is not asked of that; name a row that is asked for (--rows), or the "
                        f"stage with its table, '{name}:{change.key}=…'"
                    )
                names = [one.row or one.file.path.stem for one in rows]
                raise CallError(
                    f"override {change.text!r}: no row that is run is called {pattern}; "
                    f"{close_names(pattern, names)}attcell protocol … --list names the rows of a table"
                )

    def refuse_foreign_streams(self, places: Iterable[_Place]) -> None:
        """Raise a CallError for an override of a stream that one of these rows lacks."""
        given = [change for change in self._changes if change.stream is not None]
        for merged in [self.rows[place] for place in places] if given else ():
            own = (own_values(merged.file, merged.row).get("model") or {}).get("streams") or {"frame": None}
            for change in given:
                is_meant = change.pattern is None or _fits_row(change.pattern, merged.file, merged.row)
                if is_meant and change.stream not in own:
                    raise CallError(
                        f"{merged.called} has no {change.stream} stream, and {change.text} would give it "
                        "one; leave the recipe out (--rows chooses those of a table), give it to some rows "
                        f"alone (PATTERN:{change.key}=…), or give model.weights=FILE for the streams that "
                        "each recipe has"
                    )

    def _refuse_open_keys(self) -> None:
        """Raise one CallError for all that the rows and stages leave open."""
        lacking = {place: row for place, row in self.rows.items() if row.missing}
        if not lacking or (len(lacking) == 1 and not lacking.keys() & self._begun.keys()):
            return  # one that is asked for says so itself
        lines = []
        for place, row in lacking.items():
            begun = self._begun.get(place)
            why = "" if begun is None else f" (what {begun.called.rstrip(',')} begins with)"
            lines.append(f"  {row.called.rstrip(',')}{why}: {', '.join(row.missing)}")
        key, name = row.missing[0], row.row or row.file.path.stem
        raise CallError(
            "\n".join(
                [
                    f"{len(lacking)} of {len(self.rows)} rows leave something open (???):",
                    *lines,
                    f"  give it on the command line: {key}=VALUE for all rows, '{name}:{key}=VALUE' for "
                    "those of this name. Where videos lie does not go from a row to a stage of another data "
                    "set"
                    f"{ABOUT_STORE if any('flow.store' in row.missing for row in lacking.values()) else ''}",
                ]
            )
        )


def _fits_row(pattern: str, file: RecipeFile, row: str | None) -> bool:
    name = row or file.path.stem
    return fits(name, pattern) or fits(f"{file.path.stem}{MARK}{row or ''}", pattern)
