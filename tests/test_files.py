"""Writing whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
from pathlib import Path

import pytest

from attcell._files import Lines, parsed_json, read_json, read_own, write_json, write_text, written_whole
from attcell.errors import CallError, DataError


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_is_written_and_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "text.json", "ü\n")
    assert (tmp_path / "a" / "b" / "text.json").read_bytes() == "ü\n".encode()
    assert entries(tmp_path / "a" / "b") == ["text.json"]


def test_json_goes_to_a_file_or_to_stdout(tmp_path, capsys):
    write_json(str(tmp_path / "a" / "n.json"), {"ü": [1, 0.5]})
    write_json("-", {"ü": [1, 0.5]})
    text = (tmp_path / "a" / "n.json").read_text(encoding="utf-8")
    assert capsys.readouterr().out == text
    assert json.loads(text) == {"ü": [1, 0.5]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(str(tmp_path / "nan.json"), float("nan"))
    assert entries(tmp_path) == ["a"]


def test_the_temporary_file_lies_beside_and_keeps_the_suffix(tmp_path):
    with written_whole(tmp_path / "video.mp4") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".mp4"
        assert temporary.name.startswith(".")
        temporary.touch()


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_an_error_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "scores.json"
    path.write_text("old")

    def broken_off() -> None:
        with written_whole(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        broken_off()
    assert path.read_text() == "old"
    assert entries(tmp_path) == ["scores.json"]


def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path, monkeypatch):
    def full(path: Path, text: str, **_: object) -> None:
        with path.open("w") as file:
            file.write(text[:3])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_text(tmp_path / "scores.json", "whole")
    assert caught.value.filename == str(tmp_path / "scores.json")
    assert entries(tmp_path) == []


def test_a_disk_that_becomes_read_only_names_the_file(tmp_path, monkeypatch):
    def refuses(path, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    for name in ("write_text", "unlink"):
        monkeypatch.setattr(Path, name, refuses)
    with pytest.raises(OSError, match="Read-only file system") as caught:
        write_text(tmp_path / "scores.json", "whole")
    assert caught.value.filename == str(tmp_path / "scores.json")


def test_a_folder_in_the_way_is_named_and_not_the_temporary_file(tmp_path):
    (tmp_path / "page.html").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_text(tmp_path / "page.html", "x")
    assert caught.value.filename == str(tmp_path / "page.html")
    assert str(caught.value).count(str(tmp_path)) == 1
    assert entries(tmp_path) == ["page.html"]


def test_an_error_about_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, written_whole(tmp_path / "copy"):
        (tmp_path / "original").read_bytes()
    assert caught.value.filename == str(tmp_path / "original")


def test_an_error_that_lets_nothing_be_set_is_named_all_the_same(tmp_path):
    """As PyAV's of a full disk."""

    class Sealed(OSError):
        filename = property(lambda self: None)

    with pytest.raises(OSError, match="No space left on device") as raised, written_whole(tmp_path / "a.mp4"):
        raise Sealed(28, "No space left on device")
    assert raised.value.filename == str(tmp_path / "a.mp4")
    assert raised.value.errno == 28
    assert not list(tmp_path.iterdir())


def test_json_is_read_with_a_byte_order_mark(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / "a.json") == {"a": 1}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 100_000, b"\xff", "1" * 5000, "{"])
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"ested too deeply|decode|limit|Expecting"):
        parsed_json(text)


@pytest.mark.parametrize("name", ["n" * 246 + ".mp4", "\u00e9" * 125 + ".json"])
def test_a_name_as_long_as_names_may_be(tmp_path, name):
    write_text(tmp_path / name, "text")
    assert entries(tmp_path) == [name]


def test_a_name_that_is_no_utf_8_goes_as_its_bytes(tmp_path):
    write_text(tmp_path / "a.csv", os.fsdecode(b"caf\xe9,1\n"))
    assert (tmp_path / "a.csv").read_bytes() == b"caf\xe9,1\n"


def test_a_link_is_replaced_and_its_target_stays(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    for name, target in (("a.json", "precious.txt"), ("b.json", "/nowhere/at/all")):
        (tmp_path / name).symlink_to(target)
        write_text(tmp_path / name, "new")
        assert not (tmp_path / name).is_symlink()
        assert (tmp_path / name).read_text() == "new"
    assert (tmp_path / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize(("before", "after"), [("[", "]"), ('{"a":', "}")])
def test_json_that_is_nested_deeply_is_a_value_error_before_anybody_goes_through_it(before, after):
    assert json.dumps(parsed_json(before * 90 + "1" + after * 90)).count(before[0]) == 90
    for levels in (150, 900, 100_000):
        with pytest.raises(ValueError, match="Nested too deeply, more than 100 levels"):
            parsed_json(before * levels + "1" + after * levels)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"figures": [1]}', "\udcff"])
def test_what_attcell_wrote_for_itself_and_is_damaged_is_named(tmp_path, text):
    path = tmp_path / "scores.json"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(DataError, match=r"scores\.json is damaged \(.*\); delete it and run the same again"):
        read_own(path, "figures", "protocol")
    path.write_text('{"figures": {"top1": 1}, "more": 2}')
    assert read_own(path, "figures", "protocol") == {"protocol": {}, "figures": {"top1": 1}, "more": 2}


def test_a_line_is_there_whole_or_not_at_all(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text("old\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    lines = Lines(path)
    lines.add("first \u00fc")
    with pytest.raises(CallError, match=r"another process is at work in .*lines\.jsonl; wait until it is"):
        Lines(path)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, limits[1]))
        with pytest.raises(OSError, match="File too large") as caught:
            lines.add("x" * 30)
        assert caught.value.filename == str(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert path.read_bytes() == "first \u00fc\n".encode()
    lines.add("second")
    lines.close()
    assert path.read_text(encoding="utf-8") == "first \u00fc\nsecond\n"
