"""Trainings and tests of a suite, and the accuracies that they came to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attcell.data.finished_runs import read_run
from attcell.engine.material import refuse_unread
from attcell.engine.protocol import PlannedRun, run_protocol, unread_videos
from attcell.reproduce.networks import ALL_STREAMS


def run_all(runs: Sequence[PlannedRun], jobs: int) -> None:
    """Train and test what is not yet, and refuse unread videos: they would count as wrong.

    A test that could not read all of its videos is done again, for they may have been mended.
    """
    for run in runs:
        if run.scores.is_file() and unread_videos(run):
            run.scores.unlink()
    refuse_unread([why for run in run_protocol(runs, jobs) for why in unread_videos(run).values()])


def accuracies(name: str, run: PlannedRun) -> dict[str, float]:
    """In percent, of the whole network, and of each stream that says something by itself."""
    found = read_run(run.scores).figures
    alone = {
        f"{name}: {stream} alone": found[f"top1_{stream}"]
        for stream in ALL_STREAMS
        if f"top1_{stream}" in found
    }
    return {name: found["top1"], **alone}


def model_of(folder: Path, name: str, seed: int) -> Path:
    """The model folder of a run of split 1."""
    return folder / name / f"split1-seed{seed}" / "model"
