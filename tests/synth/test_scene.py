"""Planning a video."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.errors import CallError
from attcell.synth.scene import (
    ALLOWED_NUM_CLASSES,
    FPS,
    KINDS,
    MOTIONS,
    SIZE,
    SPLITS,
    ActionClass,
    VideoPlan,
    decoys,
    plan_video,
    ring,
)


def plan(kind: str, label: int = 0, seed: int = 0, split: str = "train", number: int = 0) -> VideoPlan:
    return plan_video(kind, label, seed=seed, split=split, number=number, num_classes=6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5), st.integers(0, 2**31), st.sampled_from(SPLITS), st.integers(0, 999))
def test_untrimmed_recipe(label: int, seed: int, split: str, number: int) -> None:
    video = plan("untrimmed", label, seed, split, number)
    seconds = video.num_frames / FPS
    assert 10 <= seconds <= 16
    roles = {figure.role: figure for figure in video.figures}
    assert set(roles) == {"actor", "stand-in", "grey"}
    for figure in video.figures:
        edges = np.ravel(figure.intervals) * FPS
        assert len(figure.intervals) in (1, 2)
        assert edges[0] >= 0
        assert edges[-1] <= video.num_frames
        assert (np.diff(edges) > 0).all()
        np.testing.assert_allclose(edges, np.round(edges), atol=1e-9)
        assert 0 < figure.feet[0] < SIZE
    acted = sum(end - start for start, end in video.actor.intervals) / seconds
    assert 0.24 <= acted <= 0.31
    motion = ring(6)[label].name.split("_")[0]
    assert video.actor.motion == motion
    assert roles["stand-in"].motion is None
    assert roles["grey"].motion not in (None, motion)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 5), st.integers(0, 2**31))
def test_trimmed_recipe(label: int, seed: int) -> None:
    video = plan("trimmed", label, seed)
    seconds = video.num_frames / FPS
    assert 3 <= seconds <= 4
    assert video.actor.intervals == ((0.0, seconds),)
    assert all(figure.motion is None for figure in video.figures if figure.role != "actor")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 5), st.integers(0, 2**31))
def test_beside_a_path_stands_another_appearance(label: int, seed: int) -> None:
    """Else any colour in a frame would tell as much as that of the figure that acts."""
    video = plan_video("trimmed", label, seed=seed, split="train", number=0, num_classes=6, motions="paths")
    assert sorted(figure.role for figure in video.figures) == ["actor", "stand-in"]
    assert video.actor.motion == ring(6, "paths")[label].motion


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_follows_from_its_arguments_and_changes_with_each(kind: str) -> None:
    first = plan(kind)
    assert plan(kind) == first
    for other in (plan(kind, label=1), plan(kind, seed=1), plan(kind, split="test"), plan(kind, number=1)):
        assert other != first


def test_unknown_kind_and_split_are_refused() -> None:
    with pytest.raises(CallError, match=r"^unknown kind of generated video 'long'; .* trimmed, untrimmed$"):
        plan("long")
    with pytest.raises(CallError, match=r"^unknown split 'dev'; choose one of train, val, test$"):
        plan("trimmed", split="dev")


def test_six_classes_in_ring_order() -> None:
    pairs = [(c.appearance, c.motion) for c in ring(6)]
    wave, kick, squat = "wave", "kick", "squat"
    assert pairs == [(0, wave), (0, kick), (1, kick), (1, squat), (2, squat), (2, wave)]
    names = ["wave_red", "kick_red", "kick_green", "squat_green", "squat_blue", "wave_blue"]
    assert [c.name for c in ring(6)] == names
    paths = ["slide_red", "hop_red", "hop_green", "charge_green", "charge_blue", "slide_blue"]
    assert [c.name for c in ring(6, "paths")] == paths


@pytest.mark.parametrize("motions", MOTIONS)
@pytest.mark.parametrize("num_classes", ALLOWED_NUM_CLASSES)
def test_each_appearance_and_each_motion_serves_two_classes(num_classes: int, motions: str) -> None:
    classes = ring(num_classes, motions)
    assert len(set(classes)) == num_classes
    assert set(Counter(c.appearance for c in classes).values()) == {2}
    assert set(Counter(c.motion for c in classes).values()) == {2}


@pytest.mark.parametrize("num_classes", [0, 2, 5, 12])
def test_other_numbers_of_classes_are_refused(num_classes: int) -> None:
    with pytest.raises(CallError, match=f"^{num_classes} classes cannot be generated; .* 4, 6, 8, 10$"):
        ring(num_classes)


def test_other_motions_are_refused() -> None:
    with pytest.raises(CallError, match=r"^unknown kind of motions 'dances'; choose one of postures, paths$"):
        ring(6, "dances")


@pytest.mark.parametrize("num_classes", ALLOWED_NUM_CLASSES)
def test_what_is_shown_anywhere_leaves_at_least_three_classes(num_classes: int) -> None:
    """An oracle that sees every appearance and motion, but not who does what, is right 1/3 of the time."""
    classes, rng = ring(num_classes), np.random.default_rng(0)
    shown: dict[tuple[frozenset[int], frozenset[str]], Counter[int]] = {}
    for index, true in enumerate(classes):
        for _ in range(300):
            appearance, motion = decoys(classes, index, rng)
            assert ActionClass(appearance, motion) != true
            assert appearance != true.appearance
            assert motion != true.motion
            key = (frozenset((true.appearance, appearance)), frozenset((true.motion, motion)))
            shown.setdefault(key, Counter())[index] += 1
    right = sum(max(counts.values()) for counts in shown.values()) / (300 * num_classes)
    assert right < 0.38
    assert all(len(counts) >= 3 for counts in shown.values())


@pytest.mark.parametrize("number", range(12))
def test_figures_that_act_in_turn_never_act_at_once(number):
    """All else of the plan's kind stays: two that act, in one or two intervals of their own."""
    plan = plan_video(
        "untrimmed", 1, seed=4, split="train", number=number, num_classes=6, motions="paths", in_turn=True
    )
    grey = next(figure for figure in plan.figures if figure.role == "grey")
    for start, end in plan.actor.intervals:
        assert all(end <= other[0] or other[1] <= start for other in grey.intervals)
    filled = sum(end - start for start, end in grey.intervals) / (plan.num_frames / FPS)
    assert 0.15 < filled < 0.32
