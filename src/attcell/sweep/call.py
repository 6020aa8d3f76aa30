"""``attcell sweep`` as one call: trial after trial, each an ordinary run, until there are enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from attcell._checks import refuse_without
from attcell._files import read_own, write_json
from attcell._log import logger, tell, within
from attcell._owners import held, is_empty
from attcell._parallel import process_pool
from attcell._paths import check_output
from attcell.config.loading import load_recipe
from attcell.config.recipe import Recipe, flat_values
from attcell.config.stages import refuse_stages
from attcell.errors import AttcellError, CallError
from attcell.flow import num_cores
from attcell.inference.model import Model
from attcell.inference.run import best_device
from attcell.models.listings import read_listings
from attcell.sweep.outcome import SweepOutcome, trial_line, write_outcome, write_table
from attcell.sweep.space import Space, Values, read_space
from attcell.sweep.study import Judged, Study, TrialResult, best_of
from attcell.training.run import train
from attcell.training.run_folder import RECIPE_FILE

BEGUN = "sweep.json"  # what a folder of results was begun with
TRIALS = "trials"
_TOLD = ("published", "rivals", "detection", "fuse", "train.loggers", "train.pictures")  # judge no trial

Judge = Callable[[Recipe, Path], Judged]  # trains in a run folder, and asks the validation videos


@dataclass(frozen=True)
class SweepCall:
    """The options of the command.

    Attributes:
        recipe: by path or name.
        texts: ``key=value``, some of them ranges or choices.
        out: where everything goes.
        row: of a table.
        trials: how many in all.
        jobs: how many go side by side.
        seed: of what is tried.
    """

    recipe: str
    texts: Sequence[str]
    out: Path
    row: str | None = None
    trials: int = 20
    jobs: int = 1
    seed: int = 0

    def trial_recipe(self, space: Space, values: Values) -> Recipe:
        """The recipe with these values.

        Raises:
            CallError: it cannot be.
        """
        recipe = load_recipe(self.recipe, space.overrides(values), self.row)
        refuse_stages(recipe)
        return recipe


def sweep(call: SweepCall, judge: Judge | None = None) -> SweepOutcome:
    """Do the trials that are not done yet; write the table, the picture and the best recipe.

    Args:
        call: the options.
        judge: what a trial is; by default a training, and its validation videos.

    Raises:
        CallError: a recipe, a range or a folder that is not right, or the same folder with another space.
        DataError: videos that are not there, or a study that is damaged.
        AttcellError: a process was ended from outside.
    """
    refuse_without("sweeps", "sweep", "optuna")
    space = read_space(call.texts)
    for values in space.corners():
        recipe = call.trial_recipe(space, values)
    _refuse_unjudged(recipe)
    if judge is None:
        read_listings(recipe)  # what is wrong with the videos would fail every trial
    check_output(call.out, is_folder=True)
    _begin(call, space, recipe)
    with held(call.out):
        return _Sweep(call, space, Study(call.out, space.dimensions, call.seed), judge or judged).run()


def _refuse_unjudged(recipe: Recipe) -> None:
    if recipe.data.val is None and recipe.data.val_fraction == 0:
        raise CallError(
            "a sweep compares trials on validation videos, and this recipe has none; give data.val, or "
            "data.val_fraction=0.2, which holds a part of the training videos out (data.groups keeps "
            "together what belongs together). Test videos are never asked"
        )


def _begin(call: SweepCall, space: Space, recipe: Recipe) -> None:
    """Refuse a folder that holds something else, or a sweep of another space; else write what it is."""
    sought = {one.key for one in space.dimensions}
    same = {key: value for key, value in flat_values(recipe).items() if key not in (*sought, *_TOLD)}
    now: dict[str, Any] = {
        "looked through": sorted(one.text for one in space.dimensions),
        "seed": call.seed,
        "recipe": same,
    }
    file = call.out / BEGUN
    if not file.is_file():
        if not is_empty(call.out):
            raise CallError(f"{call.out} is not empty and no sweep; name another --out")
        write_json(str(file), now)
        return
    before = read_own(file, "recipe")
    differing = [key for key in ("looked through", "seed") if before.get(key) != now[key]]
    others = {**same, **before["recipe"]}
    differing += [key for key in others if before["recipe"].get(key) != same.get(key)]
    if differing:
        raise CallError(
            f"{call.out} was begun with other {', '.join(differing)}; give the same again to go on, or name "
            "another --out"
        )


@dataclass(frozen=True)
class _Sweep:
    call: SweepCall
    space: Space
    study: Study
    judge: Judge

    def run(self) -> SweepOutcome:
        before = self.study.results()
        done = sum(not one.is_begun for one in before)
        if done:
            logger.info(f"{done} trials are done already")
        for trial in self._done():
            best = best_of(self.study.results())
            tell(
                "trial",
                trial_line(trial, best),
                number=trial.number,
                values=trial.values,
                accuracy=None if trial.judged is None else round(100 * trial.judged.accuracy, 2),
                why=trial.why or None,
            )
            write_table(self.call.out, self.study.results())
        trials = self.study.results()
        best = best_of(trials)
        recipe = None if best is None else self.call.trial_recipe(self.space, best.values)
        return write_outcome(self.call.out, trials, best, recipe)

    def _to_do(self) -> Iterator[TrialResult]:
        """Those that were broken off, and then new ones, each asked for when there is room for it."""
        results = self.study.results()
        yield from (one for one in results if one.is_begun)
        for _ in range(self.call.trials - len(results)):
            yield self.study.ask()

    def _done(self) -> Iterator[TrialResult]:
        """Each trial when it is done."""
        if self.call.jobs == 1:
            for trial in self._to_do():
                yield self._ended(trial, partial(self._judged, trial))
            return
        with process_pool(self.call.jobs, max(1, num_cores() // self.call.jobs)) as pool:
            running, to_do = dict[Future[Judged], TrialResult](), self._to_do()
            while True:
                while len(running) < self.call.jobs and (new := next(to_do, None)) is not None:
                    try:
                        run = None if self._same(new) else self._run(new)
                    except CallError:
                        run = None  # which is told below
                    if run is None:
                        yield self._ended(new, partial(self._judged, new))
                    else:
                        running[pool.submit(_judged_beside, self.judge, *run)] = new
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield self._ended(running.pop(future), future.result)

    def _ended(self, trial: TrialResult, come: Callable[[], Judged]) -> TrialResult:
        """The trial, with what came of it told to the study."""
        same = self._same(trial)
        try:
            found = come()
        except AttcellError as error:
            if error.exit_status > 2:  # it was told to end
                raise
            return self.study.tell(trial, str(error))
        return self.study.tell(trial, found, None if same is None else same.number)

    def _judged(self, trial: TrialResult) -> Judged:
        """Do a trial here; of one that was done before with the same values its figures."""
        same = self._same(trial)
        if same is not None and same.judged is not None:
            return same.judged
        with within(f"trial {trial.number} of {self.call.trials}"):
            return self.judge(*self._run(trial))

    def _same(self, trial: TrialResult) -> TrialResult | None:
        done = (one for one in self.study.results() if one.judged is not None and one.same_as is None)
        return next((one for one in done if one.values == trial.values), None)

    def _run(self, trial: TrialResult) -> tuple[Recipe, Path]:
        recipe = self.call.trial_recipe(self.space, trial.values)
        return recipe, self.call.out / TRIALS / f"{trial.number:04}"


def _judged_beside(judge: Judge, recipe: Recipe, folder: Path) -> Judged:
    """The same in a process of its own, whose bars would cross others'."""
    from attcell.research.driver import log_to

    log_to(folder.parent / f"{folder.name}.log")
    with within(folder.name):
        return judge(recipe, folder)


def judged(recipe: Recipe, folder: Path) -> Judged:
    """Train in a run folder, or go on there, and ask the validation videos alone.

    Raises:
        AttcellError: as training does.
    """
    start = time.monotonic()
    outcome = train(recipe, folder, resume=(folder / RECIPE_FILE).exists())
    accuracy, loss = outcome.best.accuracy, outcome.best.loss
    if accuracy is None:  # an SVM, which has been fitted since the iterations
        model = Model.from_folder(outcome.model_folder).to(best_device())
        figures = model.evaluate(split="val", cache=recipe.cache.folder).figures()
        accuracy, loss = figures.get("top1", figures.get("mAP", 0.0)) / 100, None
    return Judged(accuracy, loss, time.monotonic() - start)
