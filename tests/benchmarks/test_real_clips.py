"""The protocol of the real clips with made-up networks: who trains, who is weighed, who is scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from benchmarks.clip_sets import ClipSet
from benchmarks.head_jobs import Job
from benchmarks.heads import ALL, STREAMS, Head
from benchmarks.real_clips import SEEDS, _final_predictions, _late_predictions


@dataclass
class Bench:
    clips: ClipSet


@dataclass
class Runner:
    """Runs no job: a function of a job and of a video's place gives the class with the highest score."""

    bench: Bench
    class_of: Callable[[Job, int], int]
    done: dict[Job, dict[str, np.ndarray]] = field(default_factory=dict)

    def run(self, jobs: Sequence[Job]) -> Iterator[Job]:
        for job in jobs:
            self.done[job] = {ALL: np.eye(3)[[self.class_of(job, place) for place in job.test]]}
            yield job


STAN_OF_BOTH = Head("stan", STREAMS)


def test_no_job_trains_on_a_group_that_it_is_scored_on(clips):
    runner = Runner(Bench(clips), lambda job, place: 0)
    _final_predictions(runner, STAN_OF_BOTH)
    _late_predictions(runner, "stan")
    assert len(runner.done) == 5 * len(SEEDS) + 2 * (5 + 5 * len(SEEDS))
    for job in runner.done:
        train, test = ({clips.groups[place] for place in places} for places in (job.train, job.test))
        assert not train & test
        assert train | test == set(clips.groups)
        assert sorted(job.train + job.test) == list(range(len(clips.groups)))


@pytest.mark.parametrize("group", ["ann", "bob", "cem", "dan", "eve"])
def test_a_folds_weights_are_not_chosen_by_its_own_videos(clips, group):
    """Frames are right but on one group, where flow is: its neighbours weigh flow, itself it cannot."""

    def class_of(job: Job, place: int) -> int:
        knows = ("flow",) if clips.groups[place] == group else ("frame",)
        return (clips.records[place].label + (job.head.streams != knows)) % 3

    _, chosen = _late_predictions(Runner(Bench(clips), class_of), "stan")
    names = clips.group_names
    place = names.index(group)
    neighbours = {names[place - 1], names[(place + 1) % len(names)]}
    assert {name for name in names if float(chosen[name].split()[-1]) >= 0.5} <= neighbours
    assert float(chosen[group].split()[-1]) < 0.5


def test_a_prediction_is_of_the_model_that_never_saw_the_group(clips):
    finals = {}

    def class_of(job: Job, place: int) -> int:
        if len({clips.groups[place] for place in job.test}) == 1:
            finals[job.seed, place] = job
        return (job.seed + place) % 3

    head = Head("san", ("flow",))
    found = _final_predictions(Runner(Bench(clips), class_of), head)
    expected = [[(seed + place) % 3 for place in range(len(clips.groups))] for seed in SEEDS]
    assert found.tolist() == expected
    for (_, place), job in finals.items():
        assert clips.groups[place] not in {clips.groups[other] for other in job.train}
        assert job.head == head


def test_late_fusion_of_networks_that_agree_says_what_they_say(clips):
    found, _ = _late_predictions(Runner(Bench(clips), lambda job, place: (job.seed + place) % 3), "san")
    assert found.tolist() == [[(seed + place) % 3 for place in range(len(clips.groups))] for seed in SEEDS]
