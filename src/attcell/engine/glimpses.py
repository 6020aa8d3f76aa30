"""A few pictures of a video of any length: stretches of samples, each shown by its strongest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

MOST = 24


@dataclass(frozen=True, eq=False)
class Glimpse:
    """A stretch of samples.

    Attributes:
        first: its first sample.
        end: the sample after its last.
        shown: the sample with the largest temporal score.
        score: this score.
        picture: (H, W, 3) uint8, its frame.
        flow: (2, h, w) float32, the mean of the fields around it; None without a flow stream.
    """

    first: int
    end: int
    shown: int
    score: float
    picture: np.ndarray
    flow: np.ndarray | None


class Glimpses:
    """At most ``MOST`` stretches, about equally long; neighbours are joined when there would be more."""

    def __init__(self) -> None:
        self.all: list[Glimpse] = []
        self._length = 1

    def add(self, sample: int, score: float, picture: np.ndarray, flow: np.ndarray | None) -> None:
        """Add the next sample."""
        latest = Glimpse(sample, sample + 1, sample, score, picture, flow)
        if self.all and self.all[-1].end - self.all[-1].first < self._length:
            latest = _joined(self.all.pop(), latest)
        self.all.append(latest)
        if len(self.all) > MOST:
            pairs = zip(self.all[::2], [*self.all[1::2], None], strict=False)
            self.all = [one if other is None else _joined(one, other) for one, other in pairs]
            self._length *= 2


def _joined(one: Glimpse, other: Glimpse) -> Glimpse:
    stronger = other if other.score > one.score else one
    return replace(stronger, first=one.first, end=other.end)
