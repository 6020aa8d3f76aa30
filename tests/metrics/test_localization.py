"""Pointing game and temporal ranking."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.metrics.localization import (
    mass_chance,
    mass_in_box,
    peak_in_box,
    peak_on_tone,
    pointing_chance,
    temporal_auc,
    tone_regions,
)

WHOLE = np.array([0.0, 0.0, 1.0, 1.0])


def peak_at(row: int, column: int, regions: int = 4) -> np.ndarray:
    attention = np.full((regions, regions), 0.01)
    attention[row, column] = 0.5
    return attention


def test_the_peaks_centre_decides():
    box = np.array([0.5, 0.0, 0.75, 0.25])  # the region in row 0, column 2
    hits = [
        (row, column) for row in range(4) for column in range(4) if peak_in_box(peak_at(row, column), box)
    ]
    assert hits == [(0, 2)]


def test_the_map_covers_only_its_area():
    area = (0.25, 0.0, 0.75, 1.0)
    assert peak_in_box(peak_at(0, 0), np.array([0.3, 0.1, 0.33, 0.15]), area)  # the centre is (.3125, .125)
    assert not peak_in_box(peak_at(0, 0), np.array([0.0, 0.0, 0.25, 1.0]), area)


def test_of_equal_peaks_the_first_counts():
    box = np.array([0.0, 0.0, 0.25, 0.25])
    assert peak_in_box(np.full((4, 4), 1 / 16), box)
    assert not peak_in_box(np.full((4, 4), 1 / 16), 1 - box[[2, 3, 0, 1]])


def test_an_actor_who_is_not_there_is_not_hit():
    assert not peak_in_box(peak_at(1, 1), np.full(4, np.nan))


@given(st.integers(1, 9), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_chance_is_the_share_of_regions_that_hit(regions, edges):
    box = np.array([min(edges[0], edges[2]), min(edges[1], edges[3]), max(edges[::2]), max(edges[1::2])])
    centres = (np.arange(regions) + 0.5) / regions
    inside = np.sum((centres >= box[0]) & (centres <= box[2])) * np.sum(
        (centres >= box[1]) & (centres <= box[3])
    )
    assert pointing_chance(regions, box) == pytest.approx(inside / regions**2)


def test_chance_of_everything_and_nothing():
    assert pointing_chance(7, WHOLE) == 1.0
    assert pointing_chance(7, np.array([0.0, 0.0, 0.01, 0.01])) == 0.0


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=20))
def test_the_auc_is_the_share_of_pairs_in_order(segments):
    scores = np.array([float(score) for score, _ in segments])
    action = np.array([int(is_action) for _, is_action in segments])
    pairs = [
        (inside > outside) + 0.5 * (inside == outside)
        for inside in scores[action == 1]
        for outside in scores[action == 0]
    ]
    found = temporal_auc(scores, action)
    if pairs:
        assert found == pytest.approx(np.mean(pairs))
    else:
        assert np.isnan(found)


class TestMass:
    def test_a_region_that_a_box_cuts_counts_by_the_part_inside(self):
        half = np.array([0.125, 0.0, 0.5, 0.25])  # half of the region in row 0, column 0, and all of column 1
        attention = np.zeros((4, 4))
        attention[0, :3] = 0.4, 0.1, 0.5
        assert mass_in_box(attention, half) == pytest.approx(0.3)

    def test_overlapping_boxes_count_once_and_absent_ones_not(self):
        boxes = np.array([[0.0, 0.0, 0.5, 1.0], [0.25, 0.0, 0.75, 1.0], [np.nan] * 4])
        even = np.full((4, 4), 1 / 16)
        assert mass_in_box(even, boxes) == pytest.approx(0.75)
        assert mass_in_box(even, np.full((2, 4), np.nan)) == 0

    def test_the_map_covers_only_its_area(self):
        area = (0.25, 0.0, 0.75, 1.0)
        box = np.array([0.0, 0.0, 0.5, 1.0])  # the left half of the area, and what is left of it
        assert mass_in_box(np.full((4, 4), 1.0), box, area) == pytest.approx(0.5)
        assert mass_chance(4, box, area) == pytest.approx(0.5)

    @given(
        st.integers(1, 7),
        st.lists(st.floats(0, 1), min_size=4, max_size=4),
        st.floats(0.05, 0.95),
        st.integers(0, 1000),
    )
    def test_parts_of_a_box_add_up_and_everything_is_all(self, regions, edges, cut, seed):
        attention = np.random.default_rng(seed).random((regions, regions)) + 1e-3
        assert mass_in_box(attention, WHOLE) == pytest.approx(1)
        left, right = sorted(edges[::2])
        top, bottom = sorted(edges[1::2])
        middle = left + cut * (right - left)
        parts = [np.array([left, top, middle, bottom]), np.array([middle, top, right, bottom])]
        whole = mass_in_box(attention, np.array([left, top, right, bottom]))
        assert sum(mass_in_box(attention, part) for part in parts) == pytest.approx(whole, abs=1e-9)
        assert mass_in_box(attention, np.stack(parts)) == pytest.approx(whole, abs=1e-9)
        assert mass_chance(regions, np.stack(parts)) == pytest.approx(
            (right - left) * (bottom - top), abs=1e-9
        )


def test_several_boxes_and_any_of_them_is_a_hit():
    boxes = np.array([[np.nan] * 4, [0.5, 0.0, 0.75, 0.25]])
    assert peak_in_box(peak_at(0, 2), boxes)
    assert not peak_in_box(peak_at(0, 1), boxes)
    assert pointing_chance(4, boxes) == 1 / 16


EDGES = np.array([200.0, 400.0, 800.0, 1600.0, 3200.0])  # four columns of an octave each


def at(row: int, column: int) -> np.ndarray:
    """A map (4, 4) with its peak there."""
    return np.eye(16)[4 * row + column].reshape(4, 4)


def test_a_tone_is_pointed_at_where_it_is_in_time_and_frequency():
    notes = np.array([[0.3, 0.7, 1000.0, 1000.0]])  # in the second and the third of four rows of a second
    hit = [
        [peak_on_tone(at(row, column), (0.0, 1.0), EDGES, notes) for column in range(4)] for row in range(4)
    ]
    assert np.argwhere(hit).tolist() == [[1, 2], [2, 2]]
    assert tone_regions(4, (0.0, 1.0), EDGES, notes).tolist() == hit
    near = tone_regions(4, (0.0, 1.0), EDGES, notes, reach=1)
    assert near.tolist() == [[False, True, True, True]] * 4
    assert peak_on_tone(at(0, 1), (0.0, 1.0), EDGES, notes, reach=1)
    assert not peak_on_tone(at(1, 0), (0.0, 1.0), EDGES, notes, reach=1)
    assert not tone_regions(4, (0.7, 1.7), EDGES, notes).any()
    assert not tone_regions(4, (0.0, 1.0), EDGES, np.zeros((0, 4))).any()


@pytest.mark.parametrize(("first", "last"), [(300.0, 2400.0), (2400.0, 300.0)])
def test_a_glide_goes_through_one_region_after_the_other(first, last):
    """Three octaves in a second: at the middles of the rows it is 3/8, 9/8, 15/8 and 21/8 octaves on."""
    notes = np.array([[2.0, 3.0, first, last]])
    regions = tone_regions(4, (2.0, 3.0), EDGES, notes)
    expected = np.zeros((4, 4), dtype=bool)
    for share in (np.arange(4000) + 0.5) / 4000:
        hz = first * (last / first) ** share
        expected[int(4 * share), np.searchsorted(EDGES, hz) - 1] = True
    assert np.array_equal(regions, expected)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 2), st.floats(0.05, 2), st.floats(210, 3100), st.floats(210, 3100), st.integers(1, 12))
def test_a_tone_within_the_map_is_somewhere_in_each_row_that_it_lasts(start, length, first, last, rows):
    regions = tone_regions(rows, (-1.0, 5.0), EDGES, np.array([[start, start + length, first, last]]))
    lasts = [
        max(-1 + 6 * r / rows, start) < min(-1 + 6 * (r + 1) / rows, start + length) for r in range(rows)
    ]
    assert regions.any(axis=1).tolist() == lasts
