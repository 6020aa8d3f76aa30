"""The suite of generated videos: from nothing to a table of claims, each held or not held.

The CNNs are trained once, on trimmed videos, and frozen: they stand for the papers' pre-trained ones. All
other trainings, and the test videos of untrimmed sets, differ from seed to seed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from attcell.engine.protocol import plan_runs
from attcell.engine.side_by_side import one_thread
from attcell.progress import say
from attcell.report.claims import Claim, Verdict
from attcell.reproduce import stages
from attcell.reproduce.claims import GENERATED, derived
from attcell.reproduce.networks import STREAMS, cnn_recipe
from attcell.reproduce.one_seed import CNN_SEED, Seed, seed_figures
from attcell.reproduce.outcome import write_outcome
from attcell.reproduce.running import run_all
from attcell.reproduce.sizes import Size
from attcell.reproduce.videos import FLOW_METHOD, FLOW_SIDE, Planned, make_videos, with_part_of_test

# Settings were tried on test videos of other seeds. Equal seeds share their backgrounds.
UNTRIMMED_SEED, TRIMMED_SEED, SMALL_SEED = 500, 9000, 9200


def reproduce_generated(out: Path, size: Size, jobs: int) -> list[Verdict]:
    """Run the suite in the folder ``out``, write claims.md, claims.csv and claims.png there, and judge.

    A suite that was broken off goes on where it was. So many jobs go side by side.

    Raises:
        CallError: a folder in ``out`` holds something else, such as a suite of another size.
    """
    out = out.absolute()  # as recipes have their paths
    with one_thread():
        figures = _figures(out, size, jobs)
    claims = [_expected(claim, size) for claim in GENERATED]
    return write_outcome(out, "Claims on generated videos", _setting(size), claims, figures)


def _expected(claim: Claim, size: Size) -> Claim:
    """Networks that learnt from few videos need not reach the bounds: of them the orders are expected."""
    return replace(claim, is_expected=claim.is_expected and (size.reaches_bounds or claim.bound == 0))


def _figures(out: Path, size: Size, jobs: int) -> dict[str, list[float]]:
    """Name → the figure of every seed."""
    steps = size.seeds + 2
    say(f"1/{steps} videos, and the flow of their frames")
    tested = {**size.untrimmed, "test": size.seeds * size.untrimmed["test"]}  # each seed has its own
    sets = {
        "trimmed": Planned("trimmed", TRIMMED_SEED, size.trimmed),
        "small": Planned("trimmed", SMALL_SEED, size.small, stages.NUM_CLASSES),
        "untrimmed": Planned("untrimmed", UNTRIMMED_SEED, tested),
    }
    made = make_videos(out, sets, jobs)
    trimmed, small = replace(made["trimmed"], test=made["trimmed"].folder / "val"), made["small"]
    say(f"2/{steps} CNNs of {' and '.join(STREAMS)}, on trimmed videos")
    recipes = [cnn_recipe(f"cnn-{of}", trimmed, of, size.cnn_epochs[of]) for of in STREAMS]
    run_all(plan_runs(recipes, out / "cnns", None, [CNN_SEED]), jobs)
    figures: dict[str, list[float]] = {}
    for number in range(size.seeds):
        seed = UNTRIMMED_SEED + number
        say(f"{number + 3}/{steps} seed {seed}: networks, where they look, what they find")
        part = with_part_of_test(made["untrimmed"], number, size.untrimmed["test"])
        of_seed = seed_figures(Seed(seed, out, trimmed, small, part), size, jobs)
        for name, value in (of_seed | derived(of_seed)).items():
            figures.setdefault(name, []).append(value)
    return figures


def _setting(size: Size) -> str:
    return f"{_videos(size)}\n\n{_networks(size)}\n\n{_measured(size)}"


def _videos(size: Size) -> str:
    seeds = "one seed" if size.seeds == 1 else f"{size.seeds} seeds"
    short = (
        ""
        if size.reaches_bounds
        else " **A quick run: few videos, so that no figure is established, and only orders are expected.**"
    )
    return (
        "*Videos*: of 6 classes, each an appearance and a path. In untrimmed ones a quarter of the time is "
        "action, and decoys show the wrong appearance and the wrong motion. "
        f"{6 * size.untrimmed['train']} untrimmed training videos with labels of whole videos alone; {seeds} "
        f"of all trainings but the CNNs', each tested on {6 * size.untrimmed['test']} videos of its own (the "
        "training videos, and everything that is trimmed, are the same for all). Frames, and TV-L1 "
        f"({FLOW_METHOD}) computed from them at {FLOW_SIDE} pixels.{short}"
    )


def _networks(size: Size) -> str:
    small, shorter = stages.NUM_CLASSES, size.epochs // 2
    return (
        f"*Networks*: CNNs from nothing, trained once on {6 * size.trimmed['train']} trimmed videos and "
        f"frozen; that of clips begins as that of frames. On them {size.epochs} epochs of each network "
        f"({size.branch_epochs} of TAN and its rivals), the best checkpoint by validation accuracy; 12 "
        "segments in training, and at test 48, or 24 steps of TAN and its rivals. They stand on the map "
        "before the last of the CNNs of frames and flow, whose regions see about as much as a figure, and on "
        "the last of that of clips. Late fusion's weights are tuned on validation videos. TAN and its rivals "
        "are GRUs on the same CNNs; *alone* is what one branch or stream says by itself (of FC fusion with "
        "the other's outputs at zero, which it has not learnt with), *share* how much of the sum a gate "
        "gives to a branch: a branch that dominates shows there.\n\n"
        f"*The small set*: {small * size.small['train']} trimmed videos of {small} classes, five of which "
        f"the large set has too, and {small * size.small['test']} for the test, the same for all seeds; "
        f"{shorter} epochs in batches of four, four segments, and the CNNs' last map where no other is "
        "named. *The large set* is the CNNs'. TAN on its own CNNs: those that learnt from the small set, "
        f"with each seed anew, {size.small_epochs} epochs; without a stage TAN learns all at once, with as "
        "many passes as its CNNs and it together."
    )


def _measured(size: Size) -> str:
    return (
        "*Figures*: percent. Test videos are watched once, a sample every 5 frames, for peaks, ROC area and "
        "detection: mAP at an overlap of 0.5 by THUMOS14's protocol, with thresholds chosen on "
        f"{6 * size.calibrated} training videos by their labels. Deletion: 100 minus the area under the "
        "class's probability as what an order calls important is taken away first; insertion: the area as it "
        f"is given first; of {6 * size.erased} test videos. High is good in both."
    )
