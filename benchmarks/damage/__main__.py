"""Damaged inputs in thousands: no crash, no hang, no traceback, nothing silent, never a wrong value.

    uv run python -m benchmarks.damage [--videos 10000] [--files 10000] [--seed 0] [--jobs 2]
    uv run python -m benchmarks.damage --case files:1234      # this one alone; its files stay in OUT/work

*Videos*: small files of every container and codec that FFmpeg can write here, damaged in their bytes, boxes
or packets, before ``data check``, ``predict``, ``detect``, ``extract flow`` and ``test``; and decoded twice,
for the same frames. *Files*: every other kind of file that the program reads, before a command that reads it.
Judged: exit status 0, 1 or 2; a message, and of videos their name; no traceback; within limits of time and
memory; nothing left half-written; a harmless change (line ends, a byte order mark) keeps the value, and so
does any change of a file that carries a checksum, or it is refused. A case follows from the seed and its
number. Run again to go on; the table goes to results/damage.md, every fault to OUT/faults.jsonl.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from attcell._files import write_text
from attcell._log import messages_on_stderr
from attcell.results.tables import markdown_table
from benchmarks.damage.campaign import get_ready, known_rows, one_case, run_all
from benchmarks.machine import machine

RESULTS = Path(__file__).parents[1] / "results"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/damage"))
    parser.add_argument("--to", type=Path, default=RESULTS / "damage.md", help="the table's file")
    parser.add_argument("--case", help="videos:NUMBER or files:NUMBER")
    given = parser.parse_args()
    out = given.out.absolute()
    if given.case is not None:
        what, _, number = given.case.partition(":")
        get_ready(out)
        print(json.dumps(asdict(one_case(what, given.seed, int(number), out, "work")), indent=1))
        return 0
    wanted = [("videos", n) for n in range(given.videos)] + [("files", n) for n in range(given.files)]
    known = out / f"seed{given.seed}.jsonl"
    with messages_on_stderr():
        run_all(wanted, given.seed, given.jobs, out, known)
    outcomes = [row for row in known_rows(known) if (row["what"], row["number"]) in set(wanted)]
    faults = [row for row in outcomes if row["fault"]]
    write_text(out / "faults.jsonl", "".join(json.dumps(row) + "\n" for row in faults))
    text = report(outcomes, given.seed)
    write_text(given.to, text)
    sys.stdout.write(text)
    return 1 if faults else 0


def report(rows: list[dict[str, Any]], seed: int) -> str:
    """The page of the results."""
    parts = ["# Damaged inputs", _setting(rows, seed)]
    for what, title in (("videos", "Videos"), ("files", "Other files")):
        of = [row for row in rows if row["what"] == what]
        if of:
            parts += [
                f"## {title}",
                _table(of, "mutation", what).rstrip(),
                _table(of, _KEY[what], what).rstrip(),
            ]
    faults = Counter((row["what"], row["kind"], row["fault"]) for row in rows if row["fault"])
    if faults:
        cells = [[*of, str(count)] for of, count in faults.most_common()]
        parts += [
            "## Faults",
            markdown_table(("what", "kind", "fault", "times"), cells, (False,) * 3 + (True,)).rstrip(),
        ]
    return "\n\n".join(parts) + "\n"


_KEY = {"videos": "command", "files": "kind"}


def _setting(rows: list[dict[str, Any]], seed: int) -> str:
    counts = Counter(row["what"] for row in rows)
    hours = sum(row["seconds"] for row in rows) / 3600
    kinds = len({row["kind"] for row in rows if row["what"] == "videos"})
    return (
        f"`uv run python -m benchmarks.damage --videos {counts['videos']} --files {counts['files']} "
        f"--seed {seed}`: {counts['videos']:,} damaged videos of {kinds} pairs of container and codec, "
        f"{counts['files']:,} other files, "
        f"**{sum(bool(row['fault']) for row in rows)} faults**; {hours:.1f} hours of one core. {machine()}."
    )


def _table(rows: Iterable[dict[str, Any]], key: str, what: str) -> str:
    rows = list(rows)
    outcomes = ("done", "named") if what == "videos" else ("the same value", "another value", "refused")
    cells = []
    for name in sorted({row[key] for row in rows}):
        of = [row for row in rows if row[key] == name]
        counts = Counter(row["outcome"] for row in of)
        faults = sum(bool(row["fault"]) for row in of)
        cells.append([name, str(len(of)), *(str(counts[word]) for word in outcomes), str(faults)])
    return markdown_table(
        (key, "cases", *outcomes, "faults"), cells, (False,) + (True,) * (len(outcomes) + 2)
    )


if __name__ == "__main__":
    sys.exit(main())
