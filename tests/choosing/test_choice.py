"""Which candidate is taken: that of the highest accuracy, of equals the simplest; and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

from attcell.choosing.choice import alike_words, choose, table_lines
from attcell.choosing.crossing import CandidateResult, Crossed
from attcell.errors import CallError
from attcell.metrics.statistics import accuracy_interval


def result(name: str, num_right: int, num: int = 40) -> CandidateResult:
    right = np.arange(num) < num_right
    return CandidateResult(name, right, accuracy_interval(right), 61.0)


CROSSED = Crossed(
    (result("frame-svm", 10), result("flow-svm", 35), result("both-svm", 35), result("both-tan", 34)),
    {"both-stan": "it would take about 3:00 more (minutes:seconds)"},
    {},
)


def test_the_best_is_taken_and_of_equals_the_simplest():
    found = choose(CROSSED, None, ())
    assert found.taken.name == "flow-svm"
    assert found.why.startswith("the highest cross-validated accuracy; of equals the simplest")
    assert found.alike == ("both-svm", "both-tan")
    assert "do not tell it apart from both-svm, both-tan (p > 0.05)" in alike_words(CROSSED, found)


def test_another_can_be_taken_and_it_is_said_what_the_rule_takes():
    found = choose(CROSSED, "frame-svm", ())
    assert found.taken.name == "frame-svm"
    assert found.why == "given by --take; the rule takes flow-svm (87.5 %)"
    assert "tell it apart from all others" in alike_words(CROSSED, found)
    assert choose(CROSSED, "flow-svm", ()).why == "given by --take, and the rule takes it too"


def test_one_that_did_not_fit_cannot_be_taken():
    with pytest.raises(CallError, match="--take both-stan: it would take about 3:00 more"):
        choose(CROSSED, "both-stan", ())
    with pytest.raises(CallError, match="--take frame-stan: it was not tried; those that were: frame"):
        choose(CROSSED, "frame-stan", ())
    with pytest.raises(CallError, match="no candidate is called all"):
        choose(CROSSED, "all", ())


def test_the_table_has_room_in_40_columns():
    lines = table_lines(Crossed((*CROSSED.results, result("frame-average", 40)), {}, {}), "flow-svm")
    assert max(map(len, lines)) == 40
    assert lines[0] == "  candidate         % 95 % interval time"
    assert lines[2] == "* flow-svm       87.5  73.9 to 94.5 1:01"
    assert lines[5] == "  frame-average 100.0 91.2 to 100.0 1:01"
