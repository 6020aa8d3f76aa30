"""Which process owns what on a disk: temporary files, also those that killed processes left behind, and
folders in which one process works.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from attcell.errors import CallError

MOST_BYTES = 255  # of a name, on the usual file systems
_LEFT_OVER = re.compile(
    r"\..*\.(?P<machine>[0-9a-f]{8})-(?P<number>[0-9a-f]{1,7})-(?P<began>[0-9a-f]+)-[0-9a-f]{8}\.tmp(\..*)?",
    re.DOTALL,
)
_LONG = 32  # bytes; no library chooses a format by such a suffix
_SEEN: set[tuple[int, Path]] = set()  # a process, as forks inherit this, and a folder


def temporary_in(folder: Path, stem: str, suffix: str = "") -> Path:
    """A new hidden name in ``folder``, no longer than names may be. The first time that a process asks for
    one in a folder, what killed processes left there is removed.
    """
    seen = os.getpid(), folder.absolute()
    if seen not in _SEEN:
        _SEEN.add(seen)
        remove_left_overs(folder)
    ending = f".{_token()}.tmp{suffix if len(os.fsencode(suffix)) <= _LONG else ''}"
    begins = os.fsencode(stem)[: MOST_BYTES - 1 - len(os.fsencode(ending))]
    return folder / f".{begins.decode(sys.getfilesystemencoding(), 'ignore')}{ending}"


def remove_left_overs(folder: Path) -> None:
    """Remove the temporary files and folders of processes that no longer run.

    Those of another machine or container, or from before this machine was started, stay: whether their
    process still runs cannot be told.
    """
    try:
        paths = list(folder.iterdir())
    except OSError:
        return
    for path in paths:
        found = _LEFT_OVER.fullmatch(path.name)
        if found is None or found["machine"] != machine():
            continue
        if not _lives(int(found["number"], 16), found["began"]):
            with suppress(OSError):  # another process may be removing it too
                remove(path)


@contextmanager
def swept(folders: Iterable[Path]) -> Iterator[None]:
    """At the end of this, temporary files of processes that were killed are removed from the folders."""
    try:
        yield
    finally:
        for folder in folders:
            remove_left_overs(folder)


def is_empty(folder: Path) -> bool:
    """Whether a folder is not there or holds nothing. A temporary file does not count: a process that was
    killed before its first file was whole has left it, and is gone on with by the same call.
    """
    return not folder.exists() or all(_LEFT_OVER.fullmatch(path.name) for path in folder.iterdir())


def remove(path: Path) -> None:
    """Remove whatever is there; of a link the link alone, wherever it points."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _token() -> str:
    """What names this process: where it runs, its number, when it began, and random digits."""
    number = os.getpid()
    return f"{machine()}-{number:x}-{_began(number)}-{uuid.uuid4().hex[:8]}"


@cache
def machine() -> str:
    """What a process's number is valid for, as a short hash: one container, and one start of one machine.
    Random where the system does not tell, so that no process is taken for dead.
    """
    try:
        boot, container = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
        told = f"{boot.read_text()} {container.readlink()}"
        return hashlib.sha256(told.encode()).hexdigest()[:8]
    except OSError:
        return uuid.uuid4().hex[:8]


def _began(number: int) -> str:
    """When a process began, in ticks since the machine's start, in hexadecimal digits; "0" where the system
    does not tell, and "" for a process that has ended and is still listed.
    """
    try:
        words = Path(f"/proc/{number}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return "0"
    return "" if words[0] in "ZX" else f"{int(words[19]):x}"


def _lives(number: int, began: str) -> bool:
    """Whether this process, and no later one of its number, is still there."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        pass
    return began == "0" or _began(number) in (began, "0")


# A folder for one process at a time.

_HELD: set[int] = set()  # descriptors of this process


@contextmanager
def held(folder: Path, *, in_parts: bool = False) -> Iterator[None]:
    """Hold a folder, which is made, for this process alone. The system releases it when this process ends, in
    whatever way. Some network disks have no locks; there nothing is refused.

    Args:
        in_parts: it may be held beside others that hold it in parts too.

    Raises:
        CallError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = opened_alone(folder, os.O_RDONLY, in_parts=in_parts)
    try:
        yield
    finally:
        let_go(descriptor)


def opened_alone(path: Path, flags: int, *, in_parts: bool = False, surely: bool = False) -> int:
    """The descriptor of a file or folder, opened by these flags and held as by :func:`held`, for
    :func:`let_go`.

    Args:
        path: the file or folder.
        flags: as of ``os.open``.
        in_parts: as of :func:`held`.
        surely: refuse where the disk has no locks, too.

    Raises:
        CallError: another process holds it, or may.
    """
    descriptor = os.open(path, flags, 0o666)
    _let_forks_go()
    _HELD.add(descriptor)
    try:
        if not lock(descriptor, path, in_parts=in_parts) and surely:
            raise CallError(f"another process may be at work in {path}, for its disk has no locks")
    except CallError:
        let_go(descriptor)
        raise
    return descriptor


def let_go(descriptor: int) -> None:
    """Hold a file or folder no more, and close it."""
    _HELD.discard(descriptor)
    os.close(descriptor)


def lock(descriptor: int, path: Path, *, in_parts: bool = False) -> bool:
    """Lock an open file or folder, ``path``, for this process until it is closed; False where the disk has no
    locks.

    Raises:
        CallError: another process has locked it.
    """
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if in_parts else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CallError(
            f"another process is at work in {path}; wait until it is done, or name another place"
        ) from None
    except OSError:
        return False
    return True


@cache  # once a process, and not by an import: whoever holds nothing forks as before
def _let_forks_go() -> None:
    """A fork has its parent's locks too, and would hold them longer than its parent lives: it closes them."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_close_held)


def _close_held() -> None:
    for descriptor in _HELD:
        os.close(descriptor)
    _HELD.clear()


# The processes of one training, on one machine or several.


def started_by() -> str:
    """What started this process beside others of one training: ``torchrun``, ``slurm``, or "" for nothing
    that is known. Of Slurm it is ``srun`` with several tasks; one task is as a process of its own.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return "torchrun"
    return "slurm" if int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1 else ""


def is_first_process() -> bool:
    """False in a further process of a distributed training, on whatever machine: the first one prepares and
    writes everything.
    """
    by = started_by()
    if by:
        return os.environ["RANK" if by == "torchrun" else "SLURM_PROCID"] == "0"
    return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "NODE_RANK"))
