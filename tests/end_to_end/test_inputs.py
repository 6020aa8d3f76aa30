"""Folders, patterns, lists and stdin in the place of a video's name."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from attcell.cli.common.inputs import all_videos
from attcell.errors import CallError, DataError
from tests.end_to_end.conftest import Run
from tests.video.conftest import write_video


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder with three videos below each other, a text, and a hidden file."""
    folder = tmp_path / "clips"
    for name in ("b.mp4", "a.mp4", "more/deep/c.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(folder / name)
    (folder / "notes.txt").write_text("nothing")
    (folder / ".hidden.mp4").write_text("nothing")
    return folder


def names(*given: Path | str) -> list[str]:
    with all_videos([Path(one) for one in given]) as found:
        return [path.name for path in found]


def test_a_folder_stands_for_all_videos_below_it(clips, caplog):
    caplog.set_level("INFO")
    assert names(clips) == ["a.mp4", "b.mp4", "c.mp4"]
    assert f"{clips}: 3 videos, 1 other files are left out" in caplog.text


def test_a_pattern_fits_below(clips):
    assert names(clips / "**" / "*.mp4") == ["a.mp4", "b.mp4", "c.mp4"]
    assert names(clips / "[ab].*") == ["a.mp4", "b.mp4"]


def test_a_list_is_relative_to_itself_and_may_hold_urls_and_comments(clips):
    source = clips / "mine.txt"
    source.write_text("# ours\nb.mp4\n\nmore/deep/c.mp4\nhttps://example.org/x.mp4\n", encoding="utf-8")
    with all_videos([source]) as found:
        assert found[:2] == (clips / "b.mp4", clips / "more/deep/c.mp4")
    assert names(source) == ["b.mp4", "c.mp4", "x.mp4"]


def test_what_is_named_twice_is_done_once(clips):
    assert names(clips / "b.mp4", clips) == ["b.mp4", "a.mp4", "c.mp4"]


def test_a_file_whose_name_looks_like_a_pattern_is_itself(clips):
    write_video(clips / "take [1].mp4")
    assert names(clips / "take [1].mp4") == ["take [1].mp4"]


def test_stdin_lies_in_a_file_meanwhile(clips, monkeypatch):
    content = (clips / "a.mp4").read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False))
    with all_videos([Path("-")]) as (path,):
        assert path.read_bytes() == content
    assert not path.exists()


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ("clips/*.avi", CallError, "clips/*.avi fits no file; give a pattern that fits videos"),
        ("clips/*.txt", CallError, "fits no file but 1 files that are no videos"),
        ("clips/empty.txt", CallError, "names no video; give a list with a path or a URL in each line"),
        ("clips/binary.txt", DataError, "cannot be read as a list"),
    ],
)
def test_what_names_nothing_is_said(clips, monkeypatch, given, error, said):
    monkeypatch.chdir(clips.parent)
    if "empty" in given or "binary" in given:
        (clips / Path(given).name).write_bytes(b"\n# x\n" if "empty" in given else b"\xff\xfe\x00")
    with pytest.raises(error) as raised:
        names(given)
    assert said in str(raised.value)


def test_stdin_twice_or_from_nobody(monkeypatch):
    with pytest.raises(CallError, match="- is given twice, and stdin is one video"):
        names("-", "-")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(CallError, match="takes a video's bytes by stdin, and nothing comes there"):
        names("-")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(), isatty=lambda: False))
    with pytest.raises(DataError, match="stdin has ended without a byte"):
        names("-")


def test_a_folder_without_videos_is_one_that_cannot_be_read(attcell: Run, clips, model):
    (clips / "none").mkdir()
    (clips / "none" / "readme.md").write_text("x")
    done = attcell("predict", clips / "none", clips / "a.mp4", "--model", model, status=1)
    assert f"attcell: {clips}/none: this is a folder without frames; a video file was expected" in done.stderr
    assert "a.mp4: " in done.stdout


def test_predict_and_detect_take_a_folder(attcell: Run, clips, model):
    found = json.loads(attcell("predict", clips, "--model", model, "--json", "-").stdout.splitlines()[0])
    assert found["video"] == str(clips / "a.mp4")
    done = attcell("detect", clips, "--model", model, "--json", "found.json")
    assert "3 videos, 1 other files are left out" in done.stderr
