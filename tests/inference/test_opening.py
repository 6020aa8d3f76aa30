"""Every training video is opened once, and again when its file is another."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from attcell.data.sources import read_source
from attcell.errors import DataError, VideoError
from attcell.inference import extract
from attcell.inference.extract import refuse_unopened
from tests.moving import noisy_frames, write_frames, write_pictures


@pytest.fixture
def opened(monkeypatch, nothing_remembered) -> list[str]:
    """The videos that were opened, in any order."""
    names: list[str] = []
    real = extract.check_opens

    def counted(path, frames=None):
        names.append(path.name)
        real(path, frames)

    monkeypatch.setattr(extract, "check_opens", counted)
    return names


@pytest.fixture
def videos(tmp_path) -> Path:
    for name in ("run/a.avi", "run/b.avi", "sit/c.avi"):
        write_frames(tmp_path / "videos" / name, noisy_frames(3))
    write_pictures(tmp_path / "videos" / "sit" / "d", noisy_frames(3))
    time.sleep(0.05)
    return tmp_path / "videos"


def test_videos_are_opened_at_the_first_start_alone(videos, opened):
    records = read_source(videos).records
    refuse_unopened(records)
    assert sorted(opened) == ["a.avi", "b.avi", "c.avi", "d"]
    opened.clear()
    refuse_unopened(records)
    assert opened == []


def test_a_video_that_changed_is_opened_again(videos, opened):
    records = read_source(videos).records
    refuse_unopened(records)
    opened.clear()
    (videos / "run" / "b.avi").write_bytes(b"no video any more")
    (videos / "sit" / "d" / "img_00003.png").rename(videos / "sit" / "d" / "img_00004.png")
    with pytest.raises(DataError) as caught:
        refuse_unopened(records)
    assert sorted(opened) == ["b.avi", "d"]
    first, second, third = str(caught.value).splitlines()
    assert first.startswith("2 videos cannot be read; `attcell data check` names them all.")
    assert "b.avi: not a video that FFmpeg can read" in second
    assert "sit/d" in third


def test_a_file_that_breaks_off_behind_its_header_is_named(videos, opened):
    video = videos / "run" / "b.avi"
    content = video.read_bytes()
    video.write_bytes(content[: content.index(b"movi") + 4])
    with pytest.raises(DataError) as caught:
        refuse_unopened(read_source(videos).records)
    assert str(caught.value).splitlines()[1:] == [
        f"  {video}: it has a header and no pictures behind it: it was probably cut off while it was copied "
        "or recorded. Get it again, or leave it out."
    ]


def test_a_video_that_is_gone_is_named_though_it_was_opened(videos, opened):
    records = read_source(videos).records
    refuse_unopened(records)
    (videos / "sit" / "c.avi").unlink()
    with pytest.raises(DataError, match=r"c\.avi: there is no such file"):
        refuse_unopened(records)


def test_a_part_of_a_folder_is_opened_for_itself(videos, opened):
    (record,) = [record for record in read_source(videos).records if record.path.name == "d"]
    refuse_unopened([record.part(range(2))])
    with pytest.raises(DataError, match="3 frames"):
        refuse_unopened([record.part(range(2, 5))])


def test_another_pyav_opens_all_again(videos, opened, monkeypatch):
    records = read_source(videos).records
    refuse_unopened(records)
    opened.clear()
    monkeypatch.setattr(extract, "OPENING_VERSION", "another")
    refuse_unopened(records)
    assert len(opened) == 4


def test_what_opens_is_opened_as_it_is_read(videos):
    with pytest.raises(VideoError, match="there is no such file"):
        extract.check_opens(videos / "none.avi")
