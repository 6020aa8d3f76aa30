"""The true classes of videos from another file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attcell.errors import DataError
from attcell.results.fusion import with_truth
from attcell.results.scores import Scores

TOOL = Scores("tool", ("x", "y"), ("1", "2"), np.array([[0.9, 0.1], [0.4, 0.6]]), (None, None))
TRUTH = Scores("truth", ("y", "x"), ("2", "1"), np.full((2, 2), np.nan), ((), ("y", "x")))


def many(source: str, videos: str) -> Scores:
    return Scores(source, ("x", "y"), tuple(videos), np.ones((len(videos), 2)), (("x",),) * len(videos))


def test_videos_are_matched_by_id_and_scores_stay() -> None:
    found = with_truth(TOOL, TRUTH)
    assert (found.source, found.labels, found.videos) == (TOOL.source, TOOL.labels, TOOL.videos)
    assert found.truth == (("x", "y"), ())
    np.testing.assert_array_equal(found.scores, TOOL.scores)


def test_a_file_that_says_the_same_is_fine() -> None:
    known = replace(TOOL, truth=(None, ()))
    assert with_truth(known, TRUTH).truth == (("x", "y"), ())


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        ("abc", "tool lacks d, e; figures are of all videos that the truth names, and of no others: give"),
        ("abcdefghi", "truth lacks f, g, h and 1 more; figures"),
        ("bcdefg", "tool lacks a, and truth lacks f, g; figures"),
        ("e", "tool lacks a, b, c and 1 more; figures"),
    ],
)
def test_missing_and_surplus_videos_are_named(videos: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        with_truth(many("tool", videos), many("truth", "abcde"))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (replace(TRUTH, labels=("y", "z"), truth=((), ())), "the class x is in tool and not in truth (and 1"),
        (replace(TRUTH, truth=(None, ("x",))), "truth does not say the class of 2; add it"),
    ],
)
def test_other_classes_and_none(truth: Scores, message: str) -> None:
    with pytest.raises(DataError) as caught:
        with_truth(TOOL, truth)
    assert str(caught.value).startswith(message)


def test_files_that_contradict_each_other() -> None:
    with pytest.raises(DataError, match=r"^1 is of class x in tool and of class x, y in truth; give files"):
        with_truth(replace(TOOL, truth=(("x",), None)), TRUTH)
