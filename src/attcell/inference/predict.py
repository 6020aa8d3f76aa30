"""One video through a model: what it shows, and where and when the evidence is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from attcell._spread import spread
from attcell._walls import the_videos_own
from attcell._workers import decodes_apart, one_by_one, the_one
from attcell.errors import CallError, VideoError
from attcell.flow import num_cores, use_threads
from attcell.inference.model import Model
from attcell.inference.run import Encoded, as_scores, decide_views, encode_part, refuse_not_finite
from attcell.inference.sound_track import sound_track
from attcell.inference.stored_flow import with_stored_flow
from attcell.models.build import evaluation_plan, input_spec
from attcell.nn import Output
from attcell.types import AttentionTrack, ClassShares, Prediction, Size, SoundTrack
from attcell.video.features import is_features
from attcell.video.info import VideoInfo
from attcell.video.input_spec import InputSpec
from attcell.video.inputs import ResizedFrames
from attcell.video.parts import ViewPart, ViewParts
from attcell.video.sampling import ViewPlan, segment_seconds
from attcell.video.transforms import resized_pictures

PICTURE_SIDE = 320  # pixels of the long side of the frames that a report shows
NO_PICTURES = np.empty((0, 0, 0, 3), dtype=np.uint8)

Part = TypeVar("Part")
End = TypeVar("End")
Result = TypeVar("Result")


def predict_video(
    model: Model,
    path: Path,
    num_segments: int | None = None,
    *,
    pictures: bool = True,
    stored_flow: bool | None = None,
) -> Prediction:
    """Predict the class of one video, and say where and when the evidence is.

    Args:
        model: its network decides the device.
        path: a video file, or a folder of frames.
        num_segments: T; by default the recipe's.
        pictures: keep the segments' frames, their mean flow and a picture of the sound, which a page or a
            figure shows.
        stored_flow: take flow from the store that the recipe names, or compute it; by default what
            :func:`~attcell.inference.stored_flow.with_stored_flow` says.

    Raises:
        CallError: the model has an SVM whose margins are no probabilities.
        VideoError: the file cannot be read, or has fewer frames than T and the recipe refuses that.
        ModelError: the network's scores are not finite numbers.
    """
    stored = None if stored_flow is None else [path] if stored_flow else []
    return the_one(predict_videos(model, [path], num_segments, pictures=pictures, stored_flow=stored))


def predict_videos(
    model: Model,
    paths: Sequence[Path],
    num_segments: int | None = None,
    *,
    pictures: bool = True,
    stored_flow: Collection[Path] | None = None,
) -> Iterator[tuple[Path, Prediction | VideoError]]:
    """Each video with what :func:`predict_video` gives of it, or why it cannot be read; several are decoded
    in a worker. Arguments and other errors are the same; ``stored_flow`` are the videos of which it is taken.
    """
    _refuse_bare_margins(model)
    plan = evaluation_plan(model.recipe, num_segments)
    stored = with_stored_flow(model.recipe, paths) if stored_flow is None else stored_flow
    videos = [SeenVideo.of(model, path, path in stored, pictures=pictures) for path in paths]
    found = spread(partial(_predicted_in_turn, model, plan), videos, file_of, computes=True)
    yield from zip(paths, found, strict=True)


def _predicted_in_turn(
    model: Model, plan: ViewPlan, videos: Sequence[SeenVideo]
) -> Iterator[Prediction | VideoError]:
    return seen_one_by_one(model, partial(_decoded, plan=plan), videos, partial(_predicted, model, plan))


def file_of(video: SeenVideo) -> Path:
    """Where it lies."""
    return video.path


@dataclass(frozen=True)
class SeenVideo:
    """One video, and how it is looked at.

    Attributes:
        path: a video file, or a folder of frames.
        spec: what each stream gets.
        pictures: keep what a page shows.
        device: where flow is computed.
        frames: which frames of a folder, counted from 0, are the video; all if None.
        every: where it is followed, frames from one sample to the next.
        title: of its bar.
    """

    path: Path
    spec: InputSpec
    pictures: bool
    device: str = "cpu"
    frames: range | None = None
    every: int = 1
    title: str = ""

    @classmethod
    def of(
        cls,
        model: Model,
        path: Path,
        stored_flow: bool,
        *,
        pictures: bool = False,
        frames: range | None = None,
    ) -> SeenVideo:
        """A video as a model looks at it, with flow from the store that the recipe names or computed."""
        spec = input_spec(model.recipe)
        spec = spec if stored_flow else spec.computing_flow()
        return cls(path, spec, pictures and not is_features(path), model.device.type, frames)

    @property
    def computes_on_gpu(self) -> bool:
        return self.device != "cpu" and "flow" in self.spec.streams and self.spec.flow.store is None


class Reading(Generic[Part, End]):
    """The parts of a video that was or is being decoded. Iterate it once; then ``end`` tells what it held.

    Args:
        decoded: how many frames it promises, its parts, and its end.
        end: the end's type.
    """

    def __init__(self, decoded: Iterator[int | Part | End], end: type[End]) -> None:
        self._decoded, self._type = decoded, end
        self._end: End | None = None
        self.promised = 0  # frames, from the beginning of the iteration on

    def __iter__(self) -> Iterator[Part]:
        for came in self._decoded:
            if isinstance(came, int):
                self.promised = came
            elif isinstance(came, self._type):
                self._end = came
            else:
                yield came  # type: ignore[misc]

    @property
    def end(self) -> End:
        assert self._end is not None, "iterate first"
        return self._end


def seen_one_by_one(
    model: Model,
    decode: Callable[[SeenVideo], Iterator[Part]],
    videos: Sequence[SeenVideo],
    consume: Callable[[SeenVideo, Iterator[Part]], Result],
) -> Iterator[Result | VideoError]:
    """What a network makes of each video, while a worker decodes ahead, and computes flow."""
    videos = [replace(video, device=model.device.type) for video in videos]  # they may come from elsewhere
    on_gpu = any(video.computes_on_gpu for video in videos)
    if decodes_apart(videos) and not on_gpu:
        videos = [replace(video, device="cpu") for video in videos]
    prepare = partial(use_threads, num_cores())
    found = one_by_one(decode, videos, file_of, consume, prepare=prepare, on_gpu=on_gpu)
    return (result for _, result in found)


@dataclass(frozen=True, eq=False)
class _Part:
    """A part of a video as the network gets it; with start 0 the video begins, perhaps again."""

    start: int
    views: dict[str, Tensor]
    frame_indices: np.ndarray
    shown: _Shown | None


@dataclass(frozen=True, eq=False)
class _End:
    """What the video held."""

    info: VideoInfo
    sound: SoundTrack | None


def _decoded(video: SeenVideo, plan: ViewPlan) -> Iterator[_Part | _End]:
    """The video's parts, and at last what it held."""
    with the_videos_own(video.path):
        parts = ViewParts(video.path, video.spec, plan, video.frames, device=video.device)
        frame_indices: list[np.ndarray] = []
        for part in parts:
            frame_indices = [*(frame_indices if part.start else []), part.frame_indices]
            yield _Part(
                part.start, part.views, part.frame_indices, _Shown.of(part) if video.pictures else None
            )
        info, sound = parts.info, None
        if video.pictures:
            seconds = info.frame_seconds[np.concatenate(frame_indices)]
            sound = sound_track(video.path, info, seconds, video.spec)
        yield _End(info, sound)


