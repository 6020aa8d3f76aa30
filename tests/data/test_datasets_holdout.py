"""Parting training videos into training and validation."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from attcell.data.datasets import hold_out
from attcell.types import VideoRecord


def records_of(counts: list[int]) -> list[VideoRecord]:
    """As many videos of each class as the counts say, classes mixed."""
    found = [(label, number) for label, count in enumerate(counts) for number in range(count)]
    found.sort(key=lambda pair: (pair[1], pair[0]))
    return [VideoRecord(f"{label}/{number}.mp4", Path("x"), (label,)) for label, number in found]


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=5),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 2**23 - 1),
)
def test_each_class_gives_its_share_and_keeps_one(counts, fraction, seed):
    records = records_of(counts)
    kept, held = hold_out(records, fraction, seed)
    assert sorted([*kept, *held], key=records.index) == records
    assert list(kept) == [record for record in records if record in set(kept)]
    found = Counter(record.label for record in held)
    for label, count in enumerate(counts):
        assert found[label] == max(0, min(round(fraction * count), count - 1))
    assert hold_out(records, fraction, seed) == (kept, held)


def test_nothing_is_held_out_for_a_fraction_of_0():
    records = records_of([3, 2])
    assert hold_out(records, 0.0, 0) == (tuple(records), ())


def test_seeds_hold_out_different_videos():
    records = records_of([40, 40])
    assert hold_out(records, 0.5, 0) != hold_out(records, 0.5, 1)


def test_videos_of_a_group_stay_together():
    """As in UCF101, whose groups are of one class each."""
    groups = [(label, group) for label in (0, 1) for group in range(5)]
    records = [
        VideoRecord(f"{label}/g{group}_c{number}.avi", Path("x"), (label,), f"{label} g{group}")
        for label, group in groups
        for number in range(4)
    ]
    kept, held = hold_out(records, 0.4, 3)
    assert not {record.group for record in kept} & {record.group for record in held}
    assert Counter(record.label for record in held) == {0: 8, 1: 8}


def test_groups_that_show_all_classes_are_held_out_whole():
    """As in Weizmann, where each actor does everything."""
    records = [
        VideoRecord(f"{label}/{actor}.avi", Path("x"), (label,), actor)
        for label in range(3)
        for actor in ("ann", "bob", "cid", "dee")
    ]
    _, held = hold_out(records, 0.25, 0)
    assert len({record.group for record in held}) == 1
    assert sorted(record.label for record in held) == [0, 1, 2]


def test_videos_of_several_classes_are_drawn_among_their_like():
    records = [VideoRecord(f"{n}.mp4", Path("x"), ((0, 1), (), (1,))[n % 3]) for n in range(30)]
    _, held = hold_out(records, 0.2, 0)
    assert Counter(record.labels for record in held) == {(0, 1): 2, (): 2, (1,): 2}


@given(
    st.lists(st.sets(st.integers(0, 4), min_size=1), min_size=1, max_size=20),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 2**23 - 1),
)
def test_groups_of_any_classes_are_held_out_whole_and_no_class_is_lost(groups, fraction, seed):
    records = [
        VideoRecord(f"{label}/{number}_{clip}.mp4", Path("x"), (label,), f"g{number}")
        for number, labels in enumerate(groups)
        for label in sorted(labels)
        for clip in range(2)
    ]
    kept, held = hold_out(records, fraction, seed)
    assert not {record.group for record in kept} & {record.group for record in held}
    assert {record.label for record in kept} == {record.label for record in records}
    assert hold_out(records, fraction, seed) == (kept, held)


def test_a_few_groups_that_lean_to_a_class_are_drawn_together():
    classes = {"g1": (0,), "g2": (1,), "g3": (0, 1), "g4": (0, 1)}
    records = [
        VideoRecord(f"{label}/{group}_{clip}.mp4", Path("x"), (label,), group)
        for group, labels in classes.items()
        for label in labels
        for clip in range(3)
    ]
    for seed in range(5):
        _, held = hold_out(records, 0.25, seed)
        assert len({record.group for record in held}) == 1


def test_groups_of_which_no_two_are_alike_are_drawn_together():
    """As of 20 actors who do some actions each."""
    records = [
        VideoRecord(f"{label}/{actor}.mp4", Path("x"), (label,), f"actor {actor}")
        for actor in range(20)
        for label in range(8)
        if label in (actor % 8, (actor * 3 + 1) % 8, actor // 3)
    ]
    for seed in range(5):
        _, held = hold_out(records, 0.25, seed)
        assert 3 <= len({record.group for record in held}) <= 6
