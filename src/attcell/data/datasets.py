"""Records to tensors: what the training and the test loops draw from.

A video that cannot be read comes out as the :class:`VideoError` itself, so that a worker process hands over a
clean message; whoever draws raises it or counts it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from attcell._walls import own_parts, the_videos_own
from attcell._workers import walled
from attcell.choices import ShortVideos
from attcell.data.augmentation import AS_THEY_ARE, Augmentation
from attcell.data.feature_store import FeatureStore
from attcell.data.mirroring import EACH_ITS_OWN, Mirroring
from attcell.errors import VideoError
from attcell.types import VideoRecord
from attcell.video.frame_folder import NO_TIMES
from attcell.video.input_spec import InputSpec
from attcell.video.inputs import read_sampled_frames, resize_frames
from attcell.video.parts import ViewParts
from attcell.video.readers import Origin
from attcell.video.sampling import ViewPlan, random_frames
from attcell.video.sound.source import uncounted
from attcell.video.transforms import crop_source_size, random_crop

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
    """Fixed views of one video, or of some consecutive segments of it, as they come from a worker process.

    Attributes:
        inputs: stream name → (V, t, ...); empty where the video cannot be read.
        notes: on the video's file; with its last part.
        video: which of the data set's records.
        start: index of the first segment. 0 for a video of which parts came already means that it begins
            again: what came of it is void.
        is_last: no more of this video comes.
        error: why the video cannot be read; what came of it is void.
    """

    inputs: dict[str, Tensor]
    notes: tuple[str, ...] = ()
    video: int = 0
    start: int = 0
    is_last: bool = True
    error: VideoError | None = None


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
    """Videos for training: one random instant a segment, one random crop and flip a video, and what else
    is to be changed."""

    def __init__(
        self,
        records: Sequence[VideoRecord],
        spec: InputSpec,
        num_segments: int,
        short: ShortVideos,
        seed: int,
        augmentation: Augmentation = AS_THEY_ARE,
    ) -> None:
        self.records = records
        self.spec = spec
        self.num_segments = num_segments
        self.short = short
        self.seed = seed
        self.augmentation = augmentation

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: tuple[int, int]) -> Sample | VideoError:
        index, position = key
        record = self.records[index]
        rng = np.random.default_rng([self.seed, SEGMENT_DRAW, position])
        spec = self.spec
        try:
            with the_videos_own(record.path):
                readers = spec.readers(Origin(record.path, record.frames))
                sampled_frames, info = read_sampled_frames(
                    record.path,
                    spec,
                    lambda num: random_frames(num, self.num_segments, rng, self.short),
                    record.frames,
                )
                size = crop_source_size(sampled_frames.size, spec.frame)
                resized_frames = resize_frames(sampled_frames, spec, size, readers)
        except VideoError as error:
            return error
        mirroring, crop = self.augmentation.mirroring, random_crop(size, spec.frame, rng)
        crop = replace(crop, mirrored=crop.mirrored and mirroring.wanted)
        return Sample(
            resized_frames.view(crop, self.augmentation.of_colours(self.seed, position)),
            labels=mirroring.labels(record.labels, mirrored=crop.mirrored),
            position=position,
            notes=_named(record, uncounted((*_worth_saying(info.notes), *resized_frames.notes))),
        )


class PlannedViews(Dataset[Views | VideoError]):
    """Videos as a plan sees them, whole: (V, T, ...). Of a long video that is much: see PlannedParts."""

    def __init__(self, records: Sequence[VideoRecord], spec: InputSpec, plan: ViewPlan) -> None:
        self.records = records
        self.spec = spec
        self.plan = plan

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Views | VideoError:
        record = self.records[index]
        parts = ViewParts(record.path, self.spec, self.plan, record.frames)
        kept: list[dict[str, Tensor]] = []
        try:
            for part in own_parts(record.path, parts):
                kept = [part.views] if part.start == 0 else [*kept, part.views]
        except VideoError as error:
            return error
        inputs = {name: torch.cat([views[name] for views in kept], dim=1) for name in self.spec.streams}
        return Views(inputs, _worth_saying(parts.info.notes), index)


class PlannedParts(IterableDataset[Views]):
    """Videos as a plan sees them, part by part, so that a video of any length takes bounded memory.

    With w workers the parts of w videos come in turn, those of one video in their order; so gather them by
    ``Views.video``. ``DataLoader(PlannedParts(...), batch_size=None, num_workers=w)`` ends where a video ends
    its worker, :meth:`walled` does not.
    """

    def __init__(
        self,
        records: Sequence[VideoRecord],
        spec: InputSpec,
        plan: ViewPlan,
        chosen: Sequence[int] | None = None,
    ) -> None:
        self.records = records
        self.spec = spec
        self.plan = plan
        self.chosen = range(len(records)) if chosen is None else chosen

    def only(self, chosen: Sequence[int]) -> PlannedParts:
        """The same of some of the records, by their index."""
        return PlannedParts(self.records, self.spec, self.plan, chosen)

    def __iter__(self) -> Iterator[Views]:
        worker = get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for video in self.chosen[first::step]:
            yield from self._parts_of(video)

    def walled(self, workers: int) -> Iterator[Views]:
        """The same in worker processes: a video that ends its own has an error."""
        videos = list(self.chosen)
        events = walled(self._parts_of, videos, lambda video: self.records[video].path, workers=workers)
        for place, _, part, error in events:
            if part is not None:
                yield part
            elif error is not None:
                yield Views({}, video=videos[place], error=error)

    def _parts_of(self, video: int) -> Iterator[Views]:
        record = self.records[video]
        parts = ViewParts(record.path, self.spec, self.plan, record.frames)
        try:
            for part in own_parts(record.path, parts):
                notes = _worth_saying(parts.info.notes) if part.is_last else ()
                yield Views(part.views, notes, video, part.start, part.is_last)
                del part  # before the next one is made
        except VideoError as error:
            yield Views({}, video=video, error=error)


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
        mirroring: Mirroring = EACH_ITS_OWN,
    ) -> None:
        self.records = records
        self.stores = stores
        self.num_positions = num_positions
        self.seed = seed
        self.mirroring = mirroring

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        index, position = key
        record = self.records[index]
        rng = np.random.default_rng([self.seed, SEGMENT_DRAW, position])
        kept = {name: store.read(record) for name, store in self.stores.items()}
        maps, _ = next(iter(kept.values()))  # (V, T, F, K, K), memory-mapped
        num_views, num_segments = maps.shape[:2]
        mirror = int(rng.integers(num_views // self.num_positions))
        places = mirror * self.num_positions + rng.integers(self.num_positions, size=num_segments)
        # NumPy copies these rows in a quarter of the time, and waits for no other threads.
        rows = (places, np.arange(num_segments))
        drawn = {name: torch.from_numpy(maps.numpy()[rows]) for name, (maps, _) in kept.items()}
        labels = self.mirroring.labels(record.labels, mirrored=mirror > 0)
        return Sample(drawn, labels, position, _named(record, _notes_of(kept)))


class KeptViews(Dataset[Views]):
    """Kept feature maps of all views of a video, (V, T, F, K, K) in 16 bits."""

    def __init__(self, records: Sequence[VideoRecord], stores: Mapping[str, FeatureStore]) -> None:
        self.records = records
        self.stores = stores

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Views:
        kept = {name: store.read(self.records[index]) for name, store in self.stores.items()}
        return Views({name: maps for name, (maps, _) in kept.items()}, _notes_of(kept), index)


def _worth_saying(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Without the note that every folder of frames has: no time is used here."""
    return tuple(note for note in notes if note != NO_TIMES)


