"""A table of runs as Markdown, LaTeX or CSV, with the protocol and the notes below it."""

from __future__ import annotations

from collections.abc import Callable

from attcell.choices import TableFormat
from attcell.results.run_table import Figure, Row, Table
from attcell.results.tables import csv_table, in_latex, in_markdown, latex_table, markdown_table

NOTHING = "–"
LOST = "lost"


def as_markdown(table: Table) -> str:
    """A table of GitHub's Markdown; the protocol and the notes below."""
    head, numeric = _head(table)
    head, *rows = [[in_markdown(cell) for cell in cells] for cells in (head, *_cells(table))]
    text = markdown_table(head, rows, numeric)
    protocol, notes = _below(table)
    if protocol:
        text += f"\n{in_markdown(protocol)}\n"
    if notes:
        text += "\n" + "".join(f"- {in_markdown(note)}\n" for note in notes)
    return text


def as_latex(table: Table) -> str:
    """A tabular with the rules of booktabs; the protocol and the notes below, in small letters."""
    head, numeric = _head(table)
    text = "% needs \\usepackage{booktabs}\n" + latex_table(head, _cells(table), numeric)
    protocol, notes = _below(table)
    small = [f"{in_latex(line)}\\par" for line in (protocol, *notes) if line]
    if small:
        text += "\n".join([r"\par\smallskip", r"{\footnotesize", *small, "}"]) + "\n"
    return text


def as_csv(table: Table) -> str:
    """A row each, with means and deviations apart, and every key of the protocol as a column."""
    keys = [*table.shared, *table.differing]
    figures = [f"{figure}_{part}" for figure in table.figures for part in ("mean", "deviation")]
    head = ["run", "dataset", "kind", "source", "streams", *figures, "splits", "seeds", "videos", "unread"]
    head += [*(f"protocol_{key}" for key in keys), "notes"]
    return csv_table(head, (_csv_row(table, row, keys) for row in table.rows))


def _csv_row(table: Table, row: Row, keys: list[str]) -> list[str | int | None]:
    found = [row.figures.get(figure, Figure(None)) for figure in table.figures]
    values = [value for figure in found for value in (figure.mean, figure.deviation)]
    protocol = row.protocol or {}
    kind = "run" if row.protocol is not None else "published"
    return [
        *(row.name, row.dataset, kind, row.source, row.streams),
        *("" if value is None else f"{value:.4f}" for value in values),
        *(" ".join(row.splits), " ".join(row.seeds), row.num_videos, row.num_unread),
        *(protocol.get(key, "") for key in keys),
        "; ".join(row.notes),
    ]


FORMATS: dict[TableFormat, Callable[[Table], str]] = {
    "markdown": as_markdown,
    "csv": as_csv,
    "latex": as_latex,
}


def _head(table: Table) -> tuple[list[str], list[bool]]:
    """The columns' names, and which hold numbers."""
    figures = [f"{figure.replace('_', ' ')} %" for figure in table.figures]
    source = ["source"] if _has_published(table) else []
    names = ["run", "data set", "streams", *figures, "splits", "seeds", "videos", "unread", *source]
    return names, [name in (*figures, "videos", "unread") for name in names]


def _has_published(table: Table) -> bool:
    return any(row.source for row in table.rows)


def _cells(table: Table) -> list[list[str]]:
    return [_row_cells(table, row) for row in table.rows]


def _row_cells(table: Table, row: Row) -> list[str]:
    counts = ["" if count is None else str(count) for count in (row.num_videos, row.num_unread)]
    return [
        f"{row.name} (published)" if row.source else row.name,
        row.dataset,
        row.streams,
        *(_figure_cell(row.figures.get(figure, Figure(None))) for figure in table.figures),
        ", ".join(row.splits),
        ", ".join(row.seeds),
        *counts,
        *([row.source] if _has_published(table) else []),
    ]


def _figure_cell(figure: Figure) -> str:
    if figure.mean is None:
        return LOST if figure.is_lost else NOTHING
    deviation = "" if figure.deviation is None else f" ± {figure.deviation:.2f}"
    return f"{figure.mean:.2f}{deviation}"


def _below(table: Table) -> tuple[str, list[str]]:
    """The protocol that all runs share, and the notes."""
    shared = ", ".join(f"{key.replace('_', ' ')} {words}" for key, words in table.shared.items())
    ours = [row for row in table.rows if row.protocol is not None]
    notes = [_differing_note(key, ours) for key in table.differing]
    if any(len(row.splits) > 1 or len(row.seeds) > 1 for row in ours):
        notes.append(
            "figures: the mean over the splits of each seed, then over seeds ± the sample deviation; "
            "videos and unread: of one seed, all splits together"
        )
    notes += [f"{row.label}: {note}" for row in table.rows for note in row.notes]
    if any(figure.is_lost for row in table.rows for figure in row.figures.values()):
        notes.append(f"{LOST}: the copy of the publication that is at hand has lost the number")
    return (f"Protocol of all runs: {shared}." if shared else ""), notes


def _differing_note(key: str, rows: list[Row]) -> str:
    """What each row's protocol says, rows that say the same together."""
    by_words: dict[str, list[str]] = {}
    for row in rows:
        by_words.setdefault((row.protocol or {}).get(key, "not said"), []).append(row.label)
    each = "; ".join(f"{words} ({', '.join(labels)})" for words, labels in by_words.items())
    return f"{key.replace('_', ' ')}: {each}"
