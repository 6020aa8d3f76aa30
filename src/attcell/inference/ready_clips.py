"""What a ready model sees of a video: its clips, decoded here or in a worker, and what is kept of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from torch import Tensor

from attcell._checks import shown
from attcell._walls import the_videos_own
from attcell._workers import one_by_one
from attcell.choices import ClipCrops
from attcell.errors import CallError, ModelError, VideoError
from attcell.inference.detection_rules import ActivationRule
from attcell.inference.predict import NO_PICTURES, Reading, small_picture
from attcell.inference.sound_track import sound_track
from attcell.models.ready.network import ClipProtocol, ReadyNetwork
from attcell.nn.evidence import Maps
from attcell.types import AttentionTrack, SoundTrack
from attcell.video._passes import promised_frames
from attcell.video.clips import Clip, ClipPlan, Clips, mean_rate
from attcell.video.info import VideoInfo

THRESHOLD = 0.3  # *Reading*: of a clip's class score, where actions are looked for

Prepare = Callable[[np.ndarray], Tensor]
Result = TypeVar("Result")


@dataclass(frozen=True)
class ClipVideo:
    """One video, and which of its clips are looked at.

    Attributes:
        path: a video file, or a folder of frames.
        plan: which clips.
        is_followed: all along the video, a clip every half clip where the plan does not say otherwise.
        pictures: keep what a page shows.
        frames: which frames of a folder, counted from 0, are the video; all if None.
        title: of its bar.
    """

    path: Path
    plan: ClipPlan
    is_followed: bool = False
    pictures: bool = False
    frames: range | None = None
    title: str = ""


def file_of(video: ClipVideo) -> Path:
    """Where it lies."""
    return video.path


@dataclass(frozen=True, eq=False)
class ClipsEnd:
    """What a video held, once all clips have come.

    Attributes:
        info: of it.
        plan: which clips were looked at.
        are_short: the video is shorter than a clip.
        sound: to be shown.
    """

    info: VideoInfo
    plan: ClipPlan
    are_short: bool
    sound: SoundTrack | None

    def notes(self, name: str, clip: ClipProtocol) -> tuple[str, ...]:
        """On the file; and where the video is shorter than a clip of the network of this name."""
        if not self.are_short:
            return self.info.notes
        said = (
            f"the video has {self.info.duration_seconds:.1f} s, and {name} looks at clips of "
            f"{clip.num_frames / clip.rate:.1f} s: the {clip.num_frames} frames of its one clip are "
            "spread over all of it"
        )
        return (*self.info.notes, said)


Decoded = int | Clip[Tensor] | ClipsEnd


def decoded_clips(video: ClipVideo, prepare: Prepare) -> Iterator[Decoded]:
    """How many frames a video that is followed promises, its clips, and at last what it held."""
    path, plan = video.path, video.plan
    with the_videos_own(path):
        if video.is_followed:
            yield promised_frames(path, frames=video.frames)
            half = max(1, round(plan.seconds * mean_rate(path) / 2))
            plan = replace(plan, every=half if plan.every is None else plan.every)
        reading = Clips(path, plan, prepare, small_picture if video.pictures else None, video.frames)
        yield from reading
        sound = sound_track(path, reading.info) if video.pictures else None
        yield ClipsEnd(reading.info, plan, reading.are_short, sound)


ClipReading = Reading[Clip[Tensor], ClipsEnd]


def clips_one_by_one(
    videos: Sequence[ClipVideo], prepare: Prepare, consume: Callable[[ClipVideo, ClipReading], Result]
) -> Iterator[Result | VideoError]:
    """What a network makes of each video's clips, or why it cannot be read; of several, a worker decodes
    ahead.
    """

    def consume_parts(video: ClipVideo, parts: Iterator[Decoded]) -> Result:
        return consume(video, Reading(parts, ClipsEnd))

    decode = partial(decoded_clips, prepare=prepare)
    return (result for _, result in one_by_one(decode, videos, file_of, consume_parts))


@dataclass(frozen=True, eq=False)
class SeenClip:
    """What is kept of a clip.

    Attributes:
        scores: (A,) averaged over its crops.
        middle: the frame in the middle.
        maps: where the evidence for a class is, in each of its crops, the middle first.
        picture: the frame in the middle, to be shown.
    """

    scores: Float[np.ndarray, " A"]
    middle: int
    maps: Maps
    picture: np.ndarray | None


def seen_clips(ready: ReadyNetwork, reading: ClipReading, crops: ClipCrops) -> Iterator[tuple[int, SeenClip]]:
    """What a network says of the clips, by their numbers; with 0 a video begins again.

    Raises:
        ModelError: scores that are no finite numbers.
    """
    device = next(ready.network.parameters()).device
    for clip in reading:
        views = ready.preprocessing.views(clip.frames, crops).to(device)
        logits, maps = ready.evidence(ready.network, views)
        scores = logits.softmax(dim=-1).mean(dim=0).cpu().numpy()
        if not np.isfinite(scores).all():
            raise ModelError(
                f"the scores of {ready.name} are not finite numbers: its weights are broken; get them again"
            )
        middle = int(clip.frame_indices[len(clip.frame_indices) // 2])
        yield clip.number, SeenClip(scores, middle, maps, clip.picture)


def clip_track(
    info: VideoInfo,
    middles: np.ndarray,
    scores: np.ndarray,
    maps: dict[str, np.ndarray],
    attended_area: tuple[float, float, float, float],
    class_scores: np.ndarray | None = None,
) -> AttentionTrack:
    """Each clip stands for the part of the video that is nearer to its middle than to another's."""
    at = info.frame_seconds[middles]
    edges = np.concatenate([info.frame_seconds[:1], (at[1:] + at[:-1]) / 2, [info.end_seconds]])
    return AttentionTrack(
        seconds=np.stack([edges[:-1], edges[1:]], axis=1),
        frame_seconds=at,
        temporal_scores=scores,
        temporal_attention=scores.astype(np.float64) / max(float(scores.sum(dtype=np.float64)), 1e-30),
        spatial_attention=maps,
        attended_area=attended_area,
        class_scores=class_scores,
    )


def summed(maps: Float[Tensor, "V L K K"]) -> Float[np.ndarray, "K K"]:
    """The map of the middle crop over a clip's time, summing to 1; even where there is none."""
    whole = maps[0].double().sum(dim=0).cpu().numpy()
    total = whole.sum()
    if not total > 0:
        return np.full(whole.shape, 1 / whole.size, dtype=np.float32)
    return (whole / total).astype(np.float32)


def joined_pictures(pictures: list[np.ndarray | None]) -> np.ndarray:
    there = [one for one in pictures if one is not None]
    return np.stack(there) if there else NO_PICTURES


def detection_rule(threshold: float | None) -> ActivationRule:
    """Where a clip's score of a class is above the threshold; an action scores the mean over its length.

    Raises:
        CallError: the threshold is no number from 0 to 1.
    """
    threshold = THRESHOLD if threshold is None else threshold
    if isinstance(threshold, bool) or not (isinstance(threshold, int | float) and 0 <= threshold < 1):
        raise CallError(f"threshold is {shown(threshold)}; give a number from 0 up to but not including 1")
    return ActivationRule("none", threshold, length_normalised=True, with_video_score=False)


def rule_words(threshold: float | None) -> str:
    """The rule of a ready model's detections, for people."""
    rule = detection_rule(threshold)
    return f"classes: the clips’ class score above {rule.threshold:.2f}, group by group; the mean of it"