def _notes_of(kept: Mapping[str, tuple[Tensor, tuple[str, ...]]]) -> tuple[str, ...]:
    """What was noted when the streams' maps were made, which may have been at different times."""
    return tuple(dict.fromkeys(note for _, notes in kept.values() for note in notes))


def _named(record: VideoRecord, notes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{record.id}: {note}" for note in notes)


# Parting a training set into training and validation videos.


def hold_out(
    records: Sequence[VideoRecord], fraction: float, seed: int
) -> tuple[tuple[VideoRecord, ...], tuple[VideoRecord, ...]]:
    """Part records into (kept, held out): of each class the given fraction, rounded, by a seeded draw.

    Videos of one group stay together, for one of them tells of the others; then it is a fraction of the
    groups that is held out, of those of the same classes. Where too few groups are alike for that, those of
    several classes are drawn together. A class keeps at least one video or group.
    """
    rng = np.random.default_rng(seed)
    units: dict[str, set[int]] = {}  # a group, or a video that is in none → its classes
    for record in records:
        units.setdefault(_unit(record), set()).update(record.labels)
    grouped = {_unit(record) for record in records if record.group}
    alike: dict[tuple[int, ...], list[str]] = {}
    for unit, labels in units.items():
        alike.setdefault(tuple(sorted(labels)), []).append(unit)
    held: set[str] = set()
    few: list[str] = []  # groups of which no share of their like is one
    for _, names in sorted(alike.items()):
        count = min(round(fraction * len(names)), len(names) - 1)
        held.update(str(name) for name in rng.permutation(names)[:count])
        few += [name for name in names if count == 0 and name in grouped]
    wanted = len(held) + round(fraction * len(few))
    left = Counter(label for unit, labels in units.items() if unit not in held for label in labels)
    mixed = [unit for unit in few if len(units[unit]) > 1]
    for unit in map(str, rng.permutation(mixed)) if mixed else ():
        if len(held) < wanted and all(left[label] > 1 for label in units[unit]):
            held.add(unit)
            left.subtract(units[unit])
    return (
        tuple(record for record in records if _unit(record) not in held),
        tuple(record for record in records if _unit(record) in held),
    )


def _unit(record: VideoRecord) -> str:
    return f"group {record.group}" if record.group else record.id
