"""A made-up set of clips: 5 actors, 3 classes, no files."""

from __future__ import annotations

from pathlib import Path

import pytest

from attcell.types import VideoRecord
from benchmarks.clip_sets import ClipSet

GROUPS = ("ann",) * 3 + ("bob",) * 2 + ("cem",) * 3 + ("dan",) * 3 + ("eve",) * 4
LABELS = ("run", "sit", "wave")


@pytest.fixture
def clips() -> ClipSet:
    records = tuple(
        VideoRecord(f"{place}.avi", Path(f"{place}.avi"), (place % 3,)) for place in range(len(GROUPS))
    )
    return ClipSet("made up", "actor", records, GROUPS, LABELS, Path("weights.safetensors"))
