"""The suite of generated videos: from nothing to a table of claims, each held or not held.

The CNNs are trained once, on trimmed videos, and frozen: they stand for the papers' pre-trained ones. All
other trainings, and the test videos of untrimmed sets, differ from seed to seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from attcell._log import logger
from attcell._parallel import one_thread
from attcell.config.recipe import Recipe
from attcell.research.ablation import segment_counts
from attcell.research.claims import Claim, Verdict
from attcell.research.claims_report import write_outcome
from attcell.research.driver import (
    Figures,
    Measurement,
    PlannedRun,
    measure_all,
    model_of,
    run_all,
)
from attcell.research.measures import (
    Streaming,
    deletion_insertion_areas,
    shares_of_branches,
    streaming_metrics,
)
from attcell.research.paper_claims import GENERATED, SEGMENT_COUNTS, derived
from attcell.research.plan import plan_runs
from attcell.research.suites import networks as stages
from attcell.research.suites.networks import (
    ALL_STREAMS,
    BRANCHES,
    SAN,
    SELECTIONS,
    STAN,
    STREAMS,
    THREE_STREAMS,
    UNTRIMMED,
    cnn_recipe,
    network_recipe,
)
from attcell.research.suites.setting import Size, setting
from attcell.research.suites.videos import Planned, Videos, make_videos, with_part_of_test

# Settings were tried on test videos of other seeds. Equal seeds share their backgrounds.
UNTRIMMED_SEED, TRIMMED_SEED, SMALL_SEED = 500, 9000, 9200
CNN_SEED = 0  # of the trainings of the large set's CNNs, which all seeds share
CLEAR = 5  # points that a full run must show for an order to be expected of a quick run


def reproduce_generated(out: Path, size: Size, jobs: int) -> list[Verdict]:
    """Run the suite in the folder ``out``, write claims.md, claims.csv and claims.png there, and judge.

    A suite that was broken off goes on where it was. So many jobs go side by side.

    Raises:
        CallError: a folder in ``out`` holds something else, such as a suite of another size.
    """
    out = out.absolute()  # as recipes have their paths
    with one_thread():
        figures = _figures(out, size, jobs)
    asked = [claim for claim in GENERATED if size.has_clips or claim.better != THREE_STREAMS.name]
    claims = [_expected(claim, size) for claim in asked]
    return write_outcome(out, "Claims on generated videos", setting(size), claims, figures)


def _expected(claim: Claim, size: Size) -> Claim:
    """Of networks that learnt from few videos orders alone are asked, and those that are clear expected."""
    if size.reaches_bounds:
        return claim
    if not claim.worse:
        return replace(claim, is_expected=False)
    return replace(claim, bound=0, is_expected=claim.is_expected and claim.bound >= CLEAR)


def _figures(out: Path, size: Size, jobs: int) -> dict[str, list[float]]:
    """Name → the figure of every seed."""
    begun = begin(out, size, jobs)
    figures: dict[str, list[float]] = {}
    for number in range(size.seeds):
        seed = begun.seed(number, size)
        logger.info(
            f"{number + 3}/{size.seeds + 2} seed {seed.number}: networks, their attention, and what they find"
        )
        of_seed = seed_figures(seed, size, jobs)
        for name, value in (of_seed | derived(of_seed)).items():
            figures.setdefault(name, []).append(value)
    return figures


def begin(out: Path, size: Size, jobs: int) -> Begun:
    """Make the videos, and train the CNNs of frames and flow that all seeds share."""
    logger.info(f"1/{size.seeds + 2} videos, and the flow of their frames")
    tested = {**size.untrimmed, "test": size.seeds * size.untrimmed["test"]}  # each seed has its own
    sets = {
        "trimmed": Planned("trimmed", TRIMMED_SEED, size.trimmed),
        "small": Planned("trimmed", SMALL_SEED, size.small, stages.NUM_CLASSES),
        "untrimmed": Planned("untrimmed", UNTRIMMED_SEED, tested),
    }
    made = make_videos(out, sets)
    trimmed, small = replace(made["trimmed"], test=made["trimmed"].folder / "val"), made["small"]
    logger.info(f"2/{size.seeds + 2} CNNs of {' and '.join(STREAMS)}, on trimmed videos")
    recipes = [cnn_recipe(f"cnn-{of}", trimmed, of, size.cnn_epochs[of]) for of in STREAMS]
    run_all(plan_runs(recipes, out / "cnns", None, [CNN_SEED]), jobs)
    return Begun(out, trimmed, small, made["untrimmed"])


@dataclass(frozen=True)
class Begun:
    """What all seeds share.

    Attributes:
        out: the suite's folder.
        trimmed: the large set of trimmed videos, with those of validation for a test.
        small: the small one, of more classes.
        untrimmed: with the test videos of all seeds.
    """

    out: Path
    trimmed: Videos
    small: Videos
    untrimmed: Videos

    def seed(self, number: int, size: Size) -> Seed:
        """The videos of a seed, from 0, and where everything goes."""
        part = with_part_of_test(self.untrimmed, number, size.untrimmed["test"])
        return Seed(UNTRIMMED_SEED + number, self.out, self.trimmed, self.small, part)


# Everything that is trained and measured with one seed


@dataclass(frozen=True)
class Seed:
    """One seed's videos, and where everything goes.

    Attributes:
        number: of the trainings.
        out: the suite's folder, where what the seeds share is: CNNs, and feature maps.
        trimmed: the large set of trimmed videos, with those of validation for a test.
        small: the small one, of more classes.
        untrimmed: with test videos of this seed's own.
    """

    number: int
    out: Path
    trimmed: Videos
    small: Videos
    untrimmed: Videos

    @property
    def folder(self) -> Path:
        """Of this seed's runs."""
        return self.out / f"seed{self.number}"

    @property
    def features(self) -> Path:
        """Of all seeds, so that each video goes through a CNN once."""
        return self.out / "features"

    @property
    def cnns(self) -> dict[str, Path]:
        """Stream → the model folder of its CNN."""
        return {stream: model_of(self.out / "cnns", f"cnn-{stream}", CNN_SEED) for stream in ALL_STREAMS}


