"""One training shared by processes in many ways, killed, and gone on with: are its losses the same?

    uv run python -m benchmarks.many_processes [--iterations 12] [--out runs/many_processes]

A small recipe without dropout is trained by one process, and then by several: on one machine and on two (all
are this one), with whole networks (ddp) and with shards (fsdp), started as torchrun and Slurm start them, by
torchrun itself, and by hand. Some runs lose a process to SIGKILL after their first checkpoint: how long the
others take to end and what they say is told, and the run is gone on with in another way. A loss of each
iteration is compared with that of the one process. Run again to go on; the table goes to
results/many_processes.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from attcell._files import write_text
from attcell._log import logger, messages_on_stderr
from attcell.results.tables import markdown_table
from attcell.synth.write import write_dataset
from benchmarks.machine import machine
from tests.several import Started, free_port, slurm, start, torchrun

WAIT_SECONDS = 600
RESULTS = Path(__file__).parent / "results"
COMMAND = [sys.executable, "-m", "attcell.cli.app"]
Starter = Callable[[int, int, int, int], Mapping[str, str]]


@dataclass(frozen=True)
class Way:
    """How a training is shared.

    Attributes:
        nodes, devices: machines, and processes on each.
        strategy: ddp or fsdp.
        by: what starts it.
        accumulate: parts of a batch one after the other.
    """

    nodes: int
    devices: int
    strategy: str = "ddp"
    by: str = "torchrun's variables"
    accumulate: int = 1

    def __str__(self) -> str:
        parts = f", accumulate {self.accumulate}" if self.accumulate > 1 else ""
        return f"{self.nodes} × {self.devices} {self.strategy}{parts}, {self.by}"

    @property
    def words(self) -> list[str]:
        """What is changed of the recipe."""
        keys = {"num_nodes": self.nodes, "devices": self.devices, "strategy": self.strategy}
        return [f"train.{key}={value}" for key, value in {**keys, "accumulate": self.accumulate}.items()]


ALONE = Way(1, 1, by="one process")
HAND, REAL = "by hand", "torchrun itself"
WAYS = (
    Way(1, 4), Way(2, 2), Way(1, 4, "fsdp"), Way(2, 2, "fsdp"), Way(2, 2, by="srun's variables"),
    Way(2, 2, "fsdp", HAND), Way(2, 2, by=REAL),
)  # fmt: skip
KILLS = (  # a way, the rank that is killed, and the way to go on
    (Way(2, 2), 3, Way(1, 4, "fsdp")),
    (Way(1, 4, "fsdp"), 0, Way(1, 2, accumulate=2)),
    (Way(1, 2, by=HAND), 1, Way(2, 2, "fsdp")),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--iterations", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("runs/many_processes"))
    parser.add_argument("--to", type=Path, default=RESULTS / "many_processes.md", help="the table's file")
    given = parser.parse_args()
    out = given.out.absolute() / str(given.iterations)
    _prepare(out, given.iterations)
    with messages_on_stderr():
        shared, killed = _shared(out), _killed(out)
    text = report(shared, killed, given.iterations, list(_losses(out / "run-0").values()))
    write_text(given.to, text)
    sys.stdout.write(text)
    return 0


def _prepare(out: Path, iterations: int) -> None:
    if (out / "recipe.yaml").is_file():
        return
    videos = write_dataset(out / "videos", seed=3, num_classes=4, videos={"train": 6, "val": 2})
    recipe = {
        "data": {"train": str(videos / "train"), "val": str(videos / "val"), "workers": 0},
        "input": {"size": 32, "short_side": 36},
        "segments": {"train": 2, "test": 2},
        "model": {
            "streams": {"frame": {"backbone": "small", "weights": "none", "conv6_channels": 16}},
            "lstm_hidden": 16,
            "dropout": 0,
        },
        "train": {
            "iterations": iterations, "batch_size": 8, "checkpoint_every": 3, "accelerator": "cpu",
            "optimizer": "adamw", "clip_gradient_norm": 1.0,
        },
    }  # fmt: skip
    (out / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")


def _shared(out: Path) -> list[tuple[str, ...]]:
    """Rows of the ways that run undisturbed."""
    rows: list[tuple[str, ...]] = []
    for way in (ALONE, *WAYS):
        run = out / f"run-{len(rows)}"
        if (known := _known(run)) is not None:
            rows.append(known)
            continue
        began = time.monotonic()
        statuses = [status for status, _ in _ended(_begin(way, out, run))]
        seconds = time.monotonic() - began
        logger.info(f"{way}: {statuses} after {seconds:.0f} s")
        far = _farthest(out / "run-0", run)
        row = (str(way), " ".join(map(str, statuses)), f"{far:.0e}" if far else "0", f"{seconds:.0f}")
        rows.append(_remembered(run, row))
    return rows


def _killed(out: Path) -> list[tuple[str, ...]]:
    """Rows of the ways that lose a process."""
    rows: list[tuple[str, ...]] = []
    for way, rank, onward in KILLS:
        run = out / f"killed-{len(rows)}"
        if (known := _known(run)) is not None:
            rows.append(known)
            continue
        begun = _begin(way, out, run)
        end = time.monotonic() + WAIT_SECONDS
        while not (run / "checkpoints" / "last.ckpt").is_file():
            if time.monotonic() > end:
                raise SystemExit(f"{way} has no checkpoint after {WAIT_SECONDS} s")
            time.sleep(0.002)
        os.kill(_number_of(begun, rank), signal.SIGKILL)
        killed = time.monotonic()
        ended = _ended(begun)
        seconds = time.monotonic() - killed
        said = [line for _, text in ended for line in text.splitlines() if line.startswith("attcell: ")]
        again = [status for status, _ in _ended(_begin(onward, out, run, "--resume"))]
        logger.info(f"{way}, {rank} killed: {said}, on as {onward}: {again}")
        row = (
            str(way),
            str(rank),
            " ".join(str(status) for status, _ in ended),
            f"{seconds:.0f}",
            " ".join(sorted(set(said))).replace("attcell: ", ""),
            str(onward),
            f"{_farthest(out / 'run-0', run):.0e}",
        )
        rows.append(_remembered(run, row))
    return rows


def _known(run: Path) -> tuple[str, ...] | None:
    """The row of a run that was done before; what is left of one that was not is removed."""
    file = run.with_suffix(".json")
    if file.is_file():
        return tuple(json.loads(file.read_text(encoding="utf-8")))
    shutil.rmtree(run, ignore_errors=True)
    return None


def _remembered(run: Path, row: tuple[str, ...]) -> tuple[str, ...]:
    write_text(run.with_suffix(".json"), json.dumps(row))
    return row


@dataclass(frozen=True)
class Commands:
    """Commands that were started as a person would, one on each machine, and what they say."""

    processes: Sequence[subprocess.Popen[str]]


def _begin(way: Way, out: Path, run: Path, *more: str) -> Started | Commands:
    words = ["train", str(out / "recipe.yaml"), *way.words, "--out", str(run), *more]
    if way.by not in (HAND, REAL):
        starter: Starter = slurm if way.by.startswith("srun") else torchrun
        return start(words, out, way.nodes, way.devices, starter)
    port = str(free_port())
    commands = []
    for node in range(way.nodes):
        given = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "NODE_RANK": str(node)}
        command = [*COMMAND, *words]
        if way.by == REAL:
            given = {}
            command = [sys.executable, "-m", "torch.distributed.run", f"--nnodes={way.nodes}",
                       f"--node-rank={node}", f"--nproc-per-node={way.devices}", "--master-addr=127.0.0.1",
                       f"--master-port={port}", "-m", *COMMAND[2:], *words]  # fmt: skip
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **(given if way.nodes > 1 else {})}
        commands.append(
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        )
    return Commands(commands)


def _ended(begun: Started | Commands) -> list[tuple[int, str]]:
    """Exit status and messages of each process that was started."""
    if isinstance(begun, Started):
        return [(ended.status, ended.said) for ended in begun.ended()]
    said = [process.communicate(timeout=WAIT_SECONDS)[0] for process in begun.processes]
    return [(process.returncode, text) for process, text in zip(begun.processes, said, strict=True)]


def _number_of(begun: Started | Commands, rank: int) -> int:
    """The process's number; of those that a command started, the first child's."""
    if isinstance(begun, Started):
        return begun.processes[rank].pid or 0
    parent = begun.processes[0].pid
    return int(Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[rank - 1])


def _losses(run: Path) -> dict[int, float]:
    """Iteration → its loss, of all logs of a run; a later one counts."""
    found: dict[int, float] = {}
    for number in range(9):
        path = run / "logs" / "csv" / f"version_{number}" / "metrics.csv"
        if path.is_file():
            with path.open(encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if row["train_loss"]]
            found |= {int(row["step"]): float(row["train_loss"]) for row in rows}
    return found


def _farthest(expected: Path, run: Path) -> float:
    """The largest difference of a loss; endless where an iteration lacks."""
    wanted, found = _losses(expected), _losses(run)
    if not wanted or wanted.keys() != found.keys():
        return float("inf")
    return max(abs(found[step] - loss) for step, loss in wanted.items())


def report(
    shared: list[tuple[str, ...]], killed: list[tuple[str, ...]], iterations: int, losses: list[float]
) -> str:
    """The page of the results."""
    low, high = min(losses), max(losses)
    first = markdown_table(
        ("nodes × devices, started by", "exit statuses", "largest difference of a loss", "seconds"),
        shared,
        (False, False, True, True),
    )
    second = markdown_table(
        (
            "nodes × devices, started by", "killed", "exit statuses", "seconds to the end", "what was said",
            "gone on as", "largest difference of a loss",
        ),
        killed,
        (False, True, False, True, False, False, True),
    )  # fmt: skip
    return (
        "# One training by many processes\n\n"
        f"`uv run python -m benchmarks.many_processes --iterations {iterations}`: {iterations} iterations of "
        "a small STAN on generated videos by AdamW, with clipped gradients and without dropout; gloo on the "
        "loopback. All machines are this one. Differences are from the losses of one process, which are "
        f"{low:.2f} to {high:.2f}. Where the variables of a starter are set, the processes are forks, so "
        f"that their seconds leave the imports out; the others' do not. {machine()}, which other work "
        "shared. Rows of earlier calls are kept.\n\n"
        f"{first}\n## One process killed\n\nBy SIGKILL after the first checkpoint; the run is gone on with "
        f"by `--resume` in another way.\n\n{second}"
    )


if __name__ == "__main__":
    sys.exit(main())
