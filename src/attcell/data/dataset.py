"""Records to tensors: what the training and the test loops draw from.

A video that cannot be read comes out as the :class:`VideoError` itself, so that a worker process hands over a
clean message; whoever draws raises it or counts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from attcell.data.feature_store import FeatureStore
from attcell.errors import VideoError
from attcell.records import VideoRecord
from attcell.video.decode import read_frames
from attcell.video.segments import ShortPolicy, fixed_frames, random_frames
from attcell.video.views import FrameSpec, centre_view, kept_size, mirrored, ten_views, training_view

SEGMENT_DRAW = 1  # keeps the draws of this module apart from others that start from the same seed


@dataclass(frozen=True)
class Sample:
    """One training video: stream name → (T, ...) input, its class, and its position in the order."""

    inputs: dict[str, Tensor]
    label: int
    position: int
    notes: tuple[str, ...] = ()


@dataclass
class Batch:  # not frozen: Lightning fills a copy when it moves a batch to its device
    """Samples side by side: stream name → (B, T, ...) inputs, (B,) labels, (B,) positions.

    ``notes`` are what the reader should know of the files, such as damage, each with its video.
    """

    inputs: dict[str, Tensor]
    labels: Tensor
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
        labels=torch.tensor([sample.label for sample in good]),
        positions=torch.tensor([sample.position for sample in good]),
        notes=tuple(note for sample in good for note in sample.notes),
    )


class TrainingVideos(Dataset[Sample | VideoError]):
    """Videos for training: one random frame a segment, one random crop and flip a video."""

    def __init__(
        self,
        records: Sequence[VideoRecord],
        spec: FrameSpec,
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
        try:
            decoded = read_frames(
                record.path,
                lambda num: random_frames(num, self.num_segments, rng, self.short),
                size=lambda width, height: kept_size(width, height, self.spec),
            )
        except VideoError as error:
            return error
        return Sample(
            {"frame": training_view(decoded.images, self.spec, rng)},
            label=record.label,
            position=position,
            notes=_named(record, decoded.info.notes),
        )


@dataclass(frozen=True)
class ViewPlan:
    """Which fixed views of a video are looked at: at test, or to keep their features for training.

    Attributes:
        num_segments: T.
        short: what happens to a video with fewer frames than T.
        num_crops: 1 (centre) or 10 (corners and centre, and their mirror images).
        num_positions: frames of each segment, evenly spaced; 1 is the centre frame.
        mirrored: take the mirror images of all positions too.
    """

    num_segments: int
    short: ShortPolicy = "repeat"
    num_crops: Literal[1, 10] = 1
    num_positions: int = 1
    mirrored: bool = False


class PlannedViews(Dataset[Views | VideoError]):
    """Videos as a plan sees them, (V, T, 3, S, S): V crops, or positions and then their mirror images."""

    def __init__(self, records: Sequence[VideoRecord], spec: FrameSpec, plan: ViewPlan) -> None:
        self.records = records
        self.spec = spec
        self.plan = plan

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Views | VideoError:
        record = self.records[index]
        try:
            decoded = read_frames(
                record.path,
                self._wanted_frames,
                size=lambda width, height: kept_size(width, height, self.spec),
            )
        except VideoError as error:
            return error
        return Views({"frame": self._views(decoded.images)}, decoded.info.notes)

    def _views(self, images: Sequence[np.ndarray]) -> Tensor:
        if self.plan.num_crops == 10:
            return ten_views(images, self.spec)
        views = centre_view(images, self.spec).unflatten(0, (-1, self.plan.num_segments))
        return torch.cat([views, mirrored(views)]) if self.plan.mirrored else views

    def _wanted_frames(self, num_frames: int) -> np.ndarray:
        plan = self.plan
        places = [(number + 0.5) / plan.num_positions for number in range(plan.num_positions)]
        return np.concatenate(
            [fixed_frames(num_frames, plan.num_segments, place, plan.short) for place in places]
        )


class TrainingFeatures(Dataset[Sample]):
    """Kept feature maps for training: one of the kept positions a segment, a coin for the mirror image."""

    def __init__(
        self, records: Sequence[VideoRecord], store: FeatureStore, num_positions: int, seed: int
    ) -> None:
        self.records = records
        self.store = store
        self.num_positions = num_positions
        self.seed = seed

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        index, position = key
        record = self.records[index]
        rng = np.random.default_rng([self.seed, SEGMENT_DRAW, position])
        maps, notes = self.store.read(record)  # (V, T, F, K, K), memory-mapped
        num_views, num_segments = maps.shape[:2]
        mirror = int(rng.integers(num_views // self.num_positions))
        views = mirror * self.num_positions + rng.integers(self.num_positions, size=num_segments)
        drawn = maps[torch.from_numpy(views), torch.arange(num_segments)].float()
        return Sample({"frame": drawn}, label=record.label, position=position, notes=_named(record, notes))


class KeptViews(Dataset[Views]):
    """Kept feature maps of all views of a video, (V, T, F, K, K)."""

    def __init__(self, records: Sequence[VideoRecord], store: FeatureStore) -> None:
        self.records = records
        self.store = store

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Views:
        maps, notes = self.store.read(self.records[index])
        return Views({"frame": maps.float()}, notes)


def _named(record: VideoRecord, notes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{record.id}: {note}" for note in notes)
