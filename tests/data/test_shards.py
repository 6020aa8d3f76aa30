"""Kept features in shards: found again, gone on with after a kill at any byte, refused when not ours."""

from __future__ import annotations

import errno
import io
import os
import pickle
import shutil
import tarfile
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attcell._owners import machine
from attcell.data.feature_store import FeatureStore
from attcell.data.shards import Shards
from attcell.errors import CallError, DataError
from attcell.types import VideoRecord

MADE_BY = {"backbone": "small"}


def named(path: Path, frames: range | None) -> str:
    return path.stem


def store_in(folder: Path, made_by: dict | None = None) -> FeatureStore:
    return FeatureStore(folder / "cache", made_by or MADE_BY, named, "shards")


def records_in(folder: Path, count: int) -> list[VideoRecord]:
    """Videos that are there, named by their number."""
    found = [VideoRecord(f"{number:04d}.mp4", folder / f"{number:04d}.mp4", (0,)) for number in range(count)]
    for record in found:
        record.path.touch()
    return found


def maps_of(number: int, shape: tuple[int, ...] = (2, 3, 5, 1, 1)) -> torch.Tensor:
    return torch.full(shape, float(number)).half() + torch.arange(shape[2])[:, None, None]


def the_shard(store: FeatureStore) -> Path:
    (shard,) = store.folder.glob("*.tar")
    return shard


@pytest.fixture
def records(tmp_path) -> list[VideoRecord]:
    return records_in(tmp_path, 5)


@pytest.fixture
def store(tmp_path, records) -> FeatureStore:
    """Five videos in one shard."""
    store = store_in(tmp_path)
    with store.filling(), store.writing():
        for number, record in enumerate(records):
            store.write(record, maps_of(number), ("a note",) if number == 3 else ())
    return store


def test_what_is_written_is_read(tmp_path, store, records):
    for one in (store, store_in(tmp_path)):
        assert all(one.holds(record) for record in records)
        for number, record in enumerate(records):
            maps, notes = one.read(record)
            assert torch.equal(maps, maps_of(number))
            assert notes == (("a note",) if number == 3 else ())
    (record,) = records_in(tmp_path / "cache", 1)
    assert not store.holds(VideoRecord("other", record.path.rename(tmp_path / "other"), (0,)))
    assert sorted(path.suffix for path in store.folder.iterdir()) == [".index", ".json", ".tar"]


def test_a_shard_is_a_tar_of_arrays(store):
    with tarfile.open(the_shard(store)) as tar:
        names = tar.getnames()
        assert names[:2] == ["0000.json", "0000.npy"]
        assert len(names) == 10
        file = tar.extractfile("0003.npy")
        assert file is not None
        found = np.load(io.BytesIO(file.read()))
    assert np.array_equal(found, maps_of(3).numpy())


def test_maps_are_those_of_the_file_and_never_change_it(tmp_path, store, records):
    before = the_shard(store).read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        maps, _ = store_in(tmp_path).read(records[2])
    maps += 1
    assert the_shard(store).read_bytes() == before
    assert torch.equal(store_in(tmp_path).read(records[2])[0], maps_of(2))


def test_a_shard_is_full_at_some_bytes_and_the_next_begins(tmp_path):
    kept = Shards(tmp_path / "folder", 5000)
    described = {"fingerprint": "0", "crc32": 0}
    with kept.writing():
        for number in range(9):
            kept.put(str(number), described, maps_of(number))
    sizes = [path.stat().st_size for path in (tmp_path / "folder").glob("*.tar")]
    assert sizes == [7168] * 3, "three videos and the end of a tar each"
    assert all(torch.equal(kept.get(str(number))[1], maps_of(number)) for number in range(9))


def test_a_store_that_is_there_keeps_its_form(tmp_path, store, records):
    assert FeatureStore(tmp_path / "cache", MADE_BY, named, "files").form == "shards"
    files = FeatureStore(tmp_path / "other", MADE_BY, named, "files")
    files.write(records[0], maps_of(0))
    assert FeatureStore(tmp_path / "other", MADE_BY, named, "shards").form == "files"


