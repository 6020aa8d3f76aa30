"""The picture of many trials."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attcell.report.figures.trials import TriedValues, trials_picture


@pytest.mark.parametrize("num_keys", [1, 6])
def test_it_grows_with_the_keys(num_keys: int, tmp_path: Path) -> None:
    trials = [
        TriedValues(n, 0.5 + n / 100, {f"train.key_{k}": n * 10.0**k for k in range(num_keys)})
        for n in range(1, 9)
    ]
    trials_picture(trials, tmp_path / "trials.png", "Eight trials")
    with Image.open(tmp_path / "trials.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > max(600, 200 * num_keys)


def test_one_trial_and_choices_alone_are_drawn(tmp_path: Path) -> None:
    trials_picture([TriedValues(3, 0.5, {"kind": "a $ letter"})], tmp_path / "trials.png", "One")
    assert np.asarray(Image.open(tmp_path / "trials.png").convert("L")).min() < 100
