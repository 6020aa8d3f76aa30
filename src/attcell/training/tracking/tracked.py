"""A run as its tools see it: begun once, gone on with when it is resumed, never in the training's way."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.loggers.logger import DummyLogger

from attcell._checks import flat, refuse_without
from attcell._files import read_own, write_json
from attcell._log import logger
from attcell._owners import is_first_process
from attcell._servers import shown
from attcell.choices import LoggerName
from attcell.config.recipe import Recipe, flat_values
from attcell.errors import AttcellError, TrainingError
from attcell.training.tracking.tools import EXTRAS, TOOLS, Begun, Run, Show

LOGS = "logs"
RUNS = "tracked.json"  # in the folder of logs: which run of each tool this one is
_NO_KEY = re.compile(r"[^\w. -]")  # classes are keys too, and tools take few letters in a key
_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")
_MOST_LETTERS = 300  # of what a tool says went wrong
_CHATTY = ("mlflow", "alembic", "wandb", "trackio", "httpx")  # loggers of theirs


def refuse_missing_tools(names: tuple[LoggerName, ...]) -> None:
    """Raise a CallError where a tool's package is not installed."""
    for name in names:
        if name in EXTRAS:
            refuse_without(f"train.loggers with {name}", name, name)


@dataclass(frozen=True)
class Tracked:
    """The open tools of a training.

    Attributes:
        loggers: for Lightning.
        shows: take a picture each.
    """

    loggers: list[Logger]
    shows: list[Show]


@contextmanager
def tracked(run_folder: Path, recipe: Recipe) -> Iterator[Tracked]:
    """The tools that a recipe names, open, on the first process; another one logs nothing.

    Raises:
        TrainingError: a tool that cannot be begun.
    """
    names = recipe.train.loggers
    if not is_first_process():
        local = [TOOLS[name](Run("", run_folder / LOGS, {})).logger for name in names if name not in EXTRAS]
        yield Tracked([*local, *(DummyLogger() for name in names if name in EXTRAS)], [])
        return
    found, begun, is_done = Tracked([], []), list[tuple[_Careful, Begun]](), False
    with _quiet(names):
        for name, one in _all_begun(run_folder, recipe).items():
            careful = _Careful(name)
            begun.append((careful, one))
            found.loggers.append(_CarefulLogger(careful, one.logger) if name in EXTRAS else one.logger)
            if one.show is not None:
                found.shows.append(careful.showing(one.show))
        try:
            yield found
            is_done = True
        finally:
            for careful, one in begun:
                careful.tried(partial(one.end, is_done))


def _all_begun(run_folder: Path, recipe: Recipe) -> dict[str, Begun]:
    """Each tool, with the run that it had before or a new one."""
    logs = run_folder / LOGS
    logs.mkdir(parents=True, exist_ok=True)
    file = logs / RUNS
    runs: dict[str, Any] = read_own(file) if file.is_file() else {}
    name, values = "-".join(run_folder.absolute().parts[-2:]).strip("/"), hyperparameters(recipe)
    found = dict[str, Begun]()
    for tool in recipe.train.loggers:
        try:
            found[tool] = TOOLS[tool](Run(name, logs, values, str(runs.get(tool, ""))))
        except Exception as error:  # of packages that raise whatever they like
            for begun in found.values():
                with suppress(Exception):  # this one is told of
                    begun.end(False)
            told = f" (its run {runs[tool]} is named in {file})" if tool in runs else ""
            raise TrainingError(
                f"train.loggers: {tool} cannot begin{told}: {_said(error)}; mend that, or leave it out of "
                "train.loggers, and go on with --resume"
            ) from error
        if found[tool].run and found[tool].run != runs.get(tool):
            runs[tool] = found[tool].run
            write_json(str(file), runs)  # at once, for what is begun is to be found again
    return found


def hyperparameters(recipe: Recipe) -> dict[str, str | int | float | None]:
    """The recipe as tools take it: flat, lists as texts, and no password or signature of a URL in it."""
    return {_NO_KEY.sub("_", key): _plain(value) for key, value in flat_values(recipe).items()}


def _plain(value: Any) -> str | int | float | None:
    if value is None or isinstance(value, bool | int | float):
        return value
    return _PASSWORD.sub("…@", shown(str(value)))


def _said(error: Exception) -> str:
    """What a tool says, which may name its server with a password."""
    return _PASSWORD.sub("…@", flat(error))[:_MOST_LETTERS]


class _Careful:
    """What fails in a tool is said once, and the training goes on without it.

    Args:
        tool: its name.
    """

    def __init__(self, tool: str) -> None:
        self._tool, self._has_failed = tool, False

    def tried(self, act: Callable[[], object]) -> None:
        """Do something in the tool."""
        if self._has_failed:
            return
        try:
            act()
        except AttcellError:
            raise
        except Exception as error:
            self._has_failed = True
            logger.warning(
                f"{self._tool} takes no more of this training, which goes on without it: {_said(error)}"
            )

    def showing(self, show: Show) -> Show:
        """The same of a picture."""
        return lambda name, picture, step: self.tried(lambda: show(name, picture, step))


class _CarefulLogger(Logger):
    """A tool's logger that does not end a training, as by a server that is gone."""

    def __init__(self, careful: _Careful, inner: Logger) -> None:
        super().__init__()
        self._careful, self._inner = careful, inner

    @property
    def name(self) -> str | None:
        return self._inner.name

    @property
    def version(self) -> int | str | None:
        return self._inner.version

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._careful.tried(lambda: self._inner.log_metrics(dict(metrics), step))

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """They went in as the run began."""


@contextmanager
def _quiet(names: Sequence[str]) -> Iterator[None]:
    """Keep the tools' own advice off the terminal; what fails comes as an exception."""
    foreign = [name for name in names if name in EXTRAS]
    if not foreign:
        yield
        return
    theirs = [logging.getLogger(name) for name in _CHATTY]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # between packages of theirs
        for name in foreign:
            with suppress(Exception):  # told where it is begun
                import_module(name)  # which sets how much it says
        levels = [one.level for one in theirs]
        for one in theirs:
            one.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for one, level in zip(theirs, levels, strict=True):
                one.setLevel(level)
