"""The order in which training draws its videos: a function of the seed and the position alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class TrainingOrder(Sampler[tuple[int, int]]):
    """Endless shuffled passes over the videos, cut into iterations, and these into equal parts.

    Position p of the stream is one video; pass ``p // num_videos`` has its own permutation. Iteration i takes
    the positions from i · batch_size. Its parts go round the devices: part j of device r is the batch's part
    j · num_devices + r, so that any split sees the same videos in the same iteration.

    Yields (video index, position); whatever is random about a sample is drawn from (seed, position).
    """

    def __init__(
        self,
        num_videos: int,
        batch_size: int,
        iterations: range,
        seed: int,
        *,
        accumulate: int = 1,
        device: int = 0,
        num_devices: int = 1,
    ) -> None:
        self.num_videos = num_videos
        self.batch_size = batch_size
        self.iterations = iterations
        self.seed = seed
        self.accumulate = accumulate
        self.device = device
        self.num_devices = num_devices
        self.part_size = batch_size // (accumulate * num_devices)

    def __len__(self) -> int:
        return len(self.iterations) * self.accumulate * self.part_size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        current_pass, permutation = -1, np.empty(0, dtype=int)
        for iteration in self.iterations:
            for part in range(self.accumulate):
                start = iteration * self.batch_size + (part * self.num_devices + self.device) * self.part_size
                for position in range(start, start + self.part_size):
                    number, place = divmod(position, self.num_videos)
                    if number != current_pass:
                        current_pass = number
                        permutation = np.random.default_rng([self.seed, number]).permutation(self.num_videos)
                    yield int(permutation[place]), position
