"""A worker, a node and the driver killed in the middle of a list."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from attcell._ray.cluster import _HERE, _ON_LOOPBACK
from benchmarks.cluster_ways import CLIPS, connected
from benchmarks.cluster_world import Counted, Words, clips_in, commands, digest, run, two_nodes, write_model


def kills(out: Path, most: int | None) -> list[str]:
    """What ends in the middle."""
    videos = clips_in(out / "clips", most or CLIPS)
    model = write_model(out / "model", videos)
    number = sum(1 for _ in videos.glob("*/*"))
    lines = [
        f"{number} clips; each is killed (SIGKILL) when a third of the results has come. *Twice*: videos "
        "that were done twice, by a file to which each worker adds a line for each video that it has done.",
        "",
        "| command | killed | results | done twice | seconds, undisturbed | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for name, words in commands(videos, model, out / "written").items():
        for what, kill in (("a worker", _kill_worker), ("a node", _kill_node)):
            lines.append(f"| {name} | {what} | {_killed(words, kill, out, number)} |")
            print(lines[-1], flush=True)
    name, words = "extract flow", commands(videos, model, out / "written")["extract flow"]
    lines.append(f"| {name} | the driver, and started again | {_driver_killed(words, out, number)} |")
    print(lines[-1], flush=True)
    return lines


def _killed(words: Words, kill: Callable[[Any], None], out: Path, number: int) -> str:
    log = out / "done"
    with two_nodes() as nodes, connected(nodes.address) as cluster:
        begun = time.perf_counter()
        wanted = run(words, cluster, out / "written")
        undisturbed = time.perf_counter() - begun

        def come(count: int) -> None:
            if count == number // 3:
                kill(nodes)

        log.unlink(missing_ok=True)
        begun = time.perf_counter()
        found = run(words, Counted(cluster, log, come), out / "written")
        seconds = time.perf_counter() - begun
    return f"{_judged(found, wanted)} | {_twice(log)} | {undisturbed:.1f} | {seconds:.1f}"


def _judged(found: object, wanted: object) -> str:
    return "complete, the same bytes" if found == wanted else f"**{found}, not {wanted}**"


def _twice(log: Path) -> int:
    return sum(count > 1 for count in Counter(log.read_text().splitlines()).values())


def _kill_worker(_: Any) -> None:
    """One that is at work for this process, as Ray's processes name themselves; not its decoders."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if _is_worker(folder) and not _is_worker(_parent(folder)) and _is_ours(folder):
                os.kill(int(folder.name), signal.SIGKILL)
                return


def _is_worker(folder: Path) -> bool:
    return (folder / "cmdline").read_bytes().startswith((b"ray::MapBatches", b"ray::MapWorker"))


def _is_ours(folder: Path) -> bool:
    while folder.name not in ("0", "1", str(os.getpid())):
        folder = _parent(folder)
    return folder.name == str(os.getpid())


def _parent(folder: Path) -> Path:
    return folder.with_name((folder / "stat").read_text().rpartition(")")[2].split()[1])


def _kill_node(nodes: Any) -> None:
    nodes.remove_node(next(iter(nodes.worker_nodes)), allow_graceful=False)


def _driver_killed(words: Words, out: Path, number: int) -> str:
    """The command as a process of its own, killed when a third of the store is there."""
    with two_nodes() as nodes, connected(nodes.address) as cluster:
        begun = time.perf_counter()
        run(words, cluster, out / "written")
        undisturbed, wanted = time.perf_counter() - begun, digest(out / "written")
        address = nodes.address
        store = out / "written" / "flow"
        subprocess.run(["rm", "-rf", str(store)], check=True)
        begun = time.perf_counter()
        driver = _driver(words, address)
        while len(list(store.glob("*/*/flow.json"))) < number // 3 and driver.poll() is None:
            time.sleep(0.2)
        driver.kill()
        driver.wait()
        time.sleep(2)  # its workers end
        there = {path: path.stat().st_mtime_ns for path in store.glob("*/*/flow.json")}
        again = _driver(words, address)
        again.wait()
        seconds = time.perf_counter() - begun
        twice = sum(path.stat().st_mtime_ns != moment for path, moment in there.items())
    return f"{_judged(digest(out / 'written'), wanted)} | {twice} | {undisturbed:.1f} | {seconds:.1f}"


def _driver(words: Words, address: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "attcell.cli.app", *map(str, words), "--on", address],
        env={**os.environ, **_HERE, **_ON_LOOPBACK},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
