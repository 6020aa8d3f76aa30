"""Exit statuses: 1 for what is bad in the data or the outcome, 2 for a wrong call."""

from __future__ import annotations

import pytest

from attcell import errors


@pytest.mark.parametrize(
    ("name", "status"),
    [("CallError", 2), ("VideoError", 1), ("DataError", 1), ("ModelError", 1), ("TrainingError", 1)],
)
def test_exit_statuses(name, status):
    error = getattr(errors, name)("what")
    assert isinstance(error, errors.AttcellError)
    assert error.exit_status == status
    assert str(error) == "what"


def test_a_line_of_a_message_is_never_as_long_as_a_file():
    short = "a.txt:1: " + "x" * 1900
    assert str(errors.DataError(f"{short}\n{short}")) == f"{short}\n{short}"
    message = str(errors.DataError("a.txt:1: " + "x" * 10**6 + "; mend it\nand more"))
    first, second = message.split("\n")
    assert first.startswith("a.txt:1: xxx")
    assert first.endswith("xxx; mend it")
    assert " … (998118 letters) … " in first
    assert (len(first) < 2000, second) == (True, "and more")
