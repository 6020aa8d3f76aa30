"""Actions in time as a part of a run: learnt from its training videos, found in its test videos, and judged.

What a network says of each video is kept as it comes, so that work which was broken off goes on, and so that
another rule costs no other pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from attcell._files import write_json
from attcell._log import logger, track
from attcell.config.beside import DetectionSection
from attcell.config.recipe import Recipe
from attcell.data.feature_store import KeptArrays, content_digest
from attcell.data.listing import Listing
from attcell.data.truth import DetectionTruth, read_detection_truth, set_truth, video_named
from attcell.errors import DataError, VideoError
from attcell.inference.calibrate import calibrate
from attcell.inference.calibration import CALIBRATION_FILE, write_calibration
from attcell.inference.detect import follow_video
from attcell.inference.detection_rules import RuleChoice, find, words
from attcell.inference.model import Model
from attcell.inference.predict import NO_PICTURES
from attcell.inference.run import best_device
from attcell.inference.stored_flow import with_stored_flow
from attcell.models.build import part_listing, read_listings
from attcell.models.weights import state_digest
from attcell.results.detection_metrics import detection_result
from attcell.results.detections import DetectionFile, detections_of
from attcell.types import AttentionTrack, Detection, Prediction, VideoRecord

DETECTIONS_FILE = "detections.json"  # beside the scores
_KEPT_VERSION = 1  # raise it when the same network would say something else of the same video


@dataclass(frozen=True)
class Answer:
    """What came of a question to a trained network.

    Attributes:
        metrics: name → percent.
        protocol: name → how they were made, in words.
        unread: video id → why it could not be read.
    """

    metrics: dict[str, float]
    protocol: dict[str, str]
    unread: dict[str, str] = field(default_factory=dict)


def check_detection(recipe: Recipe) -> None:
    """Find what is wrong with the truth, before anything is trained.

    Raises:
        CallError: no such truth, or an excluded video that it does not name.
        DataError: files that are not what they should be, or that name none of the classes or test videos.
    """
    listing = _tested(recipe)
    truth = _truth(recipe, listing)
    if not set(truth.labels) & set(listing.labels):
        raise DataError(
            f"{truth.source} has none of the recipe's classes: {len(truth.labels)}, first "
            f"{truth.labels[0]!r}, and {len(listing.labels)}, first {listing.labels[0]!r}; give the truth of "
            "the same classes"
        )


def find_actions(recipe: Recipe, model_folder: Path, out: Path) -> Answer:
    """The mAP of the actions that a run's network finds in the test videos.

    Args:
        recipe: of the run; it has a section ``detection``.
        model_folder: the model; what it learns of detection from the training videos is written there.
        out: ``detections.json`` is written there, and what is kept to go on.

    Raises:
        DataError: a training video that cannot be read.
        ModelError: a network whose scores are not finite.
    """
    section = recipe.detection
    assert section is not None, "the recipe asks for it"
    listing = _tested(recipe)
    truth = _truth(recipe, listing)
    model = _calibrated(recipe, model_folder, out / "kept")
    choice = RuleChoice(section.rule)
    left_out = set(truth.excluded)
    records = [record for record in listing.records if video_named(str(record.path), left_out) is None]
    found, unread = [], {}
    files = ["model.safetensors"] + ([] if model.calibration is None else [CALIBRATION_FILE])
    kept = KeptArrays(out / "kept", {"of": "tracks", **_made_by(model_folder, section.every, *files)})
    stored = with_stored_flow(model.recipe, [record.path for record in records])
    for record in track(records, len(records), "looking for actions"):
        try:
            said = _said(model, record, section.every, kept, stored_flow=record.path in stored)
        except VideoError as error:
            unread[record.id] = str(error)
            continue
        found.append(replace(said, detections=tuple(find(said, choice, model.calibration))))
    content = {
        "model": str(model_folder), "videos": [detections_of(of) for of in found], "failed": unread,
    }  # fmt: skip
    write_json(str(out / DETECTIONS_FILE), content)
    rule = words(choice, model.calibration, len(model.labels))
    how = f"a sample every {section.every} frames; {rule}"
    file = _as_file(out / DETECTIONS_FILE, found, unread)
    answer = _judged(section, "", file, truth, how)
    if section.annotated:
        named = truth.only({action.video_id for action in truth.actions})
        there = [said for said in found if video_named(said.video, named.durations) is not None]
        file = _as_file(out / DETECTIONS_FILE, there, {})
        own = _judged(section, "_annotated", file, named, how)
        answer = Answer(answer.metrics | own.metrics, answer.protocol | own.protocol)
    return replace(answer, unread=unread)


def _judged(
    section: DetectionSection, of_which: str, file: DetectionFile, truth: DetectionTruth, how: str
) -> Answer:
    """``map@0.1`` and so on of a file by a truth, as ``map_annotated@0.1`` where these are of such videos."""
    result = detection_result(file, truth, section.thresholds, [section.protocol])
    if not of_which:  # what is wrong with the file is said once
        for fault in result.faults:
            logger.info(f"{file.source}: {fault}")
    (judged,) = result.figures
    values = zip(judged.thresholds, judged.mean_ap.tolist(), strict=True)
    return Answer(
        {f"map{of_which}@{bar:g}": 100 * value for bar, value in values},
        {f"detection{of_which}": f"{how}; {result.protocol(judged)}"},
    )


def _tested(recipe: Recipe) -> Listing:
    labels = None if recipe.data.dataset is not None else read_listings(recipe).labels
    listing = part_listing(recipe.data, "test", labels)
    assert listing is not None, "planned runs have test videos"
    return listing


def _truth(recipe: Recipe, listing: Listing) -> DetectionTruth:
    """The true actions of the listed videos but for the excluded ones."""
    section, data = recipe.detection, recipe.data
    assert section is not None, "the recipe asks for it"
    if section.truth is not None:
        whole = read_detection_truth(section.truth)
    else:
        assert data.dataset is not None and data.root is not None, "the recipe was checked"
        whole = set_truth(data.dataset, data.annotations or data.root, data.split)
    truth = whole.without(section.exclude, "detection.exclude")
    names = {video_named(str(record.path), truth.durations) for record in listing.records}
    truth = truth.only({name for name in names if name is not None})
    if not truth.actions:
        raise DataError(f"{truth.source} tells of no action in any of the test videos; give their truth")
    return truth


def _calibrated(recipe: Recipe, folder: Path, kept: Path) -> Model:
    """The model with what its rule needs, learnt from the training videos' labels alone."""
    section = recipe.detection
    assert section is not None, "the recipe asks for it"
    model = Model.from_folder(folder).to(best_device())
    calibration = model.calibration
    is_ready = calibration is not None and calibration.every == section.every
    if is_ready or not section.needs_calibration:
        return model
    listing = part_listing(recipe.data, "train", model.labels)
    assert listing is not None, "it was trained on them"
    found = calibrate(
        model,
        listing.records,
        section.every,
        stored_flow=with_stored_flow(recipe, [record.path for record in listing.records]),
        kept=KeptArrays(kept, _made_by(folder, section.every, "model.safetensors")),
    )
    write_calibration(folder, found, state_digest(model.network))
    return Model.from_folder(folder).to(best_device())


