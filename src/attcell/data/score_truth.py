"""The true classes of videos from another file: what a tool that knows only scores is measured by."""

from __future__ import annotations

from collections.abc import Iterable

from attcell.data.score_fusion import aligned
from attcell.data.scores import Scores
from attcell.errors import DataError

_NAMED = 3  # videos in a message; the others are counted


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
