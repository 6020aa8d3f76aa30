"""A model on one video, sample by sample: one pass of decoding, and memory that does not grow with length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from weakref import finalize

import numpy as np
import torch
from torch import Tensor

from attcell._walls import the_videos_own
from attcell.errors import DataError
from attcell.inference.model import Model
from attcell.inference.predict import Reading, SeenVideo, small_flow, small_picture
from attcell.inference.run import encode_part, refuse_not_finite
from attcell.nn.streaming import Part, Whole, streamer
from attcell.types import AttentionTrack, Hearing
from attcell.video._passes import promised_frames
from attcell.video.features import is_features
from attcell.video.info import VideoInfo
from attcell.video.inputs import resize_frames
from attcell.video.parts import DenseSampling
from attcell.video.readers import Origin
from attcell.video.transforms import centre_crop, centre_size

EVERY = 5  # frames from one sample to the next, as in the paper
SAMPLES_AT_ONCE = 16


def usual_every(path: Path) -> int:
    """Frames from one sample of a video to the next, where nobody says how many: 5; of features each row."""
    return 1 if is_features(path) else EVERY


@dataclass(frozen=True, eq=False)
class Samples:
    """Some samples of a video that follow each other, as a network gets them.

    Attributes:
        first: the number of the first of them.
        frame_indices: (t,) int64.
        views: stream → (t, ...).
        pictures: of each sample, to be shown; none where nobody asked for them.
        flow: (t, 2, h, w) the mean of the fields around each, to be shown; None too without a flow stream.
    """

    first: int
    frame_indices: np.ndarray
    views: dict[str, Tensor]
    pictures: list[np.ndarray]
    flow: np.ndarray | None


Decoded = int | Samples | VideoInfo


def decoded_samples(video: SeenVideo, every: int) -> Iterator[Decoded]:
    """How many frames a video promises, then a sample every so many frames, and at last what it held."""
    spec = video.spec
    with the_videos_own(video.path):
        yield promised_frames(video.path, frames=video.frames)
        readers = spec.readers(Origin(video.path, video.frames, video.device))
        sampling = DenseSampling(video.path, spec, every, SAMPLES_AT_ONCE, video.frames)
        notes: tuple[str, ...] = ()
        for sampled_frames in sampling:
            size = centre_size(sampled_frames.size, spec.frame)
            resized_frames = resize_frames(sampled_frames, spec, size, readers)
            notes = resized_frames.notes
            indices, pictures = sampled_frames.frame_indices, list[np.ndarray]()
            if video.pictures:
                pictures = [small_picture(sampled_frames.images[index]) for index in indices.tolist()]
            view = resized_frames.view(centre_crop(size, spec.frame))
            flow = small_flow(resized_frames) if video.pictures else None
            first = int(indices[0]) // every
            yield Samples(first, indices, {name: view[name] for name in spec.streams}, pictures, flow)
        info = sampling.info
        yield replace(info, notes=(*info.notes, *notes))


@dataclass(frozen=True, eq=False)
class StreamedPart:
    """Some samples that follow each other, and what the network says of them.

    Attributes:
        samples: as it got them.
        part: with the spatial attention of the streams that look at pictures.
    """

    samples: Samples
    part: Part


class StreamingPass:
    """One pass of a model over a video. Iterate it once; then it tells the times and the classes.

    Args:
        model: its network decides the device.
        video: and how it is looked at.
        every: frames from one sample to the next, or rows of features.
        decoded: what :func:`decoded_samples` gives of it, where it is decoded elsewhere.

    Raises:
        CallError: a model that does not score single segments.
        VideoError: on iteration, the file cannot be read, or the store lacks its flow.
        DataError: on iteration, no room for what is kept of a video until its end.
        ModelError: on iteration, the network's scores are not finite numbers.
    """

    def __init__(
        self,
        model: Model,
        video: SeenVideo,
        every: int,
        decoded: Iterator[Decoded] | None = None,
    ) -> None:
        self._network = model.network
        self._streamer = streamer(model.network, RowsOnDisk)
        self._every = every
        self._spec = video.spec
        decoded = decoded_samples(video, every) if decoded is None else decoded
        self._reading: Reading[Samples, VideoInfo] = Reading(decoded, VideoInfo)

    def __iter__(self) -> Iterator[StreamedPart]:
        for samples in self._reading:
            views = {name: of[None] for name, of in samples.views.items()}
            ((encoded,),) = encode_part(self._network, views)
            part = self._streamer.step_encoded(encoded)
            refuse_not_finite(torch.cat([part.logits.flatten(), part.strength]))
            attention = self._spec.with_pictures(part.spatial_attention)
            yield StreamedPart(samples, replace(part, spatial_attention=attention))

    @property
    def promised(self) -> int:
        """How many frames the video promises, from the beginning of the iteration on."""
        return self._reading.promised

    @property
    def info(self) -> VideoInfo:
        """What the video held, once all of it has come."""
        return self._reading.end

    @property
    def attended_area(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of what the network saw, as fractions of the frame."""
        return self._spec.attended_area(self.info.size)

    @property
    def hearing(self) -> dict[str, Hearing]:
        """What the maps of the streams of sound cover."""
        return self._spec.hearing

    @cached_property
    def whole(self) -> Whole:
        """The temporal scores of all samples, and the class scores of the video, once all of it has come.

        Raises:
            ModelError: they are not finite numbers.
        """
        found = self._streamer.whole()
        refuse_not_finite(torch.cat([found.logits, found.temporal_scores]))
        return found

    def seconds(self) -> np.ndarray:
        """(T, 2) the part of the video that each sample stands for: from its frame to the next sample's.

        *Reading*: what is found ends ``every`` frames after its last sample, or with the video.
        """
        starts = self.info.frame_seconds[:: self._every]
        return np.stack([starts, np.append(starts[1:], self.info.end_seconds)], axis=1)


