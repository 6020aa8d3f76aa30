"""A ready model on a video: clips spread over it, their scores averaged, and where and when the evidence is.

A ready model has no attention cell. *Where* is a map made after the fact (``nn.evidence``), *when* is how the
score of the video's class is shared out among its clips; a prediction's ``explanation`` names both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypeVar, overload

import numpy as np
import torch
from jaxtyping import Float

from attcell import _servers
from attcell._checks import path_of, shown, whole_number
from attcell._log import progress_bar
from attcell._spread import spread
from attcell._workers import the_one
from attcell.choices import ClipCrops
from attcell.data.sources import read_source
from attcell.errors import CallError, VideoError
from attcell.inference.detection_rules import ActivationRule, find_by_activation
from attcell.inference.ready_clips import (
    THRESHOLD,
    ClipReading,
    ClipsEnd,
    ClipVideo,
    SeenClip,
    clip_track,
    clips_one_by_one,
    detection_rule,
    file_of,
    joined_pictures,
    seen_clips,
    summed,
)
from attcell.inference.run import device_named
from attcell.inference.streaming import Keyframes, stretches
from attcell.models.ready.network import ReadyNetwork
from attcell.models.ready.registry import ready_network
from attcell.nn.whole_video import Growing
from attcell.types import AttentionTrack, Detection, Explanation, Prediction, VideoRecord
from attcell.video.clips import ClipPlan
from attcell.video.info import VideoInfo

if TYPE_CHECKING:
    from attcell.inference.evaluate import Evaluation

Result = TypeVar("Result")

STREAM = "clip"  # the name of its one stream
MOST_CLIPS = 100  # of a prediction, whose gradients are held until all clips have been seen


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
        paths = [path_of(video, "video", "clip.mp4")]
        titles = {paths[0]: title or paths[0].name}
        return the_one(self.predict_all(paths, clips=clips, crops=crops, pictures=pictures, titles=titles))

    def predict_all(
        self,
        videos: Sequence[Path],
        *,
        clips: int | None = None,
        crops: ClipCrops = 1,
        pictures: bool = True,
        titles: Mapping[Path, str],
    ) -> Iterator[tuple[Path, Prediction | VideoError]]:
        """Each video with what :meth:`predict` gives of it, or why it cannot be read; several are decoded in
        a worker. Arguments and other errors are the same; ``titles`` are those of the bars.
        """
        plan = self._plan(clips, crops)
        seen = [ClipVideo(path, plan, pictures=pictures, title=titles[path]) for path in videos]
        consume = partial(self._predicted, crops=crops)
        found = spread(partial(self._in_turn, consume), seen, file_of, computes=True, bar="predicting")
        yield from zip(videos, found, strict=True)

    def _in_turn(
        self, consume: Callable[[ClipVideo, ClipReading], Result], videos: Sequence[ClipVideo]
    ) -> Iterator[Result | VideoError]:
        return clips_one_by_one(videos, self.ready.preprocessing.prepare, consume)

    def _predicted(self, video: ClipVideo, reading: ClipReading, crops: ClipCrops) -> Prediction:
        plan, seen = video.plan, list[SeenClip]()
        with progress_bar() as bar:
            task = bar.add_task(video.title, total=plan.num_clips, note="")
            for number, one in seen_clips(self.ready, reading, crops):
                seen[number:] = [one]
                bar.update(task, completed=len(seen))
        info = reading.end.info
        scores = np.stack([one.scores for one in seen])
        mean = scores.mean(axis=0)
        label = int(mean.argmax())
        middles = np.array([one.middle for one in seen])
        return Prediction(
            video=str(video.path),
            labels=self.labels,
            scores=mean,
            duration_seconds=info.duration_seconds,
            segments=self._track(
                info, middles, scores[:, label], np.stack([summed(one.maps(label)) for one in seen])
            ),
            frames=joined_pictures([one.picture for one in seen]),
            notes=self._notes_on(reading.end),
            explanation=self._explanation(label, self._protocol(plan, len(seen), crops)),
            sound=reading.end.sound,
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
        titles = {path: title or path.name}
        return the_one(self.follow_all([path], every, threshold, titles, pictures=pictures))

    def follow_all(
        self,
        videos: Sequence[Path],
        every: int | None,
        threshold: float | None,
        titles: Mapping[Path, str],
        *,
        pictures: bool = True,
    ) -> Iterator[tuple[Path, Prediction | VideoError]]:
        """Each video with what :meth:`follow` gives of it, or why it cannot be read; several are decoded in a
        worker. Arguments and other errors are the same; ``titles`` are those of the bars.
        """
        rule, clip = detection_rule(threshold), self.ready.clip
        plan = ClipPlan(clip.num_frames, clip.rate)
        if every is not None:
            plan = replace(plan, every=whole_number(every, "every", least=1))
        seen = [
            ClipVideo(path, plan, is_followed=True, pictures=pictures, title=titles[path]) for path in videos
        ]
        consume = partial(self._followed, rule=rule)
        found = spread(partial(self._in_turn, consume), seen, file_of, computes=True, bar="detecting")
        yield from zip(videos, found, strict=True)

    def _followed(self, video: ClipVideo, reading: ClipReading, rule: ActivationRule) -> Prediction:
        pictures = video.pictures
        rows, maps, middles, keyframes = Growing(), Growing(), Growing(), Keyframes()
        with progress_bar() as bar:
            task = bar.add_task(video.title, total=None, note="")
            for number, one in seen_clips(self.ready, reading, 1):
                if number == 0:
                    rows, maps, middles, keyframes = Growing(), Growing(), Growing(), Keyframes()
                rows.add(one.scores[None])
                middles.add(np.array([one.middle]))
                if pictures:
                    maps.add(summed(one.maps(int(one.scores.argmax())))[None].astype(np.float16))
                    keyframes.add(number, float(one.scores.max()), one.picture, None)
                bar.update(task, completed=one.middle, total=reading.promised)
        mean, end = rows.rows.mean(axis=0), reading.end
        label = int(mean.argmax())
        track = self._track(
            end.info, middles.rows, rows.rows[:, label], maps.rows if pictures else None, rows.rows
        )
        found = Prediction(
            video=str(video.path),
            labels=self.labels,
            scores=mean,
            duration_seconds=end.info.duration_seconds,
            segments=stretches(track, keyframes) if pictures else track,
            frames=joined_pictures([of.picture for of in keyframes.all]),
            notes=self._notes_on(end),
            explanation=self._explanation(label, self._protocol(end.plan, len(track), 1)),
            track=track,
            sound=end.sound,
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
        return evaluate_ready(self, listing, clips=clips, crops=crops, tested=_servers.shown(str(data)))

    def class_scores(
        self, records: Sequence[VideoRecord], *, clips: int | None = None, crops: ClipCrops = 1
    ) -> Iterator[tuple[Float[np.ndarray, " A"], tuple[str, ...]] | VideoError]:
        """Of each video the class scores of :meth:`predict` alone, and notes on the file, or why it cannot be
        read. Other errors are the same.
        """
        plan = self._plan(clips, crops)
        seen = [ClipVideo(record.path, plan, frames=record.frames) for record in records]
        consume = partial(self._scored, crops=crops)
        yield from spread(partial(self._in_turn, consume), seen, file_of, computes=True)

    def _scored(
        self, _: ClipVideo, reading: ClipReading, crops: ClipCrops
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        rows: list[np.ndarray] = []
        for number, one in seen_clips(self.ready, reading, crops):
            rows[number:] = [one.scores]
        return np.mean(rows, axis=0), self._notes_on(reading.end)

    def protocol(self, clips: int | None = None, crops: ClipCrops = 1) -> str:
        """What is looked at of a video, in words; arguments and errors as of :meth:`predict`."""
        plan = self._plan(clips, crops)
        return self._protocol(plan, plan.num_clips, crops)

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
        area = self.ready.preprocessing.attended_area(info.size)
        return clip_track(info, middles, scores, {} if maps is None else {STREAM: maps}, area, class_scores)

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

    def _notes_on(self, end: ClipsEnd) -> tuple[str, ...]:
        return end.notes(self.name, self.ready.clip)
