"""A class is an appearance × a motion, in a ring."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from attcell.errors import CallError
from attcell.synth.scene import ALLOWED_NUM_CLASSES, MOTIONS, ActionClass, decoys, ring


def test_six_classes_in_ring_order() -> None:
    pairs = [(c.appearance, c.motion) for c in ring(6)]
    wave, kick, squat = "wave", "kick", "squat"
    assert pairs == [(0, wave), (0, kick), (1, kick), (1, squat), (2, squat), (2, wave)]
    names = ["wave_red", "kick_red", "kick_green", "squat_green", "squat_blue", "wave_blue"]
    assert [c.name for c in ring(6)] == names
    paths = ["slide_red", "hop_red", "hop_green", "charge_green", "charge_blue", "slide_blue"]
    assert [c.name for c in ring(6, "paths")] == paths


@pytest.mark.parametrize("motions", MOTIONS)
@pytest.mark.parametrize("num_classes", ALLOWED_NUM_CLASSES)
def test_each_appearance_and_each_motion_serves_two_classes(num_classes: int, motions: str) -> None:
    classes = ring(num_classes, motions)
    assert len(set(classes)) == num_classes
    assert set(Counter(c.appearance for c in classes).values()) == {2}
    assert set(Counter(c.motion for c in classes).values()) == {2}


@pytest.mark.parametrize("num_classes", [0, 2, 5, 12])
def test_other_numbers_of_classes_are_refused(num_classes: int) -> None:
    with pytest.raises(CallError, match=f"^{num_classes} classes cannot be generated; .* 4, 6, 8, 10$"):
        ring(num_classes)


def test_other_motions_are_refused() -> None:
    with pytest.raises(CallError, match=r"^unknown kind of motions 'dances'; choose one of postures, paths$"):
        ring(6, "dances")


@pytest.mark.parametrize("num_classes", ALLOWED_NUM_CLASSES)
def test_what_is_shown_anywhere_leaves_at_least_three_classes(num_classes: int) -> None:
    """An oracle that sees every appearance and motion, but not who does what, is right 1/3 of the time."""
    classes, rng = ring(num_classes), np.random.default_rng(0)
    shown: dict[tuple[frozenset[int], frozenset[str]], Counter[int]] = {}
    for index, true in enumerate(classes):
        for _ in range(300):
            appearance, motion = decoys(classes, index, rng)
            assert ActionClass(appearance, motion) != true
            assert appearance != true.appearance
            assert motion != true.motion
            key = (frozenset((true.appearance, appearance)), frozenset((true.motion, motion)))
            shown.setdefault(key, Counter())[index] += 1
    right = sum(max(counts.values()) for counts in shown.values()) / (300 * num_classes)
    assert right < 0.38
    assert all(len(counts) >= 3 for counts in shown.values())
