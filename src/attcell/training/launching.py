"""How the processes of a training come to be, and meet.

torchrun and Slurm start all of them. Without either, a person starts one on each machine, and that one
starts the others there when it has prepared, by its own command.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from attcell._checks import flat
from attcell._log import logger
from attcell.errors import CallError, TrainingError
from attcell.training.processes import BEGIN_MINUTES, Place, Processes

if TYPE_CHECKING:
    from lightning.fabric.plugins.environments import ClusterEnvironment
    from torch.distributed import Store

END_SECONDS = 60.0  # that processes have to end after the last iteration, or after one of them was lost
LOOK_SECONDS = 0.2


def environment(place: Place) -> ClusterEnvironment:
    """What tells Lightning the same as ``place``: a process alone is part of no job, whatever runs it."""
    from lightning.fabric.plugins.environments import (
        LightningEnvironment,
        SLURMEnvironment,
        TorchElasticEnvironment,
    )

    if place.world > 1 and place.by == "slurm":
        return SLURMEnvironment(auto_requeue=False)
    return TorchElasticEnvironment() if place.world > 1 and place.by else LightningEnvironment()


@contextmanager
def meeting(place: Place) -> Iterator[Processes]:
    """The processes of this training, from here on.

    Raises:
        CallError: the first process cannot have a store where it should, nothing can start the others, or
            torchrun starts them again where it cannot be done.
        TrainingError: no process answers where the first one should be.
    """
    if _starts_others(place):
        _own_command()  # where there is none, that is told before anything is prepared
    with ExitStack() as stack:
        store = None if place.world == 1 else stack.enter_context(_store(place))
        processes = Processes(place, store)
        stack.enter_context(processes.together())
        yield processes


@contextmanager
def _store(place: Place) -> Iterator[Store]:
    """The store where all meet. What others need to find it is in the environment meanwhile."""
    from torch.distributed import PrefixStore, TCPStore

    wait, has_it, listening = timedelta(minutes=BEGIN_MINUTES), place.rank == 0, None
    if place.by == "torchrun" and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        has_it = False
    if place.num_nodes == 1 and place.local_rank == 0 and not place.by:
        server = socket.create_server(("127.0.0.1", 0))  # no other machine is to reach it
        host, port, listening = "127.0.0.1", server.getsockname()[1], server.detach()
    else:
        told = environment(place)
        host, port = told.main_address, told.main_port
    if place.rank > 0 and place.local_rank == 0:
        logger.info(f"waiting for the first process at {host}, port {port}")
    try:
        store = TCPStore(
            host,
            port,
            None,
            has_it,
            wait,
            wait_for_workers=False,
            multi_tenant=True,
            master_listen_fd=listening,
        )
    except (RuntimeError, ValueError) as error:
        if has_it:
            raise CallError(
                f"port {port} of {host} cannot be had ({flat(error)}); set another MASTER_PORT"
            ) from error
        raise TrainingError(
            f"no process answers at {host}, port {port}, where the first one should be ({flat(error)}); "
            "start it there, or mend MASTER_ADDR and MASTER_PORT"
        ) from error
    ours = PrefixStore("attcell", store)
    if place.by == "torchrun" and ours.check([f"host {place.rank}"]):
        raise CallError(
            "torchrun has started this process again at a store where PyTorch finds the addresses of those "
            "that ended; call torchrun again with --resume, and without --max-restarts"
        )
    with _set(MASTER_ADDR=host, MASTER_PORT=str(port)):
        yield ours


@contextmanager
def launched(processes: Processes) -> Iterator[None]:
    """Start this machine's other processes, where nothing else has; they end with this one."""
    place = processes.place
    if not _starts_others(place):
        with _set(LOCAL_RANK=str(place.local_rank)) if place.world > 1 else ExitStack():
            yield
        return
    with _set(LOCAL_RANK="0", NODE_RANK=str(place.node), WORLD_SIZE=str(place.world)):
        children = {
            place.rank + number: subprocess.Popen(
                _own_command(), env={**os.environ, "LOCAL_RANK": str(number)}
            )
            for number in range(1, place.devices)
        }
        is_over = threading.Event()
        threading.Thread(target=_watch, args=(children, processes, is_over), daemon=True).start()
        try:
            yield
            _wait_for(children)
        finally:
            is_over.set()
            for rank, child in children.items():
                child.kill()
                processes.ended[rank] = child.wait()


def _starts_others(place: Place) -> bool:
    return not place.by and place.local_rank == 0 and place.devices > 1


def _own_command() -> list[str]:
    """The command that started this process.

    Raises:
        CallError: there is none that could be called again: it is a notebook, or Python at a prompt.
    """
    import __main__

    module = "" if __main__.__spec__ is None else __main__.__spec__.name
    if module.startswith("ipykernel") or not (module or hasattr(__main__, "__file__")):
        raise CallError(
            "train.devices above 1 starts this process's command again, and a notebook, a prompt or "
            "python -c has none; train by a script, by attcell train, or by torchrun"
        )
    if not module:
        return [sys.executable, str(Path(sys.argv[0]).absolute()), *sys.argv[1:]]
    return [sys.executable, "-m", module, *sys.argv[1:]]


def _wait_for(children: Mapping[int, subprocess.Popen[bytes]]) -> None:
    """Let processes that have done all iterations end by themselves."""
    end = time.monotonic() + END_SECONDS
    while time.monotonic() < end and any(child.poll() is None for child in children.values()):
        time.sleep(LOOK_SECONDS)


def _watch(
    children: Mapping[int, subprocess.Popen[bytes]], processes: Processes, is_over: threading.Event
) -> None:
    """Notice it if one of them ends badly. This process then hears of a connection that broke, and says which
    one has ended. On a GPU it may hear nothing and wait for ever: then it is ended from here.
    """
    lost = 0.0
    while not is_over.wait(LOOK_SECONDS):
        processes.ended.update({rank: child.returncode for rank, child in children.items() if child.poll()})
        if processes.ended and not lost:
            lost = time.monotonic()
        if lost and time.monotonic() - lost > END_SECONDS:
            print(f"attcell: {processes.gone(sorted(processes.ended))}", file=sys.stderr, flush=True)
            for child in children.values():
                child.kill()
            os._exit(1)


@contextmanager
def _set(**variables: str) -> Iterator[None]:
    """These environment variables, and at the end what was there before."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
