"""Feature maps on disk: found again by content and recipe, refused when they are not what they should be."""

from __future__ import annotations

import errno
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from attcell.data.feature_arrays import FeatureArrays
from attcell.data.feature_store import FeatureStore, KeptArrays, content_digest
from attcell.errors import DataError, VideoError
from attcell.types import VideoRecord
from tests.moving import noisy_frames, write_pictures

MADE_BY = {"backbone": "small", "views": {"num_segments": 2}}


@pytest.fixture
def record(tmp_path) -> VideoRecord:
    path = tmp_path / "wave" / "a.mp4"
    path.parent.mkdir()
    path.write_bytes(b"video")
    return VideoRecord("wave/a.mp4", path, (0,))


@pytest.fixture
def maps() -> torch.Tensor:
    return torch.rand(3, 2, 4, 5, 5).half().float()


def test_what_is_written_is_read(tmp_path, record, maps):
    store = FeatureStore(tmp_path / "cache", MADE_BY)
    assert not store.holds(record)
    store.write(record, maps, ("wave/a.mp4: damaged",))
    again = FeatureStore(tmp_path / "cache", dict(reversed(MADE_BY.items())))
    assert again.holds(record)
    found, notes = again.read(record)
    assert found.dtype == torch.float16
    assert torch.equal(found.float(), maps)
    assert notes == ("wave/a.mp4: damaged",)
    assert json.loads((store.folder / "made_by.json").read_text()) == MADE_BY
    assert len(list(store.folder.iterdir())) == 2


def test_a_video_that_moves_is_known_and_one_that_changes_is_not(tmp_path, record, maps):
    store = FeatureStore(tmp_path / "cache", MADE_BY)
    store.write(record, maps)
    moved = VideoRecord("b.mp4", record.path.rename(tmp_path / "b.mp4"), (3,))
    assert FeatureStore(tmp_path / "cache", MADE_BY).holds(moved)
    moved.path.write_bytes(b"other")
    assert not FeatureStore(tmp_path / "cache", MADE_BY).holds(moved)


def test_another_recipe_has_other_features(tmp_path, record, maps):
    FeatureStore(tmp_path / "cache", MADE_BY).write(record, maps)
    assert not FeatureStore(tmp_path / "cache", {**MADE_BY, "backbone": "vgg16"}).holds(record)


def test_features_of_another_recipe_in_this_place_are_refused(tmp_path, record, maps):
    store, other = FeatureStore(tmp_path / "a", MADE_BY), FeatureStore(tmp_path / "a", {"backbone": "vgg16"})
    other.write(record, maps)
    name = f"{content_digest(record.path)}.safetensors"
    store.folder.mkdir()
    (other.folder / name).rename(store.folder / name)
    fingerprints = rf"\(fingerprint {other.fingerprint}, not {store.fingerprint}\)"
    with pytest.raises(DataError, match=f"made by another recipe {fingerprints}; delete the file or choose"):
        store.read(record)


@pytest.mark.parametrize("content", [b"", b"no tensors", b"\x10\0\0\0\0\0\0\0{}"])
def test_damaged_features_are_named(tmp_path, record, maps, content):
    store = FeatureStore(tmp_path / "cache", MADE_BY)
    store.write(record, maps)
    (file,) = store.folder.glob("*.safetensors")
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"features of wave/a.mp4 at .* cannot be read .*; delete that file"):
        store.read(record)


def test_features_without_their_own_data_are_damaged(tmp_path, record, maps):
    store = FeatureStore(tmp_path / "cache", MADE_BY)
    store.write(record, maps)
    (file,) = store.folder.glob("*.safetensors")
    save_file({"other": load_file(file)["maps"]}, file, {"fingerprint": store.fingerprint})
    with pytest.raises(DataError, match=r"cannot be read .*; delete that file and run again"):
        store.read(record)


def test_features_that_are_not_there(tmp_path, record):
    store = FeatureStore(tmp_path / "cache", MADE_BY)
    told = rf"features of wave/a.mp4 are not in {store.folder}; run again, and they are computed"
    with pytest.raises(DataError, match=told):
        store.read(record)


