"""The demo: generated videos → train a small STAN → test → predict → a page to look at."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from attcell.config import Recipe, check_recipe
from attcell.data.synth.truth import read_truth
from attcell.data.synth.write import write_dataset
from attcell.engine.evaluation import evaluate_model, listing_of
from attcell.engine.inference import best_device
from attcell.engine.localising import attention_figures
from attcell.engine.model import Model, load
from attcell.engine.training import train
from attcell.progress import progress_bar, say, track
from attcell.records import Prediction
from attcell.report.confusion import confusion_picture
from attcell.report.page import write_report
from attcell.report.strip import attention_strip

NUM_VIDEOS = {"train": 40, "val": 5, "test": 10}  # of each class
KIND = "untrimmed"


def demo_recipe(videos: Path) -> dict[str, Any]:
    """A small STAN that learns from nothing, in plain values as a recipe file has them."""
    return {
        "data": {split: str(videos / split) for split in ("train", "val", "test")},
        "input": {"size": 112, "short_side": 112},
        "segments": {"train": 12, "test": 24},
        "model": {
            "kind": "stan",
            "streams": {"frame": {"backbone": "small", "weights": "none", "conv6_channels": 128}},
            "lstm_hidden": 128,
        },
        "train": {
            "optimizer": "adamw",
            "learning_rate": 2e-3,
            "schedule": "onecycle",
            "epochs": 30,
            "batch_size": 16,
            "checkpoint_every": 75,
        },
    }


def run_demo(out: Path) -> Path:
    """Run the demo in the folder ``out``, say what it does, and return the report page.

    A demo that was broken off goes on where it was; one that is finished only tests and reports again.
    """
    started = time.monotonic()
    say(f"1/4 Generating videos: little figures whose class is a colour and a motion, in {out / 'videos'}")
    videos = _generate(out / "videos")
    recipe = check_recipe(demo_recipe(videos), source="the demo's recipe")
    say("2/4 Training STAN from nothing on the CPU or GPU that is there; about three minutes on two cores")
    outcome = _train(recipe, out / "run")
    say("3/4 Testing on videos that it has not seen")
    model = load(outcome).to(best_device())
    top1 = _test(model, out / "test")
    say("4/4 Predicting, and looking at where and when it looked")
    report = _predict(model, videos, out)
    minutes = (time.monotonic() - started) / 60
    print(f"accuracy {top1:.1f} % on {sum(1 for _ in (videos / 'test').glob('*/*.mp4'))} test videos")
    print(f"done in {minutes:.1f} minutes. Open {report.absolute()} in a browser.")
    print(f"Next: attcell predict YOUR.mp4 --model {outcome} --report your.html")
    return report


def _generate(folder: Path) -> Path:
    with progress_bar() as bar:
        task = bar.add_task("generating", total=None, note="")
        return write_dataset(
            folder,
            KIND,
            videos=NUM_VIDEOS,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _train(recipe: Recipe, run_folder: Path) -> Path:
    return train(recipe, run_folder, resume=run_folder.exists()).model_folder


def _test(model: Model, folder: Path) -> float:
    evaluation = evaluate_model(model.saved, listing_of(model.saved, "test"), device=best_device())
    evaluation.write_scores(folder / "scores.json")
    confusion_picture(
        evaluation.confusion(), evaluation.labels, folder / "confusion.png", "demo, test videos"
    )
    return evaluation.figures()["top1"]


def _predict(model: Model, videos: Path, out: Path) -> Path:
    """Predict all test videos; the page shows the first of each class."""
    truth = read_truth(videos)
    paths = sorted((videos / "test").glob("*/*.mp4"))
    found: list[tuple[Prediction, Any]] = []
    for path in track(paths, len(paths), "predicting"):
        found.append((model.predict(path), truth.videos[path.relative_to(videos).as_posix()]))
    figures = attention_figures(found, truth)
    print(
        f"spatial attention: its peak lies on the actor in {100 * figures.pointing:.0f} % of the action's "
        f"segments (chance {100 * figures.pointing_chance:.0f} %)"
    )
    print(
        f"temporal attention: ranks the action's segments over the others with an ROC area of "
        f"{figures.auc:.2f} (chance 0.50)"
    )
    first = [prediction for prediction, _ in found if prediction.video.endswith("000.mp4")]
    write_report(first, out / "report.html", {"model": str(out / "run" / "model")})
    attention_strip(first[0], out / "attention.png")
    return out / "report.html"
