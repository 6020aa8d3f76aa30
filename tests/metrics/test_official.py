"""The official programs' values of 30 random files: ties, overlaps at a threshold, ambiguous parts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from attcell.data.truth import read_detection_truth
from attcell.results.detection_metrics import detection_result
from attcell.results.detections import read_detections
from tests.metrics.official_values import (
    BARS,
    LABELS,
    NUM_FILES,
    NUMBERS,
    VALUES,
    random_case,
    restated,
    write_activitynet,
    write_thumos,
)


@pytest.mark.parametrize(
    ("protocol", "write"), [("thumos", write_thumos), ("activitynet", write_activitynet)]
)
def test_the_values_of_files_are_the_official_programs(tmp_path: Path, protocol: str, write) -> None:
    official = json.loads(VALUES.read_text())[protocol]
    assert len(official) == NUM_FILES
    for seed, values in enumerate(official):
        case, folder = random_case(seed), tmp_path / str(seed)
        found = read_detections(write(case, folder), NUMBERS)
        truth = read_detection_truth(folder / ("truth" if protocol == "thumos" else "truth.json"))
        (metrics,) = detection_result(found, truth, BARS, [protocol]).figures
        assert metrics.labels == LABELS
        np.testing.assert_allclose(metrics.average_precision, values, rtol=0, atol=1e-12)
        if seed < 5:
            assert restated(case, protocol) == values, "the script makes the numbers that are committed"
