"""Which videos are here, and which of them are measured."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from attcell.errors import DataError
from attcell.forecast.videos import draw_sample, listed_videos, spread_out
from attcell.types import VideoRecord
from tests.small_models import recipe_of


def found(num: int, classes: int) -> list[tuple[VideoRecord, int]]:
    """Videos of 10, 11, … frames, class after class."""
    return [(VideoRecord(str(n), Path(str(n)), (n * classes // num,)), 10 + n) for n in range(num)]


def test_the_measured_ones_are_of_all_lengths_and_classes():
    videos = found(100, 5)
    chosen = spread_out(videos, 10, np.random.default_rng(0))
    lengths = sorted(int(one.id) // 10 for one in chosen)
    assert lengths == list(range(10))  # one of each ten
    assert Counter(one.labels for one in chosen) == {(label,): 2 for label in range(5)}
    assert [one.id for one in chosen] != sorted((one.id for one in chosen), key=int)
    again = spread_out(videos, 10, np.random.default_rng(0))
    assert [one.id for one in chosen] == [one.id for one in again]


def test_fewer_than_are_wanted_are_all():
    chosen = spread_out(found(3, 3), 10, np.random.default_rng(0))
    assert sorted(one.id for one in chosen) == ["0", "1", "2"]
    assert spread_out([], 10, np.random.default_rng(0)) == []


def test_missing_videos_are_listed_and_not_here(miniature):
    folder = miniature("ucf101")
    data = {"train": None, "dataset": "ucf101", "root": folder / "videos", "annotations": folder / "lists"}
    recipe = recipe_of(folder, data={**data, "missing": "leave_out"})
    everything = listed_videos(recipe)
    assert everything.num == len(everything.here) == len(everything.train) + len(everything.test)


def test_a_sample_of_a_folder(folder):
    recipe = recipe_of(folder, data={"val_fraction": 0.5})
    videos = listed_videos(recipe)
    assert (videos.num, len(videos.train), len(videos.val), len(videos.test)) == (6, 3, 3, 0)
    sample = draw_sample(recipe, videos, 4)
    assert len(sample.records) == 4
    assert set(sample.frames) == {10, 12}
    assert sample.mean_frames == 11
    assert sample.num_looked_at == 6
    assert all(seconds > 0 for seconds in sample.decoding)


def test_nothing_here_names_the_place(tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("a.mp4 0\nb.mp4 1\n")
    with pytest.raises(DataError) as caught:
        listed_videos(recipe_of(listed))
    assert str(caught.value) == (
        f"none of the 2 videos that the recipe names is here, first {tmp_path}/a.mp4, so "
        f"nothing can be measured; put ten of them into {tmp_path}, of different classes, or mend the recipe"
    )


def test_nothing_that_can_be_read(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bad.mp4").write_bytes(b"no video")
    recipe = recipe_of(tmp_path)
    with pytest.raises(
        DataError, match=r"^none of the 2 videos that were looked at can be read:\n  .*bad\.mp4"
    ):
        draw_sample(recipe, listed_videos(recipe), 4)
