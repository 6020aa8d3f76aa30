"""Messages go through logging: nothing by default, all on the command line; bars go with them."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from attcell._log import are_on_stderr, logger, messages_on_stderr, track


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
    monkeypatch.setenv("FORCE_COLOR", "1")  # for rich a terminal
    if shown:
        logger.setLevel(logging.INFO)
    assert list(track("abc", 3, "letters")) == ["a", "b", "c"]
    assert ("letters" in capsys.readouterr().err) is shown


def test_a_message_goes_above_the_bar(as_in_a_program, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with messages_on_stderr():
        for letter in track("ab", 2, "letters"):
            logger.info(f"message {letter}")
    found = capsys.readouterr().err
    assert found.index("message a") < found.rindex("letters")
