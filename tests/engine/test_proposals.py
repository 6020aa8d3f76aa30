"""Rules that keep samples and group them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

from attcell.engine.proposals import DetectionRule, attention_of, find_actions, runs
from attcell.engine.stpn import find_by_activation
from attcell.records import Detection, Track

LABELS = ("run", "sit")
PAPER = DetectionRule("raw", 0.01, "separate", 0.4)
RELATIVE = DetectionRule("relative", 0.5, "own", 0.4, with_video_score=True)
EVEN = np.array([0.5, 0.5])


def track(k, own, separate=None) -> Track:
    """A sample every second, the first at 10 s."""
    starts = 10.0 + np.arange(len(k))
    return Track(
        np.stack([starts, starts + 1], axis=1),
        np.array(k, float),
        np.array(own, float),
        None if separate is None else np.array(separate, float),
        {},
    )


def slow_paper(of: Track) -> list[Detection]:
    """Section V-H, word by word."""
    found = []
    for label, name in enumerate(LABELS):
        group: list[int] = []
        for t in range(len(of.temporal_scores) + 1):
            if (
                t < len(of.temporal_scores)
                and of.temporal_scores[t] > 0.01
                and of.separate_scores[t, label] > 0.4
            ):
                group.append(t)
            elif group:
                score = sum(of.separate_scores[i, label] * of.temporal_scores[i] for i in group)
                found.append(Detection(name, of.seconds[group[0], 0], of.seconds[group[-1], 1], score))
                group = []
    return sorted(found, key=lambda one: -one.score)


values = some.arrays(np.float64, st.integers(1, 12), elements=st.sampled_from([-1.0, 0.0, 0.01, 0.3, 2.0]))


@settings(max_examples=100, deadline=None)
@given(values, st.data())
def test_the_papers_rule_is_its_words(k, data):
    shares = st.sampled_from([0.0, 0.2, 0.4, 0.6, 1.0])
    first = data.draw(some.arrays(np.float64, len(k), elements=shares))
    of = track(k, np.zeros((len(k), 2)), np.stack([first, 1 - first], axis=1))
    found, expected = find_actions(of, LABELS, EVEN, PAPER), slow_paper(of)
    assert len(found) == len(expected)
    key = lambda one: (one.label, one.start_seconds)  # noqa: E731
    for one, other in zip(sorted(found, key=key), sorted(expected, key=key), strict=True):
        assert (one.label, one.start_seconds, one.end_seconds) == (
            other.label,
            other.start_seconds,
            other.end_seconds,
        )
        assert one.score == pytest.approx(other.score, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(values, st.floats(-50, 50), st.sampled_from([0.2, 0.5, None]), st.data())
def test_no_constant_added_to_the_scores_changes_what_the_default_finds(k, shift, bar, data):
    own = data.draw(some.arrays(np.float64, (len(k), 2), elements=st.floats(0, 1)))
    rule = replace(RELATIVE, attention_threshold=bar)
    found = find_actions(track(k, own), LABELS, EVEN, rule)
    shifted = find_actions(track(k + shift, own), LABELS, EVEN, rule)
    places = [(of.label, of.start_seconds, of.end_seconds) for of in found]
    assert sorted(places) == sorted((of.label, of.start_seconds, of.end_seconds) for of in shifted)
    np.testing.assert_allclose(
        sorted(of.score for of in found), sorted(of.score for of in shifted), rtol=1e-6, atol=1e-9
    )


def test_the_papers_rule_depends_on_such_a_constant():
    of = track([1.0, 0.5, 1.0], [[1, 0]] * 3, [[1, 0]] * 3)
    assert len(find_actions(of, LABELS, EVEN, PAPER)) == 1
    assert find_actions(replace(of, temporal_scores=of.temporal_scores - 2), LABELS, EVEN, PAPER) == []


def test_what_an_action_scores():
    of = track([0, 2, 1, 0], [[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.9, 0.1]])
    rule = replace(RELATIVE, attention_threshold=0.4)
    (one,) = find_actions(of, LABELS, np.array([0.25, 0.75]), rule)
    assert one == Detection("run", 11.0, 13.0, pytest.approx(0.25 * (0.8 + 0.5 * 0.6)))
    (one,) = find_actions(of, LABELS, np.array([0.25, 0.75]), replace(rule, length_normalised=True))
    assert one.score == pytest.approx(0.25 * (0.8 + 0.5 * 0.6) / 2)
    (one,) = find_actions(of, LABELS, np.array([0.25, 0.75]), replace(rule, with_video_score=False))
    assert one.score == pytest.approx(0.8 + 0.5 * 0.6)


def test_without_attention_every_sample_is_taken():
    flat = track([0, 0, 0], [[0.9, 0.1], [0.2, 0.1], [0.9, 0.1]])
    for rule in (replace(RELATIVE, attention="none"), RELATIVE, replace(RELATIVE, attention_threshold=None)):
        found = find_actions(flat, LABELS, EVEN, rule)
        assert [(of.start_seconds, of.end_seconds) for of in found] == [(10, 11), (12, 13)]


def test_the_mean_is_the_bar_where_there_is_no_other():
    of = track([0, 1, 10, 1], [[0.9, 0.1]] * 4)
    (one,) = find_actions(of, LABELS, EVEN, replace(RELATIVE, attention_threshold=None))
    assert (one.start_seconds, one.end_seconds) == (12, 13)


def test_attention_stays_finite():
    assert attention_of(np.array([-1e4, 1e4]), "sigmoid").tolist() == [pytest.approx(0), 1]
    assert attention_of(np.array([3.0]), "relative").tolist() == [1]


def test_runs():
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.array([False])) == []


def test_stpn_thresholds_the_interpolated_map_of_classes_that_the_video_has():
    k = [-20.0, 20, 20, -20]
    of = track(k, [[1, 1]] * 4)
    (one,) = find_by_activation(of, LABELS, np.array([0.95, 0.05]))
    assert one.label == "run"
    assert one.start_seconds == pytest.approx(10.2)  # the map is a line from 0 at 10 s to 1 at 11 s
    assert one.end_seconds == pytest.approx(13.0)
    assert one.score == pytest.approx(np.mean([0.2, 0.4, 0.6, 0.8, *[1] * 6, 0.8, 0.6, 0.4, 0.2]))
