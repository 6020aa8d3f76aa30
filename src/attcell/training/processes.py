"""The processes of one training, on one machine or several: which one this is, and what it knows of others.

They meet at a store of PyTorch's, which the first process has, or torchrun. There they wait for hours without
a time-out, as no collective operation does, and there it is found which of them has ended.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attcell._checks import flat
from attcell._log import logger
from attcell._owners import started_by, temporary_in
from attcell._paths import SHOWN_SECONDS, is_shown
from attcell.config.train_section import TrainSection
from attcell.errors import CallError, TrainingError

if TYPE_CHECKING:
    from torch.distributed import Store

BEGIN_MINUTES = 30.0  # until something has been started on each machine
ANSWER_SECONDS = 5.0  # until a process that lives has answered
CALL_SECONDS = 30.0  # between two questions who still lives, while one waits
LOOK_SECONDS = 0.1  # between two looks at the store
LEAVE_SECONDS = 10.0  # that the others have, at most, to read from the store why the first process ends
GO_ON = "go on with --resume, or without it if the run folder is still empty"


@dataclass(frozen=True)
class Place:
    """Which of a training's processes this is.

    Attributes:
        rank: among all of them.
        local_rank: among those of this machine.
        node: which machine, from 0.
        devices: processes on each machine.
        num_nodes: machines.
        by: what started it: torchrun, slurm, or "" for neither.
    """

    rank: int = 0
    local_rank: int = 0
    node: int = 0
    devices: int = 1
    num_nodes: int = 1
    by: str = ""

    @property
    def world(self) -> int:
        """How many processes there are."""
        return self.devices * self.num_nodes

    @property
    def leaders(self) -> range:
        """The ranks of each machine's first process."""
        return range(0, self.world, self.devices)


