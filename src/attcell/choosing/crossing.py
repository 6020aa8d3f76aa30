"""Cross-validation of the candidates: the same folds for all, features kept once, trainings side by side.

What is done is kept, so that a choice that was broken off goes on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from attcell._log import logger, minutes, tell, track, within
from attcell.choosing.candidates import Candidate, candidate_names
from attcell.choosing.trainings import Trainings
from attcell.choosing.trainings import trainings as start_trainings
from attcell.choosing.videos import OwnVideos
from attcell.config.recipe import Recipe
from attcell.data.folds import Folds
from attcell.errors import CallError
from attcell.inference.extract import filled_stores, refuse_unread
from attcell.inference.run import best_device
from attcell.metrics.statistics import accuracy_interval
from attcell.models.build import build_network, evaluation_plan, kept_plan
from attcell.research.driver import PlannedRun
from attcell.results.scores import read_scores

_CHUNK = 32  # videos whose features are computed before the budget is looked at again
_FINAL = 1.5  # the last training is of all videos, and then there is the test: in trainings of a fold


@dataclass(frozen=True)
class CandidateResult:
    """How a candidate did in the cross-validation.

    Attributes:
        name: of the candidate.
        right: whether each training video was told right when it was left out.
        interval: in which its accuracy lies, 0 to 1.
        seconds: that its trainings and tests took, one added to the other, without the features.
    """

    name: str
    right: Bool[np.ndarray, " N"]
    interval: tuple[float, float]
    seconds: float

    @property
    def accuracy(self) -> float:
        """From 0 to 1."""
        return float(self.right.mean())

    def values(self) -> dict[str, Any]:
        """In plain types; metrics in percent."""
        return {
            "name": self.name,
            "accuracy": round(100 * self.accuracy, 2),
            "interval": [round(100 * end, 2) for end in self.interval],
            "num_right": int(self.right.sum()),
            "num_videos": len(self.right),
            "seconds": round(self.seconds, 1),
        }


@dataclass(frozen=True)
class Crossed:
    """What came of the candidates.

    Attributes:
        results: of those that are done, in the table's order.
        left_out: name → why it is not among them.
        feature_seconds: streams → how long their features took, in this call.
    """

    results: tuple[CandidateResult, ...]
    left_out: dict[str, str]
    feature_seconds: dict[str, float]


class Budget:
    """How much time there is for the choice.

    Args:
        minutes: None for as much as it takes.
    """

    def __init__(self, minutes: float | None) -> None:
        self.minutes = minutes
        self._end = None if minutes is None else time.monotonic() + 60 * minutes

    def lacks(self, seconds: float) -> bool:
        """Whether so much time is not left any more."""
        return self._end is not None and time.monotonic() + seconds > self._end


class _TooLong(Exception):
    """Why a candidate does not fit in the budget."""


def _too_long(what: str, seconds: float) -> _TooLong:
    return _TooLong(f"{what} would take about {minutes(max(1.0, seconds))} more (minutes:seconds)")


@dataclass(frozen=True)
class Crossing:
    """The cross-validation of candidates on one's own videos.

    Attributes:
        videos: training and test videos; these are only looked at by the frozen backbones.
        folds: of the training videos.
        out: holds ``lists``; ``folds`` go there.
        features: where feature maps are kept.
        budget: for all of it.
    """

    videos: OwnVideos
    folds: Folds
    out: Path
    features: Path
    budget: Budget

    def run(self, candidates: Sequence[Candidate]) -> Crossed:
        """Cross-validate these, one after the other.

        Raises:
            CallError: the budget is too small for any of them, or a folder holds another run.
            DataError, VideoError, ModelError, TrainingError: as training and testing do.
        """
        with start_trainings(len(self.folds.left_out)) as trainings:
            return self._one_by_one(candidates, trainings)

    def _one_by_one(self, candidates: Sequence[Candidate], trainings: Trainings) -> Crossed:
        results: list[CandidateResult] = []
        left_out: dict[str, str] = {}
        feature_seconds: dict[str, float] = {}
        without: list[set[str]] = []  # streams whose features take too long
        for number, candidate in enumerate(candidates, 1):
            recipe = self.recipe(candidate, None)
            streams = set(recipe.model.streams)
            try:
                if number > 1 and self.budget.lacks(0):  # of the first it is told how long it would take
                    raise _TooLong("the budget is used up")
                if any(of <= streams for of in without):
                    raise _TooLong("features of its streams take too long")
                seconds = self._keep_features(recipe, candidate.name, without)
                named = " and ".join(recipe.model.streams)
                feature_seconds[named] = feature_seconds.get(named, 0.0) + seconds
                result = self._cross_validated(candidate, trainings)
            except _TooLong as why:
                left_out[candidate.name] = str(why)
                logger.info(f"{candidate.name} is left out: {why}")
                continue
            results.append(result)
            _tell(result, number, len(candidates))
        if not results:
            first, reason = next(iter(left_out.items()))
            raise CallError(
                f"--minutes {self.budget.minutes:g} is too little for one candidate: of {first}, the "
                f"first, {reason}. Give more minutes; what is computed is kept, and the same command goes on "
                "from there"
            )
        order = candidate_names()
        results.sort(key=lambda one: order.index(one.name))
        return Crossed(tuple(results), left_out, feature_seconds)

    def recipe(self, candidate: Candidate, fold: int | None) -> Recipe:
        """A candidate's recipe without one fold, counted from 1, or on all training videos."""
        beginning = "" if fold is None else f"{fold}-"
        return candidate.recipe(self.out / "lists", beginning, self.videos.root, self.features)

    def _keep_features(self, recipe: Recipe, name: str, without: list[set[str]]) -> float:
        """Compute what lacks of the features of all videos; the seconds that it took.

        Every training video is left out once, so it is looked at as the test videos are, too. The streams
        are added to ``without`` if there is no time for them.
        """
        start = time.monotonic()
        device = best_device()
        network = build_network(recipe, len(self.videos.labels), load_weights=True).to(device)
        everything = (*self.videos.train, *self.videos.test)
        taught = kept_plan(recipe, self.videos.labels)
        plans = [(self.videos.train, taught), (everything, evaluation_plan(recipe))]
        todo = sum(len(records) for records, _ in plans)
        step, done = todo if self.budget.minutes is None else _CHUNK, 0
        folder = recipe.cache.folder
        assert folder is not None, "the table's recipes keep features"
        for records, plan in plans:
            for first in range(0, len(records), step):
                some = records[first : first + step]
                with within(name):
                    failed = filled_stores(folder, recipe, network, some, plan, device)[1]
                tested = {record.id for record in self.videos.test}
                refuse_unread([why for video, why in failed.items() if video not in tested])
                done += len(some)
                left = (time.monotonic() - start) / done * (todo - done)
                if done < todo and self.budget.lacks(left):
                    without.append(set(recipe.model.streams))
                    raise _too_long("its features", left)
        return time.monotonic() - start

    def _cross_validated(self, candidate: Candidate, trainings: Trainings) -> CandidateResult:
        right = np.zeros(len(self.videos.train), dtype=bool)
        folder, number = self.out / "folds" / candidate.name, len(self.folds.left_out)
        runs = [
            PlannedRun(self.recipe(candidate, fold), folder / f"fold{fold}") for fold in range(1, number + 1)
        ]
        left_out = dict(zip((run.folder for run in runs), self.folds.left_out, strict=True))
        spent = 0.0
        with within(candidate.name), closing(trainings.done(runs)) as coming:
            for done, (run, seconds) in enumerate(track(coming, number, "folds"), 1):
                spent += seconds
                right[left_out[run.folder]] = right_of(run.scores)
                left = spent / done * ((number - done) / trainings.at_once + _FINAL)
                if done < number and self.budget.lacks(left):
                    raise _too_long("it", left)
        return CandidateResult(candidate.name, right, accuracy_interval(right, self.videos.groups), spent)


def right_of(scores: Path) -> Bool[np.ndarray, " N"]:
    """Which videos of a file of scores are told right, in its order; one that could not be read is not."""
    found = read_scores(scores)
    best = np.where(found.is_read(), np.nan_to_num(found.scores, nan=-np.inf).argmax(axis=1), -1)
    return np.asarray(best == found.true_classes())


def _tell(result: CandidateResult, number: int, num_candidates: int) -> None:
    low, high = (100 * end for end in result.interval)
    tell(
        "candidate",
        f"{number}/{num_candidates} {result.name}: {100 * result.accuracy:.1f} % ({low:.1f} to "
        f"{high:.1f}), {minutes(result.seconds)}",
        **result.values(),
    )
