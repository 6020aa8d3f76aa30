"""Parting a training set into training and validation videos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from attcell.records import VideoRecord


def hold_out(
    records: Sequence[VideoRecord], fraction: float, seed: int
) -> tuple[tuple[VideoRecord, ...], tuple[VideoRecord, ...]]:
    """Part records into (kept, held out): of each class the given fraction, rounded, by a seeded draw.

    A class keeps at least one video.
    """
    rng = np.random.default_rng(seed)
    held: set[str] = set()
    for label in sorted({record.label for record in records}):
        ids = [record.id for record in records if record.label == label]
        count = min(round(fraction * len(ids)), len(ids) - 1)
        held.update(str(name) for name in rng.permutation(ids)[:count])
    return (
        tuple(record for record in records if record.id not in held),
        tuple(record for record in records if record.id in held),
    )
