"""The cases one after another: in forks of two processes that have imported everything, and remembered."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import attcell
from attcell._log import track
from benchmarks.damage.file_cases import file_case, good_value
from benchmarks.damage.kinds import KINDS
from benchmarks.damage.originals import write_originals
from benchmarks.damage.video_cases import Outcome, video_case
from benchmarks.damage.worlds import make_worlds

_IMPORTED = (
    "attcell.cli.app",
    "cv2",
    "lightning",
    "matplotlib.pyplot",
    "numba",
    "scipy.io",
    "sklearn.svm",
    "torchvision.transforms.v2",
)


def get_ready(out: Path) -> None:
    """What all cases share is imported and written before the first fork."""
    modules = [module.name for module in walk_packages(attcell.__path__, "attcell.")]
    for name in (*_IMPORTED, *(name for name in modules if "_triton" not in name)):
        import_module(name)
    import_module("torch").set_num_threads(1)
    write_originals(out / "originals")
    make_worlds(out / "worlds")
    for kind in KINDS:
        good_value(kind, out / "worlds", out / "good")


def one_case(what: str, seed: int, number: int, out: Path, work: str) -> Outcome:
    """A case in a folder of its own."""
    if what == "videos":
        return video_case(seed, number, out / "originals", out / "worlds" / "models", out / work)
    return file_case(seed, number, out / "worlds", out / work)


def run_all(wanted: list[tuple[str, int]], seed: int, jobs: int, out: Path, known: Path) -> None:
    """The cases that are not known yet, so many side by side; each is a line of ``known`` at once."""
    done = {(row["what"], row["number"]) for row in known_rows(known)}
    left = [case for case in wanted if case not in done]
    known.parent.mkdir(parents=True, exist_ok=True)
    with known.open("a", encoding="utf-8") as file:
        for row in track(_outcomes(left, seed, jobs, out), len(left), "damaged inputs"):
            file.write(json.dumps(row) + "\n")
            file.flush()


def _outcomes(cases: list[tuple[str, int]], seed: int, jobs: int, out: Path) -> Iterator[dict[str, Any]]:
    os.environ["OMP_NUM_THREADS"] = "1"
    if jobs == 1:
        get_ready(out)
        yield from (_outcome(seed, out, case) for case in cases)
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(1, context) as first:  # two would write the good files at once
        first.submit(get_ready, out).result()
    with ProcessPoolExecutor(jobs, context, get_ready, (out,)) as pool:
        for coming in as_completed([pool.submit(_outcome, seed, out, case) for case in cases]):
            yield coming.result()


def _outcome(seed: int, out: Path, case: tuple[str, int]) -> dict[str, Any]:
    start = time.monotonic()
    outcome = one_case(case[0], seed, case[1], out, f"work{os.getpid()}")
    seconds = round(time.monotonic() - start, 3)
    return {"what": case[0], "number": case[1], **asdict(outcome), "seconds": seconds}


def known_rows(known: Path) -> list[dict[str, Any]]:
    """What is known of cases that are done."""
    if not known.exists():
        return []
    return [json.loads(line) for line in known.read_text(encoding="utf-8").splitlines()]
