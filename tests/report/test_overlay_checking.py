"""What must be true of a prediction before it is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from attcell.errors import CallError, ModelError
from attcell.report.overlay import check


def test_whole_predictions_pass(make_prediction):
    check(make_prediction())
    check(
        make_prediction(
            num_segments=3,
            streams=("frame", "flow"),
            flow=np.zeros((3, 2, 5, 6)),
            temporal_attention_by_stream={"frame": np.full(3, 1 / 3), "flow": np.full(3, 1 / 3)},
        )
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": np.ones(3)}, r"scores has shape \(3,\), but 4 frames and 7 labels ask for \(7,\)"),
        ({"spatial_attention": {"flow": np.ones((3, 7, 7))}}, r"spatial_attention\['flow'\] has shape"),
        (
            {"temporal_attention_by_stream": {"flow": np.ones(5)}},
            r"temporal_attention_by_stream\['flow'\] has shape \(5,\), but 4 frames",
        ),
        ({"flow": np.zeros((4, 3, 8, 8))}, r"flow has shape \(4, 3, 8, 8\), but 4 .* \(4, 2, 8, 8\)"),
        ({"flow": np.zeros((2, 2, 8, 8))}, r"flow has shape \(2, 2, 8, 8\), but 4 .* \(4, 2, 8, 8\)"),
        ({"frames": np.zeros((0, 8, 8, 3), np.uint8)}, "the prediction holds no segment"),
    ],
)
def test_parts_that_do_not_fit_are_refused(make_prediction, changes, message):
    with pytest.raises(CallError, match=message):
        check(make_prediction(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"flow": np.full((4, 2, 8, 8), np.inf)},
        {"temporal_attention_by_stream": {"flow": np.full(4, np.nan)}},
    ],
)
def test_values_that_are_not_finite_are_refused(make_prediction, changes):
    with pytest.raises(ModelError, match="holds values that are not finite numbers"):
        check(make_prediction(**changes))
