"""Records to tensors: what the training and the test loops draw from.

A video that cannot be read comes out as the :class:`VideoError` itself, so that a worker process hands over a
clean message; whoever draws raises it or counts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from attcell.data.feature_store import FeatureStore
from attcell.errors import VideoError
from attcell.records import VideoRecord
from attcell.video.frame_folder import NO_TIMES
from attcell.video.modalities import InputSpec, make_canvas, read_moments
from attcell.video.motion import worth_compiling
from attcell.video.segments import ShortPolicy, fixed_frames, random_frames
from attcell.video.views import (
    Crop,
    FrameSpec,
    Size,
    centre_crop,
    centre_size,
    crop_source_size,
    random_crop,
    ten_crops,
)

SEGMENT_DRAW = 1  # keeps the draws of this module apart from others that start from the same seed


@dataclass(frozen=True)
class Sample:
    """One training video: stream name → (T, ...) input, its classes, and its position in the order."""

    inputs: dict[str, Tensor]
    labels: tuple[int, ...]
    position: int
    notes: tuple[str, ...] = ()


@dataclass
class Batch:  # not frozen: Lightning fills a copy when it moves a batch to its device
    """Samples side by side: stream name → (B, T, ...) inputs, each one's classes, (B,) positions.

    ``notes`` are what the reader should know of the files, such as damage, each with its video.
    """

    inputs: dict[str, Tensor]
    labels: tuple[tuple[int, ...], ...]
    positions: Tensor
    notes: tuple[str, ...]


@dataclass
class Views:
    """Fixed views of one video, stream name → (V, T, ...), and the notes on its file."""

    inputs: dict[str, Tensor]
    notes: tuple[str, ...] = ()


def collate(samples: Sequence[Sample | VideoError]) -> Batch | VideoError:
    """Put samples side by side; one that could not be read stands for the whole batch."""
    good: list[Sample] = []
    for sample in samples:
        if isinstance(sample, VideoError):
            return sample
        good.append(sample)
    return Batch(
        inputs={name: torch.stack([sample.inputs[name] for sample in good]) for name in good[0].inputs},
        labels=tuple(sample.labels for sample in good),
        positions=torch.tensor([sample.position for sample in good]),
        notes=tuple(note for sample in good for note in sample.notes),
    )


class TrainingVideos(Dataset[Sample | VideoError]):
    """Videos for training: one random instant a segment, one random crop and flip a video."""

    def __init__(
        self,
        records: Sequence[VideoRecord],
        spec: InputSpec,
        num_segments: int,
        short: ShortPolicy,
        seed: int,
    ) -> None:
        self.records = records
        self.spec = spec
        self.num_segments = num_segments
        self.short = short
        self.seed = seed

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: tuple[int, int]) -> Sample | VideoError:
        index, position = key
        record = self.records[index]
        rng = np.random.default_rng([self.seed, SEGMENT_DRAW, position])
        spec = self.spec
        try:
            flow = spec.flow_of(record.path, record.frames, compiled=worth_compiling(len(self.records)))
            moments, info = read_moments(
                record.path,
                spec,
                lambda num: random_frames(num, self.num_segments, rng, self.short),
                record.frames,
            )
            size = crop_source_size(moments.size, spec.frame)
            canvas = make_canvas(moments, spec, size, flow)
        except VideoError as error:
            return error
        return Sample(
            canvas.view(spec, random_crop(size, spec.frame, rng)),
            labels=record.labels,
            position=position,
            notes=_named(record, _worth_saying(info.notes)),
        )


@dataclass(frozen=True)
class ViewPlan:
    """Which fixed views of a video are looked at: at test, or to keep their features for training.

    Attributes:
        num_segments: T.
        every: one segment every so many frames, instead of T of them; None for T.
        short: what happens to a video with fewer frames than T.
        num_crops: 1 (centre) or 10 (corners and centre, and their mirror images).
        num_positions: frames of each segment, evenly spaced; 1 is the centre frame.
        mirrored: take the mirror images of all positions too.
    """

    num_segments: int
    every: int | None = None
    short: ShortPolicy = "repeat"
    num_crops: Literal[1, 10] = 1
    num_positions: int = 1
    mirrored: bool = False

    def segments_of(self, num_frames: int) -> int:
        """T for a video of N frames. *Reading* of one every n frames: N / n, rounded, and at least 1."""
        return self.num_segments if self.every is None else max(1, round(num_frames / self.every))

    def instants(self, num_frames: int) -> np.ndarray:
        """The frames that are looked at, position by position: (P * T,) int64."""
        num_segments = self.segments_of(num_frames)
        places = [(number + 0.5) / self.num_positions for number in range(self.num_positions)]
        return np.concatenate([fixed_frames(num_frames, num_segments, place, self.short) for place in places])

    def canvas_size(self, shown: Size, spec: FrameSpec) -> Size:
        """The height and width that frames of the size ``shown`` get before they are cropped."""
        return crop_source_size(shown, spec) if self.num_crops == 10 else centre_size(shown, spec)

    def crops(self, size: Size, spec: FrameSpec) -> list[Crop]:
        """What is cut from them."""
        if self.num_crops == 10:
            return ten_crops(size, spec)
        centre = centre_crop(size, spec)
        return [centre, replace(centre, mirrored=True)] if self.mirrored else [centre]


class PlannedViews(Dataset[Views | VideoError]):
    """Videos as a plan sees them, (V, T, ...): V crops, or positions and then their mirror images."""

    def __init__(self, records: Sequence[VideoRecord], spec: InputSpec, plan: ViewPlan) -> None:
        self.records = records
        self.spec = spec
        self.plan = plan

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Views | VideoError:
        record, spec, plan = self.records[index], self.spec, self.plan
        try:
            flow = spec.flow_of(record.path, record.frames, compiled=worth_compiling(len(self.records)))
            moments, info = read_moments(record.path, spec, plan.instants, record.frames)
            size = plan.canvas_size(moments.size, spec.frame)
            canvas = make_canvas(moments, spec, size, flow)
        except VideoError as error:
            return error
        seen = [canvas.view(spec, crop) for crop in plan.crops(size, spec.frame)]
        inputs = {
            name: torch.cat([view[name].unflatten(0, (plan.num_positions, -1)) for view in seen])
            for name in spec.streams
        }
        return Views(inputs, _worth_saying(info.notes))


class TrainingFeatures(Dataset[Sample]):
    """Kept feature maps for training: one of the kept positions a segment, a coin for the mirror image.

    All streams get the same positions and the same coin. The maps stay in 16 bits, half the way from the
    disk to the device; who computes with them widens them there.
    """

    def __init__(
        self,
        records: Sequence[VideoRecord],
        stores: Mapping[str, FeatureStore],
        num_positions: int,
        seed: int,
    ) -> None:
        self.records = records
        self.stores = stores
        self.num_positions = num_positions
        self.seed = seed

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        index, position = key
        record = self.records[index]
        rng = np.random.default_rng([self.seed, SEGMENT_DRAW, position])
        kept = {name: store.read(record) for name, store in self.stores.items()}
        maps, notes = next(iter(kept.values()))  # (V, T, F, K, K), memory-mapped
        num_views, num_segments = maps.shape[:2]
        mirror = int(rng.integers(num_views // self.num_positions))
        views = torch.from_numpy(
            mirror * self.num_positions + rng.integers(self.num_positions, size=num_segments)
        )
        drawn = {name: maps[views, torch.arange(num_segments)] for name, (maps, _) in kept.items()}
        return Sample(drawn, record.labels, position, _named(record, notes))


class KeptViews(Dataset[Views]):
    """Kept feature maps of all views of a video, (V, T, F, K, K) in 16 bits."""

    def __init__(self, records: Sequence[VideoRecord], stores: Mapping[str, FeatureStore]) -> None:
        self.records = records
        self.stores = stores

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Views:
        kept = {name: store.read(self.records[index]) for name, store in self.stores.items()}
        notes = next(iter(kept.values()))[1]
        return Views({name: maps for name, (maps, _) in kept.items()}, notes)


def _worth_saying(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Without the note that every folder of frames has: no time is used here."""
    return tuple(note for note in notes if note != NO_TIMES)


def _named(record: VideoRecord, notes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{record.id}: {note}" for note in notes)
