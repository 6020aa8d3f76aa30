"""The program on one input, in a process of its own that is forked from this one: limited, watched, judged.

A fork of a process that has imported everything begins at once; nothing of it is shared afterwards.
"""

from __future__ import annotations

import faulthandler
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20
CPU_SECONDS, WALL_SECONDS = 20, 120  # of one call; a busy machine slows the wall's clock alone
MORE_MEMORY = 1024 * MIB  # than the process has before it begins
_ROOM = 8 * 1024 * MIB  # of addresses, beyond which the system refuses


@dataclass(frozen=True)
class Ended:
    """How a call ended.

    Attributes:
        status: the exit status; minus the signal's number where one ended it.
        is_hung: it was ended for its time.
        more_mib: memory that it took at its peak beyond that of its beginning.
        out, err: what it wrote.
    """

    status: int
    is_hung: bool
    more_mib: float
    out: str
    err: str

    def fault(self) -> str:
        """What is wrong with this end whatever the input was; empty if nothing."""
        faults = {
            "hung": self.is_hung,
            f"crashed by signal {-self.status}": self.status < 0,
            "traceback": "Traceback (most recent call last)" in self.err + self.out,
            "attcell itself fails": "attcell itself fails on it" in self.err + self.out,
            f"exit status {self.status}": self.status not in {0, 1, 2},
            "memory": self.more_mib * MIB > MORE_MEMORY,
            "no message": bool(self.status) and not (self.err + self.out).strip(),
        }
        return next((name for name, is_so in faults.items() if is_so), "")


def run_alone(
    call: Callable[[], None],
    folder: Path,
    *,
    kill_after: float = math.inf,
    cpu_seconds: int = CPU_SECONDS,
    wall_seconds: float = WALL_SECONDS,
) -> Ended:
    """A forked process that calls this in ``folder``; what it prints goes to files beside it.

    Args:
        call: what it does.
        folder: where it works.
        kill_after: SIGKILL to it and all its processes after so many seconds.
        cpu_seconds, wall_seconds: after which it counts as hung.
    """
    out, err = folder.with_suffix(".out"), folder.with_suffix(".err")
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _as_child(call, folder, out, err, cpu_seconds)
    status, used, is_hung = _watched(child, min(kill_after, wall_seconds))
    began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Ended(
        os.waitstatus_to_exitcode(status),
        is_hung and wall_seconds < kill_after,
        max(0, used.ru_maxrss - began) / 1024,
        out.read_text(encoding="utf-8", errors="replace"),
        err.read_text(encoding="utf-8", errors="replace"),
    )


def _as_child(call: Callable[[], None], folder: Path, out: Path, err: Path, cpu_seconds: int) -> None:
    """Never comes back."""
    status = 70
    try:
        os.setsid()  # workers of its own end with it
        for path, stream in ((out, 1), (err, 2)):
            file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            os.dup2(file, stream)
            os.close(file)
        os.chdir(folder)
        faulthandler.enable()
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 2))
        hold_memory()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        call()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def hold_memory() -> None:
    """Let this process have so much more than it has, and no more."""
    addresses = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (addresses + _ROOM, addresses + _ROOM))


def _watched(child: int, seconds: float) -> tuple[int, resource.struct_rusage, bool]:
    """Its status, what it used, and whether it was ended by the clock or by its limit of processor time."""
    begun, ended, pause = time.monotonic(), (0, 0), 0.002
    while True:
        pid, status, used = os.wait4(child, os.WNOHANG)
        ended = (pid, status)
        if pid:
            break
        if time.monotonic() - begun > seconds:
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            _, status, used = os.wait4(child, 0)
            return status, used, True
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)  # what it left behind
    by_time = os.WIFSIGNALED(ended[1]) and os.WTERMSIG(ended[1]) in {signal.SIGXCPU, signal.SIGKILL}
    return ended[1], used, by_time


def attcell(*words: str) -> Callable[[], None]:
    """The command line with these words."""

    def call() -> None:
        from attcell.cli.app import main

        sys.argv = ["attcell", *words]
        main()

    return call


def half_written(folder: Path) -> str:
    """What was left behind half-written; empty if nothing."""
    left = [path for path in folder.rglob(".*") if ".tmp" in path.name]
    return f"left behind: {left[0].name}" if left else ""
