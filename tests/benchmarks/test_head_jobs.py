"""A job sees the videos it trains on, and nothing else before it is scored."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import head_jobs
from benchmarks.head_jobs import Bench, Job, JobRunner
from benchmarks.heads import Head

STORES = {"frame": "frame store", "flow": "flow store"}


def bench_of(clips, maps: np.ndarray) -> Bench:
    """The figures of (N, P, F) maps; those of flow are twice as large."""
    means = {"frame": maps.mean(1), "flow": 2 * maps.mean(1)}
    return Bench(clips, Path("cache"), means, {"frame": (maps**2).mean(1), "flow": 4 * (maps**2).mean(1)})


@pytest.fixture
def maps(clips) -> np.ndarray:
    return np.random.default_rng(0).normal(3, 2, (len(clips.records), 6, 4))


@pytest.fixture
def job() -> Job:
    return Job(Head("stan", ("flow", "frame")), 3, (0, 4, 5), (2, 1))


def test_figures_are_those_of_the_training_videos_alone(clips, maps):
    places = (1, 2, 7)
    others = [place for place in range(len(maps)) if place not in places]
    together = maps[list(places)].reshape(-1, 4)
    maps[others] = np.nan
    mean, deviation = bench_of(clips, maps).figures("frame", places)
    np.testing.assert_allclose(mean, together.mean(0), rtol=1e-6)
    np.testing.assert_allclose(deviation, together.std(0), rtol=1e-5)


def test_a_channel_that_never_changes_has_no_deviation(clips):
    maps = np.full((len(clips.records), 6, 4), 0.1)
    assert bench_of(clips, maps).figures("flow", (0, 1, 2))[1].tolist() == pytest.approx([0] * 4, abs=1e-7)


def test_a_job_trains_on_its_training_videos_and_scores_the_others(clips, maps, job, monkeypatch):
    seen = {}

    def train(recipe, num_classes, records, stores, figures):
        seen.update(recipe=recipe, train=records, figures=figures)
        assert (num_classes, stores) == (3, STORES)
        return "network"

    def score(network, records, stores):
        assert (network, stores) == ("network", STORES)
        seen["test"] = records
        return np.zeros((len(records), 3))

    bench = bench_of(clips, maps)
    monkeypatch.setattr(head_jobs, "trained_network", train)
    monkeypatch.setattr(head_jobs, "network_scores", score)
    monkeypatch.setattr(head_jobs, "_here", (bench, STORES))
    scores, seconds = head_jobs._run_job(job)
    assert scores.shape == (2, 3)
    assert seconds >= 0
    assert seen["train"] == [clips.records[place] for place in job.train]
    assert seen["test"] == [clips.records[place] for place in job.test]
    for name in STORES:
        for found, expected in zip(seen["figures"][name], bench.figures(name, job.train), strict=True):
            torch.testing.assert_close(found, expected)
    recipe = seen["recipe"]
    assert (recipe.model.kind, list(recipe.model.streams), recipe.train.seed) == (
        "stan",
        ["flow", "frame"],
        3,
    )


def test_a_job_is_run_once_and_has_its_own_scores(clips, maps, job, monkeypatch):
    ran = []

    def run(job: Job) -> tuple[np.ndarray, float]:
        ran.append(job)
        return np.full((len(job.test), 3), job.seed), 0.5

    monkeypatch.setattr(head_jobs, "_run_job", run)
    jobs = [Job(job.head, seed, job.train, job.test) for seed in (0, 1, 0, 2)]
    with ThreadPoolExecutor(2) as pool:
        runner = JobRunner(bench_of(clips, maps), pool)
        assert {done.seed for done in runner.run(jobs)} == {0, 1, 2}
        assert list(runner.run(jobs[:2])) == []
    assert len(ran) == 3
    assert runner.cpu_seconds == 1.5
    for each in jobs:
        assert (runner.done[each] == each.seed).all()
