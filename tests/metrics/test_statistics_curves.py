"""The area under a curve."""

from __future__ import annotations

import numpy as np
import pytest

from attcell.metrics.statistics import area_under


def test_areas() -> None:
    assert area_under(np.full(11, 0.25)) == 0.25
    assert area_under(np.array([0.0, 1.0])) == 0.5
    assert area_under(np.array([1.0, 0.0, 0.0])) == pytest.approx(0.25)