def test_another_process_gets_the_place_and_not_what_was_read(store, records):
    store.read(records[0])
    there = pickle.loads(pickle.dumps(store))  # noqa: S301 our own
    assert torch.equal(there.read(records[1])[0], maps_of(1))
    assert len(there._names) == 1


class TestKills:
    """A shard that was cut off anywhere is gone on with, and no whole video is written twice."""

    @given(
        st.lists(st.tuples(*[st.integers(1, 4)] * 4), min_size=1, max_size=4),
        st.data(),
        st.booleans(),
    )
    def test_at_any_byte(self, shapes, data, has_index):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shapes = [(*shape, shape[-1]) for shape in shapes]
            described = [{"notes": ["é"], "crc32": _checksum(shape, n)} for n, shape in enumerate(shapes)]
            kept, ends = Shards(folder), []
            with kept.writing():
                for number, shape in enumerate(shapes):
                    kept.put(f"v{number}", described[number], maps_of(number, shape))
                    ends.append(kept._span(f"v{number}").end)
            (shard,) = folder.glob("*.tar")
            cut = data.draw(st.integers(0, shard.stat().st_size))
            os.truncate(shard, cut)
            if not has_index:
                shard.with_suffix(".index").unlink()
            again = Shards(folder)
            assert [again.has(f"v{number}") for number in range(len(shapes))] == [end <= cut for end in ends]
            with again.filling(), again.writing():
                for number, shape in enumerate(shapes):
                    if not again.has(f"v{number}"):
                        again.put(f"v{number}", described[number], maps_of(number, shape))
            assert list(folder.glob("*.tar")) == [shard], "it was gone on with"
            assert shard.stat().st_size == ends[-1] + 1024, "nothing is there twice"
            for number, shape in enumerate(shapes):
                about, maps = Shards(folder).get(f"v{number}")
                assert torch.equal(maps, maps_of(number, shape))
                assert about["notes"] == ["é"]
            with tarfile.open(shard) as tar:
                assert len(tar.getnames()) == 2 * len(shapes)

    def test_a_hole_that_a_power_cut_left_is_cut_off(self, tmp_path, store, records):
        shard = the_shard(store)
        shard.with_suffix(".index").unlink()
        content = bytearray(shard.read_bytes())
        content[-1024 - 300 : -1024 - 200] = bytes(100)
        place = store._kept._span("0004")
        content[place.start + 1536 + 128 : place.end] = bytes(place.end - place.start - 1664)
        shard.write_bytes(content)
        again = store_in(tmp_path)
        with again.filling():
            assert [again.holds(record) for record in records] == [True] * 4 + [False]

    def test_a_shard_of_another_machine_is_read_and_not_gone_on_with(self, tmp_path, store, records):
        shard = the_shard(store)
        theirs = shard.rename(shard.with_name("01234567-" + shard.name.partition("-")[2]))
        shard.with_suffix(".index").unlink()
        os.truncate(theirs, theirs.stat().st_size - 1500)
        before = theirs.read_bytes()
        again = store_in(tmp_path)
        with again.filling(), again.writing():
            assert not again.holds(records[4])
            again.write(records[4], maps_of(4))
        assert theirs.read_bytes() == before
        assert theirs.with_suffix(".index").is_file()
        assert len(list(store.folder.glob("*.tar"))) == 2
        assert all(store_in(tmp_path).holds(record) for record in records)

    @pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY\x01\0v\0{'descr': '|O'", None])
    def test_an_index_that_is_damaged_is_made_anew(self, tmp_path, store, records, content):
        index = the_shard(store).with_suffix(".index")
        rows = np.load(index)
        index.write_bytes(content if content is not None else _as_file(rows[::-1]))
        again = store_in(tmp_path)
        assert all(again.holds(record) for record in records)
        with again.filling():
            pass
        assert np.array_equal(np.load(index), rows)


def _checksum(shape: tuple[int, ...], number: int) -> int:
    return zlib.crc32(maps_of(number, shape).contiguous().numpy().tobytes())


def _as_file(rows: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, rows)
    return file.getvalue()


class TestDamage:
    def test_a_changed_byte_of_the_maps_is_told(self, tmp_path, store, records):
        shard = the_shard(store)
        content = bytearray(shard.read_bytes())
        content[store._kept._span("0002").start + 1536 + 130] ^= 1
        shard.write_bytes(content)
        told = (
            rf"features of 0002.mp4 at {shard} cannot be read \(its checksum does not fit\); run again, and "
            "they are computed anew; the rest of that file stays"
        )
        with pytest.raises(DataError, match=told):
            store_in(tmp_path).read(records[2])
        again = store_in(tmp_path)
        with again.filling(), again.writing():
            assert [again.holds(record) for record in records] == [True, True, False, True, True]
            again.write(records[2], maps_of(2))
        for one in (again, store_in(tmp_path)):
            assert all(torch.equal(one.read(record)[0], maps_of(n)) for n, record in enumerate(records))
        assert shard.stat().st_size == len(content) + 2048, "the others were not written again"

    @pytest.mark.parametrize("place", [0, 100, 130, 156, 512, 1024, 1536])
    def test_a_changed_byte_before_the_maps_is_told(self, tmp_path, store, records, place):
        shard = the_shard(store)
        content = bytearray(shard.read_bytes())
        content[store._kept._span("0002").start + place] ^= 1
        shard.write_bytes(content)
        with pytest.raises(DataError, match=r"of 0002.mp4 at .* cannot be read .*; run again, and they are"):
            store_in(tmp_path).read(records[2])
        assert [store_in(tmp_path).holds(record) for record in records] == [True, True, False, True, True]

    def test_an_index_that_points_elsewhere_is_told(self, tmp_path, store, records):
        index = the_shard(store).with_suffix(".index")
        rows = np.load(index)
        rows["name"][[1, 2]] = rows["name"][[2, 1]]
        index.write_bytes(_as_file(rows))
        with pytest.raises(DataError, match=r"another video is at byte \d+, 0001"):
            store_in(tmp_path).read(records[2])

    def test_maps_that_are_not_there(self, tmp_path, store):
        (record,) = [VideoRecord("x.mp4", tmp_path / "x.mp4", (0,))]
        told = rf"features of x.mp4 are not in {store.folder}; run again, and they are computed"
        with pytest.raises(DataError, match=told):
            store.read(record)

    def test_a_foreign_tar_is_refused(self, tmp_path, store, records):
        foreign = store.folder / "videos.tar"
        foreign.touch()
        with pytest.raises(DataError, match=rf"{foreign} is no shard of kept features; take it away"):
            store_in(tmp_path).holds(records[0])
        foreign.rename(store.folder / "notes.txt")
        assert store_in(tmp_path).holds(records[0])

    def test_a_shard_of_another_recipe_is_refused(self, tmp_path, store, records):
        other = store_in(tmp_path, {"backbone": "vgg16"})
        other.folder.mkdir()
        shutil.copy(the_shard(store), other.folder)
        told = rf"made by another recipe \(fingerprint {store.fingerprint}, not {other.fingerprint}\)"
        with pytest.raises(DataError, match=told):
            store_in(tmp_path, {"backbone": "vgg16"}).read(records[0])

    @pytest.mark.parametrize(
        "members",
        [
            [("../../0000.json", b"{}"), ("../../0000.npy", b"")],
            [("/0000.json", b"{}"), ("/0000.npy", b"")],
            [("0000.npy", b"\x93NUMPY")],
            [("0000.json", b'{"shape": [1, 1, 1, 1, 1]}'), ("0001.npy", b"\x93NUMPY" + bytes(122) + b"ab")],
            [("0000.json", b'{"shape": [4000000000, 4000000000, 9, 9, 9]}'), ("0000.npy", b"\x93NUMPY")],
            [("0000.json", b'{"shape": [0]}'), ("0000.npy", b"\x93NUMPY" + bytes(122))],
            [("0000.json", b'{"shape": [-1, -1]}'), ("0000.npy", b"\x93NUMPY" + bytes(122) + b"ab")],
            [("0000.json", b'{"shape": {}}'), ("0000.npy", b"\x93NUMPY" + bytes(122))],
            [("0000.json", b"[" * 5000), ("0000.npy", b"\x93NUMPY")],
            [("0000.json", b'{"shape": [1]}'), ("0000.npy", b"PK" + bytes(126) + b"ab")],
        ],
    )
    def test_hostile_members_are_no_videos(self, tmp_path, members):
        folder = tmp_path / "folder"
        folder.mkdir()
        with tarfile.open(folder / "01234567-01234567.tar", "w") as tar:
            for name, content in members:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        self.refuses(folder)

    @pytest.mark.parametrize(
        "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.GNUTYPE_SPARSE, tarfile.DIRTYPE]
    )
    def test_members_that_are_no_files_are_no_videos(self, tmp_path, kind):
        folder = tmp_path / "folder"
        folder.mkdir()
        info = tarfile.TarInfo("0000.json")
        info.type, info.linkname, info.size = kind, "/etc/passwd", 2**40
        (folder / "01234567-01234567.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
        self.refuses(folder)

    def refuses(self, folder):
        kept = Shards(folder)
        assert not kept.has("0000")
        with kept.filling():
            assert not kept.has("0000")
        with pytest.raises(FileNotFoundError):
            kept.get("0000")


class TestSeveral:
    def test_each_writer_has_its_shards(self, tmp_path, records):
        first, second = store_in(tmp_path), store_in(tmp_path)
        with first.writing(), second.writing():
            for number, record in enumerate(records):
                (first, second)[number % 2].write(record, maps_of(number))
        assert len(list(first.folder.glob("*.tar"))) == 2
        found = store_in(tmp_path)
        assert all(torch.equal(found.read(record)[0], maps_of(n)) for n, record in enumerate(records))

    def test_what_others_wrote_is_seen_when_it_is_filled(self, tmp_path, records):
        first = store_in(tmp_path)
        with first.filling():
            assert not first.holds(records[0])
            store_in(tmp_path).write(records[0], maps_of(0))
        assert first.holds(records[0])

    def test_a_second_driver_is_refused(self, tmp_path, store):
        told = rf"another process is at work in {store.folder}; wait until it is done, or name another place"
        with store.filling(), pytest.raises(CallError, match=told), store_in(tmp_path).filling():
            pass
        with store_in(tmp_path).filling():
            pass

    def test_a_copy_of_a_video_is_kept_once(self, store, records):
        before = the_shard(store).stat().st_size
        with store.writing():
            store.write(records[0], maps_of(9))
            store.write(records[0], maps_of(9))
        assert the_shard(store).stat().st_size == before + 2048


def test_a_full_disk_leaves_whole_videos(tmp_path, store, records, monkeypatch):
    size = the_shard(store).stat().st_size
    write = os.pwritev

    def full(descriptor, parts, place):
        if place > size - 1024:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, [parts[0]], place)

    (further,) = [VideoRecord("x.mp4", tmp_path / "x.mp4", (0,))]
    further.path.touch()
    monkeypatch.setattr(os, "pwritev", full)
    with pytest.raises(OSError, match="No space left on device") as told, store.writing():
        store.write(further, maps_of(9))
    assert told.value.filename == str(the_shard(store))
    monkeypatch.undo()
    again = store_in(tmp_path)
    assert [again.holds(record) for record in [*records, further]] == [True] * 5 + [False]
    again.write(further, maps_of(9))
    assert the_shard(store).name.startswith(machine())
    assert the_shard(store).stat().st_size == size + 2048


def test_values_that_16_bits_cannot_hold_are_refused(store, records):
    with pytest.raises(DataError, match=r"features of 0000.mp4 are not finite in 16 bits"):
        store.write(records[0], torch.full((1, 1, 1, 1, 1), 1e5))
