"""Both detection protocols against slow references, by hand, and on THUMOS14's own annotation."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.data.annotations import thumos14
from attcell.errors import CallError
from attcell.metrics import detection_map
from attcell.metrics.detection import PROTOCOLS
from attcell.types import ActionInstance, Detection
from tests.metrics import reference_detection as reference

BARS = (0.1, 0.2, 0.25, 1 / 3, 0.5, 0.7, 1.0)
VIDEOS, LABELS = ("v", "w"), ("a", "b", "c")

# On a small grid equal overlaps, overlaps exactly at a threshold, and empty intervals are common.
intervals = st.tuples(st.integers(0, 6), st.integers(0, 4)).map(lambda of: (float(of[0]), float(sum(of))))
truths = st.builds(
    lambda video, label, times: ActionInstance(video, label, *times),
    st.sampled_from(VIDEOS),
    st.sampled_from(LABELS[:2]),
    intervals,
)
detections = st.builds(
    lambda video, label, times, score: Detection(label, *times, score, video),
    st.sampled_from((*VIDEOS, "x")),
    st.sampled_from(LABELS),
    intervals,
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=300, deadline=None)
@given(
    st.lists(truths, min_size=1, max_size=8),
    st.lists(detections, max_size=12),
    st.lists(truths, max_size=2),
)
def test_it_is_the_reference(protocol, true, found, ambiguous):
    figures = detection_map(true, found, BARS, protocol, ambiguous=ambiguous, labels=LABELS)
    for number, label in enumerate(LABELS):
        for column, bar in enumerate(BARS):
            expected = reference.average_precision(true, found, ambiguous, label, bar, protocol)
            assert figures.average_precision[number, column] == pytest.approx(
                expected, abs=1e-12, nan_ok=True
            )
    expected_means = reference.mean_ap(true, found, BARS, protocol, ambiguous)
    np.testing.assert_allclose(figures.mean_ap, expected_means, atol=1e-12)


def _found(*rows, video="v", label="a"):
    return [Detection(label, start, end, score, video) for start, end, score in rows]


def _true(*rows, video="v", label="a"):
    return [ActionInstance(video, label, start, end) for start, end in rows]


class TestByHand:
    def test_thumos_wants_more_than_the_threshold_and_activitynet_the_threshold(self):
        true, found = _true((0, 2)), _found((0, 1, 0.9))
        assert detection_map(true, found, [0.5], "thumos").mean_ap.tolist() == [0]
        assert detection_map(true, found, [0.5], "activitynet").mean_ap.tolist() == [1]

    def test_thumos_ranks_equal_scores_by_video_and_then_as_they_are_given(self):
        true = _true((50, 60), video="video_test_0000001")
        found = [
            *_found((50, 60, 0.5), video="video_test_0000002"),
            *_found((50, 60, 0.5), video="video_test_0000001"),
        ]
        assert detection_map(true, found, [0.5], "thumos").mean_ap.tolist() == [1]
        found = _found((80, 90, 0.5), (50, 60, 0.5), video="video_test_0000001")
        assert detection_map(true, found, [0.5], "thumos").mean_ap.tolist() == [0.5]
        assert detection_map(true, found[::-1], [0.5], "thumos").mean_ap.tolist() == [1]

    def test_thumos_divides_by_the_stretch_that_holds_both(self):
        true, found = _true((0.0, 0.6)), _found((0.0, 0.3, 0.9))
        assert detection_map(true, found, [0.5], "thumos").mean_ap.tolist() == [0]
        assert 0.3 / (0.3 + 0.6 - 0.3) > 0.5, "by the lengths it would be above, in floating point"

    def test_activitynet_takes_the_later_of_equal_scores_and_of_equal_overlaps(self):
        true, found = _true((0, 10)), _found((0, 10, 0.5), (50, 60, 0.5))
        assert detection_map(true, found, [0.5], "activitynet").mean_ap.tolist() == [0.5]
        assert detection_map(true, found[::-1], [0.5], "activitynet").mean_ap.tolist() == [1]
        true, found = _true((0, 10), (10, 20)), _found((5, 15, 0.9), (10, 20, 0.8))
        assert detection_map(true, found, [0.3], "activitynet").mean_ap.tolist() == [0.5]
        assert detection_map(true[::-1], found, [0.3], "activitynet").mean_ap.tolist() == [1]

    def test_thumos_truths_choose_and_activitynet_detections_choose(self):
        true, found = _true((0, 10)), _found((0, 6, 0.9), (0, 10, 0.1))
        assert detection_map(true, found, [0.5], "thumos").mean_ap.tolist() == [0.5]
        assert detection_map(true, found, [0.5], "activitynet").mean_ap.tolist() == [1]

    def test_only_activitynet_interpolates(self):
        true = _true((0, 1), (10, 11))
        found = _found((0, 1, 0.9), (5, 6, 0.8), (10, 11, 0.7))
        assert detection_map(true, found, [0.5], "thumos").mean_ap == pytest.approx([(1 + 2 / 3) / 2])
        assert detection_map(true, found, [0.5], "activitynet").mean_ap == pytest.approx([(1 + 2 / 3) / 2])
        found = _found((5, 6, 0.9), (0, 1, 0.8), (10, 11, 0.7))
        assert detection_map(true, found, [0.5], "thumos").mean_ap == pytest.approx([(1 / 2 + 2 / 3) / 2])
        assert detection_map(true, found, [0.5], "activitynet").mean_ap == pytest.approx([2 / 3])

    def test_ambiguous_intervals_excuse_only_what_no_truth_took_and_only_in_thumos(self):
        true, unclear = _true((0, 1)), _true((0, 1), (5, 6), label="Ambiguous")
        found = _found((5.5, 7, 0.9), (0, 1, 0.8))
        figures = detection_map(true, found, [0.5], "thumos", ambiguous=unclear)
        assert figures.mean_ap.tolist() == [1]
        assert figures.num_ignored.tolist() == [1]
        other = detection_map(true, found, [0.5], "activitynet", ambiguous=unclear)
        assert other.mean_ap.tolist() == [0.5]
        assert other.num_ignored.tolist() == [0]
        beside = _true((7, 8), label="Ambiguous")  # it touches in one point
        assert detection_map(true, found, [0.5], "thumos", ambiguous=beside).mean_ap.tolist() == [0.5]

    def test_a_detection_in_a_video_without_a_truth_of_its_class_is_wrong(self):
        true = _true((0, 1))
        found = [*_found((0, 1, 0.5)), *_found((0, 1, 0.9), video="w")]
        for protocol in PROTOCOLS:
            assert detection_map(true, found, [0.5], protocol).mean_ap.tolist() == [0.5]

    def test_nothing_found_is_0_and_a_class_without_a_truth_is_left_out_of_the_mean(self):
        figures = detection_map(_true((0, 1)), [], [0.3, 0.5], "thumos", labels=["a", "b"])
        assert figures.mean_ap.tolist() == [0, 0]
        assert np.isnan(figures.average_precision[1]).all()
        assert figures.num_truths.tolist() == [1, 0]
        assert figures.num_detections.tolist() == [0, 0]

    def test_detections_of_unknown_classes_do_not_count(self):
        found = [*_found((0, 1, 0.5)), *_found((0, 1, 0.9), label="z")]
        assert detection_map(_true((0, 1)), found, [0.5], "thumos").mean_ap.tolist() == [1]


@pytest.mark.parametrize(
    ("true", "found", "bars", "protocol", "said"),
    [
        ([], [], [0.5], "thumos", "there is no true action; the mean average precision has no meaning"),
        (_true((0, 1)), [], [0.5], "coco", "protocol is 'coco'; allowed: thumos, activitynet"),
        (_true((0, 1)), [], [], "thumos", r"thresholds are \[\]; give one or more above 0 and up to 1"),
        (_true((0, 1)), [], [0.0], "thumos", r"thresholds are \[0.0\]; give one or more above 0"),
        (_true((0, 1)), _found((2, 1, 0.5)), [0.5], "thumos", "is no interval; it must start before it ends"),
        (_true((0, 1)), _found((0, 1, math.nan)), [0.5], "thumos", "a detection scores nan; scores must be"),
        (_true((0, math.inf)), [], [0.5], "thumos", "is no interval; it must start before it ends"),
    ],
)
def test_what_has_no_meaning_is_refused(true, found, bars, protocol, said):
    with pytest.raises(CallError, match=said):
        detection_map(true, found, bars, protocol)


@pytest.mark.real
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("part", ["validation", "test"])
def test_thumos14_against_itself_and_shifted_by_half(real_data: Path, protocol, part):
    annotation = thumos14.read(real_data / "annotations" / "thumos14")
    ids = {video.id for video in annotation.parts[part]}
    true = [of for video in annotation.parts[part] for of in video.instances]
    unclear = [of for of in annotation.ambiguous if of.video_id in ids]
    bars = [n / 10 for n in range(1, 8)]
    same = [Detection(of.label, of.start_seconds, of.end_seconds, 1.0, of.video_id) for of in true]
    assert detection_map(true, same, bars, protocol, ambiguous=unclear).mean_ap.tolist() == [1.0] * 7
    halves = [(of.end_seconds - of.start_seconds) / 2 for of in same]
    shifted = [
        replace(of, start_seconds=of.start_seconds + half, end_seconds=of.end_seconds + half)
        for of, half in zip(same, halves, strict=True)
    ]
    figures = detection_map(true, shifted, bars, protocol, ambiguous=unclear)
    expected = reference.mean_ap(true, shifted, bars, protocol, unclear)
    np.testing.assert_allclose(figures.mean_ap, expected, atol=1e-12)
    assert figures.mean_ap[0] > 0.9
    assert figures.mean_ap[-1] < 0.2
