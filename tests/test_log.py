"""Messages go through logging: nothing by default, all on the command line; bars go with them."""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from attcell import _log
from attcell._log import (
    are_on_stderr,
    json_lines,
    logger,
    messages_on_stderr,
    minutes,
    progress_bar,
    tell,
    tell_programs,
    track,
    within,
)
from attcell.errors import CallError


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let stderr be one, as far as programs ask."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)


@pytest.fixture
def as_in_a_program(monkeypatch) -> Iterator[None]:
    """Without the command line's handler, which tests have by default."""
    monkeypatch.setattr(logger, "handlers", [logging.NullHandler()])
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    monkeypatch.setattr(logger, "propagate", True)
    logger.manager._clear_cache()
    yield
    logger.manager._clear_cache()


def test_a_program_that_sets_nothing_up_prints_nothing():
    code = "from attcell._log import logger, track; logger.warning('a'); list(track([1], 1, 'b'))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("", "")


def test_a_program_collects_messages_by_their_levels(as_in_a_program, caplog):
    with caplog.at_level(logging.INFO, "attcell"):
        logger.info("3 videos")
        logger.warning("1 is damaged")
    assert caplog.record_tuples == [
        ("attcell", logging.INFO, "3 videos"),
        ("attcell", logging.WARNING, "1 is damaged"),
    ]


def test_the_command_line_shows_all_on_stderr_and_says_what_warns(as_in_a_program, capsys, caplog):
    with messages_on_stderr(), messages_on_stderr():
        assert are_on_stderr()
        logger.info("3 videos")
        logger.warning("1 is damaged")
    assert not are_on_stderr()
    logger.info("no more")
    assert capsys.readouterr() == ("", "3 videos\nwarning: 1 is damaged\n")
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.parametrize("shown", [True, False])
def test_bars_are_drawn_where_messages_are_seen(as_in_a_program, capsys, monkeypatch, shown):
    on_a_terminal(monkeypatch)
    if shown:
        logger.setLevel(logging.INFO)
    assert list(track("abc", 3, "letters")) == ["a", "b", "c"]
    assert ("letters" in capsys.readouterr().err) is shown


def test_a_message_goes_above_the_bar(as_in_a_program, capsys, monkeypatch):
    on_a_terminal(monkeypatch)
    with messages_on_stderr():
        for letter in track("ab", 2, "letters"):
            logger.info(f"message {letter}")
    found = capsys.readouterr().err
    assert found.index("message a") < found.rindex("letters")


