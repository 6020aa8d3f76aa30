"""Kept features on storage that speaks S3: shards that are put there whole, and read by ranges of bytes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from moto.server import ThreadedMotoServer

from attcell import _servers
from attcell._urls import UrlPath, place
from attcell.data import shards
from attcell.data.feature_store import FeatureStore
from attcell.errors import DataError
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
        _servers._server("s3").mkdir("kept")
        yield place("s3://kept/features")
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
    with pytest.raises(DataError, match=r"at s3://kept/features/.* cannot be read .*; delete that file"):
        again.read(lost)
