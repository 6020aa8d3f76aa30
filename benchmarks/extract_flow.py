"""``attcell extract flow`` from start to end, beside scripts with OpenCV, and where its time goes.

    uv run python -m benchmarks.extract_flow [--every 6]

Whole processes, one after another, over every n-th video of Weizmann: one that only decodes, one that calls
OpenCV's DualTVL1 and writes the same JPEGs (``benchmarks.opencv_flow``, a process a core), and attcell by
``paper`` and by ``fast``; then attcell over all of Weizmann. Each writes to a new folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attcell._files import write_text
from attcell.flow import quantize
from attcell.video._passes import EveryFrame
from attcell.video.flow_files import jpeg
from attcell.video.optical_flow import PAIRS_AT_ONCE, FlowSpec, flow_method, pieces
from benchmarks.machine import data_folder, machine

RESULTS = Path(__file__).parent / "results"
SHORT_SIDE = 256  # as the command has it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=6, help="OpenCV takes long, so only every n-th video")
    options = parser.parse_args()
    folder = data_folder()
    if folder is None:
        raise SystemExit("no real clips at ../shared/data; set ATTCELL_DATA to their folder")
    everything = sorted((folder / "weizmann").glob("*/*.avi"))
    some = everything[:: options.every]
    with tempfile.TemporaryDirectory() as work:
        text = "\n".join(
            [
                f"# `extract flow` from start to end\n\n{machine()}; the load was {os.getloadavg()[0]:.1f} "
                "before.\n",
                _processes(folder / "weizmann", everything, some, Path(work)),
                _stages(some, Path(work)),
            ]
        )
    write_text(RESULTS / "extract_flow.md", text)
    print(text)


def _processes(source: Path, everything: list[Path], some: list[Path], work: Path) -> str:
    listed = work / "some.txt"
    listed.write_text("".join(f"{path.relative_to(source)} 0\n" for path in some), encoding="utf-8")
    script = ["-m", "benchmarks.opencv_flow", *map(str, some)]

    def ours(method: str, *given: str) -> list[str]:
        out = str(work / f"{method}-{len(given)}")
        return ["-m", "attcell.cli.app", "extract", "flow", *given[:1], out, "--method", method, *given[1:]]

    of_some, of_all = (str(listed), "--root", str(source)), (str(source),)
    commands = {
        f"{len(some)} videos: OpenCV decodes only": [*script, "--decode-only"],
        f"{len(some)} videos: OpenCV's DualTVL1": [*script, "--out", str(work / "opencv")],
        f"{len(some)} videos: attcell, paper": ours("paper", *of_some),
        f"{len(some)} videos: attcell, fast": ours("fast", *of_some),
        f"{len(everything)} videos: attcell, paper": ours("paper", *of_all),
        f"{len(everything)} videos: attcell, fast": ours("fast", *of_all),
    }
    times = {name: _spent(command) for name, command in commands.items()}
    wall_of_opencv, cpu_of_opencv = times[f"{len(some)} videos: OpenCV's DualTVL1"]
    lines = [
        "Seconds of whole processes, `import` included, with frames as JPEGs beside the flow.\n",
        "| | wall | processor | OpenCV's wall, one in | OpenCV's processor, one in |",
        "|---|---|---|---|---|",
    ]
    for name, (wall, cpu) in times.items():
        beside = name.startswith(f"{len(some)} ")
        ratios = f"{wall_of_opencv / wall:.1f} | {cpu_of_opencv / cpu:.1f}" if beside else "|"
        lines.append(f"| {name} | {wall:.1f} | {cpu:.1f} | {ratios} |")
    return "\n".join(lines) + "\n"


def _spent(command: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of a process and its children."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, os.times()
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return wall, cpu


def _stages(paths: list[Path], work: Path) -> str:
    """Processor time on one thread of what is done with each frame."""
    torch.set_num_threads(1)
    tables = {
        method: _spent_by_stage(method, paths, work / f"stages-{method}") for method in ("fast", "paper")
    }
    lines = [
        "## Where the time goes\n",
        "Milliseconds of one core for a frame (its JPEG, its flow, two JPEGs of that), and the share.\n",
        f"| | {' | '.join(f'{method} | share' for method in tables)} |",
        f"|---|{'---|---|' * len(tables)}",
    ]
    for stage in tables["fast"]:
        cells = [f"{of[stage]:.2f} | {of[stage] / sum(of.values()):.1%}" for of in tables.values()]
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _spent_by_stage(name: str, paths: list[Path], folder: Path) -> dict[str, float]:
    spent: dict[str, float] = defaultdict(float)
    method, spec, count = flow_method(name), FlowSpec(name, short_side=SHORT_SIDE), 0
    folder.mkdir()

    def timed(stage: str, work: Callable[..., Any], *given: Any) -> Any:
        start = time.process_time()
        result = work(*given)
        spent[stage] += 1000 * (time.process_time() - start)
        return result

    for path in paths:
        frames = timed("decoding", lambda path=path: list(EveryFrame(path, spec.size)))
        count += len(frames)
        for piece in pieces(frames, PAIRS_AT_ONCE["cpu"]):
            pictures = torch.from_numpy(np.stack(piece)).permute(0, 3, 1, 2)
            seen = timed("grey", method.prepare, pictures)
            flow = timed("flow", method.between, seen[:-1], seen[1:])
            codes = timed("codes", lambda flow=flow: quantize(flow, spec.bound).numpy())
            contents = timed("JPEG of the frame", lambda piece=piece: [jpeg(frame) for frame in piece[1:]])
            contents += timed(
                "JPEGs of its flow",
                lambda codes=codes: [jpeg(c) for c in codes.reshape(-1, *codes.shape[2:])],
            )
            timed("writing", _write, contents, folder)
    shutil.rmtree(folder)
    return {stage: total / count for stage, total in spent.items()}


def _write(contents: list[bytes], folder: Path) -> None:
    first = time.perf_counter_ns()
    for number, content in enumerate(contents):
        (folder / f"{first}_{number}.jpg").write_bytes(content)


if __name__ == "__main__":
    main()
