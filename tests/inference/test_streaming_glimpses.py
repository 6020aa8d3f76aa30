"""A few pictures of a video of any length."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.inference.streaming import MOST, Keyframes


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=400))
def test_stretches_cover_all_samples_and_show_their_strongest(scores):
    keyframes = Keyframes()
    for sample, score in enumerate(scores):
        keyframes.add(sample, float(score), np.full((1, 1, 3), sample % 256, np.uint8), None)
    found = keyframes.all
    assert len(found) <= MOST
    assert len(found) >= min(len(scores), MOST // 2)
    assert [of.first for of in found] == [0, *(of.end for of in found[:-1])]
    assert found[-1].end == len(scores)
    for of in found:
        assert of.strength == max(scores[of.first : of.end]) == scores[of.shown]
        assert of.picture[0, 0, 0] == of.shown % 256
    lengths = [of.end - of.first for of in found[:-1]]
    assert len(set(lengths)) <= 1