def _made_by(folder: Path, every: int, *files: str) -> dict[str, Any]:
    """What a network's word on a video depends on; ``files`` are those of the model that matter."""
    digests = {name: content_digest(folder / name) for name in files}
    return {"version": _KEPT_VERSION, "every": every, **digests}


def _said(
    model: Model, record: VideoRecord, every: int, kept: KeptArrays, *, stored_flow: bool
) -> Prediction:
    """What the network says of a video sample by sample, now or before."""
    arrays = kept.read(record)
    if arrays is None:
        followed = follow_video(model, record.path, every, stored_flow=stored_flow, pictures=False)
        for note in followed.notes:
            logger.info(f"{record.id}: {note}")
        arrays = _arrays(followed)
        kept.write(record, arrays)
    return _prediction(str(record.path), model.labels, arrays)


def _arrays(said: Prediction) -> dict[str, np.ndarray]:
    of = said.track
    assert of is not None and of.class_scores is not None, "the video was gone through"
    separate = {} if of.separate_scores is None else {"separate_scores": of.separate_scores}
    return {
        "seconds": of.seconds,
        "temporal_scores": of.temporal_scores,
        "temporal_attention": of.temporal_attention,
        "class_scores": of.class_scores,
        **separate,
        "scores": said.scores,
        "duration": np.array(said.duration_seconds),
    }


def _prediction(video: str, labels: tuple[str, ...], arrays: Mapping[str, np.ndarray]) -> Prediction:
    of = AttentionTrack(
        seconds=arrays["seconds"],
        frame_seconds=arrays["seconds"][:, 0],
        temporal_scores=arrays["temporal_scores"],
        temporal_attention=arrays["temporal_attention"],
        spatial_attention={},
        attended_area=(0.0, 0.0, 1.0, 1.0),
        class_scores=arrays["class_scores"],
        separate_scores=arrays.get("separate_scores"),
    )
    return Prediction(video, labels, arrays["scores"], float(arrays["duration"]), of, NO_PICTURES, track=of)


def _as_file(path: Path, found: Sequence[Prediction], unread: Mapping[str, str]) -> DetectionFile:
    """What was found, with times from each video's first frame, as a file of detections says it."""
    rows = []
    for said in found:
        first = float(said.segments.seconds[0, 0])
        for of in said.detections or ():
            start, end = of.start_seconds - first, of.end_seconds - first
            rows.append(Detection(of.label, start, end, of.score, said.video))
    return DetectionFile(
        str(path),
        tuple(rows),
        tuple(f"{path}: {of.video_id}" for of in rows),
        tuple(said.video for said in found),
        {said.video: said.duration_seconds for said in found},
        dict(unread),
    )
