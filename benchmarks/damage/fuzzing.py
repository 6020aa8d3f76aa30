"""One reader under atheris, in a process of its own, which ends after some seconds or by what it found.

    python -m benchmarks.damage.fuzzing NAME FOLDER SECONDS SEED

Nothing of attcell is imported before atheris can watch which of its lines are reached.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.alone import hold_memory
from benchmarks.damage.inside import mutated
from benchmarks.damage.judging import Judged, judged
from benchmarks.damage.mutations import HARMLESS
from benchmarks.damage.readers import READERS, Reader

MOST_BYTES = 1 << 18
_SECONDS_A_CASE, _MIB = 60, 6000  # for what Python cannot break off
_OWN_SHARE = 0.6  # of the mutations that know the form of a file; the others are libFuzzer's
_NEW_SHARE = 0.4  # of these, from the good file on
_KEEP_EVERY = 2.0  # seconds


@dataclass
class Known:
    """What is known of a reader, in FOLDER/NAME.

    Attributes:
        place: the folder.
        counts: of cases by outcome, and seconds.
    """

    place: Path
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, folder: Path, reader: Reader) -> Known:
        """As it was kept."""
        place = folder / reader.name
        for name in ("corpus", "crashes", "faults"):
            (place / name).mkdir(parents=True, exist_ok=True)
        known = cls(place)
        with suppress(FileNotFoundError):
            known.counts.update(json.loads((place / "counts.json").read_text(encoding="utf-8")))
        return known

    def keep(self) -> None:
        """Write the counts."""
        (self.place / "counts.json").write_text(json.dumps(self.counts), encoding="utf-8")

    def add_fault(self, found: Judged, data: bytes) -> None:
        """One file for each kind of fault."""
        name = sha256(f"{found.fault} {found.where}".encode()).hexdigest()[:12]
        content = {**asdict(found), "data": base64.b64encode(data).decode()}
        path = self.place / "faults" / f"{name}.json"
        if not path.exists():
            path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def reader_named(name: str) -> Reader:
    """One of the readers."""
    return next(reader for reader in READERS if reader.name == name)


def made_new(reader: Reader, folder: Path) -> bytes:
    """A reader's good file in a new folder, and its bytes."""
    from shutil import rmtree

    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    reader.make(folder)
    return reader.place(folder).read_bytes()


def main() -> None:
    import atheris  # type: ignore[import-untyped]

    name, folder, seconds, seed = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    reader = reader_named(name)
    known, work = Known.of(folder, reader), folder / reader.name / "work"
    with atheris.instrument_imports(include=["attcell"]):
        good = made_new(reader, work)
        first = judged(reader, work, good)
    if first.outcome != "accepted" or first.fault:
        raise SystemExit(f"{name}: the good file is not read: {first}")
    _add_changed_values(reader, work, good, first, known)
    (known.place / "corpus" / "good").write_bytes(good)
    hold_memory()
    before, begun, kept = known.counts["seconds"], time.monotonic(), [0.0]

    def case(data: bytes) -> None:
        found = judged(reader, work, data)
        known.counts["cases"] += 1
        known.counts[found.outcome] += 1
        if found.fault:
            known.add_fault(found, data)
        now = time.monotonic()
        if now > kept[0] + _KEEP_EVERY or now > begun + seconds - 1:
            kept[0], known.counts["seconds"] = now, round(before + now - begun)
            known.keep()

    def mutator(data: bytes, most: int, number: int) -> bytes:
        rng = np.random.default_rng(number)
        if rng.random() < _OWN_SHARE:
            base = good if rng.random() < _NEW_SHARE else data
            return mutated(rng, base, data, is_text=reader.is_text)[1][:most]
        changed: bytes = atheris.Mutate(data, min(most, len(data) + 64))
        return changed

    options = {
        "max_total_time": int(seconds), "max_len": MOST_BYTES, "seed": seed, "timeout": _SECONDS_A_CASE,
        "rss_limit_mb": _MIB, "artifact_prefix": f"{known.place / 'crashes'}/", "print_final_stats": 1,
    }  # fmt: skip
    words = [sys.argv[0], *(f"-{key}={value}" for key, value in options.items())]
    atheris.Setup([*words, str(known.place / "corpus")], case, custom_mutator=mutator)
    atheris.Fuzz()


def _add_changed_values(reader: Reader, work: Path, good: bytes, first: Judged, known: Known) -> None:
    """Changes after which a text says the same must not change what is read."""
    for name, change in HARMLESS.items() if reader.is_text and reader.is_file else ():
        found: Any = judged(reader, work, change(good))
        if found.value != first.value:
            known.add_fault(Judged(found.outcome, "another value", name, found.detail), change(good))


if __name__ == "__main__":
    main()
