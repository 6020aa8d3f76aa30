"""Actions in time as a part of a run: learnt from its training videos, found in its test videos, and judged.

What a network says of each video is kept as it comes, so that work which was broken off goes on, and so that
another rule costs no other pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from attcell._files import write_json
from attcell._log import logger, track
from attcell.config.beside import DetectionSection
from attcell.config.recipe import Recipe
from attcell.data.feature_store import content_digest
from attcell.data.listing import Listing
from attcell.data.truth import DetectionTruth, read_detection_truth, set_truth, video_named
from attcell.errors import CallError, DataError, VideoError
from attcell.inference.calibrate import KeptOfVideos, calibrated, kept_or_streamed
from attcell.inference.calibration import CALIBRATION_FILE
from attcell.inference.detect import follow_video
from attcell.inference.detection_rules import RuleChoice, find, words
from attcell.inference.heard import but_silence
from attcell.inference.model import Model
from attcell.inference.predict import NO_PICTURES
from attcell.inference.run import best_device
from attcell.inference.stored_flow import with_stored_flow
from attcell.inference.streaming import Decoded
from attcell.models.folder import read_config
from attcell.models.listings import part_listing, read_listings
from attcell.results.detection_metrics import detection_result
from attcell.results.detections import DetectionFile, detections_of
from attcell.types import Answer, AttentionTrack, Detection, Prediction, VideoRecord

DETECTIONS_FILE = "detections.json"  # beside the scores


def check_detection(recipe: Recipe, section: DetectionSection) -> None:
    """Find what is wrong with the truth, before anything is trained.

    Raises:
        CallError: no such truth, an excluded video that it does not name, or a test video that is a part of a
            folder of frames.
        DataError: files that are not what they should be, or that name none of the classes or test videos.
    """
    listing = _tested(recipe)
    parts = [(record, record.frames) for record in listing.records if record.frames is not None]
    if parts:
        first, frames = parts[0]
        raise CallError(
            f"detection goes through whole videos, and {first.id} is a part of {first.path} (frames "
            f"{frames.start} to {frames.stop - 1}; {len(parts)} such videos), whose truth would be that of "
            "the whole; put the frames of each part into a folder of its own, or leave detection out"
        )
    truth = _truth(recipe, section, listing)
    if not set(truth.labels) & set(listing.labels):
        raise DataError(
            f"{truth.source} has none of the recipe's classes: {len(truth.labels)}, first "
            f"{truth.labels[0]!r}, and {len(listing.labels)}, first {listing.labels[0]!r}; give the truth of "
            "the same classes"
        )


def find_actions(recipe: Recipe, section: DetectionSection, model_folder: Path, out: Path) -> Answer:
    """The mAP of the actions that a run's network finds in the test videos.

    Args:
        recipe: of the run.
        section: what it asks.
        model_folder: the model; what it learns of detection from the training videos is written there.
        out: ``detections.json`` is written there, and what is kept to go on.

    Raises:
        DataError: a training video that cannot be read.
        ModelError: a network whose scores are not finite.
    """
    listing = _tested(recipe)
    truth = _truth(recipe, section, listing)
    model = _ready(recipe, section, model_folder, out / "kept")
    choice = RuleChoice(section.rule)
    left_out = set(truth.excluded)
    records = [record for record in listing.records if video_named(str(record.path), left_out) is None]
    found, unread = [], {}
    learnt = None if model.calibration is None else content_digest(model_folder / CALIBRATION_FILE)
    kept = KeptOfVideos(
        out / "kept",
        model,
        records,
        {"of": "tracks with evidence", "every": section.every, "calibration": learnt},
    )
    stored = with_stored_flow(model.recipe, [record.path for record in records])

    def said(record: VideoRecord, is_stored: bool, decoded: Iterator[Decoded]) -> dict[str, np.ndarray]:
        return _said(model, record, section.every, stored_flow=is_stored, decoded=decoded)

    every_video = kept_or_streamed(model, records, section.every, stored, kept, said)
    for record, arrays in zip(records, track(every_video, len(records), "looking for actions"), strict=True):
        if isinstance(arrays, VideoError):
            unread[record.id] = str(arrays)
            continue
        known = _prediction(str(record.path), model.labels, arrays)
        found.append(replace(known, detections=tuple(find(known, choice, model.calibration))))
    content = {
        "model": str(model_folder), "videos": [detections_of(said) for said in found], "failed": unread,
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


def truth_digest(recipe: Recipe, section: DetectionSection) -> str:
    """A name for the content of the truth that a recipe's detections are judged by."""
    truth = _whole_truth(recipe, section)
    said = (truth.labels, truth.actions, truth.ambiguous, sorted(truth.durations.items()))
    return hashlib.sha256(repr(said).encode()).hexdigest()[:24]


