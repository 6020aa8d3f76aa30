"""Tables of GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def in_markdown(text: str) -> str:
    """Text that is shown as it is; underscores inside words need no escape."""
    escaped = re.sub(r"([\\`*<\[\]|&~])", r"\\\1", " ".join(text.split()))
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", escaped)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[bool]) -> str:
    """A table, with its last line ended.

    Args:
        head: the columns' names.
        rows: cells in Markdown; :func:`in_markdown` makes such of plain text.
        numeric: of each column, whether it is set to the right.
    """
    rules = ["---:" if is_number else "---" for is_number in numeric]
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rules, *rows))
