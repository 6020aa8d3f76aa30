"""Which clips follow each other in a joined video."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.research.joined import MOST_CLIPS, Clip, plan_joined

clips = st.lists(
    st.builds(
        Clip,
        st.just(Path("x")),
        st.sampled_from(["bend", "wave", "walk", "run"]),
        st.sampled_from(["ann", "bob", "cy"]),
        st.integers(10, 100),
    ),
    max_size=12,
).map(lambda some: [Clip(Path("a"), "bend", "ann", 40), Clip(Path("b"), "walk", "ann", 30), *some])


@settings(max_examples=200, deadline=None)
@given(clips, st.integers(0, 1000))
def test_one_or_two_actions_of_the_class_apart_between_background(training_data, seed):
    plan = plan_joined(training_data, "bend", ["walk", "run"], np.random.default_rng(seed))
    labels = [clip.label for clip in plan]
    acting = [place for place, label in enumerate(labels) if label == "bend"]
    assert 1 <= len(acting) <= 2
    assert set(labels) <= {"bend", "walk", "run"}
    assert all(second - first > 1 for first, second in pairwise(acting))
    people = {clip.person for clip in training_data if clip.label == "bend"}
    assert len({plan[place].person for place in acting}) == min(len(acting), len(people))
    frames = sum(clip.num_frames for clip in plan)
    action = sum(plan[place].num_frames for place in acting)
    assert action <= 0.4 * frames or len(plan) - len(acting) == MOST_CLIPS
    again = plan_joined(training_data, "bend", ["walk", "run"], np.random.default_rng(seed))
    assert again == plan
