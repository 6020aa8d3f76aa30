"""The order in which training draws its videos: a function of the seed and the position alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from torch.utils.data import Sampler

BALANCED_DRAW = 3  # keeps the draws of balanced sampling apart from others that start from the same seed


class Draw(Protocol):
    """Which video stands at a position of the endless stream of training videos."""

    def video_at(self, position: int) -> int:
        """The video's index."""


class ShuffledVideos:
    """Endless passes over the videos: pass ``p // num_videos`` has its own permutation."""

    def __init__(self, num_videos: int, seed: int) -> None:
        self._num_videos = num_videos
        self._permutation = _Permutations(seed)

    def video_at(self, position: int) -> int:
        number, place = divmod(position, self._num_videos)
        return int(self._permutation(self._num_videos, number)[place])


class BalancedVideos:
    """Endless rounds, in each of which every class has one video; a class's videos come in passes of its own.

    A video of several classes comes for each of them. Those of none of the classes, if there are any, count
    as one class; a class without videos is left out.

    Args:
        labels: the classes of each video.
        seed: of the order of classes in each round, and of the videos in each pass.
    """

    def __init__(self, labels: Sequence[tuple[int, ...]], seed: int) -> None:
        pools: dict[int, list[int]] = {}
        for video, of_video in enumerate(labels):
            for label in of_video or (-1,):
                pools.setdefault(label, []).append(video)
        self._pools = [pools[label] for label in sorted(pools)]
        self._round = _Permutations(seed, BALANCED_DRAW, 0)
        self._passes = [_Permutations(seed, BALANCED_DRAW, 1 + place) for place in range(len(pools))]

    def video_at(self, position: int) -> int:
        number, place = divmod(position, len(self._pools))
        chosen = int(self._round(len(self._pools), number)[place])
        pool = self._pools[chosen]
        own_pass, own_place = divmod(number, len(pool))  # each class has had one video in each round before
        return pool[int(self._passes[chosen](len(pool), own_pass)[own_place])]


class _Permutations:
    """Permutations by their number; the latest is kept."""

    def __init__(self, *seed: int) -> None:
        self._seed = seed
        self._latest: tuple[int, np.ndarray] = (-1, np.empty(0, dtype=int))

    def __call__(self, length: int, number: int) -> np.ndarray:
        if self._latest[0] != number:
            drawn = np.random.default_rng([*self._seed, number]).permutation(length)
            self._latest = (number, drawn)
        return self._latest[1]


class TrainingOrder(Sampler[tuple[int, int]]):
    """The endless stream of training videos, cut into iterations, and these into equal parts.

    Position p of the stream is one video. Iteration i takes the positions from i · batch_size. Its parts go
    round the devices: part j of device r is the batch's part j · num_devices + r, so that any split sees the
    same videos in the same iteration.

    Yields (video index, position); whatever is random about a sample is drawn from (seed, position).
    """

    def __init__(
        self,
        videos: Draw,
        batch_size: int,
        iterations: range,
        *,
        accumulate: int = 1,
        device: int = 0,
        num_devices: int = 1,
    ) -> None:
        self.videos = videos
        self.batch_size = batch_size
        self.iterations = iterations
        self.accumulate = accumulate
        self.device = device
        self.num_devices = num_devices
        self.part_size = batch_size // (accumulate * num_devices)

    def __len__(self) -> int:
        return len(self.iterations) * self.accumulate * self.part_size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for iteration in self.iterations:
            for part in range(self.accumulate):
                start = iteration * self.batch_size + (part * self.num_devices + self.device) * self.part_size
                for position in range(start, start + self.part_size):
                    yield self.videos.video_at(position), position
