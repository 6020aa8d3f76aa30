"""The demo: generated videos → attention of a small STAN of two streams → test → detect → a page.

A class is a colour and a path: one frame shows the colour of the figure that acts, flow shows how it moves,
and neither shows both. At other times a grey figure moves in a wrong way, and somebody of a wrong colour
stands about. Each stream's backbone knows figures already, from trimmed videos of other seeds
(:data:`attcell.models.weights.SHIPPED`, with their card), as others begin from ImageNet. It is frozen;
spatial attention and one temporal attention are learnt on untrimmed videos, from labels of whole videos
alone.
"""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from attcell._checks import path_of, whole_number
from attcell._log import logger, progress_bar, track
from attcell._parallel import in_order, one_thread
from attcell._terminal import put
from attcell.config.recipe import Recipe, check_recipe
from attcell.data.truth import generated_boxes
from attcell.inference.detect import detect_video
from attcell.inference.detection_rules import RuleChoice
from attcell.inference.evaluate import Evaluation, evaluation_of
from attcell.inference.localization import AttentionMetrics, attention_metrics
from attcell.inference.model import Model
from attcell.inference.run import best_device
from attcell.models.build import build_network
from attcell.models.listings import part_listing, read_listings
from attcell.models.weights import SHIPPED_INPUT, shipped_weights
from attcell.report.figures.charts import confusion_picture
from attcell.report.figures.paper import attention_strip
from attcell.report.page.page import write_report
from attcell.synth.truth import read_truth
from attcell.synth.write import write_dataset
from attcell.training.prepare import gather_training_data
from attcell.training.run import train
from attcell.types import Prediction

VIDEOS = {"train": 24, "val": 4, "test": 10}  # of each of six classes
STREAMS = ("frame", "flow")
TAP = (
    "block2"  # 14×14 regions, one about as broad as a figure's trunk; those of later maps are twice as broad
)
EPOCHS = 32
ONLY_AT_THE_END = 10_000  # iterations until a validation: its 24 videos are too few to choose a network by
THREADS = 2  # that predict; a video's decoding and flow go on while another's network runs


@dataclass(frozen=True)
class DemoOutcome:
    """What the demo found on its test videos.

    Attributes:
        report: the page.
        num_videos: that it was tested on.
        accuracy: of videos told right, in percent.
        chance: the same of guessing.
        page_right: for each video on the page whether its class is told right.
        attention: stream → how its attention stands against the truth.
        seconds: that all of it took.
    """

    report: Path
    num_videos: int
    accuracy: float
    chance: float
    page_right: tuple[bool, ...]
    attention: dict[str, AttentionMetrics]
    seconds: float


def demo_recipe(videos: Path, features: Path, seed: int) -> Recipe:
    """STAN on untrimmed videos, with the package's backbones frozen and their features kept.

    Args:
        videos: the folder of a generated set with ``train``, ``val`` and ``test``.
        features: the folder where feature maps are kept.
        seed: of the training.
    """
    values = {
        **deepcopy(SHIPPED_INPUT),
        "data": {split: str(videos / split) for split in ("train", "val", "test")},
        "segments": {"train": 12, "test": 48},
        "cache": {"folder": str(features), "positions": 2, "mirrored": True},
        "model": {
            "kind": "stan",
            "streams": {name: _frozen(name) for name in STREAMS},
            "lstm_hidden": 128,
            "dropout": 0.3,
        },
        "train": {
            "optimizer": "adamw",
            "learning_rate": 2e-3,
            "weight_decay": 0.01,
            "schedule": "onecycle",
            "clip_gradient_norm": 1.0,
            "batch_size": 8,
            "epochs": EPOCHS,
            "label_smoothing": 0.1,
            "checkpoint_every": ONLY_AT_THE_END,
            "seed": seed,
        },
    }
    return check_recipe(values, source="the demo's recipe")


def _frozen(stream: str) -> dict[str, Any]:
    return {
        "backbone": "small",
        "tap": TAP,
        "weights": str(shipped_weights(stream)),
        "train_from": "none",
        "standardise": True,
        "conv6_channels": 32,
    }


def run_demo(out: str | Path, *, seed: int = 0) -> DemoOutcome:
    """Run the demo in the folder ``out`` and say what it does.

    A demo that was broken off goes on where it was; one that is finished only tests and reports again.

    Args:
        out: where everything goes.
        seed: of the videos and of the training.

    Raises:
        CallError: a seed below 0, or a folder that holds something else.
    """
    out = path_of(out, "out", "attcell-demo")
    seed = whole_number(seed, "seed", least=0)
    with one_thread():  # the networks are small, decoding wants a core, and any machine gives the same sums
        return _run_stages(out, seed)


