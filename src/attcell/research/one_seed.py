"""Everything that the suite of generated videos measures with one seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from attcell.config.recipe import Recipe
from attcell.research import networks as stages
from attcell.research.ablation import segment_counts
from attcell.research.measures import (
    Measurement,
    areas_of_curves,
    measure_in_parallel,
    shares_of_branches,
    streaming_metrics,
)
from attcell.research.networks import (
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
from attcell.research.paper_claims import SEGMENT_COUNTS
from attcell.research.protocol import PlannedRun, accuracies, model_of, plan_runs, run_all
from attcell.research.setting import Size
from attcell.research.videos import Videos

CNN_SEED = 0  # of the trainings of the large set's CNNs, which all seeds share


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
        if name != stages.LARGE.name:  # it has no test videos of its own
            figures |= accuracies(name, run)
    return figures | measure_in_parallel(_measurements(runs, seed, size), seed.folder / "looks", jobs)


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
    epochs, frame = size.cnn_epochs["clip"], str(_cnns(seed)["frame"])
    return [cnn_recipe("cnn-clip", seed.trimmed, "clip", epochs, frame)]


def _first_recipes(seed: Seed, size: Size) -> dict[str, Recipe]:
    """The longest come first, so that none is left alone at the end."""
    cnns, epochs = _cnns(seed), (size.small_epochs, size.epochs // 2)  # trimmed videos are learnt sooner
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
    cnns = _cnns(seed)
    small_cnns = {
        stream: model_of(seed.folder / "runs", stages.small_cnn(stream), seed.number) for stream in STREAMS
    }
    large_tan = model_of(seed.folder / "runs", stages.LARGE.folder, seed.number)
    small = stages.later_recipes(seed.small, small_cnns, cnns, large_tan, seed.features, size.epochs // 2)
    if not size.has_clips:
        return small
    three = network_recipe(THREE_STREAMS, seed.untrimmed, cnns, seed.features, size.epochs)
    return {THREE_STREAMS.name: three, **small}


def _cnns(seed: Seed) -> dict[str, Path]:
    return {stream: model_of(seed.out / "cnns", f"cnn-{stream}", CNN_SEED) for stream in ALL_STREAMS}


def _measurements(runs: Mapping[str, PlannedRun], seed: Seed, size: Size) -> dict[str, Measurement]:
    """Name → what is measured on trained networks. The longest come first."""
    videos, calibrated = seed.untrimmed.folder, size.calibrated
    models = {name: run.folder / "model" for name, run in runs.items()}
    stan, san = models[STAN.name], models[SAN.name]
    looks = {
        "watched-stan": Measurement(
            partial(streaming_metrics, STAN.name, stan, videos, calibrated), stan, {"calibrated": calibrated}
        ),
        "watched-san": Measurement(
            partial(streaming_metrics, SAN.name, san, videos, calibrated), san, {"calibrated": calibrated}
        ),
        "erased": Measurement(partial(areas_of_curves, stan, size.erased), stan, {"erased": size.erased}),
        "segments": Measurement(
            partial(_count_segments, runs[STAN.name]), stan, {"counts": list(SEGMENT_COUNTS)}
        ),
    }
    for network in SELECTIONS:
        model = models[network.name]
        looks[network.folder] = Measurement(partial(shares_of_branches, network.name, model), model, {})
    return looks


def _count_segments(run: PlannedRun) -> dict[str, float]:
    """The accuracy with fewer and more segments at test."""
    tests = segment_counts([run], SEGMENT_COUNTS)
    return {f"{STAN.name}, {count} segments": of.figures()["top1"] for count, (of,) in tests.items()}
