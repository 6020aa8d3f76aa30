"""The protocol of the real clips with made-up networks: who trains, who is weighed, who is scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from benchmarks.clip_sets import ClipSet
from benchmarks.head_jobs import Job
from benchmarks.heads import NETWORK_CHOICES
from benchmarks.real_clips import SEEDS, _network_predictions

FIRST, SECOND = NETWORK_CHOICES


@dataclass
class Bench:
    clips: ClipSet


@dataclass
class Runner:
    """Runs no job: a function of a job and of a video's place gives the class with the highest score."""

    bench: Bench
    class_of: Callable[[Job, int], int]
    done: dict[Job, np.ndarray] = field(default_factory=dict)

    def run(self, jobs: Sequence[Job]) -> Iterator[Job]:
        for job in jobs:
            self.done[job] = np.eye(3)[[self.class_of(job, place) for place in job.test]]
            yield job


def test_no_job_trains_on_a_group_that_it_is_scored_on(clips):
    runner = Runner(Bench(clips), lambda job, place: 0)
    _network_predictions(runner, "stan")
    assert len(runner.done) == 5 * len(NETWORK_CHOICES) + 5 * len(SEEDS)
    for job in runner.done:
        train, test = ({clips.groups[place] for place in places} for places in (job.train, job.test))
        assert not train & test
        assert train | test == set(clips.groups)
        assert sorted(job.train + job.test) == list(range(len(clips.groups)))


@pytest.mark.parametrize("group", ["ann", "bob", "cem", "dan", "eve"])
def test_a_fold_is_not_chosen_by_its_own_videos(clips, group):
    """On one group's videos the second choice is better: its neighbours choose it, itself it cannot."""

    def class_of(job: Job, place: int) -> int:
        is_right = job.choice == SECOND and clips.groups[place] == group
        return (clips.records[place].label + (not is_right)) % 3

    _, chosen = _network_predictions(Runner(Bench(clips), class_of), "stan")
    names = clips.group_names
    place = names.index(group)
    neighbours = {names[place - 1], names[(place + 1) % len(names)]}
    assert {name for name in names if chosen[name] == repr(SECOND)} == neighbours
    assert chosen[group] == repr(FIRST)


def test_a_prediction_is_of_the_model_that_never_saw_the_group(clips):
    finals = {}

    def class_of(job: Job, place: int) -> int:
        if len({clips.groups[place] for place in job.test}) == 1:
            finals[job.seed, place] = job
        return (job.seed + place) % 3

    found, _ = _network_predictions(Runner(Bench(clips), class_of), "san")
    expected = [[(seed + place) % 3 for place in range(len(clips.groups))] for seed in SEEDS]
    assert found.tolist() == expected
    for (_, place), job in finals.items():
        assert clips.groups[place] not in {clips.groups[other] for other in job.train}
        assert job.kind == "san"
