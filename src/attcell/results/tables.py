"""Tables as text: Markdown, LaTeX and CSV. Whatever attcell writes as a table is written here."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_",
    "%": r"\%", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$", "–": "--", "→": r"$\to$",
    # After a line's end LaTeX would take these for its own.
    "[": "{[}", "*": "{*}",
}  # fmt: skip


def in_markdown(text: str) -> str:
    """Plain text as Markdown that shows it as it is, on one line; underscores inside words stay."""
    escaped = re.sub(r"([\\`*<\[\]|&~])", r"\\\1", " ".join(text.split()))
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", escaped)


def in_latex(text: str) -> str:
    """Plain text as LaTeX that shows it as it is, on one line."""
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))


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


def csv_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as CSV, a line each ended by a line feed; None becomes an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()
