"""The suite of generated videos: from nothing to a table of claims, each held or not held.

The CNNs are trained once, on trimmed videos, and frozen: they stand for the papers' pre-trained ones. All
other trainings, and the test videos of untrimmed sets, differ from seed to seed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from attcell._log import logger
from attcell._parallel import one_thread
from attcell.research import networks as stages
from attcell.research.claims import Claim, Verdict
from attcell.research.claims_report import write_outcome
from attcell.research.networks import STREAMS, THREE_STREAMS, cnn_recipe
from attcell.research.one_seed import CNN_SEED, Seed, seed_figures
from attcell.research.paper_claims import GENERATED, derived
from attcell.research.protocol import plan_runs, run_all
from attcell.research.setting import Size, setting
from attcell.research.videos import Planned, make_videos, with_part_of_test

# Settings were tried on test videos of other seeds. Equal seeds share their backgrounds.
UNTRIMMED_SEED, TRIMMED_SEED, SMALL_SEED = 500, 9000, 9200
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
    steps = size.seeds + 2
    logger.info(f"1/{steps} videos, and the flow of their frames")
    tested = {**size.untrimmed, "test": size.seeds * size.untrimmed["test"]}  # each seed has its own
    sets = {
        "trimmed": Planned("trimmed", TRIMMED_SEED, size.trimmed),
        "small": Planned("trimmed", SMALL_SEED, size.small, stages.NUM_CLASSES),
        "untrimmed": Planned("untrimmed", UNTRIMMED_SEED, tested),
    }
    made = make_videos(out, sets, size.flow, jobs)
    trimmed, small = replace(made["trimmed"], test=made["trimmed"].folder / "val"), made["small"]
    logger.info(f"2/{steps} CNNs of {' and '.join(STREAMS)}, on trimmed videos")
    recipes = [cnn_recipe(f"cnn-{of}", trimmed, of, size.cnn_epochs[of]) for of in STREAMS]
    run_all(plan_runs(recipes, out / "cnns", None, [CNN_SEED]), jobs)
    figures: dict[str, list[float]] = {}
    for number in range(size.seeds):
        seed = UNTRIMMED_SEED + number
        logger.info(f"{number + 3}/{steps} seed {seed}: networks, where they look, what they find")
        part = with_part_of_test(made["untrimmed"], number, size.untrimmed["test"])
        of_seed = seed_figures(Seed(seed, out, trimmed, small, part), size, jobs)
        for name, value in (of_seed | derived(of_seed)).items():
            figures.setdefault(name, []).append(value)
    return figures
