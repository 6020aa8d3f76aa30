"""Late fusion of score files: the same videos and classes, summed with weights. TAN+ is made so.

Files may also lend each other true classes: what a tool that knows only scores is measured by.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np

from attcell._log import track
from attcell.errors import CallError, DataError
from attcell.metrics.recognition import fusion_weights
from attcell.results.scores import Scores

_NAMED = 3  # videos in a message; the others are counted
MOST_TUNED = 4  # files; a fifth makes it 10,626 weights to try, and minutes


@dataclass(frozen=True)
class Tuned:
    """Shares of 1, on how many videos they were tuned, and how many some file lacks, which were left out."""

    shares: tuple[float, ...]
    num_videos: int
    num_unread: int


def as_probabilities(found: Scores, softmax: bool) -> Scores:
    """The same scores if they are probabilities, or else their softmax if that is asked for.

    Raises:
        DataError: they are none, and ``softmax`` was not asked for.
    """
    if found.are_probabilities():
        return found
    if not softmax:
        raise DataError(
            f"{found.source} holds no probabilities (a row is below 0, or its sum is not 1), so its scores "
            "and the others' are not to be summed; give --softmax, or bring them to probabilities"
        )
    raised = np.exp(found.scores - found.scores.max(axis=1, keepdims=True))
    return replace(found, scores=raised / raised.sum(axis=1, keepdims=True))


def aligned(files: Sequence[Scores]) -> tuple[Scores, ...]:
    """The files with their videos and classes in the first one's order, and what any of them knows of the
    videos' true classes.

    Raises:
        DataError: other classes, other videos, or other classes of a video; the first difference is named.
    """
    first = files[0]
    alike = (first, *(_like(first, other) for other in files[1:]))
    by_video = zip(*(of.truth for of in alike), strict=True)
    truth = tuple(next((names for names in known if names is not None), None) for known in by_video)
    return tuple(replace(of, truth=truth) for of in alike)


def as_shares(weights: Sequence[float], num_files: int) -> tuple[float, ...]:
    """The weights as shares of 1.

    Raises:
        CallError: not one weight a file, one below 0, or nothing but 0.
    """
    values = np.array(weights, dtype=float)
    if len(values) != num_files or not (np.isfinite(values).all() and values.min() >= 0 < values.max()):
        raise CallError(
            f"the weights are {', '.join(f'{value:g}' for value in values)}, for {num_files} files; "
            "give one for each, none below 0 and not all 0"
        )
    values = values / values.max()  # so that the sum of huge ones is finite
    return tuple((values / values.sum()).tolist())


def fused(files: Sequence[Scores], shares: Sequence[float]) -> Scores:
    """The sum of aligned files by their shares; unread where one that counts is."""
    counting = [place for place, share in enumerate(shares) if share > 0]
    summed = np.tensordot(
        [shares[place] for place in counting], np.stack([files[place].scores for place in counting]), axes=1
    )
    return replace(files[0], source="the fused scores", scores=summed)


def tuned(training: Sequence[Scores], tested: Scores) -> Tuned:
    """The weights with which the files of a training part do best.

    Raises:
        CallError: more files than can be tuned.
        DataError: these files differ, have other classes than the tested ones, do not say one class of each
            video, or hold a video that is tested too.
    """
    if len(training) > MOST_TUNED:
        raise CallError(
            f"weights are tuned for at most {MOST_TUNED} files, and these are {len(training)}; "
            "fuse some of them first, or give --weights"
        )
    training = aligned(training)
    _same(sorted(tested.labels), sorted(training[0].labels), "class", tested.source, training[0].source)
    both = set(training[0].videos) & set(tested.videos)
    if both:
        raise DataError(
            f"{training[0].source} holds {sorted(both)[0]}, which is tested too: weights tuned on tested "
            "videos would flatter; tune on training videos that were held out"
        )
    truth = training[0].truth_matrix()
    scores = np.stack([of.scores for of in training])
    read = ~np.isnan(scores).any(axis=(0, 2))
    if not read.any():
        raise DataError(f"{training[0].source} holds no video that all of them could read")
    weights = fusion_weights(
        scores[:, read], truth[read], lambda weights: track(weights, len(weights), "weights")
    )
    return Tuned(as_shares(weights.tolist(), len(training)), int(read.sum()), int((~read).sum()))


def _like(first: Scores, other: Scores) -> Scores:
    _same(sorted(first.labels), sorted(other.labels), "class", first.source, other.source)
    _same(sorted(first.videos), sorted(other.videos), "video", first.source, other.source)
    rows = {video: place for place, video in enumerate(other.videos)}
    order = [rows[video] for video in first.videos]
    columns = [other.labels.index(label) for label in first.labels]
    known = (other.truth[place] for place in order)
    truth = tuple(None if names is None else tuple(sorted(names, key=first.labels.index)) for names in known)
    for video, names, others in zip(first.videos, first.truth, truth, strict=True):
        if names is not None and others is not None and names != others:
            raise DataError(
                f"{video} is of {_class_words(names)} in {first.source} and of {_class_words(others)} in "
                f"{other.source}; give files of the same annotation"
            )
    return replace(
        other,
        labels=first.labels,
        videos=first.videos,
        scores=other.scores[np.ix_(order, columns)],
        truth=truth,
    )


def _class_words(names: Sequence[str]) -> str:
    return f"class {', '.join(names)}" if names else "none of the classes"


def _same(ours: Sequence[str], theirs: Sequence[str], what: str, source: str, other: str) -> None:
    """Raise a DataError for the first name that only one of two sorted lists holds."""
    for our, their in zip_longest(ours, theirs):
        if our != their:
            only_ours = their is None or (our is not None and our < their)
            name, has, lacks = (our, source, other) if only_ours else (their, other, source)
            num_more = len(set(ours) ^ set(theirs)) - 1
            raise DataError(
                f"the {what} {name} is in {has} and not in {lacks} (and {num_more} more differ); "
                "give files of the same videos and classes"
            )


def with_truth(found: Scores, truth: Scores) -> Scores:
    """The same scores with the true classes that another file of just these videos and classes says.

    Raises:
        DataError: other videos, other classes, or a video of which the files say different classes or none.
    """
    missing, surplus = set(truth.videos) - set(found.videos), set(found.videos) - set(truth.videos)
    if missing or surplus:
        lacking = [
            f"{source} lacks {_some(videos)}"
            for source, videos in ((found.source, missing), (truth.source, surplus))
            if videos
        ]
        raise DataError(
            f"{', and '.join(lacking)}; figures are of all videos that the truth names, and of no others: "
            "give files of the same videos (one that was not read has a row of empty scores)"
        )
    whole = aligned((found, truth))[0]
    for video, names in zip(whole.videos, whole.truth, strict=True):
        if names is None:
            raise DataError(f"{truth.source} does not say the class of {video}; add it")
    return whole


def _some(videos: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    ordered = sorted(videos)
    more = f" and {len(ordered) - _NAMED} more" if len(ordered) > _NAMED else ""
    return f"{', '.join(ordered[:_NAMED])}{more}"
