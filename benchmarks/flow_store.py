"""``attcell extract flow`` over Weizmann: killed twice, started again, looked at with another library.

    uv run python -m benchmarks.flow_store [--out DIR]

Two runs are killed with SIGKILL at random, while the first and the second half of the videos are computed; a
third goes on to the end. Then the store is checked: every file is a grey JPEG that OpenCV reads, numbered
from 1, and nothing was computed twice but the videos in flight.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from attcell._files import write_text
from attcell.video.flow_files import open_flow
from benchmarks.machine import data_folder, machine

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="an empty folder; by default a temporary one")
    options = parser.parse_args()
    folder = data_folder()
    if folder is None:
        raise SystemExit("no real clips at ../shared/data; set ATTCELL_DATA to their folder")
    out = options.out or Path(tempfile.mkdtemp())
    try:
        text = f"# The store of Weizmann's flow\n\n{machine()}\n\n{_run(folder / 'weizmann', out)}"
    finally:
        if options.out is None:
            shutil.rmtree(out, ignore_errors=True)
    write_text(RESULTS / "flow_store.md", text)
    print(text)


def _run(source: Path, out: Path) -> str:
    words = [
        sys.executable,
        "-m",
        "attcell.cli.app",
        "extract",
        "flow",
        str(source),
        str(out),
        "--method",
        "fast",
    ]
    lines: list[str] = []
    seen: dict[Path, int] = {}
    computed = 0
    for least in [random.randint(5, 40), random.randint(45, 80), None]:  # videos; then it is killed
        start = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        if least is not None:
            while len(_videos(out)) < least and process.poll() is None:
                time.sleep(0.05)
            time.sleep(random.uniform(0.0, 1.0))
            process.send_signal(signal.SIGKILL)
        printed, _ = process.communicate()
        time.sleep(2)  # its workers end by themselves
        there = {path: path.stat().st_mtime_ns for path in _videos(out)}
        again = sum(there[path] != when for path, when in seen.items())
        computed += len(there) - len(seen) + again
        assert process.returncode == (0 if least is None else -signal.SIGKILL), printed
        ended = "killed" if process.returncode else printed.strip().removeprefix(f"{out}: ")
        lines.append(
            f"- after {time.perf_counter() - start:.0f} s: {ended}; {len(there)} videos complete, "
            f"{again} of the earlier ones computed again"
        )
        seen = there
    left_over = len(list(out.rglob(".*")))
    lines.append(f"- {computed} videos computed, {len(seen)} in the store; files left over: {left_over}")
    lines.append(f"- {_checked(out)} flow files, each a grey JPEG to OpenCV, numbered from 1 without a gap")
    return "\n".join(lines) + "\n"


def _videos(out: Path) -> list[Path]:
    """The folders of the videos that are complete."""
    return [path for path in out.glob("*/*") if path.name[0] != "."]


def _checked(out: Path) -> int:
    num_files = 0
    for video in out.glob("*/*"):
        found = open_flow(video)
        assert found.first_number == 1
        ours = found.read(list(range(found.num_fields))).numpy()
        for axis, name in enumerate("xy"):
            for number in range(1, found.num_fields + 1):
                theirs = cv2.imread(str(video / f"flow_{name}_{number:05d}.jpg"), cv2.IMREAD_UNCHANGED)
                assert theirs is not None
                assert np.abs(theirs.astype(int) - ours[number - 1, axis]).max() <= 1  # JPEG decoders round
                num_files += 1
    return num_files


if __name__ == "__main__":
    main()
