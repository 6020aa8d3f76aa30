"""Weizmann and UT-Interaction set 1: TAN against the averaged two-stream network, on a frozen SqueezeNet.

    uv run python -m benchmarks.tan_real_clips weizmann
    uv run python -m benchmarks.tan_real_clips ut

prints the table and writes it to ``benchmarks/results/``. The feature maps are those of
``benchmarks.real_clips``; the first run computes them.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

import numpy as np

from attcell._log import logger
from benchmarks import real_clips_report
from benchmarks.clip_sets import CLIP_SETS, ClipSet, data_folder
from benchmarks.head_jobs import job_runner
from benchmarks.heads import ALL, NUM_POSITIONS, NUM_SEGMENTS, SCHEDULE, STREAMS, Head
from benchmarks.real_clips import FLOW_INPUT, HERE, PICTURES, SEEDS, averages, branch_scores, filled, timed

NETWORKS = {"averaging": "two_stream", "TAN": "tan"}


def run(clips: ClipSet, cache: Path, workers: int) -> real_clips_report.Outcome:
    """The whole measurement."""
    seconds: dict[str, float] = {}
    stores = timed("feature maps", seconds, lambda: filled(clips, cache, STREAMS))
    bench = timed("averages of the maps", seconds, lambda: averages(clips, cache, stores))
    predictions: dict[str, np.ndarray] = {}
    with job_runner(bench, workers) as runner:
        for name, kind in NETWORKS.items():
            found = timed(name, seconds, partial(branch_scores, runner, Head(kind, STREAMS)))
            for branch, scores in found.items():
                predictions[name if branch == ALL else f"{name}: {branch} alone"] = scores.argmax(2)
        seconds[f"both networks, processor time of {workers} processes"] = runner.cpu_seconds
    return real_clips_report.Outcome(clips, STREAMS, SEEDS, predictions, {}, _protocol(clips), seconds)


def _protocol(clips: ClipSet) -> tuple[str, ...]:
    return (
        f"{len(clips.records)} videos, {len(clips.labels)} classes, {len(clips.group_names)} folds: each "
        f"{clips.group_word} is left out once, and everything is fitted to the others. All videos count.",
        clips.note,
        f"{PICTURES} {FLOW_INPUT} The channels are standardised by mean and deviation over the training "
        "videos; the regions are averaged.",
        f"{NUM_SEGMENTS} steps, one of each even segment; {NUM_POSITIONS} evenly spaced instants of each and "
        "their mirror images are kept. Training draws one of the instants for each step and a coin for the "
        f"mirror image. At test the probabilities of all {2 * NUM_POSITIONS} views are averaged.",
        f"The same for both: a GRU of 128 a branch, the loss of every step, {SCHEDULE}; taken as they are "
        "after the last iteration. At test the last step's softmaxes are averaged over the branches. They "
        "differ in the sharing gates alone.",
        "A branch alone: what its own classifier says.",
        "The settings are those of the STAN heads on the same clips, so they are not blind to the left-out "
        "videos; none was tuned for TAN.",
    )


def main() -> None:
    """Measure one data set, print the table and write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data_set", choices=list(CLIP_SETS))
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
    outcome = run(CLIP_SETS[arguments.data_set](folder), arguments.cache, arguments.workers)
    real_clips_report.write(outcome, arguments.out, f"tan_real_clips_{arguments.data_set}")
    print(real_clips_report.markdown(outcome))


if __name__ == "__main__":
    main()
