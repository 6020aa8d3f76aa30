"""What suites measure on trained networks besides accuracy: where and when attention lies, what is found in
time, whether attention says what the network uses, and which branch counts.

Each function takes model folders and numbers, so that a process can be handed it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from attcell.data.datasets import KeptViews, PlannedViews
from attcell.data.truth import generated_boxes
from attcell.errors import VideoError
from attcell.inference.calibrate import calibrated
from attcell.inference.detect import follow_video
from attcell.inference.detection_rules import RuleChoice, find
from attcell.inference.evaluate import listing_of
from attcell.inference.extract import filled_stores
from attcell.inference.localization import attention_metrics, temporal_metrics
from attcell.inference.model import Model
from attcell.inference.run import run_views
from attcell.inference.streaming import EVERY
from attcell.metrics import detection_map
from attcell.models.build import evaluation_plan, input_spec
from attcell.models.folder import read_config
from attcell.models.listings import part_listing
from attcell.nn import STAN
from attcell.nn.explain import Curve, deletion_insertion
from attcell.research.driver import Figures
from attcell.research.paper_claims import RANDOM
from attcell.synth.truth import Truth, read_truth
from attcell.types import Detection, Prediction, VideoRecord

# Untrimmed test videos, a sample every few frames: which actions are found, and where attention lies.

# Rule → what is added to the network's name. Class scores alone are all that a SAN has.
RULES = {
    "stan": {
        "relative": "",
        "classes": " without attention",
        "paper": " by the paper's rule",
        "sigmoid": " by the sigmoid rule",
        "stpn": " by STPN's rule",
        "evidence": " by evidence",
    },
    "san": {"classes": ""},
}
OVERLAP = 0.5  # in time


@dataclass(frozen=True)
class Streaming:
    """A network, and the untrimmed test videos that it is held against, a sample every 5 frames.

    Attributes:
        name: of the network, in the table.
        model: its model folder; the calibration goes there.
        videos: the folder of a set with ``truth.json``.
        calibrated: training videos of each class that it is calibrated on, by the videos' labels.
        calibrated_every: frames from one sample to the next as it is calibrated.
        stored_flow: whether flow is in the store that the recipe names, or computed.
    """

    name: str
    model: Path
    videos: Path
    calibrated: int
    calibrated_every: int = EVERY
    stored_flow: bool = True


def streaming_metrics(streaming: Streaming) -> Figures:
    """Calibrate a network, and hold what it says of its test videos sample by sample against their truth.

    Returns:
        In percent: mAP of each rule by THUMOS14's protocol, and of as many intervals at random; in how many
        samples of the action the peak of each stream's attention lies on the actor, where the truth has his
        boxes; and how well temporal attention ranks these samples.
    """
    model, truth = _calibrated(streaming), read_truth(streaming.videos)
    predictions = {
        record.path.relative_to(streaming.videos).as_posix(): follow_video(
            model, record.path, EVERY, stored_flow=streaming.stored_flow
        )
        for record in listing_of(model, "test").records
    }
    figures = {}
    for rule, added in RULES[model.recipe.model.kind].items():
        found = _detections(model, predictions, rule)
        figures[f"{streaming.name}{added}: detection"] = _mean_ap(truth, predictions, found)
        if rule == "relative":
            figures[f"{RANDOM}: detection"] = _mean_ap(truth, predictions, _at_random(found, predictions))
    figures |= _attention(streaming.name, predictions, truth)
    if model.recipe.model.kind == "san":  # its segments all count alike
        del figures[f"{streaming.name}: temporal ROC area"]
    return figures


def _detections(model: Model, predictions: Mapping[str, Prediction], rule: str) -> list[Detection]:
    return [
        replace(one, video_id=video)
        for video, prediction in predictions.items()
        for one in find(prediction, RuleChoice(rule), model.calibration)
    ]


def _at_random(found: Sequence[Detection], predictions: Mapping[str, Prediction]) -> list[Detection]:
    """As many intervals as were found in each video and as long, anywhere in it, of the class that it is told
    to have.
    """
    rng = np.random.default_rng(0)
    placed = []
    for one in found:
        prediction, length = predictions[one.video_id], one.end_seconds - one.start_seconds
        start = rng.uniform(0, max(prediction.duration_seconds - length, 1e-9))
        label = prediction.top(1)[0][0]
        placed.append(Detection(label, start, start + length, float(rng.random()), one.video_id))
    return placed


def _mean_ap(truth: Truth, videos: Iterable[str], found: Sequence[Detection]) -> float:
    """In percent, of some of the videos."""
    there = set(videos)
    truths = [one for one in truth.actions() if one.video_id in there]
    return 100 * float(detection_map(truths, found, (OVERLAP,), protocol="thumos").mean_ap[0])


def _attention(name: str, predictions: Mapping[str, Prediction], truth: Truth) -> Figures:
    boxes = generated_boxes(truth)
    found = [(of.track, boxes[video]) for video, of in predictions.items() if of.track is not None]
    when = {f"{name}: temporal ROC area": 100 * temporal_metrics(found)[0]}
    by_stream = {stream: attention_metrics(found, stream) for stream in found[0][0].over_frames}
    nobody_knows = all(np.isnan(video.boxes).all() for _, video in found)
    if not by_stream or nobody_knows:  # where the actor is, or where the network looked: it may hear alone
        return when
    where = {f"{name}: peak on the actor, {stream}": 100 * of.pointing for stream, of in by_stream.items()}
    (chance, *_) = (of.pointing_chance for of in by_stream.values())  # the same for all
    return where | {"peak on the actor by chance": 100 * chance} | when


def _calibrated(streaming: Streaming) -> Model:
    """The model with a calibration on so many videos."""
    config = read_config(streaming.model)
    listing = part_listing(config["recipe"].data, "train", config["labels"])
    assert listing is not None, "the suite's recipes name their videos"
    some = [record for record in listing.records if int(record.path.stem) < streaming.calibrated]
    return calibrated(
        streaming.model,
        some,
        streaming.calibrated_every,
        torch.device("cpu"),
        from_store=streaming.stored_flow,
    )


# Does attention say what the network uses? Deletion and insertion on test videos of a trained STAN.

NUM_SEGMENTS = 12  # of each video whose regions and segments are taken away


def deletion_insertion_areas(folder: Path, num_videos: int) -> Figures:
    """Deletion and insertion, in percent. High is good in both: of deletion it is what is left below 100.

    Args:
        folder: the model folder of a STAN.
        num_videos: test videos of each class.
    """
    model = Model.from_folder(folder)
    model.network.eval()
    areas: dict[str, list[float]] = {}
    for record in _first_of_each_class(listing_of(model, "test").records, num_videos):
        for curve in _curves(model, record):
            area = 1 - curve.area if curve.way == "deletion" else curve.area
            areas.setdefault(f"{curve.way} of {curve.what}, {curve.order}", []).append(area)
    return {name: 100 * float(np.mean(of)) for name, of in areas.items()}


def _curves(model: Model, record: VideoRecord) -> Iterable[Curve]:
    plan, spec = evaluation_plan(model.recipe, NUM_SEGMENTS), input_spec(model.recipe)
    views = PlannedViews([record], spec, plan)[0]
    if isinstance(views, VideoError):
        raise views
    assert isinstance(model.network, STAN), "the suite takes from STAN of early fusion"
    rng = np.random.default_rng(zlib.crc32(os.fsencode(record.id)))  # of each video its own
    return deletion_insertion(
        model.network, {stream: inputs[0] for stream, inputs in views.inputs.items()}, rng
    )


def _first_of_each_class(records: Iterable[VideoRecord], num_videos: int) -> list[VideoRecord]:
    per_class: dict[int, list[VideoRecord]] = {}
    for record in records:
        per_class.setdefault(record.label, []).append(record)
    return [record for of_class in per_class.values() for record in of_class[:num_videos]]


# Which branch a network that selects branches relies on.


@torch.inference_mode()
def shares_of_branches(name: str, folder: Path) -> Figures:
    """The share that each branch has in the sum of both, of the last step, in percent.

    Args:
        name: of the network, in the table.
        folder: the model folder of a branch selection.

    Returns:
        The mean over the test videos.
    """
    model = Model.from_folder(folder)
    recipe, network = model.recipe, model.network.eval()
    assert recipe.cache.folder is not None, "the suite keeps features"
    records = listing_of(model, "test").records
    stores, _ = filled_stores(
        recipe.cache.folder, recipe, network, records, evaluation_plan(recipe), torch.device("cpu")
    )
    views = KeptViews(records, stores)
    shares = []
    for index in range(len(views)):
        (out,) = run_views(network, views[index].inputs, kept_features=True)
        shares.append(out.stream_weights)
    return {
        f"{name}: share of {stream}": 100 * float(np.mean([of[stream] for of in shares]))
        for stream in recipe.model.streams
    }
