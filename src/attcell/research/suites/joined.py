"""The suite of joined videos: detection on real frames, from labels of whole videos, with actors left out.

Weizmann's clips are joined to untrimmed videos. Bend, jack, jump, pjump, wave1 and wave2 are the classes;
walk, run, skip and side happen between them and are no class. The actors are left out three at a time: STAN
on a frozen CNN learns from the joined videos of the others, is calibrated on the same, and is tested on
joined videos of these three. No setting was tuned on these videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from attcell._log import logger
from attcell._parallel import one_thread
from attcell.config.recipe import Recipe, check_recipe
from attcell.research.claims import Verdict
from attcell.research.claims_report import write_outcome
from attcell.research.driver import Figures, Measurement, PlannedRun, measure_all, run_all
from attcell.research.measures import Streaming, streaming_metrics
from attcell.research.paper_claims import JOINED
from attcell.research.plan import plan_runs
from attcell.research.suites.joining import people_of, write_joined

BACKBONE = "squeezenet"
BACKGROUND = ("walk", "run", "skip", "side")
LEFT_OUT = 3  # people at a time
VIDEOS = {"train": 10, "test": 6}  # of each class and fold
SEGMENTS = {"train": 16, "test": 32}
SIDE, FLOW_SIDE = 160, 112  # pixels of the square that a frame is squashed to, and of flow's short side
EPOCHS = 60
SEEDS = 3
CALIBRATED_EVERY = 10  # frames from one sample to the next as thresholds are learnt


@dataclass(frozen=True)
class Fold:
    """Joined videos of some people for training, and of others for the test."""

    number: int
    people: tuple[str, ...]  # of the test
    videos: Path


def reproduce_joined(clips: Path, weights: str, out: Path, num_seeds: int, jobs: int) -> list[Verdict]:
    """Run the suite in the folder ``out``, write claims.md, claims.csv and claims.png there, and judge.

    A suite that was broken off goes on where it was.

    Args:
        clips: Weizmann's videos, a folder per class with files ``PERSON_anything.avi``.
        weights: of the CNN: ``pretrained``, or a file.
        out: for the joined videos, all runs and the tables.
        num_seeds: of all trainings, from 0.
        jobs: how many go side by side.

    Raises:
        CallError: no such folder, clips without these classes, or ``out`` holds something else.
        DataError: clips that cannot be read.
    """
    out = out.absolute()  # as recipes have their paths
    folds = _joined(clips.absolute(), out / "videos")
    with one_thread():
        runs = [
            (fold, run)
            for fold in folds
            for run in plan_runs([_recipe(fold, weights, out)], out / "runs", None, range(num_seeds))
        ]
        logger.info(f"{len(runs)} trainings: STAN, {len(folds)} folds of people left out, {num_seeds} seeds")
        run_all([run for _, run in runs], jobs)
        measurements = {
            f"fold{fold.number + 1}-seed{run.recipe.train.seed}": _measured(fold, run) for fold, run in runs
        }
        measured = measure_all(measurements, out / "measured", jobs)
    figures = _by_seed(runs, list(measured.values()))
    return write_outcome(out, "Claims on joined videos", _setting(len(folds), num_seeds), JOINED, figures)


def _by_seed(runs: Sequence[tuple[Fold, PlannedRun]], measured: Sequence[Figures]) -> dict[str, list[float]]:
    """Name → the figure of every seed, the mean over the folds."""
    found: dict[str, dict[int, list[float]]] = {}
    for (_, run), figures in zip(runs, measured, strict=True):
        for name, value in (run.accuracies("STAN") | figures).items():
            found.setdefault(name, {}).setdefault(run.recipe.train.seed, []).append(value)
    return {name: [float(np.mean(of)) for of in by_seed.values()] for name, by_seed in found.items()}


def _joined(clips: Path, out: Path) -> list[Fold]:
    """The videos of every fold; those that are there are kept."""
    people = people_of(clips)
    folds = []
    for number, first in enumerate(range(0, len(people), LEFT_OUT)):
        fold = Fold(number, tuple(people[first : first + LEFT_OUT]), out / f"fold{number + 1}")
        write_joined(
            fold.videos,
            clips,
            background=BACKGROUND,
            test_people=fold.people,
            seed=number,
            videos=VIDEOS,
        )
        folds.append(fold)
    return folds


def _recipe(fold: Fold, weights: str, out: Path) -> Recipe:
    stream = {
        "backbone": BACKBONE,
        "weights": weights,
        "train_from": "none",
        "conv6_channels": 64,
        "standardise": True,
    }
    values = {
        "name": f"stan-fold{fold.number + 1}",
        "data": {part: str(fold.videos / part) for part in VIDEOS} | {"val_fraction": 0},
        "input": {"size": SIDE, "short_side": SIDE, "resize": "squash"},
        "flow": {"method": "dis", "short_side": FLOW_SIDE},
        "segments": SEGMENTS,
        "cache": {"folder": str(out / "features"), "positions": 2, "mirrored": False},
        "model": {
            "kind": "stan",
            "lstm_hidden": 128,
            "dropout": 0.5,
            "streams": {"frame": stream, "flow": stream},
        },
        "train": {
            "optimizer": "adamw",
            "learning_rate": 3e-3,
            "weight_decay": 0.01,
            "schedule": "onecycle",
            "clip_gradient_norm": 1.0,
            "label_smoothing": 0.1,
            "batch_size": 16,
            "epochs": EPOCHS,
            "checkpoint_every": 200,
        },
    }
    return check_recipe(values, source="the suite's recipe")


def _measured(fold: Fold, run: PlannedRun) -> Measurement:
    streaming = Streaming(
        "STAN", run.model, fold.videos, VIDEOS["train"], CALIBRATED_EVERY, stored_flow=False
    )
    settings = {"calibrated": VIDEOS["train"], "every": CALIBRATED_EVERY}
    return Measurement(partial(streaming_metrics, streaming), run.model, settings)


def _setting(num_folds: int, num_seeds: int) -> str:
    seeds = "**One seed, so that no figure is established.**" if num_seeds == 1 else f"{num_seeds} seeds."
    return (
        "Weizmann's clips joined to untrimmed videos, a quarter to two fifths of which is action; "
        f"{LEFT_OUT} actors are left out at a time ({num_folds} folds): the mean over the folds, in percent. "
        f"{seeds} Of each of six classes {VIDEOS['train']} training videos a fold, with labels of whole "
        f"videos alone, and {VIDEOS['test']} test videos; {', '.join(BACKGROUND)} happen between the actions "
        "and are no class.\n\n"
        f"STAN with early fusion on a frozen {BACKBONE} that learnt from ImageNet, on frames squashed to "
        f"{SIDE} × {SIDE} and ten fields of DIS at {FLOW_SIDE} pixels; {EPOCHS} epochs of "
        f"{SEGMENTS['train']} segments, taken as it is after the last one, and calibrated on all training "
        "videos by their labels. No setting was tuned on these videos. *Detection*: mAP at an overlap of "
        "0.5 by THUMOS14's protocol, a sample every 5 of 25 frames a second. *Random intervals*: as many "
        "and as long as the default rule finds in a video, anywhere in it, of the class that it is told to "
        "have."
    )
