"""The suite of generated videos: from nothing to a table of claims, each held or not held.

The CNNs are trained once, on trimmed videos, and frozen: they stand for the papers' pre-trained ones. Videos,
trainings and tests of everything else differ from seed to seed.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from attcell.data.box_truth import BoxedVideo, generated_boxes
from attcell.data.finished_runs import read_run
from attcell.data.sources import read_source
from attcell.data.synth.truth import read_truth
from attcell.data.synth.write import write_dataset
from attcell.engine.extract_flow import FlowRecipe, extract_flow
from attcell.engine.material import refuse_unread
from attcell.engine.protocol import PlannedRun, plan_runs, run_protocol, unread_videos
from attcell.files import write_json, write_text
from attcell.progress import progress_bar, say, track
from attcell.report.claims import Claim, Verdict, judge
from attcell.report.claims_picture import claims_picture
from attcell.report.claims_table import as_csv, as_markdown
from attcell.reproduce.claims import GENERATED
from attcell.reproduce.looking import Look, figures_of, look_at
from attcell.reproduce.networks import (
    FLOW_METHOD,
    FLOW_SIDE,
    NETWORKS,
    STREAMS,
    cnn_recipe,
    network_recipe,
    run_name,
)

FIRST_SEED = 500  # not among the seeds that the generator and the recipes were tried with
CNN_SEED = 9000


@dataclass(frozen=True)
class Size:
    """How much is made and trained.

    Attributes:
        seeds: of videos and trainings.
        trimmed: videos of each class in each split, for the CNNs.
        untrimmed: videos of each class in each split, for everything else.
        cnn_epochs: of each stream's CNN.
        epochs: of every other network.
        looked: test videos of each class whose attention is compared with the truth.
        erased: test videos of each class of which regions and segments are taken away.
        reaches_bounds: whether claims with a bound are expected to hold, and not only the orders.
    """

    seeds: int
    trimmed: Mapping[str, int]
    untrimmed: Mapping[str, int]
    cnn_epochs: Mapping[str, int]
    epochs: int
    looked: int
    erased: int
    reaches_bounds: bool


FULL = Size(
    seeds=3,
    trimmed={"train": 60, "val": 10},
    untrimmed={"train": 60, "val": 10, "test": 20},
    cnn_epochs={"frame": 16, "flow": 8},
    epochs=24,
    looked=10,
    erased=5,
    reaches_bounds=True,
)
QUICK = Size(
    seeds=1,
    trimmed={"train": 25, "val": 5},
    untrimmed={"train": 20, "val": 5, "test": 10},
    cnn_epochs={"frame": 12, "flow": 6},
    epochs=16,
    looked=5,
    erased=2,
    reaches_bounds=False,
)


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
    _make_videos(out / "trimmed", "trimmed", CNN_SEED, size.trimmed, jobs)
    cnns = [
        cnn_recipe(out / "trimmed" / "videos", out / "trimmed" / "flow", stream, size.cnn_epochs[stream])
        for stream in STREAMS
    ]
    _run(plan_runs(cnns, out / "cnns", None, [0]), jobs)
    figures: dict[str, list[float]] = {}
    for number in range(size.seeds):
        seed = FIRST_SEED + number
        say(f"{number + 2}/{steps} seed {seed}: untrimmed videos, {len(NETWORKS)} networks, where STAN looks")
        for name, value in _seed_figures(out, size, seed, jobs).items():
            figures.setdefault(name, []).append(value)
    return figures


def _seed_figures(out: Path, size: Size, seed: int, jobs: int) -> dict[str, float]:
    folder = out / f"seed{seed}"
    _make_videos(folder, "untrimmed", seed, size.untrimmed, jobs)
    recipes = [
        network_recipe(
            name, folder / "videos", folder / "flow", out / "cnns", folder / "features", size.epochs
        )
        for name in NETWORKS
    ]
    runs = dict(zip(NETWORKS, plan_runs(recipes, folder / "runs", None, [seed]), strict=True))
    _run(list(runs.values()), jobs)
    found = {name: read_run(run.scores).figures for name, run in runs.items()}
    figures = {name: of["top1"] for name, of in found.items()}
    for stream in STREAMS:
        figures[f"STAN, {stream}"] = found["STAN, late fusion"][f"top1_{stream}"]
    model = folder / "runs" / run_name("STAN") / f"split1-seed{seed}" / "model"
    return figures | _looked(model, folder, size, jobs)


def _make_videos(folder: Path, kind: str, seed: int, videos: Mapping[str, int], jobs: int) -> None:
    """A generated set, and the TV-L1 flow of its frames."""
    with progress_bar() as bar:
        task = bar.add_task("generating", total=None, note="")
        write_dataset(
            folder / "videos",
            kind,
            seed=seed,
            motions="paths",
            videos=videos,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    recipe = FlowRecipe(FLOW_METHOD, 20.0, FLOW_SIDE, False)
    for split in videos:
        extract_flow(
            read_source(folder / "videos" / split, None), folder / "flow" / split, recipe, workers=jobs
        )


def _run(runs: list[PlannedRun], jobs: int) -> None:
    unread = [why for run in run_protocol(runs, jobs) for why in unread_videos(run).values()]
    refuse_unread(unread)  # they would have counted as wrong


def _looked(model: Path, folder: Path, size: Size, jobs: int) -> dict[str, float]:
    """Where and when STAN looks in some test videos of each class."""
    result = folder / "looked.json"
    if result.is_file():
        return dict(json.loads(result.read_text(encoding="utf-8")))
    videos = folder / "videos"
    truth = generated_boxes(read_truth(videos))
    chosen = [name for name in sorted(truth) if name.startswith("test/") and _number(name) < size.looked]
    looks: list[Look] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, torch.set_num_threads, (1,)) as pool:
        futures = [pool.submit(_look, model, videos, name, truth[name], size) for name in chosen]
        looks = [future.result() for future in track(futures, len(futures), "looking")]
    figures = figures_of(looks)
    write_json(str(result), figures)
    return figures


def _look(model: Path, videos: Path, name: str, truth: BoxedVideo, size: Size) -> Look:
    return look_at(model, videos / name, truth, erasing=_number(name) < size.erased)


def _number(name: str) -> int:
    return int(Path(name).stem)


def _setting(size: Size) -> str:
    seeds = "one seed" if size.seeds == 1 else f"{size.seeds} seeds (videos and trainings)"
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
        f"trimmed videos and frozen; {size.epochs} epochs of each network, the best checkpoint by validation "
        "accuracy. Late fusion's weights are tuned on validation videos. Peaks and the ROC area are STAN's, "
        "of 24 segments. Deletion: 100 minus the area under the class's probability in percent, as what an "
        "order calls important is taken away first; insertion: the area as it is given first. High is good "
        f"in both.{short}"
    )
