"""The demo: generated videos → train a small STAN of three streams → test → detect → a page to look at.

A class is a colour and a path: one frame shows the colour of the figure that acts, flow shows how it moves,
and a clip shows a little of both. From nothing, a network does not learn from a few untrimmed videos what
acts in them. So each stream's backbone learns the figures on trimmed videos first; then all are frozen, and
their spatial attention and one temporal attention are learnt on untrimmed videos.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from attcell._checks import path_of
from attcell._log import logger, progress_bar, track
from attcell._parallel import one_thread
from attcell.config.recipe import check_recipe
from attcell.data.truth import generated_boxes
from attcell.inference.detect import detect_video
from attcell.inference.detection_rules import RuleChoice
from attcell.inference.evaluate import Evaluation
from attcell.inference.localization import attention_metrics
from attcell.inference.model import Model
from attcell.inference.run import best_device
from attcell.models.build import build_network, read_listings
from attcell.report.figures.charts import confusion_picture
from attcell.report.figures.paper import attention_strip
from attcell.report.page.page import write_report
from attcell.synth.truth import read_truth
from attcell.synth.write import write_dataset
from attcell.training.prepare import gather_training_data
from attcell.training.run import train

# Videos of each class. The two kinds have seeds of their own, because equal seeds share their backgrounds.
TRIMMED = {"train": 30, "val": 5}
UNTRIMMED = {"train": 30, "val": 5, "test": 10}
PREDICTED = 5  # test videos of each class, whose attention is compared with the truth
TRIMMED_SEED, UNTRIMMED_SEED = 1000, 0
BACKBONES = {"frame": "small", "flow": "small", "clip": "small3d"}
# Epochs of each backbone alone. The clip's begins as the frame's, inflated; flow from nothing learns fast.
EPOCHS = {"frame": 25, "flow": 6, "clip": 6}
# 8 frames of a clip are two thirds of a second.
INPUT: dict[str, dict[str, Any]] = {
    "input": {"size": 112, "short_side": 112},
    "flow": {"short_side": 56},
    "clip": {"frames": 8},
}
TRAINING = {
    "optimizer": "adamw",
    "learning_rate": 2e-3,
    "weight_decay": 0.01,
    "schedule": "onecycle",
    "clip_gradient_norm": 1.0,
    "batch_size": 8,
}


def backbone_recipe(videos: Path, stream: str, weights: str = "none") -> dict[str, Any]:
    """A small STAN of one stream on trimmed videos, in plain values as a recipe file has them.

    Args:
        videos: the folder of a generated set with ``train`` and ``val``.
        stream: frame, flow or clip.
        weights: what its backbone begins with: ``none``, or the model folder of another one.
    """
    return {
        **deepcopy(INPUT),
        "data": {split: str(videos / split) for split in ("train", "val")},
        "segments": {"train": 4, "test": 4},
        "model": _network({stream: {"weights": weights}}),
        "train": {**TRAINING, "epochs": EPOCHS[stream], "checkpoint_every": 150},
    }


def attention_recipe(videos: Path, backbones: Mapping[str, Path], features: Path) -> dict[str, Any]:
    """STAN on untrimmed videos, with trained backbones frozen and their features kept.

    Args:
        videos: the folder of a generated set with ``train``, ``val`` and ``test``.
        backbones: of each stream the model folder that its backbone comes from.
        features: the folder where feature maps are kept.
    """
    frozen = {"train_from": "none", "standardise": True}
    return {
        **deepcopy(INPUT),
        "data": {split: str(videos / split) for split in ("train", "val", "test")},
        "segments": {"train": 12, "test": 24},
        "cache": {"folder": str(features), "positions": 1, "mirrored": True},
        "model": _network({name: {"weights": str(model), **frozen} for name, model in backbones.items()}),
        "train": {**TRAINING, "epochs": 20, "checkpoint_every": 90},
    }


def _network(streams: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "kind": "stan",
        "streams": {
            name: {"backbone": BACKBONES[name], "conv6_channels": 128, **values}
            for name, values in streams.items()
        },
        "lstm_hidden": 128,
        "dropout": 0.3,
    }


def run_demo(out: str | Path) -> Path:
    """Run the demo in the folder ``out``, say what it does, and return the report page.

    A demo that was broken off goes on where it was; one that is finished only tests and reports again.
    """
    out = path_of(out, "out", "attcell-demo")
    threads = torch.get_num_threads()
    with one_thread():  # the networks are small, and decoding wants a core
        return _run_stages(out, threads)


def _run_stages(out: Path, threads: int) -> Path:
    """All of the demo; its one training that decodes nothing uses so many threads."""
    started = time.monotonic()
    logger.info(f"1/5 Generating videos in {out}: little figures; a class is a colour and a way to move")
    trimmed = _generate(out / "trimmed", "trimmed", TRIMMED_SEED, TRIMMED)
    videos = _generate(out / "untrimmed", "untrimmed", UNTRIMMED_SEED, UNTRIMMED)
    logger.info("2/5 Training a backbone for each of frame, flow and clip on trimmed videos")
    backbones = _train_backbones(trimmed, out)
    logger.info(
        "3/5 Training the attention of all three on untrimmed videos, where a quarter of the time is action"
    )
    trained = _train_attention(videos, backbones, out, threads)
    logger.info("4/5 Testing on videos that it has not seen")
    model = Model.from_pretrained(trained).to(best_device())
    evaluation = _test(model, out / "test")
    logger.info("5/5 Predicting, comparing attention with the truth, and finding actions in time")
    paths = sorted(path for path in (videos / "test").glob("*/*.mp4") if int(path.stem) < PREDICTED)
    _compare_attention(model, videos, paths, out / "attention.png")
    report = _write_page(model, [path for path in paths if path.stem == "000"], out)
    print(
        f"accuracy {evaluation.figures()['top1']:.1f} % on {len(evaluation.records)} test videos of "
        f"{len(evaluation.labels)} classes (chance {100 / len(evaluation.labels):.1f} %)"
    )
    print(f"done in {(time.monotonic() - started) / 60:.1f} minutes. Open {report.absolute()} in a browser.")
    print(f"Next: attcell detect YOUR.mp4 --model {trained} --report your.html")
    return report


def _generate(folder: Path, kind: str, seed: int, videos: Mapping[str, int]) -> Path:
    with progress_bar() as bar:
        task = bar.add_task("generating", total=None, note="")
        return write_dataset(
            folder,
            kind,
            seed=seed,
            motions="paths",
            videos=videos,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _train(values: dict[str, Any], run_folder: Path) -> Path:
    recipe = check_recipe(values, source="the demo's recipe")
    return train(recipe, run_folder, resume=run_folder.exists()).model_folder


def _train_backbones(videos: Path, out: Path) -> dict[str, Path]:
    """Stream → the model folder of its backbone."""
    backbones: dict[str, Path] = {}
    for stream in BACKBONES:
        weights = str(backbones["frame"]) if stream == "clip" else "none"
        backbones[stream] = _train(backbone_recipe(videos, stream, weights), out / f"{stream}-run")
    return backbones


def _train_attention(videos: Path, backbones: Mapping[str, Path], out: Path, threads: int) -> Path:
    """The model folder of STAN on frozen backbones; as it is trained nothing is decoded any more."""
    recipe = attention_recipe(videos, backbones, out / "features")
    _keep_features(recipe)
    torch.set_num_threads(threads)
    trained = _train(recipe, out / "run")
    torch.set_num_threads(1)
    return trained


def _keep_features(values: dict[str, Any]) -> None:
    """Compute what the training will find kept: this decodes, and the training does not."""
    recipe = check_recipe(values, source="the demo's recipe")
    listings = read_listings(recipe)
    network = build_network(recipe, len(listings.labels), load_weights=True)
    gather_training_data(recipe, listings, network.to(best_device()), best_device())


def _test(model: Model, folder: Path) -> Evaluation:
    evaluation = model.evaluate()
    evaluation.write_scores(folder / "scores.json")
    confusion = evaluation.confusion()
    assert confusion is not None, "the demo's videos have one class each"
    confusion_picture(confusion, evaluation.labels, folder / "confusion.png", "demo, test videos")
    return evaluation


def _compare_attention(model: Model, videos: Path, paths: Sequence[Path], picture: Path) -> None:
    """Predict test videos, print how their attention stands against the truth, and draw the first one's."""
    predictions = [model.predict(path) for path in track(paths, len(paths), "predicting")]
    truth = generated_boxes(read_truth(videos))
    found = [
        (prediction.segments, truth[path.relative_to(videos).as_posix()])
        for prediction, path in zip(predictions, paths, strict=True)
    ]
    by_stream = {stream: attention_metrics(found, stream) for stream in BACKBONES}
    peaks = ", ".join(f"{100 * of.pointing:.0f} % ({stream})" for stream, of in by_stream.items())
    one = by_stream["frame"]  # where chance lies, and the temporal attention, are the same for all
    print(
        f"spatial attention: its peak lies on the actor in {peaks} of the action's segments "
        f"of {len(found)} videos (chance {100 * one.pointing_chance:.0f} %)"
    )
    print(
        f"temporal attention: ranks the action's segments over the others with an ROC area of {one.auc:.2f} "
        "(chance 0.50)"
    )
    attention_strip(predictions[0], picture)


def _write_page(model: Model, paths: Sequence[Path], out: Path) -> Path:
    """The page of some videos, with the actions found in them."""
    found = [detect_video(model, path, RuleChoice()) for path in paths]
    write_report(found, out / "report.html", {"model": str(out / "run" / "model")})
    return out / "report.html"
