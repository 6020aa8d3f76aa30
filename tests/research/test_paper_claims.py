"""What follows from figures, and which test videos each seed has."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from attcell.research.paper_claims import derived
from attcell.research.suites import networks as stages
from attcell.research.suites.videos import Videos, with_part_of_test
from attcell.synth.scene import ring

FIGURES = {
    "STAN": 96.0,
    "SAN": 60.0,
    "STAN on the tap before, small set": 91.0,
    "SAN on the tap before, small set": 90.0,
    "STAN, 3 segments": 60.0,
    "STAN, 12 segments": 95.0,
    "STAN, 48 segments": 96.5,
}


def test_differences_follow_from_the_figures() -> None:
    assert derived(FIGURES) == pytest.approx(
        {
            "gain by temporal attention": 36,
            "gain by temporal attention, small set": 1,
            "share of SAN's errors that temporal attention removes": 90,
            "share of SAN's errors that temporal attention removes, small set": 10,
            "gain from 3 to 12 segments": 35,
            "gain from 12 to 48 segments": 1.5,
        }
    )


def test_where_nothing_is_wrong_no_share_of_errors_can_be_told() -> None:
    at_the_ceiling = derived(FIGURES | {"SAN on the tap before, small set": 100.0})
    assert math.isnan(at_the_ceiling["share of SAN's errors that temporal attention removes, small set"])


def test_seeds_share_no_test_video(tmp_path: Path) -> None:
    for label in ("b", "a"):
        (tmp_path / "test" / label).mkdir(parents=True)
    videos = Videos(tmp_path, tmp_path / "flow", tmp_path / "test")
    parts = [with_part_of_test(videos, part, 2) for part in range(3)]
    lines = [part.test.read_text(encoding="utf-8").splitlines() for part in parts]
    assert lines[1] == ["test/a/002.mp4 0", "test/a/003.mp4 0", "test/b/002.mp4 1", "test/b/003.mp4 1"]
    assert len({line for part in lines for line in part}) == 12


def test_five_classes_of_the_small_set_are_of_the_large_one() -> None:
    large, small = ring(6, "paths"), ring(stages.NUM_CLASSES, "paths")
    assert len(set(large) & set(small)) == 5
