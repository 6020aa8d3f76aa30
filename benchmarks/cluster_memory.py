"""The memory of a driver and of the object stores while lists get longer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.cluster_ways import connected
from benchmarks.cluster_world import call, commands, run, two_nodes, write_model
from benchmarks.start_many import write_clip

COUNTS = (100, 1_000, 10_000)
MIB = 2**20
COMMANDS = ("data check", "predict")


def memory(out: Path, most: int | None) -> list[str]:
    """Memory of lists of 100, 1,000 and 10,000 videos."""
    counts = [count for count in COUNTS if count <= (most or COUNTS[-1])]
    lines = [
        "One clip of 50 frames of 160×120 under many names (hard links). The most that the driver, a "
        "process of its own, takes (RSS), beside what it has when it is connected and has done four of them; "
        "and the most that both nodes' object stores hold.",
        "",
        "| command | videos | seconds | driver, MiB | of that before, MiB | object stores, MiB |",
        "|---|---|---|---|---|---|",
    ]
    with two_nodes() as nodes:
        for name in COMMANDS:
            for count in counts:
                videos = _links(out / "clips", count)
                model = write_model(out / "model", videos)
                asked = {"name": name, "out": str(out), "videos": str(videos), "model": str(model)}
                done = subprocess.run(
                    [sys.executable, "-c", _CALL, nodes.address, json.dumps(asked)],
                    env=os.environ, check=True, stdout=subprocess.PIPE,
                )  # fmt: skip
                found = json.loads(done.stdout.splitlines()[-1])
                figures = [found[key] / MIB for key in ("driver", "before", "stores")]
                shown = " | ".join(f"{figure:.1f}" for figure in figures)
                lines.append(f"| {name} | {count:,} | {found['seconds']:.1f} | {shown} |")
                print(lines[-1], flush=True)
    return lines


_CALL = "import sys; from benchmarks.cluster_memory import drive; drive(*sys.argv[1:])"


def drive(address: str, asked: str) -> None:
    """One command on the cluster; what it took goes to stdout as a line of JSON."""
    given = json.loads(asked)
    out = Path(given["out"])
    words = commands(Path(given["videos"]), Path(given["model"]), out / "written")[given["name"]]
    with connected(address) as cluster:
        few = commands(_links(out / "few", 4), Path(given["model"]), out / "written")[given["name"]]
        run(few, cluster, out / "written")  # connects, and imports everything
        watch = _Watch()
        begun = time.perf_counter()
        call(words, cluster)
        seconds = time.perf_counter() - begun
        watch.end()
    print(json.dumps({"seconds": seconds, **watch.found}))


class _Watch:
    """Looks at this process and at the object stores, four times a second, until :meth:`end`."""

    def __init__(self) -> None:
        before = _rss()
        self.found = {"before": before, "driver": before, "stores": 0}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.25):
            self.found["driver"] = max(self.found["driver"], _rss())
            self.found["stores"] = max(self.found["stores"], _stores())


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _stores() -> int:
    """Bytes that are used in all nodes' object stores."""
    import ray
    from ray._private.internal_api import node_stats

    used: list[Any] = [
        node_stats(node["NodeManagerAddress"], node["NodeManagerPort"], include_memory_info=False)
        for node in ray.nodes()
        if node["Alive"]
    ]
    return sum(int(of.store_stats.object_store_bytes_used) for of in used)


def _links(folder: Path, count: int) -> Path:
    """One clip under many names, in two classes."""
    if folder.exists():
        shutil.rmtree(folder)
    for label in ("run", "wave"):
        (folder / label).mkdir(parents=True)
    first = folder / "run" / "00000.mp4"
    write_clip(first)
    for number in range(1, count):
        os.link(first, folder / ("run", "wave")[number % 2] / f"{number:05}.mp4")
    return folder
