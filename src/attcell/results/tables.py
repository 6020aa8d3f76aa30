"""Tables as text: Markdown, LaTeX and CSV. Whatever attcell writes as a table is written here."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from attcell._terminal import escaped

_FORMULA = re.compile(r"[=+\-@\t\r]")  # what a spreadsheet computes, or hands to another program
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_",
    "%": r"\%", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$", "–": "--", "→": r"$\to$",
    # After a line's end LaTeX would take these for its own.
    "[": "{[}", "*": "{*}",
}  # fmt: skip


def in_markdown(text: str) -> str:
    """Plain text as Markdown that shows it as it is, on one line; underscores inside words stay."""
    plain = re.sub(r"([\\`*<\[\]|&~])", r"\\\1", escaped(" ".join(text.split())))
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", plain)


def in_latex(text: str) -> str:
    """Plain text as LaTeX that shows it as it is, on one line."""
    return "".join(_LATEX.get(letter, letter) for letter in escaped(" ".join(text.split())))


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[bool]) -> str:
    """A table of GitHub's Markdown, with its last line ended.

    Args:
        head: the columns' names.
        rows: cells in Markdown; :func:`in_markdown` makes such of plain text.
        numeric: of each column, whether it is set to the right.
    """
    rules = ["---:" if is_number else "---" for is_number in numeric]
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rules, *rows))


def latex_table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[bool]) -> str:
    """A ``tabular`` with the rules of booktabs, with its last line ended.

    Args:
        head: the columns' names, plain text.
        rows: cells of plain text.
        numeric: of each column, whether it is set to the right.
    """
    columns = "".join("r" if is_number else "l" for is_number in numeric)
    first, *others = (" & ".join(in_latex(cell) for cell in cells) + r" \\" for cells in (head, *rows))
    lines = [
        f"\\begin{{tabular}}{{{columns}}}",
        *(r"\toprule", first, r"\midrule", *others, r"\bottomrule"),
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def csv_table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, is_exact: bool = False) -> str:
    """A table as CSV, a line each ended by a line feed; None becomes an empty cell.

    Args:
        head: the columns' names.
        rows: cells.
        is_exact: for a program that reads names as they are. Else a text that a spreadsheet would take for a
            formula, such as a class ``=1+1``, has an apostrophe before it, and is shown there as the text.
    """
    return "".join(
        _csv_line([cell if is_exact else _no_formula(cell) for cell in row]) for row in (head, *rows)
    )


def _csv_line(cells: Sequence[Any]) -> str:
    """Cells with commas between; those that hold the end of a line, of any system, are quoted."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # which is what it quotes
    return text.getvalue().removesuffix("\r\n") + "\n"


def _no_formula(cell: Any) -> Any:
    if not isinstance(cell, str) or not _FORMULA.match(cell):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell
