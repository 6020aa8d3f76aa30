"""Several processes of one training on this machine, started as torchrun or Slurm starts them.

They are forks of a server that has imported everything, for importing costs a process far more than the small
trainings of the tests.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["attcell.cli.app", "attcell.training.sharding", "attcell.training.fit"])


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it said."""

    status: int
    said: str


@dataclass(frozen=True)
class Started:
    """Processes, and the files that they write into."""

    processes: Sequence[BaseProcess]
    said: Sequence[Path]

    def ended(self, seconds: float = 240) -> list[Ended]:
        """How each of them ended; one that does not end is killed, and that is told."""
        for process in self.processes:
            process.join(seconds)
            if process.exitcode is None:
                process.kill()
                process.join()
                raise AssertionError(f"{process.name} hangs: {self.said[0].read_text()}")
        return [
            Ended(process.exitcode or 0, path.read_text())
            for process, path in zip(self.processes, self.said, strict=True)
        ]


def start(
    words: Sequence[str | Path],
    folder: Path,
    num_nodes: int,
    devices: int,
    variables: Callable[[int, int, int, int], Mapping[str, str]] | None = None,
) -> Started:
    """Start ``attcell`` with these words in ``num_nodes`` × ``devices`` processes, in a folder.

    Args:
        words: of the command line.
        folder: where they run, and where what they say goes.
        num_nodes: machines; all are this one.
        devices: processes on each.
        variables: (machine, process there, machines, processes on each) → what its starter sets; by default
            torchrun's.
    """
    port = free_port()
    processes, said = [], []
    for rank in range(num_nodes * devices):
        node, local_rank = divmod(rank, devices)
        given = (variables or torchrun)(node, local_rank, num_nodes, devices)
        given = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), **given}
        said.append(folder / f"said-{rank}.txt")
        arguments = ([str(word) for word in words], given, folder, said[-1])
        processes.append(SERVER.Process(target=_run, args=arguments, name=f"process {rank}"))
        processes[-1].start()
    return Started(processes, said)


def torchrun(node: int, local_rank: int, num_nodes: int, devices: int) -> dict[str, str]:
    """What torchrun sets."""
    return {
        "TORCHELASTIC_RUN_ID": "test",
        "RANK": str(node * devices + local_rank),
        "WORLD_SIZE": str(num_nodes * devices),
        "LOCAL_RANK": str(local_rank),
        "LOCAL_WORLD_SIZE": str(devices),
        "GROUP_RANK": str(node),
    }


def slurm(node: int, local_rank: int, num_nodes: int, devices: int) -> dict[str, str]:
    """What srun sets."""
    return {
        "SLURM_JOB_ID": "123",
        "SLURM_JOB_NAME": "test",
        "SLURM_NTASKS": str(num_nodes * devices),
        "SLURM_NTASKS_PER_NODE": str(devices),
        "SLURM_NNODES": str(num_nodes),
        "SLURM_STEP_NUM_TASKS": str(num_nodes * devices),
        "SLURM_STEP_NUM_NODES": str(num_nodes),
        "SLURM_PROCID": str(node * devices + local_rank),
        "SLURM_LOCALID": str(local_rank),
        "SLURM_NODEID": str(node),
    }


def free_port() -> int:
    """A port of this machine that nothing listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _run(words: list[str], variables: Mapping[str, str], folder: Path, said: Path) -> None:
    import torch

    from attcell.cli.app import main

    os.environ.update(variables)
    os.chdir(folder)
    torch.set_num_threads(1)
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["attcell", *words]
    main()
