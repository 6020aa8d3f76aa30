"""Found actions as bars, list and lines."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attcell.report.lines import detection_lines
from attcell.report.page.timeline import (
    CURVE_HEIGHT,
    MOST_LANES,
    MOST_LISTED,
    TimeAxis,
    attention_curve,
    clock,
    found_views,
    round_levels,
    worth_showing,
)
from attcell.types import Detection


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00.0"),
        (3.25, "00:03.2"),
        (59.96, "01:00.0"),
        (61.5, "01:01.5"),
        (3599.94, "59:59.9"),
        (3599.96, "1:00:00.0"),
        (7325.1, "2:02:05.1"),
        (-0.04, "00:00.0"),
        (-1.5, "-00:01.5"),
    ],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@given(start=st.floats(0, 1e4), span=st.floats(0.001, 2e4))
def test_ticks_are_few_distinct_and_where_they_say(start: float, span: float) -> None:
    axis = TimeAxis(start, start + span)
    ticks = axis.ticks()
    assert len(ticks) <= 9
    assert len({label for _, label in ticks}) == len(ticks)
    for share, label in ticks:
        parts = [float(part) for part in label.split(":")]
        seconds = sum(part * 60**n for n, part in enumerate(reversed(parts)))
        assert axis.share(seconds) == pytest.approx(share, abs=1e-3)


def test_the_axis_is_the_videos_own_time() -> None:
    axis = TimeAxis.over(np.array([[2.0, 4.0], [4.0, 12.0]]))
    assert (axis.start, axis.end) == (2, 12)
    assert axis.share(4) == pytest.approx(0.2)
    assert axis.share(1) == 0
    assert axis.share(99) == 1
    assert [label for _, label in axis.ticks()] == [f"00:{s:02d}.0" for s in (2, 4, 6, 8, 10, 12)]


def test_many_hours_have_ticks_at_whole_hours() -> None:
    labels = [label for _, label in TimeAxis(0, 20 * 3600).ticks()]
    assert labels == [f"{hours}:00:00.0" if hours else "00:00.0" for hours in range(0, 21, 3)]


def test_an_empty_span_still_has_a_length() -> None:
    assert TimeAxis.over(np.array([[5.0, 5.0]])).share(5.0) == 0


def test_the_curve_has_one_step_a_segment_at_its_weight() -> None:
    segments = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 4.0]])
    attention = np.array([0.2, 0.7, 0.1])
    curve = attention_curve(TimeAxis.over(segments), segments, segments.mean(axis=1), attention, {})
    steps = re.findall(r"M([\d.]+) 200V([\d.]+)H([\d.]+)V200Z", curve.area)
    assert [(float(left), float(right)) for left, _, right in steps] == [(0, 250), (250, 500), (500, 1000)]
    heights = np.array([CURVE_HEIGHT - float(y) for _, y, _ in steps])
    np.testing.assert_allclose(heights / heights.sum(), attention, atol=1e-4)
    assert curve.even * CURVE_HEIGHT == pytest.approx(heights.sum() / 3, abs=0.1)
    assert curve.line.count("M") == 1
    assert re.findall(r"M([\d.]+) ", curve.dots) == ["125.00", "375.00", "750.00"]


def test_a_gap_between_segments_is_a_gap_in_the_line() -> None:
    segments = np.array([[0.0, 1.0], [3.0, 4.0]])
    curve = attention_curve(TimeAxis.over(segments), segments, segments[:, 0], np.array([0.5, 0.5]), {})
    assert curve.line.count("M") == 2


def test_the_streams_of_late_fusion_share_the_scale() -> None:
    segments = np.array([[0.0, 1.0], [1.0, 2.0]])
    mean, frame, flow = np.array([0.5, 0.5]), np.array([0.1, 0.9]), np.array([0.9, 0.1])
    curve = attention_curve(
        TimeAxis.over(segments), segments, segments[:, 0], mean, {"frame": frame, "flow": flow}
    )
    top = CURVE_HEIGHT * (1 - 1 / 1.12)
    bottom = CURVE_HEIGHT * (1 - 0.1 / 0.9 / 1.12)
    assert curve.streams == {
        "frame": f"M0.00 {bottom:.2f}H500.00V{top:.2f}H1000.00",
        "flow": f"M0.00 {top:.2f}H500.00V{bottom:.2f}H1000.00",
    }
    assert curve.even == pytest.approx(0.5 / 0.9 / 1.12)


@given(st.floats(1e-6, 10))
def test_levels_start_at_zero_and_stay_below_the_ceiling(ceiling: float) -> None:
    levels = round_levels(ceiling)
    assert levels[0] == 0
    assert 2 <= len(levels) <= 5
    assert levels[-1] <= ceiling * (1 + 1e-6)


AXIS = TimeAxis(2.0, 12.0)


def test_places_times_and_lanes():
    found = [
        Detection("run", 4.0, 5.0, 0.8),
        Detection("sit", 2.0, 3.0, 0.4),
        Detection("run", 9.0, 99.0, 0.2),
    ]
    views = found_views(found, AXIS)
    assert [lane.label for lane in views.lanes] == ["run", "sit"]
    first, last = views.lanes[0].found
    assert (first.start, first.end, first.score) == ("00:04.0", "00:05.0", "0.8")
    assert (first.at, first.until) == (2.0, 3.0), "in the player's time, which starts at 0"
    assert (first.left, first.width) == (pytest.approx(20), pytest.approx(10))
    assert last.left + last.width == pytest.approx(100), "nothing reaches out of the time line"
    assert first.strength == 1
    assert last.strength == pytest.approx(0.25 + 0.75 / 4)
    assert views.num_hidden == 0


def test_what_is_next_to_nothing_is_counted_and_not_shown(make_prediction):
    found = [
        Detection("run", 4.0, 5.0, 0.8),
        Detection("sit", 2.0, 3.0, 0.008),
        Detection("sit", 5.0, 6.0, 1e-5),
    ]
    assert worth_showing(found) == found[:2]
    views = found_views(found, AXIS)
    assert (len(views.listed), views.num_hidden) == (2, 1)
    prediction = make_prediction(video="a.mp4", detections=tuple(found))
    assert detection_lines(prediction) == [
        "a.mp4: 2 actions",
        "  00:04.0 to 00:05.0  run  0.8",
        "  00:02.0 to 00:03.0  sit  0.008",
        "  and 1 more of lower scores",
    ]
    assert detection_lines(make_prediction(video="a.mp4", detections=())) == ["a.mp4: 0 actions"]


def test_many_actions_and_scores_that_are_all_0_or_less():
    many = [Detection(f"class {n % 20}", 3.0, 4.0, 1.0) for n in range(150)]
    views = found_views(many, AXIS)
    assert (len(views.lanes), len(views.listed)) == (MOST_LANES, MOST_LISTED)
    assert views.num_hidden == 50
    flat = found_views([Detection("run", 3.0, 4.0, 0.0), Detection("run", 5.0, 6.0, -1.0)], AXIS)
    assert [of.strength for of in flat.listed] == [1.0, 1.0]
