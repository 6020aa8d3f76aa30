"""Everything that the suite of generated videos measures with one seed."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from attcell.config import Recipe
from attcell.data.finished_runs import read_run
from attcell.engine.ablation import segment_counts
from attcell.engine.material import refuse_unread
from attcell.engine.protocol import PlannedRun, plan_runs, run_protocol, unread_videos
from attcell.files import write_json
from attcell.progress import track
from attcell.reproduce import stages
from attcell.reproduce.claims import SEGMENT_COUNTS
from attcell.reproduce.finding import detection_figures
from attcell.reproduce.looking import areas_of_curves, attention_on_truth
from attcell.reproduce.networks import (
    ALL_STREAMS,
    SAN,
    STAN,
    STREAMS,
    THREE_STREAMS,
    TRIMMED,
    UNTRIMMED,
    Videos,
    cnn_recipe,
    network_recipe,
    on_trimmed,
)
from attcell.reproduce.sizes import Size

Look = Callable[[], dict[str, float]]
CNN_SEED = 0  # of the trainings of the large set's CNNs, which all seeds share


@dataclass(frozen=True)
class Seed:
    """One seed's videos, and where everything goes.

    Attributes:
        number: of the trainings; the untrimmed videos are made with it too.
        out: the suite's folder, where what the seeds share is: CNNs, and features of trimmed videos.
        trimmed: the large set of trimmed videos.
        small: the small one, of other classes.
        untrimmed: this seed's own.
    """

    number: int
    out: Path
    trimmed: Videos
    small: Videos
    untrimmed: Videos

    @property
    def folder(self) -> Path:
        """Of what is this seed's own."""
        return self.untrimmed.folder


def seed_figures(seed: Seed, size: Size, jobs: int) -> dict[str, float]:
    """Name → figure, in percent. What is there from a run that was broken off is kept.

    Args:
        seed: where the videos are.
        size: how much is trained and looked at.
        jobs: how many go side by side.
    """
    runs = _train(seed, size, jobs)
    figures: dict[str, float] = {}
    for name, run in runs.items():
        figures |= _accuracies(name, run)
    return figures | _side_by_side(_looks(runs, seed, size), seed.folder / "looks", jobs)


def run_all(runs: Sequence[PlannedRun], jobs: int) -> None:
    """Train and test what is not yet, and refuse unread videos: they would count as wrong."""
    refuse_unread([why for run in run_protocol(runs, jobs) for why in unread_videos(run).values()])


def model_of(folder: Path, name: str, seed: int) -> Path:
    """The model folder of a run."""
    return folder / name / f"split1-seed{seed}" / "model"


def _train(seed: Seed, size: Size, jobs: int) -> dict[str, PlannedRun]:
    """Name in the table → its run: first what stands on the CNNs alone, then what stands on more."""
    clip, on_cnns = _first_recipes(seed, size)
    small_cnns = stages.small_cnn_recipes(seed.small, size.small_epochs)
    plan = partial(plan_runs, out=seed.folder / "runs", splits=None, seeds=[seed.number])
    first = plan([*small_cnns, *on_cnns.values()])
    run_all([*plan_runs([clip], seed.out / "cnns", None, [CNN_SEED]), *first], jobs)
    on_more = _second_recipes(seed, size)
    second = plan(list(on_more.values()))
    run_all(second, jobs)
    return dict(zip((*on_cnns, *on_more), (*first[len(small_cnns) :], *second), strict=True))


def _first_recipes(seed: Seed, size: Size) -> tuple[Recipe, dict[str, Recipe]]:
    """The CNN of clips, which begins as that of frames; and name → what stands on CNNs of frame and flow.

    The longest come first, so that none is left alone at the end.
    """
    cnns, few = _cnns(seed), size.epochs // 2  # trimmed videos are learnt sooner
    clip = cnn_recipe(seed.trimmed, "clip", size.cnn_epochs["clip"], str(cnns["frame"]))
    recipes = {
        stages.NO_STAGE.name: stages.without_stage(seed.small, size.small_epochs + few),
        **{
            network.name: network_recipe(network, seed.untrimmed, cnns, seed.folder / "features", size.epochs)
            for network in UNTRIMMED
        },
        **{
            network.name: on_trimmed(network_recipe(network, seed.trimmed, cnns, seed.out / "features", few))
            for network in TRIMMED
        },
        stages.LARGE.name: stages.large_recipe(seed.trimmed, cnns, seed.out / "features", few),
    }
    return clip, recipes


def _second_recipes(seed: Seed, size: Size) -> dict[str, Recipe]:
    cnns, runs = _cnns(seed), seed.folder / "runs"
    small_cnns = {stream: model_of(runs, f"small-cnn-{stream}", seed.number) for stream in STREAMS}
    large_tan = model_of(runs, stages.LARGE.folder, seed.number)
    features = seed.folder / "features"
    three = network_recipe(THREE_STREAMS, seed.untrimmed, cnns, features, size.epochs)
    few = size.epochs // 2
    return {
        THREE_STREAMS.name: three,
        **stages.later_recipes(seed.small, small_cnns, cnns, large_tan, features, few),
    }


def _cnns(seed: Seed) -> dict[str, Path]:
    return {stream: model_of(seed.out / "cnns", f"cnn-{stream}", CNN_SEED) for stream in ALL_STREAMS}


def _accuracies(name: str, run: PlannedRun) -> dict[str, float]:
    """Of the whole network, and of each stream that says something by itself."""
    found = read_run(run.scores).figures
    alone = {
        f"{name}: {stream} alone": found[f"top1_{stream}"]
        for stream in ALL_STREAMS
        if f"top1_{stream}" in found
    }
    return {name: found["top1"], **alone}


def _looks(runs: Mapping[str, PlannedRun], seed: Seed, size: Size) -> dict[str, Look]:
    """Name → what is measured on trained networks. The longest come first."""
    videos = seed.untrimmed.videos
    stan, san = (runs[network.name].folder / "model" for network in (STAN, SAN))
    return {
        "finding-stan": partial(detection_figures, STAN.name, stan, videos, size.calibrated),
        "finding-san": partial(detection_figures, SAN.name, san, videos, size.calibrated),
        "erasing": partial(areas_of_curves, stan, videos, size.erased),
        "segments": partial(_count_segments, runs[STAN.name]),
        "attention": partial(attention_on_truth, stan, videos, size.looked),
    }


def _count_segments(run: PlannedRun) -> dict[str, float]:
    """The accuracy with fewer and more segments at test."""
    tests = segment_counts([run], SEGMENT_COUNTS)
    return {f"{STAN.name}, {count} segments": of.figures()["top1"] for count, (of,) in tests.items()}


def _side_by_side(jobs: Mapping[str, Look], folder: Path, processes: int) -> dict[str, float]:
    """All figures of all jobs; each job's are kept in a file of the folder, and what is there is not done."""
    files = {name: folder / f"{name}.json" for name in jobs}
    left = {name: job for name, job in jobs.items() if not files[name].is_file()}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, torch.set_num_threads, (1,)) as pool:
        names = {pool.submit(job): name for name, job in left.items()}
        for future in track(as_completed(names), len(names), "finding and looking"):
            folder.mkdir(parents=True, exist_ok=True)
            write_json(str(files[names[future]]), future.result())
    figures: dict[str, float] = {}
    for file in files.values():
        figures |= json.loads(file.read_text(encoding="utf-8"))
    return figures
