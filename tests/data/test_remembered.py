"""What was found out about files: remembered while they stay the same, and never in the way."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from attcell.data import remembered
from attcell.data.remembered import AnswerCache, Check, cached_answers, state_of, user_cache
from attcell.errors import DataError, VideoError


@pytest.fixture
def cache(tmp_path) -> AnswerCache:
    return AnswerCache(tmp_path / "cache" / "remembered.sqlite")


@pytest.fixture
def files(tmp_path) -> list[Path]:
    found = [tmp_path / f"{number}.mp4" for number in range(3)]
    for path in found:
        path.write_text(path.name)
    return found


class Looking:
    """Looks at files that read them, and counts how often."""

    def __init__(self, paths, cache: AnswerCache, settled_seconds: float = 0) -> None:
        self.paths, self.cache, self.settled_seconds, self.read = paths, cache, settled_seconds, []

    def _find(self, path: Path) -> str:
        self.read.append(path.name)
        if path.read_text() == "bad":
            raise VideoError(f"{path} is bad")
        return path.read_text()

    def __call__(self, question: str = "content") -> list:
        self.read.clear()
        checks = [Check(question, (path,), lambda path=path: self._find(path)) for path in self.paths]
        return cached_answers(checks, "reading", self.cache, self.settled_seconds)


def test_each_file_is_looked_at_once_and_answers_keep_their_order(files, cache):
    look = Looking(files, cache)
    assert look() == ["0.mp4", "1.mp4", "2.mp4"]
    assert sorted(look.read) == ["0.mp4", "1.mp4", "2.mp4"]
    assert look() == ["0.mp4", "1.mp4", "2.mp4"]
    assert look.read == []
    assert look("another question") == ["0.mp4", "1.mp4", "2.mp4"]
    assert len(look.read) == 3


def test_a_file_that_changed_is_looked_at_again_even_with_its_old_time(files, cache):
    look = Looking(files, cache)
    look()
    times = files[1].stat()
    files[1].write_text("M.mp4")
    os.utime(files[1], ns=(times.st_atime_ns, times.st_mtime_ns))
    assert look() == ["0.mp4", "M.mp4", "2.mp4"]
    assert look.read == ["1.mp4"]


def test_a_file_that_was_replaced_is_looked_at_again(files, cache, tmp_path):
    look = Looking(files, cache)
    look()
    other = tmp_path / "other"
    other.write_text("other")
    shutil.copystat(files[0], other)
    other.replace(files[0])
    assert look() == ["other", "1.mp4", "2.mp4"]
    assert look.read == ["0.mp4"]


def test_what_is_not_right_is_not_remembered(files, cache):
    files[1].write_text("bad")
    look = Looking(files, cache)
    for _ in range(2):
        found = look()
        assert isinstance(found[1], VideoError)
        assert "1.mp4" in look.read
    files[1].write_text("good")
    assert look() == ["0.mp4", "good", "2.mp4"]


def test_a_file_that_is_gone_is_looked_for(files, cache):
    look = Looking(files, cache)
    look()
    files[2].unlink()
    with pytest.raises(FileNotFoundError):  # what looking at it raises
        look()
    assert look.read == ["2.mp4"]


def test_what_changed_a_moment_ago_is_not_remembered(files, cache):
    look = Looking(files, cache, settled_seconds=2)
    look()
    look()
    assert len(look.read) == 3
    look.settled_seconds = 0.05
    time.sleep(0.1)
    look()
    look()
    assert look.read == []


def test_what_changes_while_it_is_looked_at_is_not_remembered(files, cache):
    def find() -> str:
        files[0].write_text("changed")
        return "seen before"

    checks = [Check("content", (files[0],), find)]
    assert cached_answers(checks, "reading", cache, 0) == ["seen before"]
    assert Looking(files[:1], cache)() == ["changed"]


def test_a_broken_off_start_keeps_what_was_found(files, cache):
    def stop() -> str:
        time.sleep(0.2)
        raise KeyboardInterrupt

    checks = [Check("content", (files[0],), lambda: "0.mp4"), Check("content", (files[1],), stop)]
    with pytest.raises(KeyboardInterrupt):
        cached_answers(checks, "reading", cache, 0)
    look = Looking(files, cache)
    look()
    assert sorted(look.read) == ["1.mp4", "2.mp4"]


def test_many_answers_are_written_in_parts(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(remembered, "_KEPT_AT_ONCE", 7)
    monkeypatch.setattr(remembered, "_MOST_ASKED", 5)
    paths = [tmp_path / str(number) for number in range(40)]
    for path in paths:
        path.write_text(path.name)
    look = Looking(paths, cache)
    assert look() == look() == [path.name for path in paths]
    assert look.read == []


@pytest.mark.parametrize("content", [b"no cache", b""])
def test_a_book_that_is_none_costs_only_time(files, cache, tmp_path, content, capsys):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "remembered.sqlite").write_bytes(content)
    assert Looking(files, cache)() == ["0.mp4", "1.mp4", "2.mp4"]
    said = capsys.readouterr().err
    assert ("remembered.sqlite cannot be written (file is not a database): what is found out" in said) == (
        content != b""
    )


def test_a_place_that_may_not_be_written_costs_only_time_and_is_said_once(files, tmp_path, capsys):
    (tmp_path / "cache").write_bytes(b"a file where a folder is wanted")
    look = Looking(files, AnswerCache(tmp_path / "cache" / "remembered.sqlite"))
    assert look() == look() == ["0.mp4", "1.mp4", "2.mp4"]
    assert capsys.readouterr().err.count("set ATTCELL_CACHE to another folder") == 1


def _remember(file: Path, number: int) -> None:
    AnswerCache(file).remember({f"{number} {place}": "yes" for place in range(50)})


def test_several_processes_write_one_book(tmp_path):
    file = tmp_path / "remembered.sqlite"
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.starmap(_remember, [(file, number) for number in range(6)])
    questions = [f"{number} {place}" for number in range(6) for place in range(50)]
    assert len(AnswerCache(file).known(questions)) == 300


def test_a_state_is_that_of_all_files(files):
    first = state_of(*files)
    assert state_of(*files) == first
    files[2].write_text("longer than before")
    assert state_of(*files).text != first.text
    with pytest.raises(FileNotFoundError):
        state_of(files[0], files[0].with_name("none"))


def test_a_folder_counts_by_its_names_or_by_all_its_files(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_text("first")
    by_names, by_files = state_of(folder), state_of(folder, contents=[folder])
    assert by_files == state_of(folder, contents=[folder])
    time.sleep(0.02)
    (folder / "1.jpg").write_text("other")  # of the same length
    assert state_of(folder) == by_names
    changed = state_of(folder, contents=[folder])
    assert changed.text != by_files.text
    assert changed.changed > by_files.changed
    (folder / "3.jpg").write_text("more")
    assert state_of(folder).text != by_names.text


def test_an_answer_on_a_folders_contents_is_forgotten_with_them(tmp_path, cache):
    folder, found = tmp_path / "frames", []
    folder.mkdir()
    (folder / "1.jpg").write_text("first")

    def find() -> str:
        found.append((folder / "1.jpg").read_text())
        return found[-1]

    checks = [Check("content", (folder,), find, contents=(folder,))]
    for _ in range(2):
        assert cached_answers(checks, "reading", cache, 0) == ["first"]
    (folder / "1.jpg").write_text("later")
    assert cached_answers(checks, "reading", cache, 0) == ["later"]
    assert found == ["first", "later"]


@pytest.mark.parametrize(
    ("system", "variables", "expected"),
    [
        ("linux", {"ATTCELL_CACHE": "/named"}, "/named"),
        ("linux", {"XDG_CACHE_HOME": "/caches", "HOME": "/home/me"}, "/caches/attcell"),
        ("linux", {"HOME": "/home/me"}, "/home/me/.cache/attcell"),
        ("darwin", {"HOME": "/home/me"}, "/home/me/Library/Caches/attcell"),
        ("win32", {"HOME": "/home/me", "LOCALAPPDATA": "/local"}, "/local/attcell"),
    ],
)
def test_where_the_users_cache_lies(monkeypatch, system, variables, expected):
    for name in ("ATTCELL_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", system)
    assert user_cache().file == Path(expected) / "remembered.sqlite"


def test_a_user_without_a_home_has_no_cache(monkeypatch, files):
    monkeypatch.delenv("ATTCELL_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", lambda self: (_ for _ in ()).throw(RuntimeError("no home")))
    assert user_cache().file is None
    look = Looking(files, user_cache())
    assert look() == look() == ["0.mp4", "1.mp4", "2.mp4"]
    assert len(look.read) == 3


def test_an_error_of_attcell_is_an_answer(files, cache):
    def find() -> str:
        raise DataError("no")

    (found,) = cached_answers([Check("content", (files[0],), find)], "reading", cache, 0)
    assert str(found) == "no"


def test_a_name_that_is_no_text_is_remembered(tmp_path, cache):
    question = os.fsdecode(b"caf\xe9.mp4 opens")
    cache.remember({question: "yes", "other": "no"})
    assert cache.known([question, "other", "third"]) == {question: "yes", "other": "no"}


def test_answers_that_are_none_are_not_taken(tmp_path, cache):
    cache.remember({"a": "1", "b": "2", "c": "3", "d": "4"})
    with sqlite3.connect(cache.file) as book:
        book.execute("UPDATE answers SET answer = x'00' WHERE question = 'a'")
        book.execute("UPDATE answers SET answer = CAST(x'ff' AS TEXT) WHERE question = 'b'")
    assert cache.known(["c", "d", "e"]) == {"c": "3", "d": "4"}
    assert cache.known(["a", "c"]) == {"c": "3"}
    assert cache.known(["b"]) == {}
    with sqlite3.connect(cache.file) as book:
        book.execute("ALTER TABLE answers ADD COLUMN more")
    assert cache.known(["c"]) == {"c": "3"}
