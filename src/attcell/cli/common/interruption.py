"""How a command ends that is interrupted: by Ctrl-C, by SIGTERM, or because its terminal goes away (SIGHUP).

It ends as after an error: it removes what is half-written, and ends its processes. Then one sentence says
what is on disk, and which command goes on. The exit status is 128 plus the signal's number, as in a shell.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import current_thread, main_thread
from types import FrameType

_BY = {"SIGINT": "Ctrl-C", "SIGTERM": "SIGTERM", "SIGHUP": "SIGHUP, for its terminal went away"}
_AT_ONCE_SECONDS = 1.0  # within this it is the same interruption: a group of processes may be signalled twice
_AGAIN_SECONDS = 0.05  # until an interruption that was lost is raised again

# What a command leaves on disk, for those that go on by the same call.
_STAYS = {
    "demo": "what is done stays in its folder",
    "synth": "the videos that are done stay",
    "extract flow": "the flow of the videos that are done stays",
    "protocol": "the runs that are done stay, and checkpoints of others",
    "ablate": "the runs that are done stay, and checkpoints of others",
    "reproduce": "what is done stays in its folder",
}

_Left = tuple[str, Sequence[str]]  # what is on disk, and the words of a call that goes on, none for no call


@dataclass
class _This:
    """What is known of the command that runs.

    Attributes:
        process: its number; forks of it have the same handlers until they set others.
        number: of the signal that ends it; None before one came.
        heard: when it came, by a clock that nobody can set.
        left: tells what the command leaves, where it knows better than ``_STAYS``.
        ends: what ends its work in order, where that is under way; else it is broken off.
    """

    process: int = 0
    number: int | None = None
    heard: float = 0.0
    left: Callable[[], _Left] | None = None
    ends: Callable[[], None] | None = None


_THIS = _This()


@contextmanager
def listening() -> Iterator[None]:
    """Within this, each of these signals raises KeyboardInterrupt, except those that were ignored before, as
    by ``nohup``. Python lets only the main thread listen.
    """
    _THIS.process, _THIS.number, _THIS.left, _THIS.ends = os.getpid(), None, None, None
    signals = [signal.Signals[name] for name in _BY]
    heard = [one for one in signals if signal.getsignal(one) is not signal.SIG_IGN]
    before = {one: signal.signal(one, _hear) for one in heard if current_thread() is main_thread()}
    hook = sys.unraisablehook
    sys.unraisablehook = partial(_not_lost, hook)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for one, handler in before.items():
            signal.signal(one, handler)


def _hear(number: int, _: FrameType | None) -> None:
    if os.getpid() != _THIS.process:
        os._exit(128 + number)
    if _THIS.number is None:
        _THIS.number, _THIS.heard = number, time.monotonic()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # PyTorch's handler would complain of what ends too
        if _THIS.ends is not None:
            _THIS.ends()
            return
        raise KeyboardInterrupt
    if time.monotonic() - _THIS.heard > _AT_ONCE_SECONDS:  # somebody cannot wait
        os._exit(128 + number)


def _not_lost(hook: Callable[[sys.UnraisableHookArgs], object], what: sys.UnraisableHookArgs) -> None:
    """Raise the interruption again, a moment later, where Python drops it: in destructors, around a fork."""
    if _THIS.number is None or what.exc_type is not KeyboardInterrupt:
        hook(what)
        return
    signal.signal(signal.SIGALRM, _again)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)


def _again(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def ended_in_order(ends: Callable[[], None]) -> Iterator[None]:
    """Within this, what would interrupt calls ``ends``, so that nothing that is done is lost. Behind it
    KeyboardInterrupt is raised by :func:`raise_if_ended`.
    """
    _THIS.ends = ends
    try:
        yield
    finally:
        _THIS.ends = None


def raise_if_ended() -> None:
    """Raise KeyboardInterrupt if something has ended this command."""
    if _THIS.number is not None:
        raise KeyboardInterrupt


def leaves(left: Callable[[], _Left]) -> None:
    """From now on ``left`` says what this command leaves when it is interrupted."""
    _THIS.left = left


def interrupted(error: BaseException) -> tuple[int, str] | None:
    """The exit status and the sentence for a command that was interrupted, and ends by ``error``, which its
    KeyboardInterrupt may have become on the way; None for a command that was not interrupted.
    """
    number = _THIS.number
    if isinstance(error, SystemExit) and error.code == 130:  # what typer makes of KeyboardInterrupt
        number = number or signal.SIGINT
    if number is None:
        return None
    words = sys.argv[1:]
    command = " ".join(words[:2] if words[:1] in (["data"], ["extract"], ["score"]) else words[:1])
    what, again = _THIS.left() if _THIS.left is not None else _left(command, words)
    go_on = f", and this goes on: {shlex.join(['attcell', *again])}" if again else ""
    by = _BY[signal.Signals(number).name]
    return 128 + number, f"{command} was ended by {by}; {what}{go_on}"


def _left(command: str, words: Sequence[str]) -> _Left:
    if command in _STAYS:
        return _STAYS[command], words
    if any(word.endswith(".jsonl") for word in words):
        return "the lines of the videos that are done stay, and nothing else is written", ()
    return "nothing more is written", ()
