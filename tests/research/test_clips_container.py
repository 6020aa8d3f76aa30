"""What file headers give away."""

from __future__ import annotations

from pathlib import Path

import pytest

from attcell.research.clips import container_accuracy
from attcell.types import VideoRecord
from tests.video.conftest import write_video


def _records(folder: Path, sizes: dict[int, tuple[int, int]], groups: str) -> list[VideoRecord]:
    records = []
    for group in groups:
        for label, size in sizes.items():
            path = folder / f"{group}_{label}.avi"
            write_video(path, 5, size=size, codec="mpeg4")
            records.append(VideoRecord(path.name, path, (label,), group))
    return records


def test_classes_of_their_own_size_are_told_by_headers_alone(tmp_path: Path) -> None:
    records = _records(tmp_path, {0: (32, 32), 1: (64, 32)}, "abcdef")
    assert container_accuracy(records[:8], records[8:]) == 100


def test_alike_headers_tell_nothing(tmp_path: Path) -> None:
    records = _records(tmp_path, {0: (32, 32), 1: (32, 32)}, "abcdef")
    assert container_accuracy(records[:8], records[8:]) == pytest.approx(50)