def place_of(section: TrainSection) -> Place:
    """The place of this process, by what its starter says.

    Raises:
        CallError: another number of processes was started than the recipe asks for, or what a machine must
            know to find the others is not said.
    """
    by, words = started_by(), os.environ
    if by == "torchrun":
        started = int(words["WORLD_SIZE"]), int(words["LOCAL_WORLD_SIZE"])
        numbers = [int(words[name]) for name in ("RANK", "LOCAL_RANK", "GROUP_RANK")]
    elif by == "slurm":
        tasks, nodes = int(words["SLURM_STEP_NUM_TASKS"]), int(words.get("SLURM_STEP_NUM_NODES", "1"))
        started = tasks, tasks // nodes
        numbers = [int(words[name]) for name in ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")]
    else:
        return _own_place(section)
    if started != (section.processes, section.devices):
        world, each = started
        raise CallError(
            f"{'torchrun' if by == 'torchrun' else 'srun'} started {world} processes, {each} on a machine, "
            f"and the recipe asks for train.devices {section.devices} on each of train.num_nodes "
            f"{section.num_nodes}; set train.devices={each} train.num_nodes={world // each}, or start "
            f"{section.processes}"
        )
    if by == "slurm" and "SLURM_NTASKS_PER_NODE" not in words:
        raise CallError(
            f"srun started {started[0]} processes without --ntasks-per-node; give --ntasks-per-node="
            f"{section.devices}, or let attcell write the script (attcell train … --slurm)"
        )
    rank, local_rank, node = numbers
    return Place(rank, local_rank, node, section.devices, section.num_nodes, by)


def _own_place(section: TrainSection) -> Place:
    """The place of a process that a person started, or that such a one started."""
    if section.num_nodes > 1:
        lacking = [name for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK") if not os.environ.get(name)]
        if lacking:
            raise CallError(
                f"train.num_nodes is {section.num_nodes}, and {', '.join(lacking)} is not set; start the "
                "same command on each machine with the first one's MASTER_ADDR and MASTER_PORT (a free port) "
                f"and NODE_RANK from 0 to {section.num_nodes - 1}, or by torchrun, or by srun"
            )
    local_rank, node = (_number(name) for name in ("LOCAL_RANK", "NODE_RANK"))
    if not (local_rank < section.devices and node < section.num_nodes):
        raise CallError(
            f"NODE_RANK is {node} and LOCAL_RANK {local_rank}, and the recipe asks for train.devices "
            f"{section.devices} on each of train.num_nodes {section.num_nodes}; count both from 0"
        )
    rank = node * section.devices + local_rank
    return Place(rank, local_rank, node, section.devices, section.num_nodes)


def _number(name: str) -> int:
    text = os.environ.get(name, "0")
    if not re.fullmatch(r"\d{1,9}", text):
        raise CallError(f"{name} is {text!r}; it must be a whole number from 0")
    return int(text)


class Processes:
    """What a process knows of the others. Of one alone there is nothing to know, and nothing to wait for.

    Args:
        place: which one this is.
        store: where they meet; None for one alone.
    """

    def __init__(self, place: Place, store: Store | None = None) -> None:
        self.place, self._store = place, store
        self._hosts: list[str] = []
        self.ended: dict[int, int] = {}  # rank → exit status, of those that this process started
        self._is_over = threading.Event()
        self._gone: list[int] = []  # who has ended, as read while there was a store
        if store is not None:
            store.set(f"host {place.rank}", socket.gethostname())
            threading.Thread(target=self._answer, args=(store,), daemon=True).start()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Within this, an error in one process ends those that wait for it. The first process, which may have
        the store, leaves last.
        """
        try:
            yield
        except BaseException:
            self._leave([self.place.rank])
            raise
        self._leave()

    def _leave(self, failed: Sequence[int] = ()) -> None:
        store, end = self._store, time.monotonic() + LEAVE_SECONDS
        if store is None:
            return
        with suppress(RuntimeError):  # who has the store has ended
            lost = self._remember(failed) if failed else []
            if failed:
                _hang_up()
            store.set(f"left {self.place.rank}", "")
            away = {*lost, *self.ended}
            others = [f"left {rank}" for rank in range(1, self.place.world) if rank not in away]
            while self.place.rank == 0 and time.monotonic() < end and not store.check(others):
                time.sleep(LOOK_SECONDS)
        self._is_over.set()

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Prepare: first the first process, then one on each other machine, then all others. So what is kept
        on a shared disk is computed once, and what is kept on the machines' own disks once on each.
        """
        place = self.place
        if place.rank > 0:
            leads = place.local_rank == 0
            self._wait([f"prepared {rank}" for rank in ([0] if leads else place.leaders)])
        yield
        if self._store is not None:
            self._store.set(f"prepared {place.rank}", "")

    def meet(self, run_folder: Path) -> None:
        """Wait until all processes are prepared, and see that all machines have the same run folder.

        Raises:
            TrainingError: a process has ended, nothing was started on a machine, or the folder of this
                machine is another.
        """
        if self._store is None:
            return
        place, sign = self.place, None
        if place.rank == 0:
            sign = temporary_in(run_folder, "one-folder")
            sign.touch()
            self._store.set("sign", sign.name)
        try:
            if place.rank > 0 and place.local_rank == 0:
                self._wait(["sign"])
                self._look_for(run_folder / self._store.get("sign").decode())
            self._store.set(f"ready {place.rank}", "")
            self._wait([f"host {rank}" for rank in place.leaders])
            self._wait([f"ready {rank}" for rank in range(place.world)])
        finally:
            if sign is not None:
                sign.unlink(missing_ok=True)
        self._hosts = [self._store.get(f"host {rank}").decode() for rank in range(place.world)]

    def _look_for(self, sign: Path) -> None:
        assert self._store is not None, "it is for several"
        if not is_shown(sign, SHOWN_SECONDS):
            raise TrainingError(
                f"the run folder {sign.parent} on {socket.gethostname()} (machine {self.place.node}) is "
                f"not the one on {self._store.get('host 0').decode()} (machine 0), where the first "
                "process writes; choose an --out on a disk that all machines share"
            )

    def _wait(self, keys: Sequence[str]) -> None:
        """Wait until all these are in the store, as long as nobody has failed or ended."""
        store = self._store
        assert store is not None, "it is for several"
        begun = called = time.monotonic()
        missing: list[int] = []
        try:
            while not store.check(list(keys)):
                if store.check(["gone"]):
                    raise self.gone(self._remembered())
                if self.ended:
                    raise self.gone(self._remember(sorted(self.ended)))
                if time.monotonic() - called > CALL_SECONDS:
                    called = time.monotonic()
                    before, missing = missing, self._missing(keys)
                    if missing != before or called - begun > 60 * BEGIN_MINUTES:
                        self._tell(missing, called - begun)
                    if not self.place.by and (silent := self._silent()):  # else the starter looks
                        raise self.gone(self._remember(silent))
                time.sleep(LOOK_SECONDS)
        except RuntimeError as error:
            raise self.gone(self._gone or [0]) from error

    def _missing(self, keys: Sequence[str]) -> list[int]:
        """The machines on which nothing was started yet, of those whose hosts are waited for."""
        assert self._store is not None, "it is for several"
        hosts = {rank // self.place.devices: f"host {rank}" for rank in self.place.leaders}
        return [node for node, key in hosts.items() if key in keys and not self._store.check([key])]

    def _tell(self, missing: Sequence[int], seconds: float) -> None:
        """Say on which machines something must be started; after so long a time that is an error."""
        if not missing:
            return
        which = ", ".join(map(str, missing))
        text = (
            f"no process has come from machine {which} of {self.place.num_nodes} (counted from 0); start "
            "the same command there with the first one's MASTER_ADDR and MASTER_PORT, if no starter does"
        )
        if seconds > 60 * BEGIN_MINUTES:
            raise TrainingError(f"in {BEGIN_MINUTES:.0f} minutes {text}")
        if self.place.local_rank == 0:
            logger.info(text)

    def is_lost(self, error: RuntimeError) -> bool:
        """Whether an error is of a connection to another process, which has ended."""
        if self._store is None:
            return False
        import torch

        words = r"gloo|nccl|connection (was )?(closed|reset|refused)|broken pipe"
        return isinstance(error, torch.distributed.DistError) or bool(re.search(words, str(error), re.I))

    def lost(self, error: RuntimeError) -> TrainingError:
        """What is to be raised in place of an error of a connection: it names the processes that ended."""
        assert self._store is not None, "it is for several"
        _hang_up()
        try:
            if self._store.add("asks", 1) > 1:  # another one asks; it may have ended when this one does
                end = time.monotonic() + 2 * ANSWER_SECONDS
                while time.monotonic() < end and not self._store.check(["gone"]):
                    time.sleep(LOOK_SECONDS)
            gone = self._remembered() if self._store.check(["gone"]) else self._silent()
            gone = self._remember(gone) if gone else []
        except RuntimeError:  # it may have waited for a connection until the first process was gone too
            gone = self._gone or [0]
        if not gone:
            return TrainingError(f"the processes lost each other ({flat(error)}); {GO_ON}")
        return self.gone(gone)

    def _remember(self, ranks: Sequence[int]) -> list[int]:
        """Let all processes know who has ended, unless that is known of another one before; who it was."""
        assert self._store is not None, "it is for several"
        self._store.compare_set("gone", "", " ".join(map(str, ranks)))
        return self._remembered()

    def _remembered(self) -> list[int]:
        assert self._store is not None, "it is for several"
        return [int(rank) for rank in self._store.get("gone").split()]

    def gone(self, ranks: Sequence[int]) -> TrainingError:
        """The error that says which processes have ended."""
        named = ", ".join(self._named(rank) for rank in ranks)
        verb = "has" if len(ranks) == 1 else "have"
        return TrainingError(
            f"{named} of {self.place.world} {verb} ended; what it said before tells why, unless it was "
            f"killed. When that is mended, {GO_ON}"
        )

    def _named(self, rank: int) -> str:
        words = [f"machine {rank // self.place.devices}"]
        if rank < len(self._hosts):
            words.append(self._hosts[rank])
        if rank in self.ended:
            status = self.ended[rank]
            words.append(f"signal {-status}" if status < 0 else f"exit status {status}")
        return f"process {rank} ({', '.join(words)})"

    def _silent(self) -> list[int]:
        """The ranks of the processes that have been here, and do not answer any more."""
        assert self._store is not None, "it is for several"
        number = self._store.add("calls", 1)
        end = time.monotonic() + ANSWER_SECONDS
        others = [rank for rank in range(self.place.world) if rank != self.place.rank]
        silent = [rank for rank in others if self._store.check([f"host {rank}"])]
        while silent and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
            silent = [rank for rank in silent if not self._store.check([f"here {number} {rank}"])]
        return silent

    def _answer(self, store: Store) -> None:
        """Answer whoever asks who is still there, and read who has ended, in a thread: the process may be in
        the middle of a step, or wait for a connection that a process keeps open which waits for this one.
        """
        answered = 0
        with suppress(RuntimeError):  # who has the store has ended, and others notice that too
            while not self._is_over.wait(ANSWER_SECONDS / 5):
                for number in range(answered + 1, store.add("calls", 0) + 1):
                    store.set(f"here {number} {self.place.rank}", "")
                    answered = number
                if store.check(["gone"]):
                    self._gone = self._remembered()


def _hang_up() -> None:
    """Close the connections to other processes: those that wait for this one then notice it at once."""
    from torch import distributed

    if distributed.is_initialized() and distributed.get_backend() == "gloo":
        distributed.destroy_process_group()


ALONE = Processes(Place())