def seed_figures(seed: Seed, size: Size, jobs: int) -> dict[str, float]:
    """Name → figure, in percent. What is there from a run that was broken off is kept.

    Args:
        seed: where the videos are.
        size: how much is trained and measured.
        jobs: how many go side by side.
    """
    runs = _train(seed, size, jobs)
    figures: dict[str, float] = {}
    for name, run in runs.items():
        if name != stages.LARGE.name:  # it has no test videos of its own
            figures |= run.accuracies(name)
    measured = measure_all(_measurements(runs, seed, size), seed.folder / "measured", jobs)
    for more in measured.values():
        figures |= more
    return figures


def _train(seed: Seed, size: Size, jobs: int) -> dict[str, PlannedRun]:
    """Name in the table → its run: first what stands on CNNs of frame and flow, then what stands on more."""
    plan = partial(plan_runs, out=seed.folder / "runs", splits=None, seeds=[seed.number])
    first = _first_recipes(seed, size)
    runs = dict(zip(first, plan(list(first.values())), strict=True))
    cnns = plan_runs(_clip_cnn(seed, size), seed.out / "cnns", None, [CNN_SEED])
    cnns += plan(stages.small_cnn_recipes(seed.small, size.small_epochs))
    run_all([*cnns, *runs.values()], jobs)
    second = _second_recipes(seed, size)
    more = dict(zip(second, plan(list(second.values())), strict=True))
    run_all(list(more.values()), jobs)
    return runs | more


def _clip_cnn(seed: Seed, size: Size) -> list[Recipe]:
    """It begins as the CNN of frames, and is trained beside the first seed's networks."""
    if not size.has_clips:
        return []
    epochs, frame = size.cnn_epochs["clip"], str(seed.cnns["frame"])
    return [cnn_recipe("cnn-clip", seed.trimmed, "clip", epochs, frame)]


def _first_recipes(seed: Seed, size: Size) -> dict[str, Recipe]:
    """The longest come first, so that none is left alone at the end."""
    cnns, epochs = seed.cnns, (size.small_epochs, size.epochs // 2)  # trimmed videos are learnt sooner
    small = stages.first_recipes(seed.small, seed.trimmed, cnns, seed.features, epochs)
    untrimmed = {
        network.name: network_recipe(
            network,
            seed.untrimmed,
            cnns,
            seed.features,
            size.branch_epochs if network.kind in BRANCHES else size.epochs,
        )
        for network in UNTRIMMED
    }
    return small | untrimmed


def _second_recipes(seed: Seed, size: Size) -> dict[str, Recipe]:
    cnns = seed.cnns
    small_cnns = {
        stream: model_of(seed.folder / "runs", stages.small_cnn(stream), seed.number) for stream in STREAMS
    }
    large_tan = model_of(seed.folder / "runs", stages.LARGE.folder, seed.number)
    small = stages.later_recipes(seed.small, small_cnns, cnns, large_tan, seed.features, size.epochs // 2)
    if not size.has_clips:
        return small
    three = network_recipe(THREE_STREAMS, seed.untrimmed, cnns, seed.features, size.epochs)
    return {THREE_STREAMS.name: three, **small}


def _measurements(runs: Mapping[str, PlannedRun], seed: Seed, size: Size) -> dict[str, Measurement]:
    """Name → what is measured on trained networks. The longest come first."""
    models = {name: run.model for name, run in runs.items()}
    found = {}
    for network in (STAN, SAN):
        found[f"streaming-{network.folder}"] = streamed(network.name, models[network.name], seed, size)
    stan = models[STAN.name]
    found["deletion-insertion"] = Measurement(
        partial(deletion_insertion_areas, stan, size.deleted), stan, {"deleted": size.deleted}
    )
    found["segments"] = Measurement(
        partial(_accuracy_by_segments, runs[STAN.name]), stan, {"counts": list(SEGMENT_COUNTS)}
    )
    for network in SELECTIONS:
        model = models[network.name]
        found[network.folder] = Measurement(partial(shares_of_branches, network.name, model), model, {})
    return found


def streamed(name: str, model: Path, seed: Seed, size: Size) -> Measurement:
    """What a network says of the untrimmed test videos sample by sample: what it finds, where and when."""
    streaming = Streaming(name, model, seed.untrimmed.folder, size.calibrated, stored_flow=True)
    return Measurement(partial(streaming_metrics, streaming), model, {"calibrated": size.calibrated})


def _accuracy_by_segments(run: PlannedRun) -> Figures:
    """The accuracy with fewer and more segments at test."""
    tests = segment_counts([run], SEGMENT_COUNTS)
    return {f"{STAN.name}, {count} segments": of.figures()["top1"] for count, (of,) in tests.items()}