def _run_stages(out: Path, seed: int) -> DemoOutcome:
    started = time.monotonic()
    num_videos = 6 * sum(VIDEOS.values())
    logger.info(
        f"1/5 Generating {num_videos} videos in {out}: in each three figures, and a quarter of the time is "
        "action; a class is the colour of the one that acts and its way to move (about 35 seconds on two "
        "cores)"
    )
    videos = _generate(out / "videos", seed)
    recipe = demo_recipe(videos, out / "features", seed)
    logger.info(
        "2/5 Looking at the training videos through two small backbones that know figures already, of frames "
        "and of flow (about 25 seconds)"
    )
    _keep_features(recipe)
    logger.info("3/5 Training the attention of both, from labels of whole videos alone (about 30 seconds)")
    trained = train(recipe, out / "run", resume=(out / "run").exists()).model_folder
    logger.info("4/5 Testing on videos that it has not seen, and where its attention lies (about 15 seconds)")
    model = Model.from_pretrained(trained).to(best_device())
    predictions = _predict(model, _test_videos(videos, VIDEOS["test"]))
    evaluation = _test(model, predictions, out / "test")
    attention = _compare_attention(predictions, videos, out / "attention.png")
    logger.info("5/5 Finding actions in time, and writing the page (about 5 seconds)")
    shown = [detect_video(model, path, RuleChoice()) for path in _test_videos(videos, 1)]
    write_report(shown, out / "report.html", {"model": str(trained)})
    outcome = DemoOutcome(
        report=out / "report.html",
        num_videos=len(evaluation.records),
        accuracy=evaluation.figures()["top1"],
        chance=100 / len(evaluation.labels),
        page_right=tuple(one.top(1)[0][0] == Path(one.video).parent.name for one in shown),
        attention=attention,
        seconds=time.monotonic() - started,
    )
    _tell(outcome, trained)
    return outcome


def _generate(folder: Path, seed: int) -> Path:
    with progress_bar() as bar:
        task = bar.add_task("generating", total=None, note="")
        return write_dataset(
            folder,
            "untrimmed",
            seed=seed,
            motions="paths",
            look="smooth",
            in_turn=True,
            videos=VIDEOS,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _keep_features(recipe: Recipe) -> None:
    """Compute what the trainings will find kept."""
    listings = read_listings(recipe)
    network = build_network(recipe, len(listings.labels), load_weights=True)
    for name in STREAMS:
        network.stream(name).backbone.to(memory_format=torch.channels_last)  # twice as fast for 20 channels
    gather_training_data(recipe, listings, network.to(best_device()), best_device())


def _test_videos(videos: Path, each: int) -> list[Path]:
    """So many test videos of each class."""
    return sorted(path for path in (videos / "test").glob("*/*.mp4") if int(path.stem) < each)


def _predict(model: Model, paths: list[Path]) -> list[Prediction]:
    """Of each video; of the first one with pictures."""

    def predict(numbered: tuple[int, Path]) -> Prediction:
        torch.set_num_threads(1)  # which each thread has for itself
        return model.predict(numbered[1], pictures=numbered[0] == 0)

    return list(track(in_order(predict, list(enumerate(paths)), THREADS), len(paths), "predicting"))


def _test(model: Model, predictions: list[Prediction], out: Path) -> Evaluation:
    """The metrics of what is predicted already, their file, and who was taken for whom."""
    listing = part_listing(model.recipe.data, "test", model.labels)
    assert listing is not None, "the demo's recipe names a test"
    evaluation = evaluation_of(model, listing, predictions)
    evaluation.write_scores(out / "scores.json")
    confusion = evaluation.confusion()
    assert confusion is not None, "the demo's videos have one class each"
    confusion_picture(confusion, evaluation.labels, out / "confusion.png", "demo, test videos")
    return evaluation


def _compare_attention(
    predictions: list[Prediction], videos: Path, picture: Path
) -> dict[str, AttentionMetrics]:
    """Hold attention against the truth; the first video's is drawn."""
    attention_strip(predictions[0], picture)
    truth = generated_boxes(read_truth(videos))
    found = [(one.segments, truth[Path(one.video).relative_to(videos).as_posix()]) for one in predictions]
    return {stream: attention_metrics(found, stream) for stream in STREAMS}


def _tell(outcome: DemoOutcome, trained: Path) -> None:
    peaks = ", ".join(f"{100 * of.pointing:.0f} % ({stream})" for stream, of in outcome.attention.items())
    one = outcome.attention["frame"]  # where chance lies, and the temporal attention, are the same for all
    put(
        f"spatial attention: its peak lies on the actor in {peaks} of the action's segments "
        f"of {one.num_videos} videos (chance {100 * one.pointing_chance:.0f} %)"
    )
    put(
        f"temporal attention: ranks the action's segments over the others with an ROC area of {one.auc:.2f} "
        "(chance 0.50)"
    )
    put(
        f"accuracy {outcome.accuracy:.1f} % on {outcome.num_videos} test videos "
        f"(chance {outcome.chance:.1f} %)"
    )
    put(f"done in {outcome.seconds / 60:.1f} minutes. Open {outcome.report.absolute()} in a browser.")
    put(f"Next: attcell detect YOUR.mp4 --model {trained} --report your.html")