def _predicted(model: Model, plan: ViewPlan, video: SeenVideo, parts: Iterator[_Part | _End]) -> Prediction:
    """What the network makes of a video's parts."""
    encoded: list[Encoded] = []
    frame_indices: list[np.ndarray] = []
    shown: list[_Shown] = []
    for part in parts:
        if isinstance(part, _End):
            info, sound = part.info, part.sound
            continue
        if part.start == 0:  # what came before is void
            encoded, frame_indices, shown = [], [], []
        encoded.append(encode_part(model.network, part.views, with_evidence=video.pictures))
        frame_indices.append(part.frame_indices)
        if part.shown is not None:
            shown.append(part.shown)
    (out,) = decide_views(model.network, encoded)
    refuse_not_finite(out.logits)
    spec = video.spec
    return Prediction(
        video=str(video.path),
        labels=model.labels,
        scores=_numpy(_probabilities(model, out.logits[0])),
        duration_seconds=info.duration_seconds,
        segments=AttentionTrack(
            seconds=segment_seconds(info, plan.segments_of(info.num_frames)),
            frame_seconds=info.frame_seconds[np.concatenate(frame_indices)],
            temporal_scores=_numpy(out.temporal_scores[0]),
            temporal_attention=_numpy(out.temporal_attention[0]),
            spatial_attention={
                name: _numpy(maps[0]) for name, maps in spec.with_pictures(out.spatial_attention).items()
            },
            attended_area=spec.attended_area(info.size),
            hearing=spec.hearing,
        ),
        temporal_attention_by_stream={
            name: _numpy(weights[0]) for name, weights in out.temporal_attention_by_stream.items()
        },
        stream_weights=out.stream_weights,
        gates={name: _numpy(gates[0]) for name, gates in out.gates.items()},
        frames=np.concatenate([of.pictures for of in shown]) if shown else NO_PICTURES,
        flow=_joined([of.flow for of in shown]),
        notes=info.notes,
        of_features=is_features(video.path),
        sound=sound,
        evidence=_evidence(out, model.labels, spec) if video.pictures else {},
    )