# A few pictures of a video of any length: stretches of samples, each shown by its strongest.

MOST = 24


@dataclass(frozen=True, eq=False)
class Keyframe:
    """A stretch of samples.

    Attributes:
        first: its first sample.
        end: the sample after its last.
        shown: its strongest sample, by the ``strength`` of :class:`~attcell.nn.streaming.Part`.
        strength: of this sample.
        picture: (H, W, 3) uint8, its frame; None where no pictures are asked for.
        flow: (2, h, w) float32, the mean of the fields around it; None too without a flow stream.
    """

    first: int
    end: int
    shown: int
    strength: float
    picture: np.ndarray | None
    flow: np.ndarray | None


class Keyframes:
    """At most ``MOST`` stretches, about equally long; neighbours are joined when there would be more."""

    def __init__(self) -> None:
        self.all: list[Keyframe] = []
        self._length = 1

    def add(self, sample: int, strength: float, picture: np.ndarray | None, flow: np.ndarray | None) -> None:
        """Add the next sample."""
        latest = Keyframe(sample, sample + 1, sample, strength, picture, flow)
        if self.all and self.all[-1].end - self.all[-1].first < self._length:
            latest = _joined(self.all.pop(), latest)
        self.all.append(latest)
        if len(self.all) > MOST:
            pairs = zip(self.all[::2], [*self.all[1::2], None], strict=False)
            self.all = [one if other is None else _joined(one, other) for one, other in pairs]
            self._length *= 2


def _joined(one: Keyframe, other: Keyframe) -> Keyframe:
    stronger = other if other.strength > one.strength else one
    return replace(stronger, first=one.first, end=other.end)


# What is kept of a video until its end, where the network weights segments by the whole of it


class RowsOnDisk:
    """Rows in a file without a name, in the folder for temporary files ($TMPDIR); it goes with this object.

    They are read and not mapped, because mapped parts of a file would count as this process's memory.
    """

    def __init__(self) -> None:
        self._file = TemporaryFile(buffering=0)  # noqa: SIM115 it is open as long as this object is there
        finalize(self, self._file.close)
        self._row = np.empty(0)  # an empty one of their shape and type
        self._num_rows = 0

    def add(self, rows: np.ndarray) -> None:
        """Add (N, ...) rows; those of the first call decide shape and type.

        Raises:
            DataError: there is no room.
        """
        if not self._num_rows:
            self._row = np.empty(rows.shape[1:], rows.dtype)
        left = np.ascontiguousarray(rows).data.cast("B")
        try:
            self._file.seek(self._num_rows * self._row.nbytes)
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise DataError(
                f"{gettempdir()} takes no more ({error.strerror}): this model weights segments by the whole "
                f"video, and keeps {self._row.nbytes} bytes and more of each sample there until its end; "
                "make room, set TMPDIR to a folder with room, or look at fewer samples (--every)"
            ) from error
        self._num_rows += len(rows)

    def __len__(self) -> int:
        return self._num_rows

    def part(self, start: int, end: int) -> np.ndarray:
        """Some of them."""
        rows = np.empty((end - start, *self._row.shape), self._row.dtype)
        left = rows.data.cast("B")
        self._file.seek(start * self._row.nbytes)
        while left:
            left = left[self._file.readinto(left) :]
        return rows


def stretches(track: AttentionTrack, keyframes: Keyframes) -> AttentionTrack:
    """A few stretches of a track, each shown by its strongest clip."""
    shown = [of.shown for of in keyframes.all]
    return AttentionTrack(
        seconds=np.array(
            [[track.seconds[of.first, 0], track.seconds[of.end - 1, 1]] for of in keyframes.all]
        ),
        frame_seconds=track.frame_seconds[shown],
        temporal_scores=track.temporal_scores[shown],
        temporal_attention=np.array(
            [track.temporal_attention[of.first : of.end].sum() for of in keyframes.all]
        ),
        spatial_attention={
            name: maps[shown].astype(np.float32) for name, maps in track.spatial_attention.items()
        },
        attended_area=track.attended_area,
        hearing=track.hearing,
    )
