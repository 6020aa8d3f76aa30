"""SIGKILL at random moments, and on by the same command: does it end as an undisturbed run, byte for byte?

    uv run python -m benchmarks.kills [--kills 100] [--seed 0] [--only train protocol] [--out runs/kills]

Each command first runs undisturbed, which tells how long it takes and what it writes. Then it is killed, with
all its processes, at a moment drawn from that time, and called again; up to five times in a row, until it
ends by itself. Then what it has written is compared, bit for bit: weights, scores, flow, features, tables and
lines. Counted besides: runs that left temporary files of a killed process behind. Run again to go on; the
table goes to results/kills.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from attcell._files import read_json, write_text
from attcell._log import messages_on_stderr, progress_bar
from attcell.results.tables import markdown_table
from benchmarks.alone import Ended, attcell, half_written, run_alone
from benchmarks.damage.campaign import get_ready
from benchmarks.damage.kinds import LABELS
from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"
IN_A_ROW = 5
_SMALL = {"backbone": "small", "weights": "none", "conv6_channels": 8}
_MADE_NEW = frozenset({"seconds", "attcell"})  # of a model's training: how long it took


@dataclass(frozen=True)
class Command:
    """A command that is killed.

    Attributes:
        name: of it.
        words: the call.
        again: the call that goes on, where it is another one.
        results: files that must be as undisturbed, as patterns.
        setting: changes of the recipe, by section.
        begin: what the process does; by default the command line, in a fork of this process.
    """

    name: str
    words: tuple[str, ...]
    results: tuple[str, ...]
    again: tuple[str, ...] = ()
    setting: tuple[tuple[str, dict[str, Any]], ...] = ()
    begin: Callable[..., Callable[[], None]] = attcell


def _as_new(*words: str) -> Callable[[], None]:
    """A program of its own, since its processes begin others by the same call."""
    return partial(os.execv, sys.executable, [sys.executable, "-m", "attcell.cli.app", *words])


def _of_few_videos(*words: str) -> Callable[[], None]:
    """The demo, smaller."""

    def call() -> None:
        from attcell.research import demo

        with patch.object(demo, "VIDEOS", {"train": 2, "val": 1, "test": 1}), patch.object(demo, "EPOCHS", 4):
            attcell(*words)()

    return call


_TRAIN = ("train", "recipe.yaml", "--out", "run")
_MODEL = ("run/model/model.safetensors", "run/model/config.json")
_CACHE = ("cache", {"folder": "cache"})
_FROZEN = ("model", {"streams": {"frame": {**_SMALL, "train_from": "none"}}})
COMMANDS = (
    Command("train", _TRAIN, _MODEL, (*_TRAIN, "--resume")),
    Command("train with kept features", _TRAIN, _MODEL, (*_TRAIN, "--resume"), (_CACHE, _FROZEN)),
    Command(
        "train on two processes", _TRAIN, _MODEL, (*_TRAIN, "--resume"), (("train", {"devices": 2}),), _as_new
    ),
    Command(
        "extract flow",
        ("extract", "flow", "videos", "flow", "--short-side", "36", "--workers", "1"),
        ("flow/**/*.jpg", "flow/**/*.json"),
    ),
    Command(
        "kept features",
        ("test", "model", "--data", "list.txt", "--cache", "cache", "--out", "out"),
        ("cache/*/*.safetensors", "out/scores.json"),
    ),
    Command(
        "protocol",
        ("protocol", "recipe.yaml", "--seeds", "2", "--out", "rows"),
        ("rows/table.md", "rows/table.csv", "rows/**/scores.json", "rows/**/model.safetensors"),
    ),
    Command("calibrate", ("calibrate", "model", "--data", "list.txt"), ("model/detection.safetensors",)),
    Command(
        "predict to JSONL",
        ("predict", *(f"videos/{label}/{n}.mp4" for label in LABELS for n in range(2)), "--model", "model",
         "--json", "found.jsonl"),
        ("found.jsonl",),
    ),
    Command(
        "demo, of 24 videos",
        ("demo", "--out", "demo"),
        ("demo/videos/**/*.mp4", "demo/run/model/model.safetensors", "demo/run/model/config.json",
         "demo/test/*", "demo/*.png", "demo/report.html"),
        begin=_of_few_videos,
    ),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="of each command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=[command.name for command in COMMANDS])
    parser.add_argument("--out", type=Path, default=Path("runs/kills"))
    parser.add_argument("--to", type=Path, default=RESULTS / "kills.md", help="the table's file")
    given = parser.parse_args()
    out = given.out.absolute()
    get_ready(out)
    rows = []
    with messages_on_stderr(), progress_bar() as bar:
        for command in COMMANDS:
            if given.only is None or command.name in given.only:
                task = bar.add_task(command.name, total=given.kills, note="")
                progress = partial(bar.update, task)
                rows.append(killed(command, given.kills, given.seed, out, progress))
    text = report(rows, given.seed)
    write_text(given.to, text)
    sys.stdout.write(text)
    return int(any(row["faults"] for row in rows))


def killed(
    command: Command, num_kills: int, seed: int, out: Path, progress: Callable[..., None]
) -> dict[str, Any]:
    """The row of a command; each run is remembered."""
    known = out / f"{command.name}-seed{seed}.jsonl"
    folder = out / "work"
    _prepare(command, folder, out / "worlds")
    start = time.monotonic()
    undisturbed = _run(command, command.words, folder)
    seconds, wanted = time.monotonic() - start, _digests(command, folder)
    if undisturbed.status or not wanted:
        raise SystemExit(f"{command.name} does not run undisturbed: {undisturbed.err}")
    runs = [json.loads(line) for line in known.read_text().splitlines()] if known.exists() else []
    while (done := sum(run["kills"] for run in runs)) < num_kills:
        progress(completed=done)
        rng = np.random.default_rng((seed, len(runs)))
        _prepare(command, folder, out / "worlds")
        most = min(IN_A_ROW, num_kills - done)
        runs.append(_one_run(command, folder, wanted, rng.uniform(0, seconds, most).tolist()))
        with known.open("a", encoding="utf-8") as file:
            file.write(json.dumps(runs[-1]) + "\n")
    return {
        "command": command.name,
        "seconds": seconds,
        "kills": sum(run["kills"] for run in runs),
        "runs": len(runs),
        "equal": sum(run["fault"] == "" for run in runs),
        "left": sum(run["left"] for run in runs),
        "faults": sorted({run["fault"] for run in runs if run["fault"]}),
    }


def _one_run(command: Command, folder: Path, wanted: dict[str, str], moments: list[float]) -> dict[str, Any]:
    words, kills = command.words, 0
    for moment in [*moments, float("inf")]:
        ended = _run(command, words, folder, moment)
        if ended.status in {1, 2} and words == command.again and "holds no run" in ended.err:
            words = command.words  # it was killed before it had begun
            ended = _run(command, words, folder, moment)
        if ended.status >= 0:
            break
        kills += 1
        words = command.again or command.words
    fault = ended.fault() or (f"exit status {ended.status}: {ended.err[-300:]}" if ended.status else "")
    found = _digests(command, folder)
    others = [name for name in wanted if found.get(name) != wanted[name]] + sorted(
        found.keys() - wanted.keys()
    )
    if not fault and others:
        fault = f"not as undisturbed: {others[0]}"
    return {"kills": kills, "fault": fault, "left": int(bool(half_written(folder)))}


def _run(command: Command, words: tuple[str, ...], folder: Path, kill_after: float = float("inf")) -> Ended:
    call = command.begin(*words)
    return run_alone(call, folder, kill_after=kill_after, cpu_seconds=300, wall_seconds=600)


def _prepare(command: Command, folder: Path, worlds: Path) -> None:
    import yaml

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "videos").symlink_to(worlds / "videos")
    shutil.copytree(worlds / "models" / "frame", folder / "model")
    lines = [f"videos/{label}/{n}.mp4 {number}" for number, label in enumerate(LABELS) for n in range(2)]
    (folder / "list.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    train = {"iterations": 12, "batch_size": 2, "accelerator": "cpu", "checkpoint_every": 3}
    recipe: dict[str, Any] = {
        "name": "killed",
        "data": {"train": "list.txt", "val": "list.txt", "test": "list.txt", "workers": 1},
        "input": {"size": 32, "short_side": 36},
        "segments": {"train": 2, "test": 3},
        "model": {"kind": "stan", "streams": {"frame": _SMALL}, "lstm_hidden": 8},
        "train": train,
    }
    for section, values in command.setting:
        recipe[section] = {**recipe.get(section, {}), **values}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")


def _digests(command: Command, folder: Path) -> dict[str, str]:
    """File → digest of what must be alike."""
    files = [path for pattern in command.results for path in sorted(folder.glob(pattern)) if path.is_file()]
    return {str(path.relative_to(folder)): _digest(path) for path in files}


def _digest(path: Path) -> str:
    if path.name == "config.json":
        content = read_json(path)
        content["training"] = {k: v for k, v in content["training"].items() if k not in _MADE_NEW}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    data = path.read_bytes()
    if path.suffix == ".safetensors":  # its header's entries come in any order
        size = 8 + int.from_bytes(data[:8], "little")
        data = json.dumps(json.loads(data[8:size]), sort_keys=True).encode() + data[size:]
    return hashlib.sha256(data).hexdigest()


def report(rows: list[dict[str, Any]], seed: int) -> str:
    """The page of the results."""
    cells = [
        [
            row["command"],
            f"{row['seconds']:.1f}",
            str(row["kills"]),
            f"{row['equal']} of {row['runs']}",
            str(row["left"]),
            "; ".join(row["faults"]).replace("|", "/").replace("\n", " "),
        ]
        for row in rows
    ]
    head = (
        "command",
        "seconds undisturbed",
        "kills",
        "runs that ended as undisturbed",
        "runs that left files",
        "faults",
    )
    kills = max(row["kills"] for row in rows)
    return (
        "# Killed, and gone on\n\n"
        f"`uv run python -m benchmarks.kills --kills {kills} --seed {seed}`: SIGKILL "
        "to all processes of a command at random moments of its time, up to five in a row, and the same "
        "command again until it ends. Compared byte for byte: weights, scores, flow, features, tables and "
        f"lines; of a model's config.json all but the seconds, of safetensors all but the header's order. "
        f"{machine()}.\n\n" + markdown_table(head, cells, (False, True, True, True, True, False))
    )


if __name__ == "__main__":
    sys.exit(main())
