"""Every function that reads files from strangers, in one process, on files damaged by atheris and by us.

    uv run --with atheris python -m benchmarks.damage.parsers [--minutes 30] [--only NAME ...] [--seed 0]
    uv run python -m benchmarks.damage.parsers --case runs/parsers/NAME/faults/X.json    # this one alone

atheris watches which branches a file reaches, and goes on from the files that reach new ones. Judged: a
reader returns a value, the same the second time, or raises an AttcellError that names the file; any other
exception, a warning, over 10 seconds of processor time, over 1 GiB of memory or a crash is a fault. Changes
after which a text says the same (line ends, a byte order mark) keep the value. Run again to go on: files,
counts and faults lie in OUT/NAME; faults that are mended since are taken away first. The table goes to
results/parsers.md.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from attcell._files import write_text
from attcell._log import messages_on_stderr, track
from attcell.results.tables import markdown_table
from benchmarks.alone import run_alone
from benchmarks.damage.fuzzing import Known, made_new, reader_named
from benchmarks.damage.judging import Judged, judged
from benchmarks.damage.readers import READERS, Reader
from benchmarks.machine import machine

RESULTS = Path(__file__).parents[1] / "results"
_MOST_STARTS = 20  # of one reader: each but the last was ended by a fault
_SPARE = 120  # seconds for imports, and for the case that runs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="of each reader, all calls together")
    parser.add_argument("--only", nargs="+", choices=[reader.name for reader in READERS], metavar="NAME")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/parsers"))
    parser.add_argument("--to", type=Path, default=RESULTS / "parsers.md", help="the table's file")
    parser.add_argument("--table", action="store_true", help="of what is known, without more cases")
    parser.add_argument("--case", type=Path, help="a fault's file")
    given = parser.parse_args()
    out = given.out.absolute()
    if given.case is not None:
        fault = json.loads(given.case.read_text(encoding="utf-8"))
        reader = reader_named(given.case.absolute().parents[1].name)
        print(json.dumps(asdict(_again(reader, base64.b64decode(fault["data"]), out)), indent=1))
        return 0
    chosen = [reader for reader in READERS if given.only is None or reader.name in given.only]
    if not given.table:
        if find_spec("atheris") is None:
            raise SystemExit("atheris is not here; uv run --with atheris python -m benchmarks.damage.parsers")
        with messages_on_stderr():
            for reader in track(chosen, len(chosen), "readers"):
                explore(reader, out, 60 * given.minutes, given.seed)
    text, faults = report(out)
    write_text(given.to, text)
    sys.stdout.write(text)
    return int(faults > 0)


def explore(reader: Reader, out: Path, seconds: float, seed: int) -> None:
    """Fuzz a reader until it has had so many seconds, those of earlier calls included."""
    _take_mended_away(reader, out)
    for start in range(_MOST_STARTS):
        left = seconds - Known.of(out, reader).counts["seconds"]
        if left < 1:
            break
        _fuzz(reader, out, left, seed + 1 + start)  # 0 would be drawn anew each time


def _take_mended_away(reader: Reader, out: Path) -> None:
    """Try the known faults again, and keep those that are still there."""
    known = Known.of(out, reader)
    for path in sorted((known.place / "faults").iterdir()):
        data = base64.b64decode(json.loads(path.read_text(encoding="utf-8"))["data"])
        path.unlink()
        found = _again(reader, data, out)
        if found.fault:
            known.add_fault(found, data)
        else:
            (known.place / "corpus" / path.stem).write_bytes(data)


def _fuzz(reader: Reader, out: Path, seconds: float, seed: int) -> None:
    """One process of :mod:`benchmarks.damage.fuzzing`, and what it found."""
    place = Known.of(out, reader).place
    command = [
        sys.executable,
        "-m",
        "benchmarks.damage.fuzzing",
        reader.name,
        str(out),
        str(seconds),
        str(seed),
    ]
    with (place / "log").open("wb") as log:
        status = subprocess.run(command, stdout=log, stderr=log, check=False, timeout=seconds + _SPARE)
    known = Known.of(out, reader)
    said = (place / "log").read_text(encoding="utf-8", errors="replace")
    reached = [int(number) for number in re.findall(r" cov: (\d+)", said)]
    known.counts["coverage"] = max([known.counts["coverage"], *reached])
    known.keep()
    crashes = sorted((place / "crashes").iterdir())
    for path in crashes:
        found = Judged("refused", f"the process ends: {path.name.partition('-')[0]}", "", said[-6000:])
        known.add_fault(found, path.read_bytes())
        path.unlink()
    if status.returncode and not crashes:
        raise SystemExit(f"{reader.name}: {said[-2000:]}")


def _again(reader: Reader, data: bytes, out: Path) -> Judged:
    """A case in a process of its own."""
    folder = out / reader.name / "again"
    made_new(reader, folder)
    ended = run_alone(partial(_tell, reader, folder, data), folder)
    fault = ended.fault()
    if fault or ended.status:
        return Judged("refused", fault or "it cannot be judged", "", ended.err[-6000:])
    return Judged(**json.loads(ended.out.splitlines()[-1]))


def _tell(reader: Reader, folder: Path, data: bytes) -> None:
    print(json.dumps(asdict(judged(reader, folder, data))))


def report(out: Path) -> tuple[str, int]:
    """The page of the results, and how many faults are left."""
    places = [out / reader.name for reader in READERS if (out / reader.name / "counts.json").exists()]
    rows = [(place.name, *_of_reader(place)) for place in places]
    cells = [[name, *_cells(counts), str(len(faults))] for name, counts, faults in rows]
    head = ("reader", "minutes", "cases", "branches reached", "accepted", "refused", "faults")
    faults = [[name, of["fault"], of["where"]] for name, _, found in rows for of in found]
    cases = sum(counts.get("cases", 0) for _, counts, _ in rows)
    hours = sum(counts.get("seconds", 0) for _, counts, _ in rows) / 3600
    parts = [
        "# Readers of files, in one process",
        "`uv run --with atheris python -m benchmarks.damage.parsers`: files made odd by atheris, guided by "
        "the branches that they reach, and by mutations that know the form of a file, before the function "
        f"that reads them. {cases:,} cases of {len(rows)} readers in {hours:.1f} hours, "
        f"**{len(faults)} faults** left. {machine()}.",
        markdown_table(head, cells, (False,) + (True,) * 6).rstrip(),
    ]
    if faults:
        parts.append(markdown_table(("reader", "fault", "where"), faults, (False,) * 3).rstrip())
    return "\n\n".join(parts) + "\n", len(faults)


def _of_reader(place: Path) -> tuple[dict[str, int], list[dict[str, Any]]]:
    counts = json.loads((place / "counts.json").read_text(encoding="utf-8"))
    files = sorted((place / "faults").glob("*.json"))
    return counts, [json.loads(path.read_text(encoding="utf-8")) for path in files]


def _cells(counts: dict[str, int]) -> Sequence[str]:
    numbers = [counts.get(key, 0) for key in ("cases", "coverage", "accepted", "refused")]
    return [f"{counts.get('seconds', 0) / 60:.1f}", *(f"{number:,}" for number in numbers)]


if __name__ == "__main__":
    sys.exit(main())
