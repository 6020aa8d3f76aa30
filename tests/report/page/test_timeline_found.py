"""Found actions as bars, list and lines."""

from __future__ import annotations

import pytest

from attcell.report.lines import detection_lines
from attcell.report.page.timeline import MOST_LANES, MOST_LISTED, TimeAxis, found_views, worth_showing
from attcell.types import Detection

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
