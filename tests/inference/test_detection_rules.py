"""Rules that keep samples and group them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

from attcell.inference.detection_rules import (
    EVIDENCE,
    ActivationRule,
    GroupRule,
    RuleChoice,
    attention_of,
    find_by_activation,
    find_by_groups,
    rule_of,
    runs,
    words,
)
from attcell.types import AttentionTrack, Detection

LABELS = ("run", "sit")
PAPER = GroupRule("raw", 0.01, 0.4)
RELATIVE = ActivationRule("relative", 0.2)
EVEN = np.array([0.5, 0.5])


def track(k, own, separate=None, evidence=None) -> AttentionTrack:
    """A sample every second, the first at 10 s."""
    starts = 10.0 + np.arange(len(k))
    return AttentionTrack(
        seconds=np.stack([starts, starts + 1], axis=1),
        frame_seconds=starts,
        temporal_scores=np.array(k, float),
        temporal_attention=np.full(len(k), 1 / max(1, len(k))),
        spatial_attention={},
        attended_area=(0.0, 0.0, 1.0, 1.0),
        class_scores=np.array(own, float),
        separate_scores=None if separate is None else np.array(separate, float),
        class_evidence=None if evidence is None else np.array(evidence, float),
    )


def slow_paper(of: AttentionTrack) -> list[Detection]:
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


def same(found: list[Detection], expected: list[Detection], **close: float) -> None:
    """The same actions, with scores that are close; where scores are equal the order says nothing."""
    ordered = [sorted(one, key=lambda of: (of.label, of.start_seconds)) for one in (found, expected)]
    places = [[(of.label, of.start_seconds, of.end_seconds) for of in one] for one in ordered]
    assert places[0] == places[1]
    assert [of.score for of in ordered[0]] == pytest.approx([of.score for of in ordered[1]], **close)


values = some.arrays(np.float64, st.integers(1, 12), elements=st.sampled_from([-1.0, 0.0, 0.01, 0.3, 2.0]))


@settings(max_examples=100, deadline=None)
@given(values, st.data())
def test_the_papers_rule_is_its_words(k, data):
    shares = st.sampled_from([0.0, 0.2, 0.4, 0.6, 1.0])
    first = data.draw(some.arrays(np.float64, len(k), elements=shares))
    of = track(k, np.zeros((len(k), 2)), np.stack([first, 1 - first], axis=1))
    found, expected = find_by_groups(of, LABELS, PAPER), slow_paper(of)
    same(found, expected, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(values, st.integers(-50, 50), st.booleans(), st.data())
def test_no_constant_added_to_the_scores_changes_what_the_default_finds(k, shift, mean, data):
    own = data.draw(some.arrays(np.float64, (len(k), 2), elements=st.sampled_from([0.0, 0.3, 0.55, 0.9])))
    rule = replace(RELATIVE, threshold=0.2345, length_normalised=mean)
    found = find_by_activation(track(k, own), LABELS, EVEN, rule)
    shifted = find_by_activation(track(k + shift, own), LABELS, EVEN, rule)
    same(found, shifted, rel=1e-6)


def test_the_papers_rule_depends_on_such_a_constant():
    of = track([1.0, 0.5, 1.0], [[1, 0]] * 3, [[1, 0]] * 3)
    assert len(find_by_groups(of, LABELS, PAPER)) == 1
    assert find_by_groups(replace(of, temporal_scores=of.temporal_scores - 2), LABELS, PAPER) == []


def test_what_a_group_scores():
    of = track([0, 2, 1, 0], [[0, 0]] * 4, [[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.9, 0.1]])
    (one,) = find_by_groups(of, LABELS, PAPER)
    assert one == Detection("run", 11.0, 13.0, pytest.approx(2 * 0.8 + 0.6))
    (one,) = find_by_groups(of, LABELS, replace(PAPER, length_normalised=True))
    assert one.score == pytest.approx((2 * 0.8 + 0.6) / 2)


def test_what_lies_above_the_line_between_samples_and_what_it_scores():
    of = track([0, 2, 0, 0], [[1, 0]] * 4)  # the product is 0, 1, 0, 0 at 10, 11, 12 and 13 s
    (one,) = find_by_activation(of, LABELS, np.array([0.25, 0.75]), replace(RELATIVE, threshold=0.5))
    height = [0.6, 0.8, 1, 0.8, 0.6]
    assert (one.label, one.start_seconds, one.end_seconds) == ("run", *map(pytest.approx, (10.6, 11.6)))
    assert one.score == pytest.approx(0.25 * sum(height) / 5)
    mean = replace(RELATIVE, threshold=0.5, length_normalised=True, with_video_score=False)
    (one,) = find_by_activation(of, LABELS, np.array([0.25, 0.75]), mean)
    assert one.score == pytest.approx(np.mean(height))


def test_without_attention_every_sample_counts_by_its_class_score():
    flat = track([3, 3, 3], [[0.9, 0.1], [0.0, 0.1], [0.9, 0.1]])
    for attention in ("none", "relative"):
        rule = ActivationRule(attention, 0.5)
        found = find_by_activation(flat, LABELS, EVEN, rule)
        times = [(of.start_seconds, of.end_seconds) for of in found]
        assert times == [(10.0, pytest.approx(10.6)), (pytest.approx(11.6), 13.0)]


def test_the_last_sample_holds_to_its_end():
    (one,) = find_by_activation(track([1.0], [[0.9, 0.1]]), LABELS, EVEN, ActivationRule("none", 0.5))
    assert (one.start_seconds, one.end_seconds) == (10, 11)


def test_evidence_stands_in_the_place_of_class_scores_and_nothing_is_taken_for_what_speaks_against():
    evidence = [[0, 0], [4, -4], [-3, 3], [0, 0]]
    of = track([0, 2, 1, 0], [[0, 0]] * 4, evidence=evidence)  # worth 0, 4, 0, 0 and 0, 0, 1.5, 0
    first, second = find_by_activation(of, LABELS, EVEN, replace(EVIDENCE, threshold=0.25))  # above 1
    assert (first.label, first.start_seconds, first.end_seconds) == ("run", *map(pytest.approx, (10.4, 11.8)))
    assert (second.label, second.start_seconds, second.end_seconds) == ("sit", pytest.approx(11.8), 12.4)
    line = [1.6, 2.4, 3.2, 4, 3.2, 2.4, 1.6]
    assert first.score == pytest.approx(0.5 * sum(line) / 5)
    against = track([0, 2, 1, 0], [[0, 0]] * 4, evidence=-np.ones((4, 2)))
    assert find_by_activation(against, LABELS, EVEN, EVIDENCE) == []


@settings(max_examples=50, deadline=None)
@given(values, st.sampled_from([0.01, 0.7, 100.0]), st.data())
def test_evidence_has_no_scale(k, scale, data):
    evidence = data.draw(
        some.arrays(np.float64, (len(k), 2), elements=st.sampled_from([-1.0, 0.0, 0.3, 2.0]))
    )
    rule = replace(EVIDENCE, threshold=0.2345)
    own = np.zeros((len(k), 2))
    found = find_by_activation(track(k, own, evidence=evidence), LABELS, EVEN, rule)
    scaled = find_by_activation(track(k, own, evidence=scale * evidence), LABELS, EVEN, rule)
    same([replace(of, score=scale * of.score) for of in found], scaled, rel=1e-6)


def test_the_rule_of_evidence_needs_no_calibration_and_says_what_its_threshold_is():
    assert rule_of(RuleChoice("evidence"), None, 3) == EVIDENCE
    assert rule_of(RuleChoice("evidence", threshold=0.3), None, 3).threshold == 0.3
    assert words(RuleChoice("evidence"), None, 3) == (
        "evidence: relative attention × evidence above 0.10 of its largest in the video; its sum, times the "
        "class's score for the video"
    )


def test_classes_that_the_video_has_not_are_left_out():
    of, rule = track([1.0, 2.0], [[1, 1]] * 2), ActivationRule("none", 0.5, video_threshold=0.1)
    assert {one.label for one in find_by_activation(of, LABELS, np.array([0.95, 0.05]), rule)} == {"run"}


def test_attention_stays_finite():
    assert attention_of(np.array([-1e4, 1e4]), "sigmoid").tolist() == [pytest.approx(0), 1]
    assert attention_of(np.array([3.0]), "relative").tolist() == [1]


def test_runs():
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.array([False])) == []
