"""Damaged files of all other kinds before the commands that read them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from benchmarks.alone import attcell, half_written, run_alone
from benchmarks.damage.kinds import KINDS, Kind, value_of
from benchmarks.damage.mutations import BYTES, HARMLESS, TEXT
from benchmarks.damage.video_cases import Outcome

_OF_BYTES = tuple(name for name in BYTES if name not in {"atoms", "numbers"})


def good_value(kind: Kind, worlds: Path, work: Path) -> str:
    """What the command makes of the good file; remembered beside it."""
    known = worlds / f"{kind.name}.value"
    if not known.exists():
        folder = _copy(kind, worlds, work)
        ended = run_alone(attcell(*kind.words), folder)
        if ended.status:
            raise RuntimeError(f"{kind.name}: the good file is refused: {ended.err}{ended.out}")
        known.write_text(value_of(kind, folder, ended.out), encoding="utf-8")
    return known.read_text(encoding="utf-8")


def file_case(seed: int, number: int, worlds: Path, work: Path) -> Outcome:
    """The case of this number: a damaged file, one call of the program, judged."""
    rng = np.random.default_rng((seed, number, 1))
    kind = KINDS[int(rng.integers(len(KINDS)))]
    good = good_value(kind, worlds, work)
    folder = _copy(kind, worlds, work)
    file = sorted(folder.glob(kind.file))[0]
    data = file.read_bytes()
    mutation, damaged = _damaged(rng, kind, data, worlds)
    file.unlink()
    file.write_bytes(damaged)
    ended = run_alone(attcell(*kind.words), folder)
    fault, outcome = ended.fault() or half_written(folder), "refused"
    if ended.status == 0 and not fault:
        is_same = value_of(kind, folder, ended.out) == good
        outcome = "the same value" if is_same else "another value"
        must_be_same = mutation in HARMLESS or kind.is_sealed or damaged == data
        fault = "another value" if not is_same and must_be_same else ""
    elif mutation in HARMLESS and not fault:
        fault = "refused, though it says the same"
    return Outcome(kind.name, mutation, kind.words[0], outcome, fault, ended.err[-2000:] if fault else "")


def _copy(kind: Kind, worlds: Path, work: Path) -> Path:
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(worlds / kind.name, work, symlinks=True)
    return work


def _damaged(rng: np.random.Generator, kind: Kind, data: bytes, worlds: Path) -> tuple[str, bytes]:
    names = [*_OF_BYTES, *(TEXT if kind.is_text else ()), *(HARMLESS if kind.is_text else ())]
    name = str(rng.choice(names))
    if name in HARMLESS:
        return name, HARMLESS[name](data)
    if name in TEXT:
        text = data.decode("utf-8")
        return name, TEXT[name](rng, text).encode("utf-8", errors="surrogatepass")
    other = KINDS[int(rng.integers(len(KINDS)))]
    return name, BYTES[name](rng, data, sorted((worlds / other.name).glob(other.file))[0].read_bytes())
