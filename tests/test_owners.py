"""Whose a temporary file is, and a folder."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import time

import pytest

from attcell import _owners
from attcell._files import write_text
from attcell._owners import held, is_empty, opened_alone, swept, temporary_in
from attcell.data.feature_arrays import FeatureArrays
from attcell.data.feature_store import FeatureStore
from attcell.errors import CallError
from attcell.types import VideoRecord
from tests.conftest import left_over
from tests.test_files import entries


def test_what_a_killed_process_left_goes_and_nothing_else(tmp_path):
    theirs = temporary_in(tmp_path, "a", ".json")  # of this process, which lives
    theirs.touch()
    dead = left_over(tmp_path, "b.c", ".safetensors")
    folder = left_over(tmp_path, "d")
    folder.mkdir()
    (folder / "flow_x_00001.jpg").touch()
    recycled = left_over(tmp_path, "e", number=os.getpid())  # another began later under the number
    elsewhere = tmp_path / dead.name.replace(_owners.machine(), "01234567")
    others = [elsewhere, tmp_path / ".a.01234567.tmp", tmp_path / ".hidden", tmp_path / "a.tmp"]
    for path in (dead, recycled, *others):
        path.touch()
    write_text(tmp_path / "f.json", "new")
    assert entries(tmp_path) == sorted(path.name for path in (theirs, *others, tmp_path / "f.json"))


def test_a_process_that_has_ended_and_is_still_listed_leaves_what_goes(tmp_path):
    with subprocess.Popen(["true"]) as process:
        path = left_over(tmp_path, "a", number=process.pid)
        path.touch()
        while _owners._began(process.pid) not in ("", "0"):
            time.sleep(0.01)  # nobody has asked for its status yet
        write_text(tmp_path / "b.json", "new")
    assert entries(tmp_path) == ["b.json"]


def test_a_folder_with_what_killed_processes_left_is_empty(tmp_path):
    assert is_empty(tmp_path / "none")
    assert is_empty(tmp_path)
    path = left_over(tmp_path, "recipe", ".yaml")
    path.touch()
    before_a_restart = tmp_path / path.name.replace(_owners.machine(), "01234567")
    before_a_restart.touch()
    assert is_empty(tmp_path)
    (tmp_path / ".hidden").touch()
    assert not is_empty(tmp_path)


def test_what_is_killed_while_a_folder_is_filled_leaves_nothing(tmp_path):
    def fill():
        with swept([tmp_path, tmp_path / "none"]):
            temporary_in(tmp_path, "a").touch()  # of this process, which lives
            left_over(tmp_path, "b", ".npy").touch()
            raise CallError("in the middle")

    with pytest.raises(CallError, match="in the middle"):
        fill()
    (kept,) = entries(tmp_path)
    assert kept.startswith(".a.")


@pytest.mark.parametrize("form", ["files", "npy"])
def test_filled_stores_hold_nothing_of_killed_processes(tmp_path, form):
    store = FeatureStore(tmp_path, {"of": "a test"})
    record = VideoRecord("wave/alice.mp4", tmp_path / "alice.mp4", (0,))
    filled = store if form == "files" else FeatureArrays(tmp_path / "out", store, [record])
    folder = store.folder if form == "files" else tmp_path / "out" / "wave"
    folder.mkdir(parents=True, exist_ok=True)
    with filled.filling():
        left_over(folder, "alice", ".npy").touch()
    assert [name for name in entries(folder) if name.startswith(".")] == []


def test_temporary_names_are_no_longer_than_names_may_be(tmp_path):
    for name in ("x" * 255, "x." + "y" * 253, "\u00e9" * 127, "a" * 100 + "." + "b" * 154):
        path = tmp_path / name
        temporary = temporary_in(tmp_path, path.stem, path.suffix)
        assert len(os.fsencode(temporary.name)) <= 255
        write_text(path, "text")
        assert path.read_text() == "text"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_folder_is_held_by_one_and_let_go_with_it(tmp_path):
    folder = tmp_path / "run"
    refused = f"another process is at work in {folder}; wait until it is done, or name another place"
    begun, begins = os.pipe()
    with held(folder):
        child = os.fork()
        if child == 0:
            os.write(begins, b"x")
            time.sleep(60)  # as a worker that outlives its parent
            os._exit(0)
        assert os.read(begun, 1) == b"x"
        with pytest.raises(CallError, match=refused), held(folder):
            pass
    try:
        with held(folder), held(tmp_path / "other"):
            assert entries(tmp_path) == ["other", "run"]
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(begun)
        os.close(begins)
    assert entries(folder) == []


def test_a_disk_without_locks_refuses_nothing(tmp_path, monkeypatch):
    def knows_none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", knows_none)
    with held(tmp_path), held(tmp_path):
        pass
    before = set(_owners._HELD)
    told = f"another process may be at work in {tmp_path}, for its disk has no locks"
    with pytest.raises(CallError, match=told):
        opened_alone(tmp_path, os.O_RDONLY, surely=True)
    assert before == _owners._HELD
