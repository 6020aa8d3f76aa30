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
