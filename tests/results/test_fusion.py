"""Late fusion of score files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attcell.errors import CallError, DataError
from attcell.results.fusion import MOST_TUNED, aligned, as_probabilities, as_shares, fused, tuned, with_truth
from attcell.results.scores import Scores

A = Scores("a", ("x", "y"), ("1", "2"), np.array([[0.9, 0.1], [0.4, 0.6]]), (("x",), None))
B = Scores("b", ("y", "x"), ("2", "1"), np.array([[0.2, 0.8], [0.5, 0.5]]), (("x",), None))


def test_order_of_videos_and_classes_does_not_matter() -> None:
    first, second = aligned([A, B])
    assert (second.labels, second.videos, second.truth) == (A.labels, A.videos, (("x",), ("x",)))
    assert first.truth == (("x",), ("x",))
    np.testing.assert_array_equal(second.scores, [[0.5, 0.5], [0.8, 0.2]])
    whole = fused([first, second], as_shares([3, 1], 2))
    np.testing.assert_allclose(whole.scores, [[0.8, 0.2], [0.5, 0.5]])
    assert whole.truth == (("x",), ("x",))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(B, labels=("y", "z")), "the class x is in a and not in b (and 1 more differ); give files"),
        (replace(B, videos=("2", "3")), "the video 1 is in a and not in b (and 1 more differ); give files"),
        (
            replace(B, videos=("0", "1", "2"), scores=np.ones((3, 2)), truth=(None,) * 3),
            "the video 0 is in b and not in a (and 0 more differ); give files",
        ),
        (
            replace(B, truth=(None, ("y",))),
            "1 is of class x in a and of class y in b; give files of the same",
        ),
    ],
)
def test_the_first_difference_is_named(other: Scores, message: str) -> None:
    with pytest.raises(DataError) as caught:
        aligned([A, other])
    assert str(caught.value).startswith(message)


def test_several_classes_in_another_order_are_the_same() -> None:
    one = replace(A, truth=(("x", "y"), ()))
    other = replace(B, truth=((), ("y", "x")))
    first, second = aligned([one, other])
    assert first.truth == second.truth == (("x", "y"), ())
    with pytest.raises(DataError, match=r"^1 is of class x, y in a and of none of the classes in b; give"):
        aligned([one, replace(B, truth=(None, ()))])


def test_files_of_several_classes_are_tuned_by_average_precision() -> None:
    """Both say the same of video 4; of video 5 only the second one knows that it is of no class."""
    truth = (("x", "y"), ())
    first = replace(made("first", 2, ("4", "5")), truth=truth, scores=np.array([[0.5, 0.5], [0.9, 0.9]]))
    second = replace(first, source="second", scores=np.array([[0.5, 0.5], [0.1, 0.1]]))
    assert tuned([first, second], tested=A).shares == pytest.approx((0.45, 0.55))


@pytest.mark.parametrize("weights", [[1.0], [1, -1], [0, 0], [float("nan"), 1]])
def test_weights_that_are_none(weights: list[float]) -> None:
    with pytest.raises(CallError, match="for 2 files; give one for each, none below 0 and not all 0"):
        as_shares(weights, 2)


def test_shares_of_huge_and_tiny_weights() -> None:
    assert as_shares([1e308, 1e308], 2) == (0.5, 0.5)
    assert as_shares([5e-324, 0], 2) == (1.0, 0.0)


def test_a_file_of_no_weight_makes_no_video_unread() -> None:
    torn = replace(A, scores=np.array([[np.nan, np.nan], [0.4, 0.6]]))
    np.testing.assert_array_equal(fused([B, torn], (1.0, 0.0)).scores, B.scores)
    assert fused([A, torn], (0.5, 0.5)).is_read().tolist() == [False, True]


def test_probabilities() -> None:
    raw = replace(A, scores=np.array([[1.0, 2.0], [-1.0, np.log(3) - 1]]))
    with pytest.raises(DataError, match="a holds no probabilities"):
        as_probabilities(raw, softmax=False)
    found = as_probabilities(raw, softmax=True)
    np.testing.assert_allclose(found.scores[1], [0.25, 0.75])
    assert as_probabilities(A, softmax=True) is A
    unread = replace(A, scores=np.array([[np.nan, np.nan], [0.4, 0.6]]))
    assert as_probabilities(unread, softmax=False) is unread


def made(source: str, right: int, videos: tuple[str, ...]) -> Scores:
    """Right about the first ``right`` videos, and undecidedly wrong about the others."""
    rows = [[0.9, 0.1] if number < right else [0.45, 0.55] for number in range(len(videos))]
    return Scores(source, ("x", "y"), videos, np.array(rows), (("x",),) * len(videos))


def test_weights_are_tuned_on_other_videos() -> None:
    videos = tuple("abcdef")
    found = tuned([made("good", 6, videos), made("bad", 1, videos)], tested=A)
    assert (found.num_videos, found.num_unread) == (6, 0)
    assert found.shares[0] > found.shares[1]
    torn = made("good", 6, videos)
    torn.scores[2] = np.nan
    found = tuned([torn, made("bad", 1, videos)], tested=A)
    assert (found.num_videos, found.num_unread) == (5, 1)
    torn.scores[:] = np.nan
    with pytest.raises(DataError, match="good holds no video that all of them could read"):
        tuned([torn, made("bad", 1, videos)], tested=A)


def test_tuning_on_tested_videos_is_refused() -> None:
    with pytest.raises(DataError, match=r"^good holds 2, which is tested too: weights"):
        tuned([made("good", 2, ("2", "5")), made("bad", 2, ("2", "5"))], tested=A)


def test_tuning_on_other_classes_is_refused() -> None:
    other = replace(made("good", 2, ("4", "5")), labels=("x", "z"))
    with pytest.raises(DataError, match=r"^the class y is in a and not in good \(and 1 more differ\)"):
        tuned([other, other], tested=A)


def test_tuning_has_a_limit() -> None:
    many = [made("good", 2, ("4", "5"))] * (MOST_TUNED + 1)
    with pytest.raises(CallError, match="weights are tuned for at most 4 files, and these are 5; fuse some"):
        tuned(many, tested=A)
    assert len(tuned(many[1:], tested=A).shares) == 4


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
