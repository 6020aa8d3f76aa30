"""Lists of videos on a Ray cluster of two nodes on this machine, beside this process and its own workers.

    uv run python -m benchmarks.cluster equal|overhead|kills|memory [--out DIR]

- ``equal``: every command over 60 real clips: video by video in this process, on all local cores, and on the
  cluster. What is written must be the same, byte by byte.
- ``overhead``: every command over 500 short videos, here and on the cluster in turns.
- ``kills``: a worker, a node and the driver killed in the middle: complete and equal results, and what was
  done twice.
- ``memory``: the driver's memory and the object store's at 100, 1,000 and 10,000 videos.

A node has one core. Commands run in this process, by their own command lines, except where one is killed.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from attcell._files import write_text
from benchmarks import cluster_ends, cluster_memory, cluster_ways
from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"
PARTS = {
    "equal": cluster_ways.equal,
    "overhead": cluster_ways.overhead,
    "kills": cluster_ends.kills,
    "memory": cluster_memory.memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--out", type=Path, default=Path("runs/cluster"))
    parser.add_argument("--videos", type=int, help="Fewer than the part takes, to try it.")
    options = parser.parse_args()
    if "OMP_WAIT_POLICY" not in os.environ:  # which attcell's own command line has, from before PyTorch
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.environ.pop("OMP_NUM_THREADS", None)  # which the tests' helpers set
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.cluster", *sys.argv[1:]])
    folder = (options.out / options.part).absolute()
    load = f"{machine()}; load {os.getloadavg()[0]:.1f} at the beginning."
    text = "\n".join([load, "", *PARTS[options.part](folder, options.videos), ""])
    print(text)
    if options.videos is None:
        write_text(folder / "part.md", text)
        write_text(RESULTS / "cluster.md", _all_parts(options.out))


def _all_parts(out: Path) -> str:
    """What the parts have found so far."""
    texts = ["# Lists of videos on a cluster\n"]
    for name, part in PARTS.items():
        file = out / name / "part.md"
        if file.exists():
            texts.append(f"## {(part.__doc__ or name).splitlines()[0].rstrip('.')}\n\n{file.read_text()}")
    return "\n".join(texts)


if __name__ == "__main__":
    main()
