"""Actions in time in one video of any length, from a model that learnt from labels of whole videos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from attcell._checks import whole_number
from attcell._log import progress_bar
from attcell._spread import spread
from attcell._walls import the_videos_own
from attcell._workers import the_one
from attcell.errors import ModelError, VideoError
from attcell.inference.detection_rules import RuleChoice, find, refuse_choice
from attcell.inference.model import Model
from attcell.inference.predict import NO_PICTURES, SeenVideo, file_of, seen_one_by_one
from attcell.inference.run import as_scores
from attcell.inference.sound_track import sound_track
from attcell.inference.stored_flow import with_stored_flow
from attcell.inference.streaming import (
    EVERY,
    Decoded,
    Keyframes,
    StreamedPart,
    StreamingPass,
    decoded_samples,
    stretches,
    usual_every,
)
from attcell.nn.streaming import Part, Whole
from attcell.nn.whole_video import Growing, as_rows
from attcell.types import AttentionTrack, Prediction
from attcell.video.features import is_features


def follow_video(
    model: Model,
    path: Path,
    every: int = EVERY,
    progress: Callable[[int], None] = lambda num_frames: None,
    *,
    stored_flow: bool = False,
    pictures: bool = True,
    decoded: Iterator[Decoded] | None = None,
) -> Prediction:
    """What the model says of a video sample by sample; nothing is looked for yet.

    Args:
        model: its network decides the device.
        path: a video file, or a folder of frames.
        every: frames from one sample to the next.
        progress: called with how many frames have come so far.
        stored_flow: take flow from the store that the recipe names, in place of computing it.
        pictures: keep frames, their mean flow and a picture of the sound, which a page shows.
        decoded: what :func:`~attcell.inference.streaming.decoded_samples` gives of it, where it is decoded
            elsewhere.

    Returns:
        A prediction with its ``track``. Its segments are at most 24 stretches of samples, each shown by its
        strongest.

    Raises:
        CallError, VideoError, DataError, ModelError: as of
            :class:`~attcell.inference.streaming.StreamingPass`.
    """
    video = SeenVideo.of(model, path, stored_flow, pictures=pictures)
    passed = StreamingPass(model, video, every, decoded)
    return _followed(model, passed, video, lambda done, _: progress(done))


def _followed(
    model: Model, passed: StreamingPass, video: SeenVideo, progress: Callable[[int, int], None]
) -> Prediction:
    """What the model says of a video, from a pass over it; of how many frames that have come of how many that
    are promised, ``progress`` is told.
    """
    path, keyframes, rows = video.path, Keyframes(), TrackRows(model)
    for streamed in passed:
        rows.add(streamed.part)
        _keep(streamed, keyframes)
        progress(int(streamed.samples.frame_indices[-1]) + 1, passed.promised)
    info, whole = passed.info, passed.whole
    track = rows.track(whole, passed.seconds(), passed.attended_area)
    track = replace(track, hearing=passed.hearing)
    images = [keyframe.picture for keyframe in keyframes.all if keyframe.picture is not None]
    flows = [keyframe.flow for keyframe in keyframes.all if keyframe.flow is not None]
    shown = stretches(track, keyframes)
    with the_videos_own(path):
        sound = sound_track(path, info, shown.frame_seconds, video.spec) if video.pictures else None
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
        sound=sound,
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
    stored = None if stored_flow is None else [path] if stored_flow else []
    titles = {path: title or path.name}
    return the_one(detect_videos(model, [path], choice, every, titles, pictures=pictures, stored_flow=stored))


def detect_videos(
    model: Model,
    paths: Sequence[Path],
    choice: RuleChoice,
    every: int | None,
    titles: Mapping[Path, str],
    *,
    pictures: bool = True,
    stored_flow: Collection[Path] | None = None,
) -> Iterator[tuple[Path, Prediction | VideoError]]:
    """Each video with what :func:`detect_video` finds in it, or why it cannot be read; several are decoded in
    a worker. Arguments and other errors are the same; ``stored_flow`` are the videos of which it is taken.
    """
    calibration = model.calibration
    if model.calibration_fault:
        raise ModelError(model.calibration_fault)
    refuse_choice(choice, calibration)
    if every is None and calibration is not None:
        every = calibration.every
    if every is not None:
        every = whole_number(every, "every", least=1)
    stored = with_stored_flow(model.recipe, paths) if stored_flow is None else stored_flow
    videos = [
        replace(
            SeenVideo.of(model, path, path in stored, pictures=pictures),
            every=usual_every(path) if every is None else every,
            title=titles[path],
        )
        for path in paths
    ]
    found = spread(partial(_detected_in_turn, model, choice), videos, file_of, computes=True, bar="detecting")
    yield from zip(paths, found, strict=True)


def _detected_in_turn(
    model: Model, choice: RuleChoice, videos: Sequence[SeenVideo]
) -> Iterator[Prediction | VideoError]:
    return seen_one_by_one(model, _decoded, videos, partial(_detected, model, choice))


def _decoded(video: SeenVideo) -> Iterator[Decoded]:
    return decoded_samples(video, video.every)


def _detected(model: Model, choice: RuleChoice, video: SeenVideo, decoded: Iterator[Decoded]) -> Prediction:
    passed = StreamingPass(model, video, video.every, decoded)
    with progress_bar() as bar:
        task = bar.add_task(video.title, total=None, note="")
        followed = _followed(
            model, passed, video, lambda done, all: bar.update(task, completed=done, total=all)
        )
    return replace(followed, detections=tuple(find(followed, choice, model.calibration)))


class TrackRows:
    """What is kept of every sample."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._rows: defaultdict[str, Growing] = defaultdict(Growing)
        self._maps: defaultdict[str, Growing] = defaultdict(Growing)

    def add(self, part: Part) -> None:
        """The samples that come next."""
        model = self._model
        evidence = part.evidence
        if model.recipe.score_rule == "softmax":  # which does not see what all classes have alike
            evidence = evidence - evidence.mean(dim=1, keepdim=True)
        kept = {"own": as_scores(part.logits, model.recipe.score_rule), "evidence": evidence}
        if model.calibration is not None:
            kept["separate"] = model.calibration.class_scores(part.segments)
        for name, of in kept.items():
            self._rows[name].add(as_rows(of))
        for name, of in part.spatial_attention.items():
            self._maps[name].add(of.half().cpu().numpy())

    def track(
        self, whole: Whole, seconds: np.ndarray, attended_area: tuple[float, float, float, float]
    ) -> AttentionTrack:
        """All of them; ``seconds`` (T, 2) is the part of the video that each stands for."""
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
            class_evidence=rows["evidence"],
            temporal_scores_by_class=None if by_class is None else as_rows(by_class),
        )


def _keep(streamed: StreamedPart, keyframes: Keyframes) -> None:
    """Add samples to the keyframes, with what a page shows of them."""
    samples = streamed.samples
    for row in range(len(samples.frame_indices)):
        picture = samples.pictures[row] if samples.pictures else None
        flow = None if samples.flow is None else samples.flow[row]
        keyframes.add(samples.first + row, float(streamed.part.strength[row]), picture, flow)
