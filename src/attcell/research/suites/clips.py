"""The suite on real clips: the claims that they can show, beside the floors that they must clear.

Each actor of Weizmann, or each sequence of UT-Interaction, is left out in turn. All networks stand on one
frozen CNN that learnt from ImageNet, so that few videos are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attcell._log import logger, track
from attcell._parallel import one_thread
from attcell.config.recipe import Recipe, check_recipe
from attcell.data.known_sets import KNOWN_SETS, set_listing
from attcell.inference.extract import refuse_unopened
from attcell.research.claims import Verdict
from attcell.research.claims_report import write_outcome
from attcell.research.driver import PlannedRun, run_all
from attcell.research.paper_claims import CLIPS
from attcell.research.plan import plan_runs
from attcell.research.suites.networks import Network
from attcell.types import VideoRecord
from attcell.video._container import opened

BACKBONE = "squeezenet"
FLOW_METHOD = "fast"
SIDE = 224  # pixels of the square that a frame is squashed to
NUM_SEGMENTS = 5
CONV6 = 32
EPOCHS = 30
SEEDS = 5
HELD_OUT = 0.13  # of the training groups: one of eight or nine, for late fusion's weights


@dataclass(frozen=True)
class RealSet:
    """A data set that the suite knows.

    Attributes:
        key: its name in recipes.
        title: its name for people.
        group: what is left out in turn.
    """

    key: str
    title: str
    group: str


REAL_SETS = {
    "weizmann": RealSet("weizmann", "Weizmann", "actor"),
    "ut_interaction": RealSet("ut_interaction", "UT-Interaction", "sequence"),
}


NETWORKS = (
    Network("STAN late", "stan", "late"),
    Network("SAN late", "san", "late"),
    Network("STAN", "stan"),
    Network("SAN", "san"),
    Network("averaging", "average"),
    Network("TAN", "tan"),
    Network("averaged branches", "two_stream"),
    Network("pooled SVM", "pooled"),
    Network("pooled SVM of frames", "pooled", streams=("frame",)),
    Network("pooled SVM of flow", "pooled", streams=("flow",)),
)


def reproduce_clips(
    real: RealSet, root: Path, weights: str, out: Path, num_seeds: int, jobs: int
) -> list[Verdict]:
    """Run the suite on a real data set in the folder ``out``, write the tables there, and judge.

    A suite that was broken off goes on where it was.

    Args:
        real: which data set.
        root: where its videos lie.
        weights: of the CNN: ``pretrained``, or a file.
        out: for all runs and the tables.
        num_seeds: of all trainings, from 0.
        jobs: how many go side by side.

    Raises:
        CallError: no such folder, or ``out`` holds something else.
        DataError: videos that are not there or cannot be read.
    """
    out = out.absolute()  # as recipes have their paths
    splits = range(1, KNOWN_SETS[real.key].splits + 1)
    floors = _floors(real, root, splits)
    recipes = [_recipe(network, real, root, weights, out / "features") for network in NETWORKS]
    with one_thread():
        runs = [
            run
            for recipe in recipes
            for run in plan_runs([recipe], out / "runs", None, range(_num_seeds(recipe, num_seeds)))
        ]
        logger.info(
            f"{len(runs)} trainings: {len(recipes)} networks, each {real.group} left out, {num_seeds} seeds"
        )
        run_all(runs, jobs)
    found = floors | _by_split_and_seed(runs)
    by_seed = {name: of.mean(axis=0).tolist() for name, of in found.items()}
    by_split = {name: of.mean(axis=1).tolist() for name, of in found.items()}
    title = f"Claims on {real.title}"
    return write_outcome(out, title, _setting(real, len(splits), num_seeds), CLIPS, by_seed, by_split)


def _floors(real: RealSet, root: Path, splits: range) -> dict[str, np.ndarray]:
    """(splits, 1) accuracies of what needs no picture, in percent."""
    parts = [  # all of them first, for videos of a split may be missing
        [set_listing(real.key, root, None, split, part) for part in ("train", "test")] for split in splits
    ]
    chance = [[100 / len(train.labels)] for train, _ in parts]
    headers = [
        [container_accuracy(train.records, test.records)]
        for train, test in track(parts, len(parts), "file headers")
    ]
    return {"chance": np.array(chance), "file headers alone": np.array(headers)}


def _by_split_and_seed(runs: list[PlannedRun]) -> dict[str, np.ndarray]:
    """Name → (splits, seeds) accuracies, in percent. A network has the same seeds in every split."""
    found: dict[str, dict[int, list[float]]] = {}
    names = {network.folder: network.name for network in NETWORKS}
    for run in sorted(runs, key=lambda run: run.recipe.train.seed):
        for name, value in run.accuracies(names[run.recipe.name]).items():
            found.setdefault(name, {}).setdefault(run.recipe.data.split, []).append(value)
    return {name: np.array(list(of_splits.values())) for name, of_splits in found.items()}


def _num_seeds(recipe: Recipe, wanted: int) -> int:
    """An SVM comes out the same with every seed."""
    return 1 if recipe.model.classifier == "svm" else wanted


def _recipe(network: Network, real: RealSet, root: Path, weights: str, features: Path) -> Recipe:
    """A small head for few videos; its settings come from experience with the same clips."""
    stream: dict[str, Any] = {"backbone": BACKBONE, "weights": weights, "train_from": "none"}
    model: dict[str, Any] = {"kind": network.kind, "fusion": network.fusion}
    training: dict[str, Any] = {}
    if network.kind == "pooled":
        model["classifier"] = "svm"
    else:
        stream["standardise"] = True
        model |= {"lstm_hidden": 128, "dropout": 0.5}
        training = {
            "optimizer": "adamw",
            "learning_rate": 3e-3,
            "schedule": "onecycle",
            "epochs": EPOCHS,
            "batch_size": 16,
            "label_smoothing": 0.1,
            "checkpoint_every": 1000,
        }
    if network.kind in ("stan", "san", "average"):
        stream["conv6_channels"] = CONV6
    values = {
        "name": network.folder,
        "data": {
            "dataset": real.key,
            "root": str(root),
            "val_fraction": 0.0 if network.kind == "pooled" else HELD_OUT,
        },
        "input": {"size": SIDE, "short_side": SIDE, "resize": "squash"},
        "flow": {"method": FLOW_METHOD},
        "segments": {"train": NUM_SEGMENTS, "test": NUM_SEGMENTS},
        "cache": {"folder": str(features), "positions": 2, "mirrored": True},
        "model": {**model, "streams": dict.fromkeys(network.streams, stream)},
        "train": training,
    }
    return check_recipe(values, source="the suite's recipe")


def _setting(real: RealSet, num_folds: int, num_seeds: int) -> str:
    seeds = (
        "**One seed, so that no figure is established.**"
        if num_seeds == 1
        else f"{num_seeds} seeds of all trainings."
    )
    return (
        f"{real.title}, each {real.group} left out once ({num_folds} folds): the mean accuracy over the "
        f"folds, in percent. {seeds} The settings come from experience with the same clips, so they are not "
        "blind to the videos that are left out.\n\n"
        f"All networks stand on a frozen {BACKBONE} that learnt from ImageNet, on frames squashed to {SIDE} "
        f"× {SIDE} and on ten fields of TV-L1 ({FLOW_METHOD}) computed from them. "
        f"{NUM_SEGMENTS} segments, two instants of each and their mirror images to learn from; {EPOCHS} "
        "epochs, taken as they are after the last one. All but the SVMs learn without one "
        f"training {real.group}, whose videos late fusion's weights are tuned on. Tests are paired by "
        f"{real.group}, with the mean over the seeds of each, for videos of one and seeds are no independent "
        "cases. *Pooled SVM*: averaged "
        "features and a linear SVM, chosen by inner validation. *File headers alone*: width, height and "
        "length as the files claim them, and no picture: only what lies above is owed to pictures."
    )


# What a video file gives away without its pictures: a floor under every figure on real clips


def container_accuracy(train: Sequence[VideoRecord], test: Sequence[VideoRecord]) -> float:
    """Accuracy in percent by width, height and length alone, as the files' headers claim them.

    The classifier, nearest neighbours or a linear SVM, is chosen by leaving out each training group in turn.

    Args:
        train: videos with their groups, such as actors; without each group there are at least five.
        test: videos of other groups.

    Raises:
        DataError: videos that cannot be opened, by name.
    """
    from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    refuse_unopened((*train, *test))
    neighbours = [KNeighborsClassifier(number) for number in (1, 3, 5)]
    svm = LinearSVC(random_state=0, max_iter=20_000)
    pipeline = Pipeline([("scale", StandardScaler()), ("classify", svm)])
    search = GridSearchCV(pipeline, {"classify": [*neighbours, svm]}, cv=LeaveOneGroupOut())
    search.fit(header_features(train), _labels(train), groups=[record.group for record in train])
    return 100 * float(np.mean(search.predict(header_features(test)) == _labels(test)))


def header_features(records: Sequence[VideoRecord]) -> np.ndarray:
    """(N, 3) logarithms of width, height and number of frames, as the files' headers claim them."""
    rows = []
    for record in records:
        with opened(record.path, None) as (_, stream):
            rows.append([stream.width, stream.height, max(1, stream.frames)])
    return np.log(np.array(rows, dtype=float))


def _labels(records: Sequence[VideoRecord]) -> np.ndarray:
    return np.array([record.label for record in records])
