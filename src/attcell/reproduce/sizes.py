"""How much the suite of generated videos makes and trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How much is made and trained. Videos are counted by class and split.

    Attributes:
        seeds: of videos and trainings.
        trimmed: for the CNNs, and for what is claimed of trimmed videos.
        untrimmed: for everything else.
        small: the small set of other classes, for the stages of training.
        cnn_epochs: of each stream's CNN.
        epochs: of a network on frozen CNNs, on untrimmed videos; on trimmed ones half of it.
        small_epochs: of each CNN on the small set, and of the network that has no such stage.
        calibrated: training videos of each class that detection is calibrated on.
        looked: test videos of each class whose attention is compared with the truth.
        erased: test videos of each class of which regions and segments are taken away.
        reaches_bounds: whether claims with a bound are expected to hold, and not only the orders.
    """

    seeds: int
    trimmed: Mapping[str, int]
    untrimmed: Mapping[str, int]
    small: Mapping[str, int]
    cnn_epochs: Mapping[str, int]
    epochs: int
    small_epochs: int
    calibrated: int
    looked: int
    erased: int
    reaches_bounds: bool


FULL = Size(
    seeds=3,
    trimmed={"train": 60, "val": 10, "test": 20},
    untrimmed={"train": 60, "val": 10, "test": 20},
    small={"train": 8, "val": 4, "test": 15},
    cnn_epochs={"frame": 16, "flow": 8, "clip": 4},
    epochs=24,
    small_epochs=16,
    calibrated=10,
    looked=10,
    erased=5,
    reaches_bounds=True,
)
QUICK = Size(
    seeds=1,
    trimmed={"train": 20, "val": 4, "test": 8},
    untrimmed={"train": 15, "val": 4, "test": 8},
    small={"train": 4, "val": 2, "test": 4},
    cnn_epochs={"frame": 10, "flow": 5, "clip": 2},
    epochs=12,
    small_epochs=6,
    calibrated=3,
    looked=4,
    erased=1,
    reaches_bounds=False,
)
