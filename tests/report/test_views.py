"""What the page shows of a prediction."""

from __future__ import annotations

import pytest

from attcell.report.views import short_names


@pytest.mark.parametrize(
    ("videos", "names"),
    [
        (["a/b/x.mp4"], ["x.mp4"]),
        (["a/b/x.mp4", "a/c/x.mp4"], ["b/x.mp4", "c/x.mp4"]),
        (["a/x.mp4", "a/x.mp4"], ["x.mp4", "x.mp4"]),
        (["/x.mp4", "y/x.mp4"], ["x.mp4", "y/x.mp4"]),
        (["C:\\v\\x.mp4"], ["x.mp4"]),
        (["/"], ["/"]),
    ],
)
def test_short_names_tell_videos_apart(videos: list[str], names: list[str]) -> None:
    assert short_names(videos) == names
