"""The suite of generated videos: from nothing to a table of claims, each held or not held.

The CNNs are trained once, on trimmed videos, and frozen: they stand for the papers' pre-trained ones. Videos,
trainings and tests of everything else differ from seed to seed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from attcell.engine.protocol import plan_runs
from attcell.files import write_text
from attcell.progress import say
from attcell.report.claims import Claim, Verdict, judge
from attcell.report.claims_picture import claims_picture
from attcell.report.claims_table import as_csv, as_markdown
from attcell.reproduce import stages
from attcell.reproduce.claims import GENERATED, derived
from attcell.reproduce.networks import (
    FLOW_METHOD,
    FLOW_SIDE,
    STREAMS,
    cnn_recipe,
)
from attcell.reproduce.one_seed import CNN_SEED, Seed, run_all, seed_figures
from attcell.reproduce.sizes import Size
from attcell.reproduce.videos import make_videos

FIRST_SEED = 500  # not among the seeds that the generator and the recipes were tried with
TRIMMED_SEED, SMALL_SEED = 9000, 9100  # equal seeds share their backgrounds


def reproduce_generated(out: Path, size: Size, jobs: int) -> list[Verdict]:
    """Run the suite in the folder ``out``, write claims.md, claims.csv and claims.png there, and judge.

    A suite that was broken off goes on where it was. So many jobs go side by side.

    Raises:
        CallError: a folder in ``out`` holds something else, such as a suite of another size.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the networks are small, and two of everything go side by side
    try:
        figures = _figures(out, size, jobs)
    finally:
        torch.set_num_threads(threads)
    verdicts = [judge(_expected(claim, size), figures) for claim in GENERATED]
    title = "Claims on generated videos"
    write_text(out / "claims.md", as_markdown(title, _setting(size), verdicts, figures))
    write_text(out / "claims.csv", as_csv(verdicts))
    claims_picture(verdicts, out / "claims.png", title)
    return verdicts


def _expected(claim: Claim, size: Size) -> Claim:
    """Networks that learnt from few videos need not reach the bounds: of them the orders are expected."""
    return replace(claim, is_expected=claim.is_expected and (size.reaches_bounds or claim.bound == 0))


def _figures(out: Path, size: Size, jobs: int) -> dict[str, list[float]]:
    """Name → the figure of every seed."""
    steps = size.seeds + 1
    say(f"1/{steps} CNNs of {' and '.join(STREAMS)}, on trimmed videos")
    trimmed = make_videos(out / "trimmed", "trimmed", TRIMMED_SEED, size.trimmed, jobs)
    recipes = [cnn_recipe(trimmed, stream, size.cnn_epochs[stream]) for stream in STREAMS]
    run_all(plan_runs(recipes, out / "cnns", None, [CNN_SEED]), jobs)
    small = make_videos(out / "small", "trimmed", SMALL_SEED, size.small, jobs, stages.NUM_CLASSES)
    figures: dict[str, list[float]] = {}
    for number in range(size.seeds):
        seed = FIRST_SEED + number
        say(f"{number + 2}/{steps} seed {seed}: networks, where they look, what they find")
        untrimmed = make_videos(out / f"seed{seed}", "untrimmed", seed, size.untrimmed, jobs)
        of_seed = seed_figures(Seed(seed, out, trimmed, small, untrimmed), size, jobs)
        for name, value in (of_seed | derived(of_seed)).items():
            figures.setdefault(name, []).append(value)
    return figures


def _setting(size: Size) -> str:
    seeds = "one seed" if size.seeds == 1 else f"{size.seeds} seeds (untrimmed videos, and all trainings)"
    short = (
        ""
        if size.reaches_bounds
        else " **A quick run: few videos, so that no figure is established, and only orders are expected.**"
    )
    made, tested = 6 * size.untrimmed["train"], 6 * size.untrimmed["test"]
    return (
        "Untrimmed videos of 6 classes, each an appearance and a path; a quarter of the time is action, and "
        f"decoys show the wrong appearance and the wrong motion. {seeds}; {made} training videos with labels "
        f"of whole videos alone, and {tested} test videos a seed. Frames, and TV-L1 ({FLOW_METHOD}) computed "
        f"from them at {FLOW_SIDE} pixels. CNNs from nothing, trained once on {6 * size.trimmed['train']} "
        f"trimmed videos and frozen (that of clips begins as that of frames); {size.epochs} epochs of each "
        "network, the best checkpoint by validation accuracy. Late fusion's weights are tuned on validation "
        f"videos. *Trimmed*: trained and tested on the CNNs' set, the same for all seeds "
        f"({6 * size.trimmed['test']} test videos). *The small set*: {stages.NUM_CLASSES * size.small['train']} trimmed videos of "
        f"{stages.NUM_CLASSES} classes, {stages.NUM_CLASSES * size.small['test']} for the test; *the large "
        "set* is the CNNs'. Peaks and the ROC area are STAN's, of 24 segments. Detection: mAP at an overlap "
        f"of 0.5 by THUMOS14's protocol; thresholds chosen on {6 * size.calibrated} training videos by their "
        "labels. TAN and its rivals are GRUs on the same frozen CNNs; *alone* is what one branch or stream "
        "says by itself, so that a branch that dominates shows. Deletion: 100 minus the area under the "
        "class's probability in percent, as what an order calls important is taken away first; insertion: "
        f"the area as it is given first. High is good in both.{short}"
    )