def test_a_disk_that_does_not_answer_damages_nothing(tmp_path, record, maps, monkeypatch):
    def fails(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    store = FeatureStore(tmp_path / "cache", MADE_BY)
    store.write(record, maps)
    monkeypatch.setattr("attcell.data.feature_store.safe_open", fails)
    told = r"cannot be read \(\[Errno 5\] Input/output error\); mend that and run again$"
    with pytest.raises(DataError, match=told):
        store.read(record)
    monkeypatch.undo()
    assert torch.equal(store.read(record)[0].float(), maps)


@pytest.mark.parametrize("kind", [DataError, VideoError])
def test_a_video_without_a_name_is_not_held(tmp_path, record, maps, kind):
    """As one that may not be read: it is named when it is decoded."""

    def fails(path, frames):
        raise kind(f"{path} cannot be read: Permission denied; check the path")

    FeatureStore(tmp_path / "cache", MADE_BY).write(record, maps)
    store = FeatureStore(tmp_path / "cache", MADE_BY, fails)
    assert not store.holds(record)
    arrays = FeatureArrays(tmp_path / "arrays", store, [record])
    arrays.keep("of before", record.id, maps)
    assert not arrays.holds(record)
    with pytest.raises(kind, match="Permission denied"):
        store.name(record)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e5])
def test_features_that_16_bits_cannot_hold_are_refused(tmp_path, record, maps, value):
    store = FeatureStore(tmp_path / "cache", MADE_BY)
    maps[0, 0, 0, 0, 0] = value
    with pytest.raises(
        DataError, match=r"features of wave/a.mp4 are not finite in 16 bits; check the backbone"
    ):
        store.write(record, maps)
    assert not store.holds(record)


def test_a_broken_off_write_leaves_nothing(tmp_path, record, maps, monkeypatch):
    monkeypatch.setattr("attcell.data.feature_store.save", lambda *_: 1 / 0)
    store = FeatureStore(tmp_path / "cache", MADE_BY)
    with pytest.raises(ZeroDivisionError):
        store.write(record, maps)
    assert [path.name for path in store.folder.iterdir()] == ["made_by.json"]


def test_a_missing_video_has_no_features(tmp_path, record, maps):
    store = FeatureStore(tmp_path / "cache", MADE_BY)
    store.write(record, maps)
    record.path.unlink()
    assert not FeatureStore(tmp_path / "cache", MADE_BY).holds(record)
    with pytest.raises(DataError, match=r"a.mp4 cannot be read: No such file or directory; check the path"):
        content_digest(record.path)


class TestFoldersOfFrames:
    @pytest.fixture
    def folder(self, tmp_path) -> VideoRecord:
        return VideoRecord("a", write_pictures(tmp_path / "a", noisy_frames(6)), (0,))

    def test_maps_go_with_the_content_wherever_it_lies(self, tmp_path, folder, maps):
        store = FeatureStore(tmp_path / "cache", MADE_BY)
        store.write(folder, maps, ("a note",))
        (folder.path / "flow_x_00001.jpg").touch()  # no frame
        moved = VideoRecord("b", folder.path.rename(tmp_path / "b"), (1,))
        kept, notes = FeatureStore(tmp_path / "cache", MADE_BY).read(moved)
        assert torch.equal(kept.float(), maps.half().float())
        assert notes == ("a note",)

    def test_every_change_of_a_frame_gives_another_name(self, folder):
        names = {content_digest(folder.path)}
        first, last = folder.path / "img_00001.png", folder.path / "img_00006.png"
        first_bytes = first.read_bytes()
        first.write_bytes(last.read_bytes())
        names.add(content_digest(folder.path))
        last.write_bytes(first_bytes)
        names.add(content_digest(folder.path))
        last.unlink()
        names.add(content_digest(folder.path))
        for path in sorted(folder.path.iterdir(), reverse=True):
            path.rename(path.with_stem(f"image_{path.stem[-5:]}"))
        names.add(content_digest(folder.path))
        assert len(names) == 5

    def test_parts_have_names_of_their_own(self, tmp_path, folder, maps):
        store = FeatureStore(tmp_path / "cache", MADE_BY)
        parts = [folder.part(range(3)), folder.part(range(3, 6)), folder]
        assert len({content_digest(record.path, record.frames) for record in parts}) == 3
        store.write(parts[0], maps)
        store.write(parts[1], maps + 1)
        assert [store.holds(record) for record in parts] == [True, True, False]
        assert torch.equal(store.read(parts[1])[0].float(), (maps + 1).half().float())
        (folder.path / "img_00005.png").write_bytes(b"other")
        again = FeatureStore(tmp_path / "cache", MADE_BY)
        assert [again.holds(record) for record in parts] == [True, False, False]

    def test_a_folder_that_cannot_be_read_holds_nothing(self, tmp_path, folder, maps):
        store = FeatureStore(tmp_path / "cache", MADE_BY)
        (folder.path / "img_00002.png").unlink()
        assert not store.holds(folder)
        with pytest.raises(VideoError, match=r"img_00002.png is missing"):
            content_digest(folder.path)


