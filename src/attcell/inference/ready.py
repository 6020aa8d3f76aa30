"""A ready model on a video: clips spread over it, their scores averaged, and where and when the evidence is.

A ready model has no attention cell. *Where* is a map made after the fact (``nn.evidence``), *when* is how the
score of the video's class is shared out among its clips; a prediction's ``explanation`` names both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, overload

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from attcell._checks import path_of, shown, whole_number
from attcell._log import progress_bar
from attcell.data.sources import read_source
from attcell.errors import CallError, ModelError
from attcell.inference.detection_rules import ActivationRule, find_by_activation
from attcell.inference.predict import NO_PICTURES, small_picture
from attcell.inference.run import device_named
from attcell.inference.sound_track import sound_track
from attcell.inference.streaming import Keyframes, stretches
from attcell.models.ready.network import ReadyNetwork
from attcell.models.ready.registry import ready_network
from attcell.nn.evidence import Maps
from attcell.nn.whole_video import Growing
from attcell.types import AttentionTrack, ClipCrops, Detection, Explanation, Prediction
from attcell.video._passes import promised_frames
from attcell.video.clips import ClipPlan, Clips, mean_rate
from attcell.video.info import VideoInfo

if TYPE_CHECKING:
    from attcell.inference.evaluate import Evaluation

STREAM = "clip"  # the name of its one stream
MOST_CLIPS = 100  # of a prediction, whose gradients are held until all clips have been seen
THRESHOLD = 0.3  # *Reading*: of a clip's class score, where actions are looked for


class ReadyModel:
    """A network that others trained, with the face of :class:`~attcell.inference.model.Model`.

    Attributes:
        ready: what it was made of: its preprocessing, what it is shown of a video, how its evidence is found.
        name: such as ``kinetics/mvit_v2_s``.
        network: in test mode. Its device is the model's.
        labels: the A classes, in the order of the scores.
    """

    def __init__(self, ready: ReadyNetwork) -> None:
        self.ready = ready
        self.name = ready.name
        self.network = ready.network
        self.labels = ready.labels

    @classmethod
    def named(cls, name: str) -> Self:
        """The ready model of this name; errors as of :func:`ready_network`."""
        return cls(ready_network(name))

    def __repr__(self) -> str:
        return f"ReadyModel({self.name}, {len(self.labels)} classes)"

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def to(self, device: str | torch.device) -> Self:
        """Move the network to a device, and return the model.

        Raises:
            CallError: not a device, or a GPU where PyTorch finds none.
        """
        self.network.to(device_named(device))
        return self

    def predict(
        self,
        video: str | Path,
        *,
        clips: int | None = None,
        crops: ClipCrops = 1,
        pictures: bool = True,
        title: str = "",
    ) -> Prediction:
        """Predict the class of a video, and say where and when the evidence is.

        Args:
            video: path of a video file, or of a folder of frames such as img_00001.jpg.
            clips: how many, evenly spread over the video; by default as those who published it.
            crops: 1, the middle of the frames, or 3, the ends of their longer side too; scores are averaged.
            pictures: keep the frame in the middle of each clip, which a page or a figure shows.
            title: of the bar; by default the video's name.

        Raises:
            CallError: an argument that is not allowed.
            VideoError: the file cannot be read.
            ModelError: scores that are no finite numbers.
        """
        path = path_of(video, "video", "clip.mp4")
        plan = self._plan(clips, crops)
        reading = Clips(path, plan, self.ready.preprocessing.prepare, small_picture if pictures else None)
        seen: list[_Seen] = []
        with progress_bar() as bar:
            task = bar.add_task(title or path.name, total=plan.num_clips, note="")
            for number, one in self._seen(reading, crops):
                seen[number:] = [one]
                bar.update(task, completed=len(seen))
        info = reading.info
        scores = np.stack([one.scores for one in seen])
        mean = scores.mean(axis=0)
        label = int(mean.argmax())
        middles = np.array([one.middle for one in seen])
        return Prediction(
            video=str(path),
            labels=self.labels,
            scores=mean,
            duration_seconds=info.duration_seconds,
            segments=self._track(
                info, middles, scores[:, label], np.stack([_summed(one.maps(label)) for one in seen])
            ),
            frames=_pictures([one.picture for one in seen]),
            notes=(*info.notes, *self._short(reading)),
            explanation=self._explanation(label, self._protocol(plan, len(seen), crops)),
            sound=sound_track(path, info) if pictures else None,
        )

    @overload
    def detect(
        self,
        video: str | Path,
        *,
        every: int | None = ...,
        threshold: float = ...,
        return_track: Literal[False] = ...,
    ) -> list[Detection]: ...

    @overload
    def detect(
        self,
        video: str | Path,
        *,
        every: int | None = ...,
        threshold: float = ...,
        return_track: Literal[True],
    ) -> tuple[list[Detection], AttentionTrack]: ...

    def detect(
        self,
        video: str | Path,
        *,
        every: int | None = None,
        threshold: float = THRESHOLD,
        return_track: bool = False,
    ) -> list[Detection] | tuple[list[Detection], AttentionTrack]:
        """Find actions in time in a video of any length, best first: where a class's score stays above a
        threshold from clip to clip.

        Args:
            video: path of a video file, or of a folder of frames.
            every: frames from one clip to the next; by default half a clip.
            threshold: of a class's score.
            return_track: return also the scores, clip by clip, in which they were found.

        Raises:
            CallError: a number that is not allowed.
            VideoError: the file cannot be read.
        """
        found = self.follow(path_of(video, "video", "long.mp4"), every, threshold, pictures=False)
        assert found.track is not None, "actions were looked for in it"
        detections = list(found.detections or ())
        return (detections, found.track) if return_track else detections

    def follow(
        self,
        path: Path,
        every: int | None = None,
        threshold: float | None = None,
        title: str = "",
        *,
        pictures: bool = True,
    ) -> Prediction:
        """The actions in a video, with everything that a page shows of it; arguments as of :meth:`detect`."""
        rule = detection_rule(threshold)
        clip, video_rate = self.ready.clip, mean_rate(path)
        plan = ClipPlan(clip.num_frames, clip.rate)
        every = max(1, round(plan.seconds * video_rate / 2)) if every is None else every
        plan = replace(plan, every=whole_number(every, "every", least=1))
        reading = Clips(path, plan, self.ready.preprocessing.prepare, small_picture if pictures else None)
        rows, maps, middles, keyframes = Growing(), Growing(), Growing(), Keyframes()
        with progress_bar() as bar:
            task = bar.add_task(title or path.name, total=promised_frames(path), note="")
            for number, one in self._seen(reading, 1):
                if number == 0:
                    rows, maps, middles, keyframes = Growing(), Growing(), Growing(), Keyframes()
                rows.add(one.scores[None])
                middles.add(np.array([one.middle]))
                if pictures:
                    maps.add(_summed(one.maps(int(one.scores.argmax())))[None].astype(np.float16))
                    keyframes.add(number, float(one.scores.max()), one.picture, None)
                bar.update(task, completed=one.middle)
        mean = rows.rows.mean(axis=0)
        label = int(mean.argmax())
        track = self._track(
            reading.info, middles.rows, rows.rows[:, label], maps.rows if pictures else None, rows.rows
        )
        found = Prediction(
            video=str(path),
            labels=self.labels,
            scores=mean,
            duration_seconds=reading.info.duration_seconds,
            segments=stretches(track, keyframes) if pictures else track,
            frames=_pictures([of.picture for of in keyframes.all]),
            notes=(*reading.info.notes, *self._short(reading)),
            explanation=self._explanation(label, self._protocol(plan, len(track), 1)),
            track=track,
            sound=sound_track(path, reading.info) if pictures else None,
        )
        return replace(found, detections=tuple(find_by_activation(track, self.labels, found.scores, rule)))

    def evaluate(
        self,
        data: str | Path,
        *,
        root: str | Path | None = None,
        clips: int | None = None,
        crops: ClipCrops = 1,
    ) -> Evaluation:
        """Score every video of a data set, as ``attcell test`` does: figures with their protocol.

        Args:
            data: a folder per class, or a list; its classes are some of the model's, by their names.
            root: what a list's paths are relative to.
            clips, crops: as of :meth:`predict`.

        Raises:
            CallError: an argument that is not allowed.
            DataError: a source that is not right, or holds a class that the model does not know.
        """
        from attcell.inference.evaluate import evaluate_ready

        listing = read_source(data, root, self.labels)
        return evaluate_ready(self, listing, clips=clips, crops=crops, tested=str(data))

    def class_scores(
        self, path: Path, frames: range | None = None, *, clips: int | None = None, crops: ClipCrops = 1
    ) -> tuple[Float[np.ndarray, " A"], tuple[str, ...]]:
        """The class scores of :meth:`predict` alone, and notes on the file; ``frames`` are a window of a
        folder's. Errors are the same.
        """
        reading = Clips(path, self._plan(clips, crops), self.ready.preprocessing.prepare, frames=frames)
        rows: list[np.ndarray] = []
        for number, one in self._seen(reading, crops):
            rows[number:] = [one.scores]
        return np.mean(rows, axis=0), (*reading.info.notes, *self._short(reading))

    def protocol(self, clips: int | None = None, crops: ClipCrops = 1) -> str:
        """What is looked at of a video, in words; arguments and errors as of :meth:`predict`."""
        plan = self._plan(clips, crops)
        return self._protocol(plan, plan.num_clips, crops)

    # One clip after another

    def _seen(self, reading: Clips[Tensor], crops: ClipCrops) -> Iterator[tuple[int, _Seen]]:
        """The clips by their numbers; with 0 a video begins again."""
        ready = self.ready
        for clip in reading:
            views = ready.preprocessing.views(clip.frames, crops).to(self.device)
            logits, maps = ready.evidence(ready.network, views)
            scores = logits.softmax(dim=-1).mean(dim=0).cpu().numpy()
            if not np.isfinite(scores).all():
                raise ModelError(
                    f"the scores of {self.name} are not finite numbers: its weights are broken; get "
                    "them again"
                )
            middle = int(clip.frame_indices[len(clip.frame_indices) // 2])
            yield clip.number, _Seen(scores, middle, maps, clip.picture)

    def _plan(self, clips: int | None, crops: ClipCrops) -> ClipPlan:
        clip = self.ready.clip
        if clips is None:
            clips = clip.num_clips
        if whole_number(clips, "clips", least=1) > MOST_CLIPS:
            raise CallError(
                f"clips is {clips}; allowed: 1 to {MOST_CLIPS}. To look along all of a long video, use detect"
            )
        if crops not in (1, 3):
            raise CallError(
                f"crops is {shown(crops)}; allowed: 1 (the middle), 3 (the ends of the longer side too)"
            )
        return ClipPlan(clip.num_frames, clip.rate, clips)

    def _track(
        self,
        info: VideoInfo,
        middles: np.ndarray,
        scores: np.ndarray,
        maps: np.ndarray | None,
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
            spatial_attention={} if maps is None else {STREAM: maps},
            attended_area=self.ready.preprocessing.attended_area(info.size),
            class_scores=class_scores,
        )

    def _explanation(self, label: int, protocol: str) -> Explanation:
        return Explanation(
            where=self.ready.evidence.words,
            when=f"each clip’s share in the score of {self.labels[label]}",
            protocol=protocol,
        )

    def _protocol(self, plan: ClipPlan, num_clips: int, crops: ClipCrops) -> str:
        clip = self.ready.clip
        spread = "evenly spread" if plan.every is None else f"one every {plan.every} frames of the video"
        seen = "the middle of the frames" if crops == 1 else "3 crops of each"
        return (
            f"{num_clips} {'clip' if num_clips == 1 else 'clips'} of {plan.num_frames} frames at "
            f"{plan.rate:g} a second ({plan.seconds:.1f} s), {spread}, {seen}, class scores averaged; "
            f"{clip.origin}"
        )

    def _short(self, reading: Clips[Tensor]) -> tuple[str, ...]:
        """A note on a video that is shorter than a clip."""
        if not reading.are_short:
            return ()
        clip, info = self.ready.clip, reading.info
        return (
            f"the video has {info.duration_seconds:.1f} s, and {self.name} looks at clips of "
            f"{clip.num_frames / clip.rate:.1f} s: the {clip.num_frames} frames of its one clip are "
            "spread over all of it",
        )


@dataclass(frozen=True, eq=False)
class _Seen:
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


def _summed(maps: Float[Tensor, "V L K K"]) -> Float[np.ndarray, "K K"]:
    """The map of the middle crop over a clip's time, summing to 1; even where there is none."""
    whole = maps[0].double().sum(dim=0).cpu().numpy()
    total = whole.sum()
    if not total > 0:
        return np.full(whole.shape, 1 / whole.size, dtype=np.float32)
    return (whole / total).astype(np.float32)


def _pictures(pictures: list[np.ndarray | None]) -> np.ndarray:
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
