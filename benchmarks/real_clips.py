"""Weizmann and UT-Interaction set 1, frames and flow, on a frozen SqueezeNet: SVM against SAN against STAN.

    uv run python -m benchmarks.real_clips weizmann
    uv run python -m benchmarks.real_clips ut
    uv run python -m benchmarks.real_clips ut_fixed_scale
    uv run python -m benchmarks.real_clips weizmann --streams frame

prints the table and writes it to ``benchmarks/results/``; ``--streams frame`` leaves flow out. The first run
also computes the feature maps.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from attcell._log import logger, track
from attcell.data.feature_store import FeatureStore
from attcell.errors import DataError
from attcell.inference.extract import filled_stores
from attcell.metrics.fusion import fusion_weights
from attcell.models.build import build_network, training_plan
from attcell.research.clips import header_features
from benchmarks import nested, real_clips_report
from benchmarks.clip_sets import CLIP_SETS, ClipSet, data_folder
from benchmarks.head_jobs import Bench, Job, JobRunner, job_runner
from benchmarks.heads import ALL, FIXED, NUM_POSITIONS, NUM_SEGMENTS, STREAMS, Head, head_recipe
from benchmarks.shallow import (
    HEADER_CHOICES,
    SVM_CHOICES,
    HeaderChoice,
    SVMChoice,
    nested_predictions,
)

T = TypeVar("T")
SEEDS = (0, 1, 2)
HERE = Path(__file__).parent
PICTURES = (
    "Each frame is squashed to 224 × 224; frozen SqueezeNet 1.0 (ImageNet), its last map after a 3 × 3 "
    "max-pooling of stride 2: 7 × 7 × 512."
)
FLOW_INPUT = (
    "Flow stream: the same network by cross-modality initialisation on 10 fields of TV-L1 (preset fast), "
    "computed from the squashed frames."
)


def run(
    clips: ClipSet, cache: Path, workers: int, streams: tuple[str, ...] = STREAMS
) -> real_clips_report.Outcome:
    """The whole measurement."""
    seconds: dict[str, float] = {}
    stores = timed("feature maps", seconds, lambda: filled(clips, cache, streams))
    bench = timed("averages of the maps", seconds, lambda: averages(clips, cache, stores))
    labels = np.array([record.label for record in clips.records])
    shallow: dict[str, tuple[np.ndarray, tuple[SVMChoice | HeaderChoice, ...]]] = {
        "file header only": (header_features(clips.records), HEADER_CHOICES)
    }
    for name, means in bench.channel_means.items():
        shallow[f"SVM {name}"] = (means, SVM_CHOICES)
    if len(streams) > 1:
        shallow["SVM both"] = (np.concatenate(list(bench.channel_means.values()), axis=1), SVM_CHOICES)
    predictions: dict[str, np.ndarray] = {}
    choices: dict[str, dict[str, str]] = {}
    for name, (features, candidates) in shallow.items():
        predictions[name], choices[name] = timed(
            name, seconds, partial(nested_predictions, features, labels, clips.groups, candidates, SEEDS)
        )
    with job_runner(bench, workers) as runner:
        for kind in ("SAN", "STAN"):
            for joined in dict.fromkeys((*((name,) for name in streams), streams)):
                name = f"{kind} {joined[0] if len(joined) == 1 else 'early'}"
                predictions[name] = timed(
                    name, seconds, partial(_final_predictions, runner, Head(kind.lower(), joined))
                )
            if len(streams) == 1:
                continue
            name = f"{kind} late"
            predictions[name], choices[name] = timed(
                f"{name}: weights of the streams", seconds, partial(_late_predictions, runner, kind.lower())
            )
        seconds[f"all SAN and STAN, processor time of {workers} processes"] = runner.cpu_seconds
    return real_clips_report.Outcome(
        clips, streams, SEEDS, predictions, choices, _protocol(clips, streams), seconds
    )


def _final_jobs(clips: ClipSet, head: Head) -> dict[tuple[nested.Fold, int], Job]:
    """(fold, seed) → the training on all of the fold's videos."""
    folds = nested.leave_one_out(clips.groups)
    return {(fold, seed): Job(head, seed, fold.train, fold.test) for fold in folds for seed in SEEDS}


