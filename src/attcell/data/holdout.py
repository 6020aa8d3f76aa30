"""Parting a training set into training and validation videos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from attcell.records import VideoRecord


def hold_out(
    records: Sequence[VideoRecord], fraction: float, seed: int
) -> tuple[tuple[VideoRecord, ...], tuple[VideoRecord, ...]]:
    """Part records into (kept, held out): of each class the given fraction, rounded, by a seeded draw.

    Videos of one group stay together, for one of them tells of the others; then it is a fraction of the
    groups that is held out, of those of the same classes. A class keeps at least one video or group.
    """
    rng = np.random.default_rng(seed)
    units: dict[str, set[int]] = {}  # a group, or a video that is in none → its classes
    for record in records:
        units.setdefault(_unit(record), set()).update(record.labels)
    alike: dict[tuple[int, ...], list[str]] = {}
    for unit, labels in units.items():
        alike.setdefault(tuple(sorted(labels)), []).append(unit)
    held: set[str] = set()
    for _, names in sorted(alike.items()):
        count = min(round(fraction * len(names)), len(names) - 1)
        held.update(str(name) for name in rng.permutation(names)[:count])
    return (
        tuple(record for record in records if _unit(record) not in held),
        tuple(record for record in records if _unit(record) in held),
    )


def _unit(record: VideoRecord) -> str:
    return f"group {record.group}" if record.group else record.id
