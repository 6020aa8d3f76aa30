"""The trials of a sweep, kept by Optuna in a file: which values come next, and how each did."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attcell._checks import flat
from attcell.errors import DataError
from attcell.sweep.space import Dimension, Value

if TYPE_CHECKING:
    import optuna

STUDY_FILE = "study.db"
_NAME = "attcell"
_STARTUP = 8  # trials at random, before those that were good are followed


@dataclass(frozen=True)
class Judged:
    """How a trial did on the validation videos.

    Attributes:
        accuracy: from 0 to 1.
        loss: among equals the lower one is better; None where there is none.
        seconds: that it took.
    """

    accuracy: float
    loss: float | None
    seconds: float


@dataclass(frozen=True)
class TrialResult:
    """One trial.

    Attributes:
        number: from 1 on.
        values: of the keys that are looked through.
        judged: None where it failed, or is not done.
        why: it failed.
        same_as: the earlier trial of the same values, which was not done again.
        is_begun: it was begun, and is to be gone on with.
    """

    number: int
    values: dict[str, Value]
    judged: Judged | None = None
    why: str = ""
    same_as: int | None = None
    is_begun: bool = False


def best_of(trials: list[TrialResult]) -> TrialResult | None:
    """The highest accuracy; of equals the lowest loss, then the first one. None where none is done."""
    done = [one for one in trials if one.judged is not None]

    def rank(one: TrialResult) -> tuple[float, float, int]:
        assert one.judged is not None
        loss = one.judged.loss
        return one.judged.accuracy, -(float("inf") if loss is None else loss), -one.number

    return max(done, key=rank, default=None)


class Study:
    """What is known of a sweep's trials.

    Args:
        folder: the study is there in a file of SQLite; it is made if it is not.
        dimensions: what is looked through.
        seed: with the number of a trial it decides what is drawn for it.

    Raises:
        DataError: the file is damaged.
    """

    def __init__(self, folder: Path, dimensions: tuple[Dimension, ...], seed: int) -> None:
        import optuna

        self._folder, self._seed = folder, seed
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space = {one.key: _distribution(one) for one in dimensions}
        file = (folder / STUDY_FILE).absolute()
        with self._telling_of_damage(), _quiet():
            self._study = optuna.create_study(
                storage=f"sqlite:///{file}", study_name=_NAME, direction="maximize", load_if_exists=True
            )

    def results(self) -> list[TrialResult]:
        """All trials so far, in their order."""
        with self._telling_of_damage(), _quiet():
            told = self._study.user_attrs
            trials = self._study.get_trials(deepcopy=False)
        return [_result(one, told.get(str(one.number), {})) for one in trials]

    def ask(self) -> TrialResult:
        """Begin another trial. What is drawn follows from the seed, its number, and what is done."""
        import optuna

        with self._telling_of_damage(), _quiet():
            number = len(self._study.get_trials(deepcopy=False))
            self._study.sampler = optuna.samplers.TPESampler(
                seed=(self._seed * 1_000_003 + number) % 2**32, n_startup_trials=_STARTUP
            )
            self._study.ask(self._space)
        return self.results()[number]

    def tell(self, trial: TrialResult, came_of_it: Judged | str, same_as: int | None = None) -> TrialResult:
        """End a trial: with its figures, or with why it failed.

        Returns:
            the trial as it is now.
        """
        from optuna.trial import TrialState

        number = trial.number - 1
        with self._telling_of_damage(), _quiet():
            if isinstance(came_of_it, str):
                self._study.set_user_attr(str(number), {"why": came_of_it})
                self._study.tell(number, state=TrialState.FAIL)
            else:
                told = {"loss": came_of_it.loss, "seconds": round(came_of_it.seconds, 2), "same_as": same_as}
                self._study.set_user_attr(str(number), told)
                self._study.tell(number, came_of_it.accuracy)
        return self.results()[number]

    @contextmanager
    def _telling_of_damage(self) -> Iterator[None]:
        from optuna.exceptions import OptunaError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (OptunaError, SQLAlchemyError, RuntimeError) as error:
            raise DataError(
                f"{self._folder / STUDY_FILE} cannot be read or written ({flat(error)[:200]}); bring it "
                "back, or begin in another --out"
            ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # between packages of Optuna's
        yield


def _distribution(one: Dimension) -> optuna.distributions.BaseDistribution:
    from optuna import distributions

    if one.choices:
        return distributions.CategoricalDistribution(one.choices)
    if isinstance(one.low, int) and isinstance(one.high, int):
        return distributions.IntDistribution(one.low, one.high, log=one.is_log)
    return distributions.FloatDistribution(one.low, one.high, log=one.is_log)


def _result(trial: optuna.trial.FrozenTrial, told: dict[str, Any]) -> TrialResult:
    judged = None if trial.value is None else Judged(trial.value, told.get("loss"), told.get("seconds", 0.0))
    return TrialResult(
        trial.number + 1,
        dict(trial.params),
        judged,
        told.get("why", ""),
        told.get("same_as"),
        not trial.state.is_finished(),
    )
