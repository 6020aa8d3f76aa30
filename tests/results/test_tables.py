"""Names in tables: no formula in a spreadsheet, no control on a terminal."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import numpy as np
import pytest

from attcell.errors import DataError
from attcell.results.scores import SUFFIXES, read_scores, write_scores
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


ODD = ["a\nb", "a\rb", "a\r\nb", "\n", "\r", "a\u2028b\x85c\x0bd", 'a"\r"b', " a "]
BYTES = os.fsdecode(b"caf\xe9.mp4")


def test_ends_of_lines_are_quoted_whatever_they_are() -> None:
    """A program that is no spreadsheet reads them as they are; one that is shows no formula."""
    for is_exact in (True, False):
        text = csv_table(
            ["video", *ODD], [[name, *map(str, range(len(ODD)))] for name in ODD], is_exact=is_exact
        )
        head, *rows = csv.reader(io.StringIO(text, newline=""))
        shown = [name if is_exact or name != "\r" else "'\r" for name in ODD]
        assert (head[1:], [row[0] for row in rows]) == (shown, shown)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_names_with_ends_of_lines_and_bytes_are_read_as_they_were(tmp_path: Path, suffix: str) -> None:
    labels, videos = tuple(ODD), (*ODD, BYTES)
    scores = np.arange(len(videos) * len(labels)).reshape(len(videos), -1) / 100
    truth = tuple((labels[place % len(labels)],) for place in range(len(videos)))
    found = some(labels=labels, videos=videos, scores=scores, truth=truth)
    write_scores(tmp_path / f"s{suffix}", found, {})
    assert_same(read_scores(tmp_path / f"s{suffix}"), found)


def test_a_class_of_bytes_is_refused_by_csv_alone(tmp_path: Path) -> None:
    found = some(labels=("run", BYTES, "wave"))
    message = r"^x: the class 'caf\\udce9.mp4' is no text in UTF-8; rename it, or use .json$"
    with pytest.raises(DataError, match=message):
        write_scores(tmp_path / "s.csv", found, {})
    write_scores(tmp_path / "s.json", found, {})
    assert_same(read_scores(tmp_path / "s.json"), found)


def test_controls_are_seen_in_tables() -> None:
    name = "a\x1b[2J\u202eb\x07"
    assert in_markdown(name) == r"a\\x1b\[2J\\u202eb\\x07"
    assert in_latex(name) == r"a\textbackslash{}x1b{[}2J\textbackslash{}u202eb\textbackslash{}x07"
    assert markdown_table([in_markdown("x\ny")], [], [False]) == "| x y |\n| --- |\n"