def _evidence(out: Output, labels: Sequence[str], spec: InputSpec) -> dict[str, ClassShares]:
    """Class → what adds up to its score, of a batch of one video."""
    if out.evidence is None:
        return {}
    regions, segments = spec.with_pictures(out.evidence.regions), out.evidence.segments
    rest = out.evidence.rest.tolist()
    mean = ClassShares(
        {name: _numpy(of[0].mean(dim=1)) for name, of in regions.items()},
        {name: _numpy(of[0].mean(dim=1)) for name, of in segments.items()},
        sum(rest) / len(rest),
    )
    return {
        label: ClassShares(
            {name: _numpy(of[0, :, place]) for name, of in regions.items()},
            {name: _numpy(of[0, :, place]) for name, of in segments.items()},
            rest[place],
            mean,
        )
        for place, label in enumerate(labels)
    }


def _refuse_bare_margins(model: Model) -> None:
    """Raise a CallError for an SVM of which nobody knows what its margins are worth."""
    if model.recipe.score_rule == "margin" and _sharpness(model) is None:
        raise CallError(
            "this model's classes are told by an SVM, whose margins are no probabilities that a page could "
            "show: they become such where each training video has one class, and some could be left out; "
            "score videos with attcell test, or predict with a model of classifier linear"
        )


def _sharpness(model: Model) -> float | None:
    """What an SVM's margins are multiplied with before their softmax."""
    found = model.training.get("svm", {}).get("sharpness")
    return None if found is None else float(found)


def _probabilities(model: Model, logits: torch.Tensor) -> torch.Tensor:
    """(A,) of the classes."""
    sharpness = _sharpness(model)
    if model.recipe.score_rule == "margin" and sharpness is not None:
        return (sharpness * logits).softmax(dim=-1)
    return as_scores(logits, model.recipe.score_rule)


@dataclass(frozen=True, eq=False)
class _Shown:
    """What is kept of a part to be shown.

    Attributes:
        pictures: (t, H, W, 3) uint8.
        flow: (t, 2, h, w); None without a flow stream.
    """

    pictures: np.ndarray
    flow: np.ndarray | None

    @classmethod
    def of(cls, part: ViewPart) -> _Shown:
        images, indices = part.sampled_frames.images, part.frame_indices
        pictures = np.stack([small_picture(images[index]) for index in indices.tolist()])
        return cls(pictures, small_flow(part.resized_frames))


def _joined(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None


def small_flow(resized_frames: ResizedFrames) -> np.ndarray | None:
    """(T, 2, h, w): the mean of each segment's fields, at most PICTURE_SIDE wide and high; None without."""
    flow = resized_frames.mean_flow()
    return None if flow is None else resized_pictures(flow, _small(Size(*reversed(flow.shape[-2:])))).numpy()


def small_picture(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) scaled so that its long side is at most PICTURE_SIDE."""
    size = Size.of_image(image)
    if _small(size) == size:
        return image
    return resized_pictures(torch.from_numpy(image).permute(2, 0, 1), _small(size)).permute(1, 2, 0).numpy()


def _small(size: Size) -> Size:
    scale = PICTURE_SIDE / max(size)
    return size if scale >= 1 else Size(*(max(1, round(side * scale)) for side in size))


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