def test_without_a_terminal_a_line_now_and_then_says_how_far_it_is(as_in_a_program, capsys, monkeypatch):
    with messages_on_stderr():
        list(track("abc", 3, "letters"))
        assert capsys.readouterr().err == "", "short work says nothing"
        monkeypatch.setattr(_log, "LINE_EVERY_SECONDS", 0.0)
        list(track("abc", 3, "letters"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "letters: 1 of 3, 0:00 gone, 0:00 left"
    assert len(lines) == 3


def test_the_time_that_is_left_is_of_what_was_done_now(as_in_a_program, capsys, monkeypatch):
    now = iter([0.0, 0.0, 100.0, 100.0, 200.0, 200.0])
    monkeypatch.setattr(_log.time, "monotonic", lambda: next(now))
    with messages_on_stderr(), progress_bar() as bar:
        task = bar.add_task("training", total=100, completed=50)
        bar.update(task, completed=60, note="loss 0.5")
    assert capsys.readouterr().err == "training: 60 of 100, 1:40 gone, 6:40 left, loss 0.5\n"


def test_a_narrow_terminal_has_room_for_what_counts(as_in_a_program, capsys, monkeypatch):
    on_a_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "40")
    with messages_on_stderr():
        list(track("abc", 1234, "both-average 5/5: features of all videos"))
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", capsys.readouterr().err)
    assert "/1234" in plain
    assert all(len(line) <= 40 for line in re.split("[\r\n]", plain))


def test_one_step_of_many_says_what_warns_once_and_how_far_it_is(as_in_a_program, capsys, monkeypatch):
    monkeypatch.setattr(_log, "LINE_EVERY_SECONDS", 0.0)
    with messages_on_stderr():
        for step in ("1/2", "2/2"):
            with within(step):
                logger.info("not shown")
                logger.warning("1 video is damaged")
                list(track("a", 1, "letters"))
        logger.info("shown")
    assert capsys.readouterr().err.splitlines() == [
        "warning: 1 video is damaged",
        "1/2: letters: 1 of 1, 0:00 gone, 0:00 left",
        "2/2: letters: 1 of 1, 0:00 gone, 0:00 left",
        "shown",
    ]


def test_each_message_is_a_line_of_json(as_in_a_program, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(_log, "LINE_EVERY_SECONDS", 0.0)
    with messages_on_stderr(), json_lines(str(tmp_path / "a.jsonl")):
        logger.info("3 videos")
        logger.warning("1 is damaged")
        tell("videos", "there are 3", number=3)
        list(track("a", 1, "letters"))
        tell_programs("done", "for programs")
    logger.info("no more")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert lines[:3] == [
        {"event": "message", "text": "3 videos"},
        {"event": "warning", "text": "1 is damaged"},
        {"event": "videos", "number": 3, "text": "there are 3"},
    ]
    assert {key: lines[3][key] for key in ("event", "doing", "done", "total")} == {
        "event": "progress",
        "doing": "letters",
        "done": 1.0,
        "total": 1,
    }
    assert lines[4:] == [{"event": "done", "text": "for programs"}]
    assert "for programs" not in capsys.readouterr().err


def test_an_error_is_the_last_line_of_json(as_in_a_program, tmp_path):
    with pytest.raises(CallError), json_lines(str(tmp_path / "a.jsonl")):
        raise CallError("what was wrong")
    assert (tmp_path / "a.jsonl").read_text() == '{"event": "error", "text": "what was wrong"}\n'


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0:00"), (69.6, "1:10"), (3723, "1:02:03")])
def test_times_are_minutes_and_seconds(seconds, said):
    assert minutes(seconds) == said


@pytest.mark.parametrize("name", ["[/]", "[bold]", "a[red", "\x1b[2J\u202eabc"])
def test_a_bar_shows_a_name_as_it_is(as_in_a_program, capsys, monkeypatch, name):
    on_a_terminal(monkeypatch)
    with messages_on_stderr(), progress_bar() as bar:
        task = bar.add_task(f"encoding {name}", total=2, note=name)
        bar.update(task, completed=1)
    shown = name.encode("unicode_escape").decode()
    assert f"encoding {shown}" in capsys.readouterr().err


def test_what_is_printed_beside_a_bar_goes_to_stdout(tmp_path):
    """A terminal for messages and a file for results: the file gets all of them."""
    code = "from attcell._log import *\nwith messages_on_stderr():\n for i in track('ab', 2, 'x'): print(i)"
    terminal, theirs = pty.openpty()
    with (tmp_path / "out").open("w") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, stderr=theirs, check=True)
    os.close(theirs)
    assert b"2/2" in os.read(terminal, 100_000)
    os.close(terminal)
    assert (tmp_path / "out").read_text() == "a\nb\n"


def test_a_dumb_terminal_gets_lines(as_in_a_program, capsys, monkeypatch):
    on_a_terminal(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(_log, "LINE_EVERY_SECONDS", 0.0)
    with messages_on_stderr():
        list(track("ab", 2, "letters"))
    assert capsys.readouterr().err.splitlines()[0] == "letters: 1 of 2, 0:00 gone, 0:00 left"


def test_a_line_also_comes_while_one_thing_takes_long(as_in_a_program, capsys, monkeypatch):
    monkeypatch.setattr(_log, "LINE_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(_log, "_LEAST_SECONDS", 0.05)
    with messages_on_stderr():
        for _ in track("a", 1, "features"):
            time.sleep(0.3)
        before = capsys.readouterr().err.splitlines()
        time.sleep(0.2)
    assert before[0] == "features: 0 of 1, 0:00 gone"
    assert capsys.readouterr().err == "", "nothing more is said at the end"


def test_messages_show_what_moves_the_cursor_or_turns_reading(as_in_a_program, capsys, tmp_path):
    with json_lines(str(tmp_path / "a.jsonl")), messages_on_stderr():
        logger.info("a\tb \x1b[2J\u202egpj.exe\r\nü\x07\x85")
    assert capsys.readouterr().err == "a\tb \\x1b[2J\\u202egpj.exe\\r\\nü\\x07\\x85\n"
    (line,) = (tmp_path / "a.jsonl").read_text().splitlines()
    assert json.loads(line)["text"] == "a\tb \x1b[2J\u202egpj.exe\r\nü\x07\x85"
    assert line.isascii()


def test_a_name_ends_no_line_of_a_message(as_in_a_program, capsys):
    name = "a\nattcell: all is well\n.mp4"
    shown = name.replace("\n", "\\n")
    with messages_on_stderr():
        logger.warning(f"2 videos cannot be read:\n  {name}: no video\n  b: no video")
    assert capsys.readouterr().err.splitlines() == [
        "warning: 2 videos cannot be read:",
        f"  {shown}: no video",
        "  b: no video",
    ]


def test_colours_that_are_forced_draw_no_bar_into_a_pipe(as_in_a_program, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with messages_on_stderr():
        list(track("abc", 3, "letters"))
    assert capsys.readouterr() == ("", "")
