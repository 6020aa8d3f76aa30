"""``import attcell; attcell.load`` and ``attcell predict`` from start to end, beside ``import torch``.

    uv run python -m benchmarks.start_up VIDEO MODEL [--repeats 5]

VIDEO is a short clip and MODEL a small network such as the demo's. Each is a process of its own, one after
another in turn; a figure is the least processor time, user and system, of all threads. The parts of predict
are told by one more process: what is imported, decoding, flow, the network, and the rest.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from attcell._files import write_text
from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--parts", action="store_true", help="used by the benchmark itself")
    options = parser.parse_args()
    if options.parts:
        print(json.dumps(parts_of_predict(options.video, options.model)))
        return
    predict = ["-m", "attcell.cli.app", "predict", str(options.video), "--model", str(options.model)]
    commands = {
        "import torch": ["-c", "import torch"],
        "import attcell; attcell.load": ["-c", "import attcell; attcell.load"],
        "attcell predict": predict,
    }
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(options.repeats):
        for name, command in commands.items():
            times[name].append(spent_by(command)[0])
    least = {name: min(of) for name, of in times.items()}
    lines = ["# Start-up, and `attcell predict` from start to end", ""]
    lines += [f"{options.video.name}; the least of {options.repeats}; {machine()}.", ""]
    lines += ["| what | processor seconds | of import torch |", "|---|---|---|"]
    for name, seconds in least.items():
        lines.append(f"| {name} | {seconds:.2f} | {seconds / least['import torch']:.2f} |")
    again = ["-m", "benchmarks.start_up", str(options.video), str(options.model), "--parts"]
    parts = [json.loads(spent_by(again)[1].splitlines()[-1]) for _ in range(options.repeats)]
    for name in parts[0]:
        lines.append(f"| of predict: {name} | {min(of[name] for of in parts):.2f} | |")
    text = "\n".join([*lines, ""])
    write_text(RESULTS / "start_up.md", text)
    print(text)


def spent_by(command: list[str]) -> tuple[float, str]:
    """Processor seconds of a process, and what it prints."""
    before = os.times()
    done = subprocess.run([sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True)
    after = os.times()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return spent, done.stdout


def parts_of_predict(video: Path, model: Path) -> dict[str, float]:
    """Where ``attcell predict`` spends its processor seconds in this process."""
    from attcell.cli import predict as command
    from attcell.cli.app import app
    from attcell.inference import predict as predicting
    from attcell.video import decode, flow_source

    assert command is not None, "it is imported as the command does"
    imports = time.process_time()  # since the process began: PyTorch's are most of it
    spent: dict[str, float] = defaultdict(float)

    def within(name: str, owner: Any, function: str) -> Any:
        return mock.patch.object(owner, function, _timed(spent, name, getattr(owner, function)))

    frames = _timed_items(spent, "decoding", decode.WantedFrames.__iter__)
    with (
        contextlib.redirect_stdout(io.StringIO()),
        mock.patch.object(decode.WantedFrames, "__iter__", frames),
        within("flow", flow_source.ComputedFlow, "codes"),
        within("network", predicting, "encode_part"),
        within("network", predicting, "decide_views"),
    ):
        app(["predict", str(video), "--model", str(model)], standalone_mode=False)
    rest = time.process_time() - imports - sum(spent.values())
    return {"imports": imports, **spent, "rest": rest}


def _timed(spent: dict[str, float], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        start = time.process_time()
        result = function(*arguments, **named)
        spent[name] += time.process_time() - start
        return result

    return run


def _timed_items(spent: dict[str, float], name: str, iterate: Callable[..., Any]) -> Callable[..., Any]:
    def run(owner: Any) -> Iterator[Any]:
        items = iter(iterate(owner))
        while True:
            start = time.process_time()
            item = next(items, run)
            spent[name] += time.process_time() - start
            if item is run:
                return
            yield item

    return run


if __name__ == "__main__":
    main()
