"""Names for the content of videos, and that they are not computed twice."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from attcell.data import feature_store as digests
from attcell.data.feature_store import DigestCache, content_digest
from attcell.errors import DataError
from tests.moving import noisy_frames, write_pictures


def test_the_content_is_told_by_every_byte(tmp_path):
    path = tmp_path / "a"
    contents = [b"", b"a", b"ab", b"x" * 3_000_000, b"x" * 1_500_000 + b"y" + b"x" * 1_499_999]
    digests = []
    for content in contents:
        path.write_bytes(content)
        digests.append(content_digest(path))
    assert len(set(digests)) == len(contents)


@pytest.fixture
def counted(monkeypatch) -> list[str]:
    """The files that were read."""
    read: list[str] = []

    def counting(path, frames=None):
        read.append(path.name)
        return content_digest(path, frames)

    monkeypatch.setattr(digests, "content_digest", counting)
    return read


def test_a_file_is_read_once(tmp_path, counted):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"video")
    assert {DigestCache(tmp_path / "cache").digest(path) for _ in range(3)} == {content_digest(path)}
    assert counted == ["a.mp4"]


def test_a_file_that_changed_is_read_again_even_with_its_old_time(tmp_path, counted):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"video")
    cache = DigestCache(tmp_path / "cache")
    first, times = cache.digest(path), path.stat()
    path.write_bytes(b"VIDEO")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert cache.digest(path) == content_digest(path) != first
    assert counted == ["a.mp4", "a.mp4"]


def test_a_folder_of_frames_is_read_each_time(tmp_path, counted):
    folder = write_pictures(tmp_path / "a", noisy_frames(3))
    cache = DigestCache(tmp_path / "cache")
    assert cache.digest(folder) == cache.digest(folder)
    assert counted.count("a") == 2


@pytest.mark.parametrize("content", [b"no cache", b""])
def test_a_book_that_is_none_costs_only_time(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"video")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "digests.sqlite").write_bytes(content)
    assert DigestCache(tmp_path / "cache").digest(path) == content_digest(path)


def test_a_place_that_may_not_be_written_costs_only_time(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"video")
    (tmp_path / "cache").write_bytes(b"a file where a folder is wanted")
    assert DigestCache(tmp_path / "cache").digest(path) == content_digest(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"a.mp4 cannot be read: No such file or directory; check the path"):
        DigestCache(tmp_path).digest(tmp_path / "a.mp4")


def test_several_processes_write_one_book(tmp_path):
    paths = [tmp_path / f"{number}.mp4" for number in range(40)]
    for path in paths:
        path.write_bytes(path.name.encode())
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(DigestCache(tmp_path / "cache").digest, paths * 2)
    assert found == [content_digest(path) for path in paths * 2]