class TestKeptArrays:
    @pytest.fixture
    def video(self, tmp_path):
        path = tmp_path / "a.mp4"
        path.write_bytes(b"video")
        return VideoRecord("a", path, (0,))

    def test_what_was_kept_comes_back_for_the_same_setting_alone(self, video, tmp_path):
        kept = KeptArrays(tmp_path / "kept", {"every": 5})
        assert kept.read(video) is None
        kept.write(video, {"k": np.arange(3.0), "name": np.array("x")})
        found = KeptArrays(tmp_path / "kept", {"every": 5}).read(video)
        assert found is not None
        assert found["k"].tolist() == [0.0, 1.0, 2.0]
        assert str(found["name"]) == "x"
        assert KeptArrays(tmp_path / "kept", {"every": 6}).read(video) is None

    def test_another_video_of_that_name_is_another(self, video, tmp_path):
        kept = KeptArrays(tmp_path / "kept", {})
        kept.write(video, {"k": np.arange(3.0)})
        video.path.write_bytes(b"another")
        assert kept.read(video) is None
        video.path.unlink()
        assert kept.read(video) is None
        kept.write(video, {"k": np.arange(3.0)})  # nothing to keep it for

    def test_a_folder_of_frames_counts_by_its_files_and_the_part_that_is_meant(self, tmp_path):
        folder = write_pictures(tmp_path / "a", noisy_frames(4))
        kept, whole = KeptArrays(tmp_path / "kept", {}), VideoRecord("a", folder, (0,))
        kept.write(whole, {"k": np.arange(3.0)})
        assert kept.read(whole) is not None
        assert kept.read(replace(whole, frames=range(2, 4))) is None
        before = folder.stat().st_mtime_ns
        (folder / "img_00002.png").write_bytes(b"other")
        assert folder.stat().st_mtime_ns == before
        assert kept.read(whole) is None

    @pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", b"text"])
    def test_a_damaged_file_is_no_answer(self, video, tmp_path, damage):
        kept = KeptArrays(tmp_path / "kept", {})
        kept.write(video, {"k": np.arange(3.0)})
        (file,) = (tmp_path / "kept").rglob("*.npz")
        file.write_bytes(damage)
        assert kept.read(video) is None


@pytest.mark.parametrize("place", [-1, -50, -100])
def test_a_changed_byte_of_the_maps_is_told(tmp_path, record, maps, place):
    store = FeatureStore(tmp_path / "cache", MADE_BY)
    store.write(record, maps)
    file = next(store.folder.glob("*.safetensors"))
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)
    with pytest.raises(DataError, match=r"its checksum does not fit\); delete that file and run again"):
        FeatureStore(tmp_path / "cache", MADE_BY).read(record)
