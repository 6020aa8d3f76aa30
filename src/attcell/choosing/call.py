"""``attcell train FOLDER`` as one call: choose, train the chosen on all training videos, test, and a page."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attcell._files import read_own, write_json
from attcell._log import logger, minutes, tell, tell_programs
from attcell._owners import is_empty
from attcell._parallel import one_thread
from attcell._paths import check_output
from attcell.choosing.candidates import (
    QUICK,
    SHIPPED,
    candidate_names,
    candidates,
    check_name,
    weights_at_hand,
)
from attcell.choosing.choice import (
    Choice,
    alike_words,
    choice_text,
    choice_values,
    choose,
    percent,
    table_lines,
    write_choice,
)
from attcell.choosing.crossing import Budget, Crossed, Crossing, right_of
from attcell.choosing.videos import OwnVideos, counted, own_videos, write_lists
from attcell.data.folds import Folds
from attcell.data.groups import groups_of
from attcell.data.hints import few_videos, propose_groups
from attcell.errors import CallError
from attcell.inference.evaluate import Evaluation
from attcell.inference.extract import refuse_unopened
from attcell.inference.model import Model
from attcell.inference.run import best_device
from attcell.metrics.statistics import accuracy_interval
from attcell.report.figures.charts import confusion_picture
from attcell.report.lines import interval_words
from attcell.report.page.page import write_report
from attcell.research.driver import PlannedRun
from attcell.training.run import train
from attcell.training.run_folder import RECIPE_FILE, refuse_another_recipe
from attcell.training.tracking.pictures import in_turns
from attcell.types import VideoRecord

BEGUN = "videos.json"  # what a folder of results was begun with
MOST_SHOWN = 8  # test videos on the page


@dataclass(frozen=True)
class FolderCall:
    """The options of the command.

    Attributes:
        folder: of the videos.
        out: where everything goes.
        test: a folder of other test videos.
        groups: as ``data.groups`` of a recipe.
        overrides: over the candidates' recipes.
        weights: of the backbones: None, ``pretrained``, ``shipped`` or a file.
        take: the candidate to take in place of the best.
        quick: try one candidate alone.
        minutes: for the choice.
        cache: where feature maps are kept; by default below ``out``.
    """

    folder: Path
    out: Path
    test: Path | None = None
    groups: str | None = None
    overrides: Sequence[str] = ()
    weights: str | None = None
    take: str | None = None
    quick: bool = False
    minutes: float | None = None
    cache: Path | None = None

    def crossing(self, videos: OwnVideos, folds: Folds) -> Crossing:
        """The cross-validation on these videos."""
        features = (self.cache or self.out / "features").absolute()
        return Crossing(videos, folds, self.out.absolute(), features, Budget(self.minutes))


@dataclass(frozen=True)
class FolderOutcome:
    """What came of it.

    Attributes:
        model: the model folder.
        choice: which candidate, and why.
        crossed: all of them.
        accuracy: of the test, 0 to 1.
        interval: in which it lies.
        unread: test video id → why it could not be read.
        lines: all that is to be said, with what to do next.
    """

    model: Path
    choice: Choice
    crossed: Crossed
    accuracy: float
    interval: tuple[float, float]
    unread: dict[str, str]
    lines: tuple[str, ...] = ()


def train_folder(call: FolderCall) -> FolderOutcome:
    """Choose, train, test, and write the page; what is done already is kept.

    Raises:
        CallError: an option that cannot be, a budget that is too small, or ``out`` holds something else.
        DataError, VideoError: videos that are not there or not right.
        ModelError, TrainingError: as training does.
    """
    return _Call(call, time.monotonic()).run()


@dataclass(frozen=True)
class _Call:
    call: FolderCall
    started: float

    def run(self) -> FolderOutcome:
        call = self.call
        names = self._names()
        candidates(names, call.overrides, SHIPPED)  # what is wrong with them is told first
        seed = int(candidates(names[-1:], call.overrides, SHIPPED)[0].values["train"]["seed"])
        videos = own_videos(call.folder, call.test, call.groups, seed)
        folds = videos.folds(seed)
        refuse_unopened(videos.train)
        weights = weights_at_hand(call.weights)
        self._begin(videos, seed, weights)
        write_lists(videos, folds, call.out / "lists")
        _tell_videos(videos, folds.described, names)
        crossing = call.crossing(videos, folds)
        chosen_from = candidates(names, call.overrides, weights)
        crossed = crossing.run(chosen_from)
        choice = choose(crossed, call.take, videos.groups)
        name = choice.taken.name
        for line in table_lines(crossed, name):
            logger.info(line)
        tell(
            "choice",
            f"taken: {name} ({choice.why}). {alike_words(crossed, choice)}",
            **choice_values(crossed, choice, folds),
        )
        recipe = crossing.recipe(next(one for one in chosen_from if one.name == name), None)
        run = PlannedRun(recipe, call.out / name)
        unread = _trained_and_tested(run)
        outcome = self._outcome(run, choice, crossed, unread, videos)
        shown = _page(run, videos.test)
        tested = _test_words(outcome, videos, shown)
        values = choice_values(crossed, choice, folds) | self._test_values(outcome, videos)
        write_choice(call.out, choice_text(videos, folds, crossed, choice, tested), values)
        return self._end(outcome, videos)

    def _names(self) -> tuple[str, ...]:
        """The candidates that are tried; one that is asked for comes first, for a budget may end."""
        call = self.call
        if call.take is not None:
            check_name(call.take)
        if call.minutes is not None and call.minutes <= 0:
            raise CallError(f"--minutes is {call.minutes:g}; give more than 0")
        if call.quick:
            return (call.take or QUICK,)
        names = candidate_names()
        return names if call.take is None else (call.take, *(name for name in names if name != call.take))

    def _begin(self, videos: OwnVideos, seed: int, weights: str) -> None:
        """Refuse a folder that holds something else, and write what this one is begun with."""
        out, file = self.call.out, self.call.out / BEGUN
        check_output(out, is_folder=True)
        now: dict[str, Any] = {
            "folder": str(self.call.folder.absolute()),
            "training videos": _digest(videos.train),
            "test videos": _digest(videos.test),
            "seed": seed,
            "weights": weights,
            "overrides": sorted(self.call.overrides),
        }
        if not file.is_file():
            if not is_empty(out):
                raise CallError(f"{out} is not empty and no choice; name another --out")
            write_json(str(file), now)
            return
        before = read_own(file)
        differing = [key for key, value in now.items() if before.get(key) != value]
        if differing:
            raise CallError(
                f"{out} was begun with other {', '.join(differing)}; give the same again to go on, or name "
                "another --out"
            )

    def _outcome(
        self, run: PlannedRun, choice: Choice, crossed: Crossed, unread: dict[str, str], videos: OwnVideos
    ) -> FolderOutcome:
        right = right_of(run.scores)
        interval = accuracy_interval(right, groups_of(videos.test))
        return FolderOutcome(run.model, choice, crossed, float(right.mean()), interval, unread)

    def _test_values(self, outcome: FolderOutcome, videos: OwnVideos) -> dict[str, Any]:
        return {
            "model": str(outcome.model),
            "test": {
                "accuracy": round(100 * outcome.accuracy, 2),
                "interval": [round(100 * end, 2) for end in outcome.interval],
                "num_videos": len(videos.test),
                "num_groups": len(set(groups_of(videos.test))) or None,
                "tested_on": videos.tested_on,
                "unread": outcome.unread,
            },
        }

    def _end(self, outcome: FolderOutcome, videos: OwnVideos) -> FolderOutcome:
        """With what is said at the end."""
        spent = time.monotonic() - self.started
        lines = (
            *_test_words(outcome, videos, None),
            f"model: {outcome.model}",
            f"all of it: {self.call.out / 'choice.md'}, beside it choice.json and report.html",
            f"time: {minutes(spent)}",
            *next_lines(outcome),
        )
        values = self._test_values(outcome, videos) | {"taken": outcome.choice.taken.name}
        tell_programs("done", "\n".join(lines), seconds=round(spent, 1), **values)
        return replace(outcome, lines=lines)


def next_lines(outcome: FolderOutcome) -> list[str]:
    """What to do next, as commands."""
    choice = outcome.choice
    other = next(iter(choice.alike), None)
    lines = [
        f"next: attcell predict VIDEO --model {outcome.model} --report video.html",
        f"      attcell test {outcome.model} --data MORE_VIDEOS",
    ]
    if choice.taken is not choice.best:
        lines.append(f"      the same command without --take, to take {choice.best.name}")
    elif other is not None:
        lines.append(f"      the same command with --take {other}, to take that one")
    return lines


def _tell_videos(videos: OwnVideos, described: str, names: Sequence[str]) -> None:
    num_groups = len(set(videos.groups))
    of = f" of {num_groups} groups" if num_groups else ""
    tell(
        "videos",
        f"{len(videos.train)} training videos{of} in {len(videos.labels)} classes; test: {len(videos.test)} "
        f"videos, {videos.tested_on}. {counted(len(names), 'candidate')} by cross-validation: {described}",
        num_train=len(videos.train),
        num_test=len(videos.test),
        num_classes=len(videos.labels),
        num_groups=num_groups or None,
        cross_validation=described,
        candidates=list(names),
    )
    counts = Counter(record.label for record in videos.train)
    for sentence in few_videos(videos.labels, [counts[label] for label in range(len(videos.labels))]):
        logger.warning(sentence)
    if not num_groups:
        logger.warning(
            "no --groups: a video that is left out may share its scene, actor or film with others, and then "
            f"all metrics here are too high. {_how_to_group(videos)}"
        )


def _how_to_group(videos: OwnVideos) -> str:
    """What names look like, as an expression for ``--groups``; or that one can be given."""
    starts = [f"{videos.labels[record.label]}/" for record in videos.train]  # an expression sees no more
    below = [
        replace(record, id=start + record.id.partition(start)[2])
        for record, start in zip(videos.train, starts, strict=True)
    ]
    proposed = propose_groups(below)
    if proposed is None:
        return "If names tell these, give them: --groups 'REGULAR EXPRESSION'"
    return proposed.sentence("--groups ")


def _trained_and_tested(run: PlannedRun) -> dict[str, str]:
    """Train on all training videos and test, unless that is done; the test videos that could not be read."""
    refuse_another_recipe(run.folder, run.recipe)
    if not run.scores.is_file():
        logger.info(f"training {run.recipe.name} on all training videos")
        with one_thread():  # as in the cross-validation
            train(run.recipe, run.folder, resume=(run.folder / RECIPE_FILE).exists())
        model = Model.from_folder(run.model).to(best_device())
        evaluation: Evaluation = model.evaluate(cache=run.recipe.cache.folder)
        confusion = evaluation.confusion()
        assert confusion is not None, "one class a video"
        title = f"{run.recipe.name}, test videos"
        confusion_picture(confusion, evaluation.labels, run.scores.parent / "confusion.png", title)
        evaluation.write_scores(run.scores)
    return run.unread_videos()


def _page(run: PlannedRun, test: Sequence[VideoRecord]) -> int:
    """Write a page of some test videos, of all classes in turn; how many."""
    page = run.folder.parent / "report.html"
    unread = run.unread_videos()
    readable = [record for record in test if record.id not in unread]
    model = Model.from_folder(run.model).to(best_device())
    shown = [model.predict(record.path) for record in in_turns(readable, MOST_SHOWN)]
    if shown:
        write_report(shown, page, {"model": str(run.model)})
    return len(shown)


def _test_words(outcome: FolderOutcome, videos: OwnVideos, shown: int | None) -> list[str]:
    """What the test says, beside what the cross-validation said."""
    taken, test_groups = outcome.choice.taken, len(set(groups_of(videos.test)))
    of_groups = f" of {counted(test_groups, 'group')}" if test_groups else ""
    lines = [
        f"test: {percent(outcome.accuracy)} of {len(videos.test)} videos{of_groups} (95 % interval "
        f"{interval_words(outcome.interval)}); cross-validated: {percent(taken.accuracy)} of "
        f"{len(taken.right)} ({interval_words(taken.interval)})"
    ]
    if outcome.interval[1] < taken.interval[0]:
        lines.append(
            "The test is below what cross-validation promised: training videos may share scenes (--groups), "
            "or the test videos are of another kind."
        )
    if shown:
        lines.append(
            f"report.html shows {shown} test videos; {taken.name}/test-test/confusion.png who is "
            "taken for whom."
        )
    return lines


def _digest(records: Sequence[VideoRecord]) -> str:
    text = "\n".join(f"{record.id} {record.label} {record.group}" for record in records)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
