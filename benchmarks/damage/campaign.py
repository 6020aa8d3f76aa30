"""The cases one after another: in forks of two processes that have imported everything, and remembered."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import attcell
from attcell._log import track
from benchmarks.damage.file_cases import file_case
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


def one_case(what: str, seed: int, number: int, out: Path, work: str) -> Outcome:
    """A case in a folder of its own."""
    if what == "videos":
        return video_case(seed, number, out / "originals", out / "worlds" / "models", out / work)
    return file_case(seed, number, out / "worlds", out / work)


def run_all(wanted: list[tuple[str, int]], seed: int, jobs: int, out: Path, known: Path) -> None:
    """The cases that are not known yet, so many side by side; each is a line of ``known`` at once."""
    done = {(row["what"], row["number"]) for row in known_rows(known)}
    left = [case for case in wanted if case not in done]
    if not left:
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    context = get_context("spawn")
    asked, told = context.Queue(), context.Queue()
    workers = [
        context.Process(target=_worker, args=(asked, told, seed, out, f"work{number}"), daemon=True)
        for number in range(jobs)
    ]
    get_first = context.Process(target=get_ready, args=(out,))
    get_first.start()
    get_first.join()
    if get_first.exitcode:
        raise SystemExit("the good files could not be made")
    for worker in workers:
        worker.start()
    for case in left:
        asked.put(case)
    with known.open("a", encoding="utf-8") as file:
        for _ in track(range(len(left)), len(left), "damaged inputs"):
            row = told.get(timeout=900)
            file.write(json.dumps(row) + "\n")
            file.flush()
    for _ in workers:
        asked.put(None)


def _worker(asked: Any, told: Any, seed: int, out: Path, work: str) -> None:
    get_ready(out)
    while (case := asked.get()) is not None:
        start = time.monotonic()
        outcome = one_case(case[0], seed, case[1], out, work)
        seconds = round(time.monotonic() - start, 3)
        told.put({"what": case[0], "number": case[1], **asdict(outcome), "seconds": seconds})


def known_rows(known: Path) -> list[dict[str, Any]]:
    """What is known of cases that are done."""
    if not known.exists():
        return []
    return [json.loads(line) for line in known.read_text(encoding="utf-8").splitlines()]
