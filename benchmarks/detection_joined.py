"""Detection on real frames: Weizmann's clips joined to untrimmed videos, actors left out, labels by video.

    uv run python -m benchmarks.detection_joined [--out DIR]

Weizmann's nine actors are left out three at a time. Bend, jack, jump, pjump, wave1 and wave2 are the classes;
walk, run, skip and side happen between them and are no class. A frozen SqueezeNet sees frames and flow
(DIS); STAN is trained on the joined videos of six actors by the videos' labels, calibrated on the same, and
tested on joined videos of the other three. The three folds' detections are judged together. No
setting was tuned on these videos. A broken-off benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from attcell._files import write_text
from attcell.config.recipe import check_recipe
from attcell.research.joined import write_joined
from attcell.synth.truth import read_truth
from attcell.types import ActionInstance, Detection
from benchmarks.detection import RESULTS, train_once, watch
from benchmarks.detection_rows import Found, network_rows, read_found, table
from benchmarks.machine import machine

BACKGROUND = ("walk", "run", "skip", "side")
FOLDS = (("daria", "denis", "eli"), ("ido", "ira", "lena"), ("lyova", "moshe", "shahar"))
VIDEOS = {"train": 10, "test": 6}
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/detection-joined"))
    options = parser.parse_args()
    clips = Path(os.environ.get("ATTCELL_DATA", BESIDE)) / "weizmann"
    for number, people in enumerate(FOLDS):
        write_joined(
            options.out / f"fold{number}" / "videos",
            clips,
            background=BACKGROUND,
            test_people=people,
            seed=number,
            videos=VIDEOS,
        )
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), _start_worker) as pool:
        list(pool.map(run, [options.out / f"fold{number}" for number in range(len(FOLDS))]))
    found = together([_found(options.out / f"fold{number}", number) for number in range(len(FOLDS))])
    text = table(_setting(found), [network_rows(found, 0)])
    write_text(RESULTS / "detection_joined.md", text)
    print(text)


def _start_worker() -> None:
    torch.set_num_threads(1)


def run(folder: Path) -> None:
    """Train, calibrate and watch."""
    train_once(check_recipe(_recipe(folder), source="benchmark"), folder / "stan")
    watch(folder, "stan", folder / "videos", learn_every=10)


def _recipe(folder: Path) -> dict[str, Any]:
    data = BESIDE if "ATTCELL_DATA" not in os.environ else Path(os.environ["ATTCELL_DATA"])
    stream = {
        "backbone": "squeezenet",
        "weights": str(data / "squeezenet1_0_imagenet.safetensors"),
        "train_from": "none",
        "conv6_channels": 64,
        "standardise": True,
    }
    return {
        "data": {"train": str(folder / "videos" / "train"), "val_fraction": 0, "workers": 0},
        "input": {"size": 160, "short_side": 160, "resize": "squash"},
        "flow": {"method": "dis", "short_side": 112},
        "segments": {"train": 16, "test": 32},
        "cache": {"folder": str(folder / "features"), "positions": 2, "mirrored": False},
        "model": {
            "kind": "stan",
            "lstm_hidden": 128,
            "dropout": 0.5,
            "streams": {"frame": dict(stream), "flow": dict(stream)},
        },
        "train": {
            "optimizer": "adamw",
            "learning_rate": 3e-3,
            "weight_decay": 0.01,
            "schedule": "onecycle",
            "clip_gradient_norm": 1.0,
            "label_smoothing": 0.1,
            "batch_size": 16,
            "epochs": 60,
            "checkpoint_every": 200,
        },
    }


def _found(folder: Path, number: int) -> Found:
    """What was found in one fold, its videos named by it."""
    actions = [of for of in read_truth(folder / "videos").actions() if of.video_id.startswith("test/")]
    return _named(read_found([folder / "stan.json"], actions), f"fold{number}/")


def _named(found: Found, prefix: str) -> Found:
    def renamed(of: Detection) -> Detection:
        return Detection(of.label, of.start_seconds, of.end_seconds, of.score, prefix + of.video_id)

    return Found(
        [
            ActionInstance(prefix + of.video_id, of.label, of.start_seconds, of.end_seconds)
            for of in found.truths
        ],
        {
            network: {rule: [renamed(of) for of in rows] for rule, rows in rules.items()}
            for network, rules in found.by_rule.items()
        },
        found.accuracy,
        {prefix + video: seconds for video, seconds in found.durations.items()},
        {prefix + video: label for video, label in found.guess.items()},
    )


def together(folds: list[Found]) -> Found:
    """The folds as one set of videos; they are equally many in each."""
    networks = folds[0].by_rule
    return Found(
        [of for fold in folds for of in fold.truths],
        {
            network: {rule: [of for fold in folds for of in fold.by_rule[network][rule]] for rule in rules}
            for network, rules in networks.items()
        },
        {network: sum(fold.accuracy[network] for fold in folds) / len(folds) for network in networks},
        {video: seconds for fold in folds for video, seconds in fold.durations.items()},
        {video: label for fold in folds for video, label in fold.guess.items()},
    )


def _setting(found: Found) -> str:
    accuracy = ", ".join(f"{name.upper()} {100 * value:.1f} %" for name, value in found.accuracy.items())
    acted = sum(of.end_seconds - of.start_seconds for of in found.truths)
    share = 100 * acted / sum(found.durations.values())
    return (
        f"Weizmann's clips joined to untrimmed videos, three folds of three actors left out, judged "
        f"together: {len(found.durations)} test videos with {len(found.truths)} actions of 6 classes, "
        f"{share:.0f} % of the time; {6 * VIDEOS['train']} training videos a fold, with labels of "
        "whole videos alone. One seed. Frozen SqueezeNet on frames and flow (DIS) at 160×160; a sample every "
        "5 of 25 frames a second, every 10 to calibrate. "
        f"Accuracy: {accuracy}. "
        f"{machine()}."
    )


if __name__ == "__main__":
    main()
