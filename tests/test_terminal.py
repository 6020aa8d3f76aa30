"""Names from anywhere on a terminal: what they hold is shown, and is never a line or a command of its own."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attcell._terminal import escaped, escaped_stdout, message, one_line, put

COMMANDS = "\x1b\x07\x9b\r\u202e\u2066\u200b\ufeff"  # of a terminal, or unseen
NAMES = st.text(st.sampled_from("a \n\t\u00e9" + COMMANDS), max_size=20)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\u00e9t\u00e9\t\u65e5\u672c \U0001f3a5.mp4", "\u00e9t\u00e9\t\u65e5\u672c \U0001f3a5.mp4"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("gpj\u202eexe", "gpj\\u202eexe"),
        ("a\u2028b\x85c\r", "a\\u2028b\\x85c\\r"),
    ],
)
def test_what_is_unseen_is_shown_as_python_writes_it(name, shown):
    assert escaped(name) == one_line(name) == shown


@given(NAMES, NAMES)
def test_whatever_names_hold_a_message_begins_once(first, second):
    """Each line after the first is indented, so that none looks like a message of its own."""
    shown = message(f"attcell: {first} cannot be read:\n  {second}: no video")
    begins, *others = shown.split("\n")
    assert begins.startswith("attcell: ")
    assert others
    assert all(line.startswith("  ") for line in others)
    assert not set(shown) & set(COMMANDS)


@given(NAMES)
def test_a_line_of_stdout_is_one_line(name):
    assert one_line(name).splitlines() in ([one_line(name)], [])
    assert not set(one_line(name)) & set(COMMANDS)


def test_what_goes_to_stdout_is_printed_line_by_line(capsys):
    with escaped_stdout():
        put("a\nb: 3.0 %", "c\r\n  d\x1b\u2028e")
        put("f")
    assert capsys.readouterr().out == "a\\nb: 3.0 %\nc\\r\\n  d\\x1b\\u2028e\nf\n"


def test_stdout_that_escapes_is_else_the_stdout_from_before(capsys):
    before = sys.stdout
    with escaped_stdout(), escaped_stdout():
        print("a\x1b[31m \u2066b", end="\n")
        print(json.dumps("\x1b\u202e"))
        assert sys.stdout.encoding == before.encoding
    assert sys.stdout is before
    assert capsys.readouterr().out == 'a\\x1b[31m \\u2066b\n"\\u001b\\u202e"\n'
