"""How much the suite of generated videos makes and trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How much is made and trained. Videos are counted by class and split.

    Attributes:
        seeds: of trainings; each has untrimmed test videos of its own.
        trimmed: for the CNNs.
        untrimmed: for everything else.
        small: the small set of trimmed videos, of more classes.
        flow: the method.
        cnn_epochs: of each stream's CNN. Without that of clips there is no network of three streams.
        epochs: of a network on frozen CNNs, on untrimmed videos; on trimmed ones half of it.
        branch_epochs: of TAN and its rivals, on untrimmed videos.
        small_epochs: of each CNN on the small set.
        calibrated: training videos of each class that detection is calibrated on.
        erased: test videos of each class of which regions and segments are taken away.
        reaches_bounds: whether claims with a bound are expected to hold, and not only the orders.
    """

    seeds: int
    trimmed: Mapping[str, int]
    untrimmed: Mapping[str, int]
    small: Mapping[str, int]
    flow: str
    cnn_epochs: Mapping[str, int]
    epochs: int
    branch_epochs: int
    small_epochs: int
    calibrated: int
    erased: int
    reaches_bounds: bool

    @property
    def has_clips(self) -> bool:
        """Whether there is a third stream."""
        return "clip" in self.cnn_epochs


FULL = Size(
    seeds=3,
    trimmed={"train": 60, "val": 10},
    untrimmed={"train": 80, "val": 8, "test": 16},
    small={"train": 8, "val": 3, "test": 10},
    flow="fast",
    cnn_epochs={"frame": 16, "flow": 10, "clip": 3},
    epochs=16,
    branch_epochs=10,
    small_epochs=10,
    calibrated=5,
    erased=3,
    reaches_bounds=True,
)
QUICK = Size(
    seeds=1,
    trimmed={"train": 22, "val": 3},
    untrimmed={"train": 16, "val": 3, "test": 7},
    small={"train": 4, "val": 1, "test": 3},
    flow="dis",
    cnn_epochs={"frame": 20, "flow": 8},
    epochs=12,
    branch_epochs=8,
    small_epochs=5,
    calibrated=2,
    erased=1,
    reaches_bounds=False,
)
