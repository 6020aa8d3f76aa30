"""Motions that only their path tells."""

from __future__ import annotations

import numpy as np
import pytest

from attcell.synth.figures import STANDING, Displacement, displacement, ready
from attcell.synth.scene import MOTIONS

PATHS = MOTIONS["paths"]


@pytest.mark.parametrize("motion", PATHS)
def test_every_path_begins_and_ends_in_its_place(motion: str) -> None:
    for cycles in (0.0, 1.0, 3.0):
        np.testing.assert_allclose(displacement(motion, cycles), Displacement(), atol=1e-12)
    assert max(np.abs(displacement(motion, cycles)).max() for cycles in np.linspace(0, 1, 25)) > 0.05


def test_each_path_is_another() -> None:
    ways = {motion: np.array([displacement(motion, c) for c in np.linspace(0, 1, 25)]) for motion in PATHS}
    for first in PATHS:
        for second in PATHS:
            assert first == second or np.abs(ways[first] - ways[second]).max() > 0.05


def test_a_weaker_path_is_shorter() -> None:
    np.testing.assert_allclose(
        displacement("circle", 0.3, 0.5), 0.5 * np.array(displacement("circle", 0.3)), atol=1e-12
    )


def test_the_posture_is_taken_up_and_kept() -> None:
    assert ready(0.0) == STANDING
    assert ready(0.25) == ready(0.6) == ready(2.0) != STANDING


def test_postures_are_no_paths() -> None:
    with pytest.raises(ValueError, match=r"^no motion 'wave'$"):
        displacement("wave", 0.5)
