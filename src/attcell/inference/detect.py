"""Actions in time in one video of any length, from a model that learnt from labels of whole videos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from attcell._checks import whole_number
from attcell._log import progress_bar
from attcell.errors import ModelError
from attcell.inference.detection_rules import RuleChoice, find, refuse_choice
from attcell.inference.model import Model
from attcell.inference.predict import NO_PICTURES, small_flow, small_picture
from attcell.inference.run import as_scores
from attcell.inference.sound_track import sound_track
from attcell.inference.stored_flow import with_stored_flow
from attcell.inference.streaming import (
    EVERY,
    Keyframes,
    StreamedPart,
    StreamingPass,
    stretches,
    usual_every,
)
from attcell.models.build import input_spec
from attcell.nn.streaming import Whole
from attcell.nn.whole_video import Growing, as_rows
from attcell.types import AttentionTrack, Prediction
from attcell.video._passes import promised_frames
from attcell.video.features import is_features


def follow_video(
    model: Model,
    path: Path,
    every: int = EVERY,
    progress: Callable[[int], None] = lambda num_frames: None,
    *,
    stored_flow: bool = False,
    pictures: bool = True,
) -> Prediction:
    """What the model says of a video sample by sample; nothing is looked for yet.

    Args:
        model: its network decides the device.
        path: a video file, or a folder of frames.
        every: frames from one sample to the next.
        progress: called with how many frames have come so far.
        stored_flow: take flow from the store that the recipe names, in place of computing it.
        pictures: keep frames, their mean flow and a picture of the sound, which a page shows.

    Returns:
        A prediction with its ``track``. Its segments are at most 24 stretches of samples, each shown by its
        strongest.

    Raises:
        CallError, VideoError, DataError, ModelError: as of
            :class:`~attcell.inference.streaming.StreamingPass`.
    """
    passed = StreamingPass(model, path, every, stored_flow=stored_flow)
    pictures = pictures and not is_features(path)
    keyframes, rows = Keyframes(), _Rows(model)
    for streamed in passed:
        rows.add(streamed)
        _keep(streamed, keyframes, every, pictures=pictures)
        progress(int(streamed.sampled_frames.frame_indices[-1]) + 1)
    info, whole = passed.info, passed.whole
    track = rows.track(whole, passed.seconds(), passed.attended_area)
    track = replace(track, hearing=passed.hearing)
    images = [keyframe.picture for keyframe in keyframes.all if keyframe.picture is not None]
    flows = [keyframe.flow for keyframe in keyframes.all if keyframe.flow is not None]
    shown = stretches(track, keyframes)
    return Prediction(
        video=str(path),
        labels=model.labels,
        scores=as_rows(as_scores(whole.logits, model.recipe.score_rule)),
        duration_seconds=info.duration_seconds,
        segments=shown,
        frames=np.stack(images) if images else NO_PICTURES,
        flow=np.stack(flows) if flows else None,
        notes=info.notes,
        track=track,
        of_features=is_features(path),
        sound=sound_track(path, info, shown.frame_seconds, input_spec(model.recipe)) if pictures else None,
    )


def detect_video(
    model: Model,
    path: Path,
    choice: RuleChoice,
    every: int | None = None,
    title: str = "",
    *,
    pictures: bool = True,
    stored_flow: bool | None = None,
) -> Prediction:
    """The actions in a video; a bar says how far it is.

    Args:
        model: its network decides the device.
        path: a video file, or a folder of frames.
        choice: the rule.
        every: frames from one sample to the next; by default what the model was calibrated with, or 5, or
            each row of features.
        title: of the bar.
        pictures: keep frames, their mean flow and a picture of the sound, which a page shows.
        stored_flow: take flow from the store that the recipe names, or compute it; by default what
            :func:`~attcell.inference.stored_flow.with_stored_flow` says.

    Returns:
        A prediction with ``track`` and ``detections``.

    Raises:
        CallError, VideoError, DataError, ModelError: as of :func:`follow_video`; or a rule that the model
            cannot follow.
    """
    calibration = model.calibration
    if model.calibration_fault:
        raise ModelError(model.calibration_fault)
    refuse_choice(choice, calibration)
    if every is None:
        every = usual_every(path) if calibration is None else calibration.every
    every = whole_number(every, "every", least=1)
    if stored_flow is None:
        stored_flow = path in with_stored_flow(model.recipe, [path])
    num_frames = promised_frames(path)
    with progress_bar() as bar:
        task = bar.add_task(title or path.name, total=num_frames, note="")
        followed = follow_video(
            model,
            path,
            every,
            lambda done: bar.update(task, completed=done),
            stored_flow=stored_flow,
            pictures=pictures,
        )
    return replace(followed, detections=tuple(find(followed, choice, calibration)))


class _Rows:
    """What is kept of every sample."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._rows: defaultdict[str, Growing] = defaultdict(Growing)
        self._maps: defaultdict[str, Growing] = defaultdict(Growing)

    def add(self, streamed: StreamedPart) -> None:
        part, model = streamed.part, self._model
        kept = {"own": as_scores(part.logits, model.recipe.score_rule)}
        if model.calibration is not None:
            kept["separate"] = model.calibration.class_scores(part.segments)
        for name, of in kept.items():
            self._rows[name].add(as_rows(of))
        for name, of in part.spatial_attention.items():
            self._maps[name].add(of.half().cpu().numpy())

    def track(
        self, whole: Whole, seconds: np.ndarray, attended_area: tuple[float, float, float, float]
    ) -> AttentionTrack:
        rows = {name: of.rows for name, of in self._rows.items()}
        temporal_scores, by_class = as_rows(whole.temporal_scores), whole.temporal_scores_by_class
        k = temporal_scores.astype(np.float64)
        beta = np.exp(k - k.max()) / np.exp(k - k.max()).sum()
        return AttentionTrack(
            seconds=seconds,
            frame_seconds=seconds[:, 0],
            temporal_scores=temporal_scores,
            temporal_attention=beta,
            spatial_attention={name: of.rows for name, of in self._maps.items()},
            attended_area=attended_area,
            class_scores=rows["own"],
            separate_scores=rows.get("separate"),
            temporal_scores_by_class=None if by_class is None else as_rows(by_class),
        )


def _keep(streamed: StreamedPart, keyframes: Keyframes, every: int, *, pictures: bool) -> None:
    """Add samples to the keyframes, with what a page shows of them."""
    sampled_frames = streamed.sampled_frames
    flows = small_flow(streamed.resized_frames) if pictures else None
    for row, index in enumerate(sampled_frames.frame_indices.tolist()):
        picture = small_picture(sampled_frames.images[index]) if pictures else None
        flow = None if flows is None else flows[row]
        keyframes.add(index // every, float(streamed.part.strength[row]), picture, flow)
