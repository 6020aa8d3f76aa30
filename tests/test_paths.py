"""Questions about paths, and whether files can be written."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from attcell._files import written_whole
from attcell._paths import check_output, check_outputs, in_other_form, is_file, is_folder, is_there, real_path
from attcell.data.feature_store import DigestCache
from attcell.errors import CallError, DataError


def test_where_output_can_go(tmp_path):
    (tmp_path / "file").touch()
    check_output(tmp_path / "new" / "deep" / "page.html")
    check_output(tmp_path / "file")
    check_output(tmp_path, is_folder=True)
    check_output(tmp_path / "new", is_folder=True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("name", "is_folder", "message"),
    [
        ("folder", False, "folder is a folder; name a file to write to"),
        ("file", True, "file is a file; name a folder to write to"),
        ("file/page.html", False, "page.html cannot be written, for .*file is a file; name another place"),
        ("file/run", True, "run cannot be written, for .*file is a file; name another place"),
    ],
)
def test_where_output_cannot_go(tmp_path, name, is_folder, message):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(CallError, match=message):
        check_output(tmp_path / name, is_folder=is_folder)


def test_stdout_is_no_file():
    message = r"^- is no file, and this cannot go to stdout; name a file or folder to write to$"
    with pytest.raises(CallError, match=message):
        check_output(Path("-"))


def test_a_place_without_permission_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # nothing is forbidden to root, who may run this
    with pytest.raises(CallError, match=f"no permission in {tmp_path}; name another place"):
        check_output(tmp_path / "page.html")


def test_a_path_where_nobody_can_look_is_not_there_and_raises_nothing(tmp_path, monkeypatch):
    (tmp_path / "loop").symlink_to("loop")
    for name in ("a" * 300, "loop", "zero\0byte"):
        for question in (is_there, is_file, is_folder):
            assert not question(tmp_path / name)
    assert real_path(tmp_path / "loop") == tmp_path / "loop"

    def fails(path, **_):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(os, "stat", fails)
    assert not is_there(tmp_path)


def test_a_name_in_the_other_unicode_form(tmp_path):
    (tmp_path / "cafe\u0301").touch()
    assert in_other_form(tmp_path / "caf\u00e9") == tmp_path / "cafe\u0301"
    assert in_other_form(tmp_path / "cafe\u0301") is None
    assert in_other_form(tmp_path / "tea") is None


def test_a_name_that_is_too_long_is_refused_before_the_work(tmp_path):
    check_output(tmp_path / ("\u00e9" * 127))
    with pytest.raises(
        CallError, match="its name has 256 bytes, and a name may have 255; take a shorter one"
    ):
        check_output(tmp_path / ("\u00e9" * 128))
    (tmp_path / "loop").symlink_to("loop")
    check_outputs([tmp_path / "out"], [tmp_path / "loop", tmp_path / ("a" * 300)])


def test_a_device_or_a_pipe_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    said = "is a device or a pipe, and files are written beside their place; name a file"
    named = ["/dev/null", "/dev/stdout", "/proc/self/fd/1"]
    for path in (tmp_path / "pipe", tmp_path / "link", *map(Path, named)):
        with pytest.raises(CallError, match=said):
            check_output(path)
        with pytest.raises(CallError, match=said), written_whole(path):
            pass
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    check_output(Path("/dev/shm/a.json"))


def test_a_path_that_no_path_can_be_is_nowhere(tmp_path):
    path = tmp_path / "a\0b.mp4"
    assert real_path(path) == path
    assert (is_there(path), is_file(path), is_folder(path)) == (False, False, False)
    with pytest.raises(DataError, match="cannot be read: embedded null byte; check the path"):
        DigestCache(tmp_path).digest(path)
