from __future__ import annotations

from pathlib import Path

import pytest
import torch

from attcell import _spread
from attcell._log import logger
from attcell._spread import in_places, spread

VIDEOS = [Path("a.mp4"), Path("b.mp4")]


def test_here_the_function_gets_all_videos() -> None:
    assert list(spread(lambda items: [items], VIDEOS, Path)) == [VIDEOS]


def test_results_come_in_the_order_of_their_items() -> None:
    assert list(in_places([(2, "c"), (0, "a"), (1, "b"), (3, "d")])) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(("videos", "gpus", "told"), [(2, 4, 1), (1, 4, 0), (2, 1, 0), (2, 0, 0)])
def test_gpus_that_a_list_leaves_idle_are_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, videos: int, gpus: int, told: int
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    _spread._tell_of_idle_gpus.cache_clear()
    with caplog.at_level("INFO", logger.name):
        for _ in range(2):
            list(spread(lambda items: items, VIDEOS[:videos], Path, computes=True))
        list(spread(lambda items: items, VIDEOS, Path))
    found = [record.getMessage() for record in caplog.records]
    assert len(found) == told
    assert all("this machine has 4 GPUs" in of and "all are used with --on ray" in of for of in found)
