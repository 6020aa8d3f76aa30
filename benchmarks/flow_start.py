"""The first field of a new process: from the kernels' cache, and from nothing.

    uv run python -m benchmarks.flow_start [--repeats 5]

Each is a process of its own that computes the flow of one pair of 320×240. From nothing means a cache folder
that is empty, so that numba compiles the kernels.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from attcell._files import write_text
from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"
KINDS = {
    "import torch alone": "import torch",
    "NumPy arrays": (
        "import numpy as np; from attcell.flow import tvl1\n"
        "tvl1(*np.random.default_rng(0).integers(0, 256, (2, 1, 240, 320), np.uint8), 'PRESET')"
    ),
    "tensors": (
        "import torch; from attcell.flow import tvl1\n"
        "tvl1(*torch.randint(0, 256, (2, 1, 240, 320), dtype=torch.uint8), 'PRESET')"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    lines = [
        f"# The first field of a new process\n\n{machine()}; the load was {os.getloadavg()[0]:.1f} before.\n",
        f"Seconds, `import` included: of {options.repeats} processes from the cache the least, and of "
        f"{max(1, options.repeats // 2)} from nothing.\n",
        "| | processor | wall |",
        "|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as warm:
        for preset in ("fast", "paper"):
            for name, code in KINDS.items():
                if preset == "paper" and "PRESET" not in code:
                    continue
                words = code.replace("PRESET", preset)
                _spent(words, warm)
                cpu, wall = _least([_spent(words, warm) for _ in range(options.repeats)])
                shown = f"{preset}, {name}, from the cache" if "PRESET" in code else name
                lines.append(f"| {shown} | {cpu:.2f} | {wall:.2f} |")
    found = []
    for _ in range(max(1, options.repeats // 2)):
        with tempfile.TemporaryDirectory() as cold:
            found.append(_spent(KINDS["NumPy arrays"].replace("PRESET", "fast"), cold))
    cpu, wall = _least(found)
    lines.append(f"| fast, NumPy arrays, from nothing | {cpu:.2f} | {wall:.2f} |")
    text = "\n".join([*lines, ""])
    write_text(RESULTS / "flow_start.md", text)
    print(text)


def _spent(code: str, cache: str) -> tuple[float, float]:
    """Processor and wall seconds of a process."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "ATTCELL_CACHE": cache})
    wall, after = time.perf_counter() - start, os.times()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return spent, wall


def _least(found: list[tuple[float, float]]) -> tuple[float, float]:
    return min(cpu for cpu, _ in found), min(wall for _, wall in found)


if __name__ == "__main__":
    main()
