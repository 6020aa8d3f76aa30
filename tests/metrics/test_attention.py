"""Pointing game and temporal ranking."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attcell.metrics.attention import peak_in_box, pointing_chance, temporal_auc

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