def _final_predictions(runner: JobRunner, head: Head) -> np.ndarray:
    """(S, N) classes, each by a network that did not see the video's group."""
    return _final_scores(runner, head).argmax(2)


def _final_scores(runner: JobRunner, head: Head) -> np.ndarray:
    """(S, N, A) probabilities of the whole network."""
    return branch_scores(runner, head)[ALL]


def branch_scores(runner: JobRunner, head: Head) -> dict[str, np.ndarray]:
    """(S, N, A) probabilities by networks that did not see the video's group: of all, and by branch."""
    clips = runner.bench.clips
    jobs = _final_jobs(clips, head)
    _run(runner, list(jobs.values()), f"{head.kind} on {' and '.join(head.streams)}, {len(jobs)} trainings")
    found: dict[str, np.ndarray] = {}
    for (fold, seed), job in jobs.items():
        for name, scores in runner.done[job].items():
            empty = np.empty((len(SEEDS), len(clips.records), len(clips.labels)))
            found.setdefault(name, empty)[SEEDS.index(seed), fold.test] = scores
    return found


def _late_predictions(runner: JobRunner, kind: str) -> tuple[np.ndarray, dict[str, str]]:
    """One network a stream, summed with weights from inner validation: (S, N) classes, group → weights."""
    clips = runner.bench.clips
    pairs = nested.ring_pairs(clips.groups)
    inner = {
        (name, pair): Job(Head(kind, (name,)), SEEDS[0], *nested.without_pair(clips.groups, pair))
        for name in STREAMS
        for pair in pairs
    }
    _run(runner, list(inner.values()), f"{kind}, inner validation")
    scores = np.stack([_final_scores(runner, Head(kind, (name,))) for name in STREAMS])
    predictions = np.empty(scores.shape[1:3], dtype=int)
    said = {}
    for fold in nested.leave_one_out(clips.groups):
        own = [pair for pair in pairs if fold.group in pair]
        held_out, labels = _held_out(runner, [[inner[name, pair] for pair in own] for name in STREAMS], fold)
        weights = fusion_weights(held_out, np.eye(len(clips.labels), dtype=bool)[labels])
        fused = np.tensordot(weights, scores[:, :, fold.test], axes=1)
        predictions[:, fold.test] = fused.argmax(2)
        said[fold.group] = ", ".join(f"{name} {w:.2f}" for name, w in zip(STREAMS, weights, strict=True))
    return predictions, said


def _held_out(runner: JobRunner, jobs: list[list[Job]], fold: nested.Fold) -> tuple[np.ndarray, np.ndarray]:
    """Scores (M, n, A) and classes (n,) of training videos, by networks that saw neither these nor the fold.

    ``jobs`` are, for each stream, those that were trained without the fold's group and one other.
    """
    clips = runner.bench.clips
    scores = [
        [
            runner.done[job][ALL][row]
            for job in stream
            for row, place in enumerate(job.test)
            if clips.groups[place] != fold.group
        ]
        for stream in jobs
    ]
    labels = [
        clips.records[place].label
        for job in jobs[0]
        for place in job.test
        if clips.groups[place] != fold.group
    ]
    return np.array(scores), np.array(labels)


def _run(runner: JobRunner, jobs: list[Job], what: str) -> None:
    """Run jobs, and say so: they take minutes."""
    start = time.perf_counter()
    for _ in track(runner.run(jobs), len(jobs), what):
        pass
    logger.info(f"{what}: {len(jobs)} trainings in {time.perf_counter() - start:.0f} s")


def filled(clips: ClipSet, cache: Path, streams: tuple[str, ...]) -> dict[str, FeatureStore]:
    recipe = head_recipe(clips.weights, cache, Head("san", streams))
    network = build_network(recipe, len(clips.labels), load_weights=True)
    stores, unread = filled_stores(
        cache, recipe, network, clips.records, training_plan(recipe), torch.device("cpu")
    )
    if unread:
        raise DataError(f"{len(unread)} clips cannot be read: {'; '.join(unread.values())}")
    return stores


