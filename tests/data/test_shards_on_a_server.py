"""Kept features on storage that speaks S3: shards that are put there whole, and read by ranges of bytes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from moto.server import ThreadedMotoServer

from attcell import _servers
from attcell._urls import UrlPath, path_or_url
from attcell.data import shards
from attcell.data.feature_store import FeatureStore, KeptArrays
from attcell.errors import DataError
from attcell.types import VideoRecord
from tests.data.test_shards import MADE_BY, maps_of, named, records_in


@pytest.fixture
def bucket(monkeypatch) -> Iterator[UrlPath]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setattr(_servers, "_SERVERS", {})
        monkeypatch.setattr(_servers, "_KNOWN", {})
        name = f"kept-{uuid.uuid4().hex}"  # the server's state is the process's
        _servers._server("s3").mkdir(name)
        yield path_or_url(f"s3://{name}/features")
    finally:
        server.stop()


def test_a_store_on_a_server(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTCELL_CACHE", str(tmp_path / "cache"))
    records = records_in(tmp_path, 5)
    store = FeatureStore(bucket, MADE_BY, named, "files")
    assert store.form == "shards", "no other lies on servers"
    assert not store.is_seen_at_once
    assert not store.holds(records[0])
    store._kept._most_bytes = 5000
    with store.filling(), store.writing():
        for number, record in enumerate(records):
            store.write(record, maps_of(number), ("a note",))
    names = sorted(path.suffix for path in store.folder.iterdir())
    assert names == [".index", ".index", ".json", ".tar", ".tar"]
    asked: list[int] = []
    fetch = shards.range_of
    monkeypatch.setattr(shards, "range_of", lambda *a: (asked.append(a[2] - a[1]), fetch(*a))[1])
    for one in (store, FeatureStore(bucket, MADE_BY, named)):
        assert all(one.holds(record) for record in records)
        for number, record in enumerate(records):
            maps, notes = one.read(record)
            assert torch.equal(maps, maps_of(number))
            assert notes == ("a note",)
    assert asked == [2048] * 10, "a range for each video"
    (index, _) = (path for path in store.folder.iterdir() if path.suffix == ".index")
    _servers._server("s3").rm(index.url)
    again = FeatureStore(bucket, MADE_BY, named)
    assert all(again.holds(record) for record in records), "its shard is walked over"
    _servers._server("s3").rm(index.with_suffix(".tar").url)
    places = {record.id: str(again._kept.file_of(record.path.stem)) for record in records}
    lost = next(record for record in records if index.stem in places[record.id])
    with pytest.raises(DataError, match=rf"of {lost.id} are not in {again.folder}; run again, and they"):
        again.read(lost)


def test_a_damaged_video_is_taken_out_of_the_index(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTCELL_CACHE", str(tmp_path / "cache"))
    records = records_in(tmp_path, 3)
    store = FeatureStore(bucket, MADE_BY, named)
    with store.writing():
        for number, record in enumerate(records):
            store.write(record, maps_of(number))
    (shard,) = (path for path in store.folder.iterdir() if path.suffix == ".tar")
    content = bytearray(shard.read_bytes())
    content[store._kept._span("0001").start + 1536 + 130] ^= 1
    _servers._server("s3").pipe(shard.url, bytes(content))
    with pytest.raises(DataError, match=rf"at {shard} cannot be read \(its checksum .*; run again, and they"):
        FeatureStore(bucket, MADE_BY, named).read(records[1])
    again = FeatureStore(bucket, MADE_BY, named)
    assert [again.holds(record) for record in records] == [True, False, True]
    again.write(records[1], maps_of(1))
    assert torch.equal(FeatureStore(bucket, MADE_BY, named).read(records[1])[0], maps_of(1))


def test_arrays_are_kept_where_the_server_tells_of_changes(bucket, tmp_path, monkeypatch):
    server, kept = _servers._server("s3"), KeptArrays(tmp_path / "kept", {})
    server.pipe(f"{bucket}/a.mp4", b"video")
    server.pipe(f"{bucket}/b/img_00001.png", b"picture")
    video, folder = (VideoRecord(name, bucket / name, (0,)) for name in ("a.mp4", "b"))
    for record in (video, folder):
        kept.write(record, {"k": np.arange(3.0)})
    assert kept.read(folder) is None
    assert kept.read(video)["k"].tolist() == [0.0, 1.0, 2.0]
    server.pipe(f"{bucket}/a.mp4", b"other")
    monkeypatch.setattr(_servers, "_KNOWN", {})
    assert kept.read(video) is None, "it changed"
    monkeypatch.setattr(_servers, "_VERSIONS", ())
    monkeypatch.setattr(_servers, "_KNOWN", {})
    kept.write(video, {"k": np.arange(3.0)})
    assert kept.read(video) is None
    assert len(list((tmp_path / "kept").rglob("*.npz"))) == 1


def test_a_folder_in_one_of_its_own_name_is_seen(bucket):
    _servers._server("s3").pipe(f"{bucket.url}/wave/wave/a.txt", b"a")
    assert [path.name for path in (bucket / "wave").iterdir()] == ["wave"]
