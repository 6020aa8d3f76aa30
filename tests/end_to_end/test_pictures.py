"""``attcell predict --pictures DIR [--truth SET]``: figures of predictions in a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.conftest import Run

BOX = np.array([0x22, 0xD3, 0xEE])


@pytest.fixture
def some(videos: Path) -> list[Path]:
    """Two of the test videos; both are 000.mp4 of their class."""
    return sorted((videos / "test").rglob("000.mp4"))[:2]


def box_pixels(path: Path) -> int:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return int((np.abs(np.asarray(picture.convert("RGB")).astype(int) - BOX).max(axis=-1) < 8).sum())


def test_two_pictures_of_each_video(attcell: Run, model, some, tmp_path):
    done = attcell("predict", *some, "--model", model, "--pictures", "looks")
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == "pictures: looks\n"
    names = [f"{video.parent.name}-000-{kind}.png" for video in some for kind in ("attention", "mean")]
    assert sorted(path.name for path in (tmp_path / "looks").iterdir()) == sorted(names)
    assert [box_pixels(tmp_path / "looks" / name) for name in names] == [0] * 4


def test_the_truth_adds_boxes_to_the_mean(attcell: Run, model, some, videos, tmp_path):
    for place in (videos, videos / "truth.json"):
        attcell("predict", some[0], "--model", model, "--pictures", "looks", "--truth", place)
        assert box_pixels(tmp_path / "looks" / "000-mean.png") > 100
        assert box_pixels(tmp_path / "looks" / "000-attention.png") == 0


def test_what_is_wrong_is_said_before_work_and_nothing_is_written(
    attcell: Run, model, some, videos, tmp_path
):
    mine = Path(shutil.copy(some[0], tmp_path / "mine.mp4"))
    (tmp_path / "file").touch()
    for words, message in (
        ([some[0], "--truth", videos], "--truth is for the pictures; name their folder by --pictures too"),
        ([some[0], "--pictures", "file"], "file is a file; name a folder to write to"),
        (
            [some[0], mine, "--pictures", "looks", "--truth", videos],
            f"{mine} is no video of {videos}; give videos whose boxes it holds, or leave --truth out",
        ),
    ):
        done = attcell("predict", *words, "--model", model, status=2)
        assert (done.stdout, done.stderr) == ("", f"attcell: {message}\n")
    twice = "is named twice, and would be written over; name another file to write"
    for words, name in (
        ([mine, "--report", mine], mine),
        ([mine, "--json", "./mine.mp4"], "mine.mp4"),
        ([mine, "--report", "page.html", "--json", tmp_path / "page.html"], tmp_path / "page.html"),
    ):
        done = attcell("predict", *words, "--model", model, status=2)
        assert (done.stdout, done.stderr) == ("", f"attcell: {name} {twice}\n")
    done = attcell(
        "predict", some[0], "--model", model, "--pictures", "looks", "--truth", "nowhere", status=2
    )
    assert "nowhere" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "mine.mp4"]


def test_no_readable_video_makes_no_pictures(attcell: Run, model, tmp_path):
    (tmp_path / "empty.mp4").touch()
    done = attcell("predict", "empty.mp4", "--model", model, "--pictures", "looks", status=1)
    assert done.stderr.splitlines()[1:] == [
        "no pictures: no video could be read, and nothing is written to looks"
    ]
    assert not (tmp_path / "looks").exists()
