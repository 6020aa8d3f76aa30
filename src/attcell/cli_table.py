"""``attcell table``: the figures of many runs in one table."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """What the table is written as."""

    markdown = "markdown"
    csv = "csv"
    latex = "latex"


_BY_SUFFIX = {".csv": Format.csv, ".tex": Format.latex}


def table(
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE_OR_RUN...", help="Files that attcell test wrote, or folders above such."
        ),
    ],
    form: Annotated[
        Format | None, typer.Option("--format", help="By default as --out ends, else markdown.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file in place of stdout.")] = None,
) -> None:
    """One table of many runs' figures, with means over splits and seeds, published figures and the protocol.

    Example: attcell table runs --format latex --out table.tex
    """
    from attcell.data.finished_runs import find_runs, read_run
    from attcell.files import check_outputs, write_text
    from attcell.report.table import table_of
    from attcell.report.table_text import FORMATS

    paths = find_runs(places)
    if out is not None:
        check_outputs([out], paths)
    wanted = form or _BY_SUFFIX.get("" if out is None else out.suffix, Format.markdown)
    text = FORMATS[wanted.value](table_of([read_run(path) for path in paths]))
    if out is None:
        print(text, end="")
    else:
        write_text(out, text)
        print(f"written: {out}")