def _whole_truth(recipe: Recipe, section: DetectionSection) -> DetectionTruth:
    data = recipe.data
    if section.truth is not None:
        return read_detection_truth(section.truth)
    assert data.dataset is not None and data.root is not None, "the recipe was checked"
    return set_truth(data.dataset, data.annotations or data.root, data.split)


def _truth(recipe: Recipe, section: DetectionSection, listing: Listing) -> DetectionTruth:
    """The true actions of the listed videos but for the excluded ones."""
    truth = _whole_truth(recipe, section).without(section.exclude, "detection.exclude")
    names = {video_named(str(record.path), truth.durations) for record in listing.records}
    truth = truth.only({name for name in names if name is not None})
    if not truth.actions:
        raise DataError(f"{truth.source} tells of no action in any of the test videos; give their truth")
    return truth


def _ready(recipe: Recipe, section: DetectionSection, folder: Path, kept: Path) -> Model:
    """The model with what its rule needs, learnt from the training videos' labels alone."""
    if not section.needs_calibration:
        return Model.from_folder(folder).to(best_device())
    listing = part_listing(recipe.data, "train", read_config(folder)["labels"])
    assert listing is not None, "it was trained on them"
    return calibrated(folder, listing.records, section.every, best_device(), keep_in=kept)


def _said(
    model: Model, record: VideoRecord, every: int, *, stored_flow: bool, decoded: Iterator[Decoded]
) -> dict[str, np.ndarray]:
    """What the network says of a video sample by sample."""
    followed = follow_video(
        model, record.path, every, stored_flow=stored_flow, pictures=False, decoded=decoded
    )
    for note in but_silence(followed.notes):  # of the same videos the test has told
        logger.info(f"{record.id}: {note}")
    return _arrays(followed)


def _arrays(said: Prediction) -> dict[str, np.ndarray]:
    known = said.track
    assert known is not None and known.class_scores is not None, "the video was gone through"
    more = {
        "separate_scores": known.separate_scores,
        "class_evidence": known.class_evidence,
        "by_class": known.temporal_scores_by_class,
    }
    return {
        "seconds": known.seconds,
        "temporal_scores": known.temporal_scores,
        "temporal_attention": known.temporal_attention,
        "class_scores": known.class_scores,
        **{name: of for name, of in more.items() if of is not None},
        "scores": said.scores,
        "duration": np.array(said.duration_seconds),
    }


def _prediction(video: str, labels: tuple[str, ...], arrays: Mapping[str, np.ndarray]) -> Prediction:
    found = AttentionTrack(
        seconds=arrays["seconds"],
        frame_seconds=arrays["seconds"][:, 0],
        temporal_scores=arrays["temporal_scores"],
        temporal_attention=arrays["temporal_attention"],
        spatial_attention={},
        attended_area=(0.0, 0.0, 1.0, 1.0),
        class_scores=arrays["class_scores"],
        separate_scores=arrays.get("separate_scores"),
        class_evidence=arrays.get("class_evidence"),
        temporal_scores_by_class=arrays.get("by_class"),
    )
    return Prediction(
        video, labels, arrays["scores"], float(arrays["duration"]), found, NO_PICTURES, track=found
    )


def _as_file(path: Path, found: Sequence[Prediction], unread: Mapping[str, str]) -> DetectionFile:
    """What was found, with times from each video's first frame, as a file of detections says it."""
    rows = []
    for said in found:
        first = float(said.segments.seconds[0, 0])
        for one in said.detections or ():
            start, end = one.start_seconds - first, one.end_seconds - first
            rows.append(Detection(one.label, start, end, one.score, said.video))
    return DetectionFile(
        str(path),
        tuple(rows),
        tuple(f"{path}: {row.video_id}" for row in rows),
        tuple(said.video for said in found),
        {said.video: said.duration_seconds for said in found},
        dict(unread),
    )