def averages(clips: ClipSet, cache: Path, stores: dict[str, FeatureStore]) -> Bench:
    """Every video's channel figures; the means are also the averaged pooling, (N, F), that the SVM sees."""
    means: dict[str, np.ndarray] = {}
    squares: dict[str, np.ndarray] = {}
    for name, store in stores.items():
        maps = [store.read(record)[0].float() for record in clips.records]
        means[name] = np.stack([one.mean((0, 1, 3, 4)).double().numpy() for one in maps])
        squares[name] = np.stack([one.square().mean((0, 1, 3, 4)).double().numpy() for one in maps])
    return Bench(clips, cache, means, squares)


def timed(name: str, seconds: dict[str, float], work: Callable[[], T]) -> T:
    start = time.perf_counter()
    result = work()
    seconds[f"{name}, wall clock"] = time.perf_counter() - start
    return result


def _protocol(clips: ClipSet, streams: tuple[str, ...]) -> tuple[str, ...]:
    word = clips.group_word
    flow = f"{FLOW_INPUT} " if "flow" in streams else ""
    fusion = (
        "Early: one network over both streams, one temporal attention. Late: the two networks of one stream "
        "each, their probabilities summed with weights.",
        f"The weights of late fusion are chosen fold by fold: two networks a stream (seed {SEEDS[0]}), "
        f"each trained without the left-out {word} and without one neighbour of it in a ring of them all, "
        "score the videos of that neighbour; accuracy decides, then log-loss, then how even the weights are.",
    )
    return (
        f"{len(clips.records)} videos, {len(clips.labels)} classes, {len(clips.group_names)} folds: each "
        f"{word} is left out once, and everything is fitted to the others. All videos count.",
        clips.note,
        f"{PICTURES} {flow}The channels are standardised by mean and deviation over the training videos.",
        f"{NUM_SEGMENTS} even segments a video; {NUM_POSITIONS} evenly spaced instants of each and their "
        "mirror images are kept. Training draws one of the instants for each segment and a coin for the "
        f"mirror image. At test the probabilities of all {2 * NUM_POSITIONS} views are averaged.",
        "SVM: the maps averaged over regions, segments and views, those of several streams side by side, and "
        f"a linear one-against-rest SVM; scaling and C are chosen by leaving out each training {word} in "
        f"turn, out of {len(SVM_CHOICES)} candidates.",
        "File header only: width, height and number of frames as the header claims them, and no picture; "
        "1, 3 or 5 nearest neighbours or a linear SVM, chosen in the same way. Only what lies above its "
        "figure is owed to the pictures.",
        f"The same for all heads: {FIXED}; taken as they are after the last iteration.",
        *(fusion if len(streams) > 1 else ()),
        "The settings of the heads come from experience with the same clips, so they are not blind to the "
        "left-out videos: only what is chosen fold by fold is.",
    )


def main() -> None:
    """Measure one data set, print the table and write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data_set", choices=list(CLIP_SETS))
    parser.add_argument("--streams", default=",".join(STREAMS), choices=(",".join(STREAMS), *STREAMS))
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--cache", type=Path, default=HERE.parent / "runs" / "real_clips" / "features")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes of one thread each"
    )
    arguments = parser.parse_args()
    folder = data_folder()
    if folder is None:
        logger.info("skipped: no real clips at ../shared/data; set ATTCELL_DATA to their folder")
        return
    clips = CLIP_SETS[arguments.data_set](folder)
    streams = tuple(arguments.streams.split(","))
    outcome = run(clips, arguments.cache, arguments.workers, streams)
    real_clips_report.write(outcome, arguments.out, f"real_clips_{arguments.data_set}_{'_'.join(streams)}")
    print(real_clips_report.markdown(outcome))


if __name__ == "__main__":
    main()
