"""Videos on servers: the pictures and times of the same file on a disk, by few bytes where that can be."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from attcell import _remote
from attcell._remote import binary
from attcell._urls import path_or_url
from attcell.errors import VideoError
from attcell.video.decode import count_frames, read_frames
from attcell.video.sound.reading import SoundBlocks
from tests.clicks import write_clicks
from tests.range_server import range_server
from tests.video.conftest import write_video
from tests.video.test_keyframes import X264, write_moving

NUM_FRAMES = 900


def ten(num_frames: int) -> np.ndarray:
    return np.linspace(0, num_frames - 1, 10).astype(int)


def assert_same(local: Path, url: str) -> None:
    """The same number of frames, times, notes and pictures."""
    wanted, found = (read_frames(path, ten) for path in (local, url))
    assert found.info.num_frames == wanted.info.num_frames
    assert found.info.frame_seconds.tolist() == wanted.info.frame_seconds.tolist()
    assert found.info.notes == wanted.info.notes
    assert all(np.array_equal(*pair) for pair in zip(found.images, wanted.images, strict=True))


@pytest.fixture
def small_blocks(monkeypatch):
    """The videos here are small."""
    monkeypatch.setattr(_remote, "_BLOCK", 1 << 9)


GROUPS = {"g": "20", "bf": "3"}


@pytest.mark.parametrize("flags", ["", "faststart"])
@pytest.mark.usefixtures("small_blocks")
def test_of_a_long_mp4_the_wanted_stretches_are_read(tmp_path, flags):
    options = {"movflags": flags} if flags else {}
    path = write_moving(tmp_path / "a.mp4", NUM_FRAMES, {**X264, **GROUPS}, container_options=options)
    with range_server(tmp_path) as server:
        assert_same(path, server.url("a.mp4"))
        assert server.num_bytes < 0.4 * path.stat().st_size
        assert_same(path, server.url("a.mp4"))
        assert server.num_bytes < 0.4 * path.stat().st_size  # nothing is read twice


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
@pytest.mark.usefixtures("small_blocks")
def test_where_the_index_does_not_tell_all_of_it_is_read_once(tmp_path, name):
    more = "open-gop=1" if name == "a.mp4" else "open-gop=0"
    options = {**X264, **GROUPS, "x264-params": more}
    path = write_moving(tmp_path / name, NUM_FRAMES, options)
    with range_server(tmp_path) as server:
        assert_same(path, server.url(name))
        assert server.num_bytes <= path.stat().st_size


def test_a_fragmented_mp4(tmp_path):
    options = {"movflags": "frag_keyframe+empty_moov"}
    path = write_moving(tmp_path / "a.mp4", 300, {**X264, "g": "50"}, container_options=options)
    with range_server(tmp_path) as server:
        assert_same(path, server.url("a.mp4"))


def test_a_file_that_was_cut_off(tmp_path):
    path = write_moving(
        tmp_path / "a.mp4", NUM_FRAMES, {**X264, **GROUPS}, container_options={"movflags": "faststart"}
    )
    path.write_bytes(path.read_bytes()[:-5000])
    with range_server(tmp_path) as server:
        assert_same(path, server.url("a.mp4"))
        assert read_frames(server.url("a.mp4"), ten).info.is_damaged


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_sound(tmp_path, name):
    path = write_clicks(tmp_path / name)
    with range_server(tmp_path) as server:
        wanted, found = (list(SoundBlocks(path_or_url(of))) for of in (str(path), server.url(name)))
        assert [block.first for block in found] == [block.first for block in wanted]
        assert all(np.array_equal(a.samples, b.samples) for a, b in zip(found, wanted, strict=True))


def test_files_that_are_no_videos(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("a text, and no video" * 100)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
    with range_server(tmp_path) as server:
        for name, said in {
            "empty.mp4": "the file is empty (0 bytes)",
            "text.mp4": "not a video that FFmpeg can read",
            "list.m3u8": "a list of other files or addresses, such as a playlist",
        }.items():
            with pytest.raises(VideoError) as refused:
                count_frames(server.url(name))
            assert str(refused.value).startswith(f"{server.url(name)}: ")
            assert said in str(refused.value)


def test_a_file_that_was_replaced_is_read_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("attcell._servers.FRESH_SECONDS", 0.0)
    path = write_video(tmp_path / "a.mp4", 12)
    with range_server(tmp_path) as server:
        assert count_frames(server.url("a.mp4")).num_frames == 12
        write_video(path, 15)
        assert count_frames(server.url("a.mp4")).num_frames == 15


def test_no_room_for_what_is_read(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    write_video(tmp_path / "a.mp4", 12)
    with range_server(tmp_path) as server:
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(VideoError, match=r"no room is left in .* for what is read; set \$TMPDIR"):
            count_frames(server.url("a.mp4"))


def test_a_fork_reads_on_by_itself(tmp_path):
    path = write_video(tmp_path / "a.mp4", 20)
    with range_server(tmp_path) as server:
        url = server.url("a.mp4")
        assert count_frames(url).num_frames == 20
        with warnings.catch_warnings(action="ignore"):  # of forks beside threads
            number = os.fork()
        if number == 0:
            os._exit(0 if count_frames(url).num_frames == 20 else 1)
        assert os.waitpid(number, 0)[1] == 0
        with binary(path_or_url(url)) as file:
            assert file.read() == path.read_bytes()


@pytest.mark.real
@pytest.mark.parametrize("name", ["clips/v_GGSY1Qvo990.mp4", "odd/testsrc2_vp8.webm", "odd/bt2020_10bit.mp4"])
def test_real_clips(real_data, name):
    with range_server(real_data) as server:
        assert_same(real_data / name, server.url(name))
