"""Names in tables: no formula in a spreadsheet, no control on a terminal."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from attcell.results.scores import read_scores, write_scores
from attcell.results.tables import csv_table, in_latex, in_markdown, markdown_table
from tests.results.some_scores import assert_same, some

FORMULAS = ["=1+1", "=cmd|' /C calc'!A0", "+x", "-x", "@SUM(A1)", "\tx", '=HYPERLINK("http://a/b")']


@pytest.mark.parametrize("name", FORMULAS)
def test_a_name_is_no_formula_in_a_spreadsheet(name: str) -> None:
    text = csv_table(["class", name], [[name, 1], ["a", -2.5]])
    head, first, _ = csv.reader(io.StringIO(text, newline=""))
    assert (head, first) == (["class", f"'{name}"], [f"'{name}", "1"])


@pytest.mark.parametrize("cell", ["-1.5", "+2", "-1e-3", "-inf", -1.5, None, "", "a=b", "a-b", "'x"])
def test_numbers_and_other_names_stay(cell: object) -> None:
    (row,) = csv.reader(io.StringIO(csv_table([], [["x", cell]]).lstrip("\n")))
    assert row == ["x", "" if cell is None else str(cell)]


def test_files_of_scores_are_read_by_programs_and_stay_exact(tmp_path: Path) -> None:
    found = some(labels=("=1+1", "@b", "-c"), videos=("=a.mp4", "+b.mp4"), truth=(("=1+1",), ("@b",)))
    write_scores(tmp_path / "s.csv", found, {})
    assert_same(read_scores(tmp_path / "s.csv"), found)


def test_controls_are_seen_in_tables() -> None:
    name = "a\x1b[2J\u202eb\x07"
    assert in_markdown(name) == r"a\\x1b\[2J\\u202eb\\x07"
    assert in_latex(name) == r"a\textbackslash{}x1b{[}2J\textbackslash{}u202eb\textbackslash{}x07"
    assert markdown_table([in_markdown("x\ny")], [], [False]) == "| x y |\n| --- |\n"
