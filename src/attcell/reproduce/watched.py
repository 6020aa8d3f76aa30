"""Untrimmed test videos, watched moment by moment: which actions are found, and where attention lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from attcell.data.box_truth import generated_boxes
from attcell.data.recipe_videos import part_listing
from attcell.data.synth.truth import Truth, read_truth
from attcell.engine.calibrating import calibrate
from attcell.engine.calibration import Calibration, write_calibration
from attcell.engine.detecting import EVERY, follow_video
from attcell.engine.detection_rules import RuleChoice, find
from attcell.engine.evaluation import listing_of
from attcell.engine.localising import attention_figures
from attcell.engine.model_folder import SavedModel, load_model
from attcell.engine.weights import state_digest
from attcell.metrics import detection_map
from attcell.records import Detection, Prediction

# Rule → what is added to the network's name. Class scores alone are all that a SAN has.
RULES = {"stan": {"relative": "", "classes": " without attention"}, "san": {"classes": ""}}
OVERLAP = 0.5  # in time


def watched_figures(name: str, model: Path, videos: Path, calibrated: int) -> dict[str, float]:
    """Calibrate a model on some training videos and their labels, and watch its test videos.

    Args:
        name: of the network, in the table.
        model: a model folder; the calibration goes there.
        videos: the folder of a generated set.
        calibrated: training videos of each class that it is calibrated on.

    Returns:
        In percent: mAP of each rule by THUMOS14's protocol; in how many samples of the action the peak of
        each stream's attention lies on the actor; and how well temporal attention ranks these samples.
    """
    saved, truth = _calibrated(model, calibrated), read_truth(videos)
    tested = [record.path for record in listing_of(saved, "test").records]
    watched = {
        path.relative_to(videos).as_posix(): follow_video(saved, path, EVERY, stored_flow=True)
        for path in tested
    }
    rules = {rule: name + added for rule, added in RULES[saved.recipe.model.kind].items()}
    figures = _detection_figures(rules, watched, truth, saved.calibration)
    figures |= _attention_figures(name, watched, truth)
    if saved.recipe.model.kind == "san":  # its segments all count alike
        del figures[f"{name}: temporal ROC area"]
    return figures


def _detection_figures(
    rules: dict[str, str], watched: dict[str, Prediction], truth: Truth, calibration: Calibration | None
) -> dict[str, float]:
    """Rule → what it is called in the table, to the mAP of each."""
    truths = [of for of in truth.actions() if of.video_id in watched]
    figures = {}
    for rule, name in rules.items():
        found: list[Detection] = []
        for video, prediction in watched.items():
            some = find(prediction, RuleChoice(rule), calibration)
            found += [replace(one, video_id=video) for one in some]
        table = detection_map(truths, found, (OVERLAP,), protocol="thumos")
        figures[f"{name}: detection"] = 100 * float(table.mean_ap[0])
    return figures


@dataclass(frozen=True)
class _EverySample:
    """A watched video as the attention figures look at it."""

    segments_seconds: np.ndarray
    frame_seconds: np.ndarray
    temporal_scores: np.ndarray
    spatial_attention: dict[str, np.ndarray]
    attended_area: tuple[float, float, float, float]


def _attention_figures(name: str, watched: dict[str, Prediction], truth: Truth) -> dict[str, float]:
    boxes = generated_boxes(truth)
    found = [(_every_sample(prediction), boxes[video]) for video, prediction in watched.items()]
    streams: Sequence[str] = list(found[0][0].spatial_attention)
    by_stream = {stream: attention_figures(found, stream) for stream in streams}
    of_one = by_stream[streams[0]]  # when it looks is the same for all streams, and so is chance
    return {
        **{f"{name}: peak on the actor, {stream}": 100 * of.pointing for stream, of in by_stream.items()},
        "peak on the actor by chance": 100 * of_one.pointing_chance,
        f"{name}: temporal ROC area": 100 * of_one.auc,
    }


def _every_sample(prediction: Prediction) -> _EverySample:
    track = prediction.track
    assert track is not None, "the video was watched"
    return _EverySample(
        track.seconds,
        track.seconds[:, 0],
        track.temporal_scores,
        {name: maps.astype(np.float32) for name, maps in track.spatial_attention.items()},
        prediction.attended_area,
    )


def _calibrated(model: Path, num_videos: int) -> SavedModel:
    saved = load_model(model)
    listing = part_listing(saved.recipe.data, "train", saved.labels)
    assert listing is not None, "the suite's recipes name their videos"
    some = [record for record in listing.records if int(record.path.stem) < num_videos]
    there = saved.calibration
    if there is None or (there.num_videos, there.every) != (len(some), EVERY):
        write_calibration(model, calibrate(saved, some, EVERY, stored_flow=True), state_digest(saved.network))
        saved = load_model(model)
    return saved
