"""Kept features in shards where a disk is full, has no locks, may not be written, or is changed meanwhile."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest
import torch

from attcell import _owners
from attcell.data import _tar, shards
from attcell.data.feature_store import FeatureStore
from attcell.data.shards import Shards
from attcell.errors import DataError
from attcell.types import VideoRecord
from tests.data.test_shards import maps_of, records_in, store_in, the_shard

DESCRIBED = {"fingerprint": "0", "crc32": 0}


def fails(number: int):
    """A function that raises what the system does."""

    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.fixture
def records(tmp_path) -> list[VideoRecord]:
    return records_in(tmp_path, 3)


@pytest.fixture
def store(tmp_path, records) -> FeatureStore:
    """Three videos in one shard."""
    store = store_in(tmp_path)
    with store.filling(), store.writing():
        for number, record in enumerate(records):
            store.write(record, maps_of(number))
    return store


class TestWithoutLocks:
    """No shard is gone on with there: another process of this machine may be writing to it."""

    @pytest.fixture(autouse=True)
    def _knows_none(self, store, monkeypatch):
        monkeypatch.setattr(fcntl, "flock", fails(errno.ENOLCK))

    def test_who_writes_begins_a_shard(self, tmp_path, store):
        before = the_shard(store).read_bytes()
        held = set(_owners._HELD)
        first, second = Shards(store.folder), Shards(store.folder)
        with first.writing(), second.writing():
            for number in range(4):
                (first, second)[number % 2].put(f"x{number}", DESCRIBED, maps_of(number))
        sizes = sorted(path.stat().st_size for path in store.folder.glob("*.tar"))
        assert sizes == [2 * 2048 + 1024, 2 * 2048 + 1024, len(before)]
        found = Shards(store.folder)
        assert all(torch.equal(found.get(f"x{number}")[1], maps_of(number)) for number in range(4))
        assert held == _owners._HELD, "what was asked for is closed again"

    def test_what_a_killed_process_left_gets_its_index_alone(self, tmp_path, store, records):
        shard = the_shard(store)
        os.truncate(shard, shard.stat().st_size - 1500)
        shard.with_suffix(".index").unlink()
        before = shard.read_bytes()
        again = store_in(tmp_path)
        with again.filling():
            assert [again.holds(record) for record in records] == [True, True, False]
        assert shard.read_bytes() == before
        assert shard.with_suffix(".index").is_file()


class TestAFullDisk:
    def test_what_was_wrong_first_is_told(self, store, monkeypatch):
        kept = Shards(store.folder)

        def work():
            with kept.writing():
                kept.put("x", DESCRIBED, maps_of(0))
                monkeypatch.setattr(os, "pwritev", fails(errno.ENOSPC))
                kept.put("y", DESCRIBED, maps_of(1))

        with pytest.raises(OSError, match="No space left on device") as told:
            work()
        assert told.value.filename == str(the_shard(store))
        assert [Shards(store.folder).has(name) for name in ("0000", "x", "y")] == [True, True, False]

    def test_an_error_of_the_work_stays(self, store, monkeypatch):
        kept = Shards(store.folder)

        def work():
            with kept.writing():
                kept.put("x", DESCRIBED, maps_of(0))
                monkeypatch.setattr(os, "pwritev", fails(errno.ENOSPC))
                raise DataError("of the work")

        with pytest.raises(DataError, match="of the work"):
            work()
        assert kept._writer is None

    @pytest.mark.parametrize("name", ["pwritev", "fsync"])
    def test_that_the_end_cannot_be_written_names_the_shard(self, store, monkeypatch, name):
        kept = Shards(store.folder)

        def work():
            with kept.writing():
                kept.put("x", DESCRIBED, maps_of(0))
                monkeypatch.setattr(os, name, fails(errno.ENOSPC))

        with pytest.raises(OSError, match="No space left on device") as told:
            work()
        assert told.value.filename == str(the_shard(store))
        assert Shards(store.folder).has("x")


def test_a_shard_that_cannot_be_read_is_let_go(store, monkeypatch):
    held, walk = set(_owners._HELD), _tar.walk
    the_shard(store).with_suffix(".index").unlink()
    monkeypatch.setattr(_tar, "walk", fails(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        shards._Shard.reopened(the_shard(store))
    assert held == _owners._HELD
    monkeypatch.setattr(_tar, "walk", walk)
    opened = shards._Shard.reopened(the_shard(store))
    assert opened is not None, "nobody holds it"
    opened.close()


@pytest.mark.parametrize("has_left", [1, 2 * 2**16])
def test_a_shard_that_is_cut_while_it_is_walked_over(tmp_path, monkeypatch, has_left):
    """By a process that goes on with it: a memory map would end this one by SIGBUS."""
    kept, read = Shards(tmp_path / "folder"), _tar.parsed_json
    with kept.writing():
        for number in range(3):
            kept.put(f"v{number}", DESCRIBED, maps_of(number, (1, 2**16, 1, 1, 1)))
    (shard,) = kept.folder.glob("*.tar")
    shard.with_suffix(".index").unlink()

    def cut(content):
        found = read(content)
        if shard.stat().st_size > has_left:
            os.truncate(shard, has_left)
        return found

    monkeypatch.setattr(_tar, "parsed_json", cut)
    again = Shards(kept.folder)
    assert [again.has(f"v{number}") for number in (1, 2)] == [False, False]
    thorough = shards._rows_of(shard, thorough=True)
    assert thorough["start"].tolist() == [0]


def test_an_index_that_may_not_be_written_is_named(tmp_path, store, records, monkeypatch):
    shard = the_shard(store)
    content = bytearray(shard.read_bytes())
    content[store._kept._span("0001").start + 1536 + 130] ^= 1
    shard.write_bytes(content)
    monkeypatch.setattr(shards, "_write_index", fails(errno.EROFS))
    index: Path = shard.with_suffix(".index")
    told = rf"at {shard} cannot be read .*; {index} cannot be written \(Read-only file system\); mend that"
    with pytest.raises(DataError, match=told):
        store_in(tmp_path).read(records[1])
    assert store_in(tmp_path).holds(records[1])
