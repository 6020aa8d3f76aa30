"""Many small trainings at once: one process a core, each on one thread."""

from __future__ import annotations

import multiprocessing
import os
import resource
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from attcell.data.feature_store import FeatureStore
from attcell.inference.extract import feature_store
from attcell.models.build import build_network, input_spec, training_plan
from benchmarks.clip_sets import ClipSet
from benchmarks.heads import Head, head_recipe, network_scores, trained_network


@dataclass(frozen=True)
class Job:
    """Train one head on some videos and score others, all given by their place in the set."""

    head: Head
    seed: int
    train: tuple[int, ...]
    test: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Bench:
    """What all jobs share: the clips, their kept maps, and each video's channel figures.

    ``channel_means`` and ``channel_squares`` are stream → (N, F): the mean of every channel over a video's
    kept maps, and of its square. As all videos keep the same number of maps, those of a training set are
    their averages.
    """

    clips: ClipSet
    cache: Path
    channel_means: dict[str, np.ndarray]
    channel_squares: dict[str, np.ndarray]

    def figures(self, stream: str, places: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation of each channel of a stream over the kept maps of some videos."""
        mean = self.channel_means[stream][list(places)].mean(0)
        square = self.channel_squares[stream][list(places)].mean(0)
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        return torch.from_numpy(mean).float(), torch.from_numpy(deviation).float()


class JobRunner:
    """Runs jobs in worker processes; a job that was run before is not run again."""

    def __init__(self, bench: Bench, pool: ProcessPoolExecutor) -> None:
        self.bench = bench
        self.pool = pool
        self.done: dict[Job, dict[str, np.ndarray]] = {}
        self.cpu_seconds = 0.0

    def run(self, jobs: Sequence[Job]) -> Iterator[Job]:
        """Run what is new of ``jobs``; yield each when it is done. Its scores are then in ``done``."""
        new = list(dict.fromkeys(job for job in jobs if job not in self.done))
        futures = {self.pool.submit(_run_job, job): job for job in new}
        for future in as_completed(futures):
            self.done[futures[future]], seconds = future.result()
            self.cpu_seconds += seconds
            yield futures[future]


@contextmanager
def job_runner(bench: Bench, workers: int) -> Iterator[JobRunner]:
    """A runner with ``workers`` processes."""
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(bench,)
    )
    with pool:
        yield JobRunner(bench, pool)


def stores_of(clips: ClipSet, cache: Path, streams: Sequence[str]) -> dict[str, FeatureStore]:
    """Stream → the store of its kept maps."""
    recipe = head_recipe(clips.weights, cache, Head("san", tuple(streams)))
    network = build_network(recipe, len(clips.labels), load_weights=True)
    return {
        name: feature_store(cache, name, network.stream(name), input_spec(recipe), training_plan(recipe))
        for name in streams
    }


_here: tuple[Bench, dict[str, FeatureStore]] | None = None  # set once in each worker process


def _start_worker(bench: Bench) -> None:
    global _here  # noqa: PLW0603
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    _here = bench, stores_of(bench.clips, bench.cache, list(bench.channel_means))


def _run_job(job: Job) -> tuple[dict[str, np.ndarray], float]:
    """The scores (len(job.test), A) of all and of each branch, and the seconds of processor time."""
    assert _here is not None, "the worker was started"
    bench, all_stores = _here
    clips = bench.clips
    before = _cpu_seconds()
    recipe = head_recipe(clips.weights, bench.cache, job.head, job.seed)
    stores = {name: all_stores[name] for name in job.head.streams}
    figures = {name: bench.figures(name, job.train) for name in job.head.streams}
    network = trained_network(
        recipe, len(clips.labels), [clips.records[i] for i in job.train], stores, figures
    )
    scores = network_scores(network, [clips.records[i] for i in job.test], stores)
    return scores, _cpu_seconds() - before


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
