"""A reader on one damaged file, in this process: a value, or a message that names the file; else a fault."""

from __future__ import annotations

import hashlib
import resource
import signal
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.alone import MIB, MORE_MEMORY

if TYPE_CHECKING:
    from benchmarks.damage.readers import Reader

CPU_SECONDS = 10.0  # of one case
MOST_LETTERS = 20_000  # of a message
_FRAMES = 2  # the innermost ones tell faults apart


@dataclass(frozen=True)
class Judged:
    """What came of a case.

    Attributes:
        outcome: ``accepted`` or ``refused``.
        fault: what is wrong with that; empty if nothing.
        where: the innermost frames, or what else tells it from other faults.
        detail: a traceback or a message.
        value: a digest of what was read.
    """

    outcome: str
    fault: str = ""
    where: str = ""
    detail: str = ""
    value: str = ""


class _TooLongError(BaseException):
    """The processor time of one case is over."""


def judged(reader: Reader, folder: Path, data: bytes) -> Judged:
    """Write these bytes in place of a reader's file, and read it."""
    file = reader.place(folder)
    try:
        file.write_bytes(data)
        return _judged(reader, folder, file)
    finally:
        file.touch()  # a reader's pattern finds it again


def _judged(reader: Reader, folder: Path, file: Path) -> Judged:
    from attcell.errors import AttcellError

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with warnings.catch_warnings(record=True) as warned, _limited():
        warnings.simplefilter("always")
        try:
            value = digest(reader.read(folder))
            found = Judged("accepted", value=value)
            if digest(reader.read(folder)) != value:
                found = Judged("accepted", "another value the second time", "value")
        except AttcellError as error:
            found = _of_message(reader, folder, file, str(error))
        except (Exception, _TooLongError) as error:
            found = _of_error(error)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if not found.fault and more * 1024 > MORE_MEMORY:
        return Judged(found.outcome, "memory", found.outcome, f"{more * 1024 // MIB} MiB")
    if not found.fault and warned:
        where = f"{Path(warned[0].filename).name}: {str(warned[0].message)[:30]}"
        return Judged(found.outcome, f"warning {warned[0].category.__name__}", where, str(warned[0]))
    return found


def _of_message(reader: Reader, folder: Path, file: Path, message: str) -> Judged:
    is_named = str(folder) in message or file.name in message or not reader.is_file
    if not is_named or not message.strip():
        return Judged("refused", "the file is not named", message[:40], message)
    if len(message) > MOST_LETTERS:
        return Judged("refused", "a message without end", message.replace(str(folder), "")[:20], message)
    return Judged("refused")


def _of_error(error: BaseException) -> Judged:
    fault = "hung" if isinstance(error, _TooLongError) else type(error).__name__
    trace = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name != "_too_long"]
    own = [frame for frame in trace if "attcell" in Path(frame.filename).parts][-1:]
    where = [f"{Path(frame.filename).name} {frame.name}" for frame in (*own, *trace[-_FRAMES:])]
    detail = "".join(traceback.format_exception(error))
    kept = f"{detail[:3000]}\n...\n{detail[-9000:]}" if len(detail) > 12_000 else detail
    return Judged("refused", fault, " < ".join(dict.fromkeys(where)), kept)


@contextmanager
def _limited() -> Iterator[None]:
    """What takes too long is broken off, where Python itself runs."""
    before = signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _too_long(number: int, frame: FrameType | None) -> None:
    raise _TooLongError


def digest(value: Any) -> str:
    """The same for equal values of the types that readers give."""
    return hashlib.sha256("\n".join(_told(value)).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _told(value: Any) -> Iterator[str]:
    if hasattr(value, "detach"):
        value = value.detach().float().numpy()
    if isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield f"{key!r}:"
            yield from _told(one)
    elif isinstance(value, list | tuple):
        yield f"{type(value).__name__} {len(value)}"
        for one in value:
            yield from _told(one)
    elif is_dataclass(value) and not isinstance(value, type):
        yield type(value).__name__
        for field in fields(value):
            yield from _told(getattr(value, field.name))
    elif isinstance(value, set | frozenset):
        yield from sorted(map(repr, value))
    else:
        yield repr(value)
