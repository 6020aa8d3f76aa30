"""Files on servers: ranges of bytes, and one clear error for each fault of a server or of the way to it."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from attcell import _remote, _servers
from attcell._servers import SECONDS
from attcell._urls import path_or_url
from attcell.data.listing import read_list
from attcell.errors import CallError, VideoError
from attcell.video.decode import count_frames, read_frames
from tests.range_server import range_server
from tests.video.conftest import write_video
from tests.video.test_keyframes import X264, write_moving


@pytest.fixture(autouse=True)
def _anew(monkeypatch):
    """No server is known yet, and nobody waits long for one."""
    monkeypatch.setattr(_servers, "_SERVERS", {})
    monkeypatch.setattr(_servers, "_KNOWN", {})
    monkeypatch.setattr(_servers, "_WAIT", 0.01)
    monkeypatch.setenv(SECONDS, "0.5")


@pytest.fixture
def folder(tmp_path):
    write_video(tmp_path / "clip.mp4", 20)
    (tmp_path / "list.txt").write_text("clip.mp4 1\n")
    (tmp_path / "labels.txt").write_text("run\nwave\n")
    return tmp_path


def refusal(url: str) -> str:
    with pytest.raises(VideoError) as refused:
        count_frames(url)
    assert "s3cret" not in str(refused.value)
    return str(refused.value)


def test_bytes_are_read_where_they_are_wanted(folder):
    content = (folder / "clip.mp4").read_bytes()
    with range_server(folder) as server:
        path = path_or_url(server.url("clip.mp4"))
        with path.open("rb") as file:
            assert file.read(10) == content[:10]
            file.seek(-5, 2)
            assert file.read() == content[-5:]
            file.seek(100)
            assert file.read(50) == content[100:150]
        assert path.read_bytes() == content
        assert path.stat().st_size == len(content)
        assert path.stat().version
        assert path.is_file()
        assert not path.is_dir()
        assert not path_or_url(server.url("other.mp4")).exists()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_list_and_its_labels(folder, ranges):
    with range_server(folder, ranges=ranges) as server:
        source = path_or_url(server.url("list.txt"))
        listing = read_list(source, source.parent, None)
        assert listing.labels == ("run", "wave")
        assert listing.records[0].id == "clip.mp4"
        assert str(listing.records[0].path) == server.url("clip.mp4")


def test_a_server_without_ranges_sends_whole_files(tmp_path, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(_remote.logger, "info", said.append)
    content = write_moving(tmp_path / "long.mp4", 100, X264).read_bytes()
    with range_server(tmp_path, ranges=False) as server:
        assert count_frames(server.url("long.mp4")).num_frames == 100
        assert said == [f"{server.address[7:]} sends no ranges of bytes: whole files are read"]
        gets = [of for of in server.requests if of.startswith("GET")]
        assert len(gets) <= 3  # two ranges that were asked for in vain, and the file
        with path_or_url(server.url("long.mp4")).open("rb") as file:
            file.seek(-100, 2)
            assert file.read() == content[-100:]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "the server refuses it (403): check the address; a signed one may have expired"),
        (401, "the server refuses it (401)"),
        (404, "the server has no such file (404)"),
        (503, "the server fails (503); try later"),
    ],
)
def test_a_server_that_refuses(folder, status, said):
    with range_server(folder, status=status) as server:
        found = refusal(server.url("clip.mp4?sig=s3cret"))
        assert found.startswith(f"{server.address}/clip.mp4?…")
        assert said in found


def test_a_connection_that_breaks_off_in_the_middle(tmp_path):
    video = write_moving(tmp_path / "long.mp4", 100, X264)
    size = video.stat().st_size
    assert size > 3 << 15
    with range_server(tmp_path, breaks_after=size // 2) as server:
        found = refusal(server.url("long.mp4?sig=s3cret"))
        assert "cannot be read (the connection broke off, 3 times; run again)" in found
        server.breaks_after = None  # it is back
        found = read_frames(server.url("long.mp4?sig=s3cret"), lambda n: [0, n - 1])
        assert found.info.num_frames == 100
        assert found.info.notes == ()


def test_no_server_and_a_silent_one(folder):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = refusal(f"http://127.0.0.1:{port}/clip.mp4?sig=s3cret")
        assert f"the server said nothing for 0.5 s (${SECONDS})" in found
    found = refusal(f"http://127.0.0.1:{port}/clip.mp4?sig=s3cret")
    assert "no server answers there; check the address and the network" in found


@pytest.mark.parametrize("given", ["soon", "0", "-1", "nan"])
def test_a_time_that_is_none(given, monkeypatch):
    monkeypatch.setenv(SECONDS, given)
    with pytest.raises(CallError, match=rf"\${SECONDS} is '{given}'; give seconds, more than 0"):
        count_frames("http://127.0.0.1:9/clip.mp4")


def test_a_package_that_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(CallError, match=r"gs:// cannot be read here: pip install 'attcell\[gs\]'"):
        count_frames("gs://bucket/clip.mp4")


def test_nothing_is_written_by_http(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(CallError, match="nothing is written to http:// and https://; name a local path"):
        path_or_url("https://host/a").upload(tmp_path / "a")


def test_the_hub_is_served_by_its_own_package():
    from huggingface_hub import HfFileSystem

    assert isinstance(_servers._server("hf"), HfFileSystem)


@pytest.fixture
def made_up(monkeypatch):
    """gs:// as a file system in memory."""
    from fsspec.implementations.memory import MemoryFileSystem

    class MadeUp(MemoryFileSystem):
        protocol = ("gs",)
        store: ClassVar[dict] = {}

        @classmethod
        def _strip_protocol(cls, path):
            return super()._strip_protocol(path.removeprefix("gs:/"))

        pseudo_dirs: ClassVar[list] = [""]

    monkeypatch.setitem(sys.modules["fsspec.registry"]._registry, "gs", MadeUp)
    return MadeUp()


def test_any_file_system_of_fsspec(made_up, folder):
    made_up.put_file(str(folder / "clip.mp4"), "/bucket/wave/clip.mp4")
    path = path_or_url("gs://bucket/wave/clip.mp4")
    assert count_frames(path).num_frames == 20
    assert [of.name for of in path.parent.iterdir()] == ["clip.mp4"]
    assert list(path_or_url("gs://bucket").files()) == [path]
    path_or_url("gs://bucket/new").upload(folder / "list.txt")
    assert path_or_url("gs://bucket/new").open().read() == "clip.mp4 1\n"


def test_errors_of_libraries_hold_no_signature():
    fault = _servers._fault(RuntimeError("of https://h/a?sig=s3cret"), "https://h/a?sig=s3cret")
    assert json.dumps(str(fault)).count("s3cret") == 0
    assert Path(fault.filename).name.startswith("a?…")
