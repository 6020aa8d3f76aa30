"""The trainings of a cross-validation: each without one fold of the videos, several side by side."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from attcell._files import OTHER_VALUES, read_own, write_json
from attcell._log import logger, within
from attcell._parallel import as_they_end, one_thread, process_pool
from attcell.errors import DataError
from attcell.flow import num_cores
from attcell.research.driver import PlannedRun, log_to, train_and_test
from attcell.training.run_folder import refuse_another_recipe

SECONDS = "seconds.json"


@dataclass(frozen=True)
class Trainings:
    """What trains and tests a few runs at once.

    Attributes:
        at_once: how many.
        pool: processes of one thread each, for a small head on kept features gains little by more; None for
            this process, where they go one after the other.
    """

    at_once: int = 1
    pool: ProcessPoolExecutor | None = None

    def done(self, runs: Sequence[PlannedRun]) -> Generator[tuple[PlannedRun, float]]:
        """Each run when it is trained and tested, and how many seconds that took; what is done already comes
        first. Of each the scores are kept alone. What one warns of is said here.

        Raises:
            CallError: a folder holds a run of another recipe.
            DataError, VideoError, ModelError, TrainingError: as training and testing do.
        """
        for run in runs:
            refuse_another_recipe(run.folder, run.recipe)
        yield from ((run, _seconds(run)) for run in runs if _is_done(run))
        left = [run for run in runs if not _is_done(run)]
        if self.pool is None:
            for run in left:
                yield run, _trained(run)
            return
        for run, (seconds, warnings) in as_they_end(self.pool, _trained_beside, left, self.at_once):
            for warning in warnings:
                logger.warning(warning)
            yield run, seconds


@contextmanager
def trainings(num_runs: int) -> Iterator[Trainings]:
    """Of so many runs that come together, as many at once as there are cores."""
    at_once = min(num_runs, num_cores())
    if at_once == 1:
        yield Trainings()
        return
    with process_pool(at_once, threads=1) as pool:
        yield Trainings(at_once, pool)


def _is_done(run: PlannedRun) -> bool:
    return run.scores.is_file() and (run.folder / SECONDS).is_file()


def _seconds(run: PlannedRun) -> float:
    file = run.folder / SECONDS
    try:
        return float(read_own(file)["seconds"])
    except OTHER_VALUES as error:
        raise DataError(f"{file} is damaged ({error!r}); delete it and run the same again") from error


def _trained(run: PlannedRun) -> float:
    """Train and test; how long it took."""
    start = time.monotonic()
    with one_thread():
        train_and_test(run)
    for name in ("model", "checkpoints", "logs"):
        shutil.rmtree(run.folder / name, ignore_errors=True)
    write_json(str(run.folder / SECONDS), {"seconds": round(time.monotonic() - start, 2)})
    return _seconds(run)


class _Warnings(logging.Handler):
    """Holds what is warned of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))


def _trained_beside(run: PlannedRun) -> tuple[float, list[str]]:
    """The same in a process of its own, whose bars go to a log beside the run; and what was warned of."""
    log_to(run.folder.parent / f"{run.folder.name}.log")
    warnings = _Warnings()
    logger.addHandler(warnings)
    try:
        with within(run.folder.name):
            return _trained(run), warnings.said
    finally:
        logger.removeHandler(warnings)
