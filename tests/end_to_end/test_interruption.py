"""Commands that are told to end: one sentence, the right status, no process and nothing half-written left."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.conftest import command, left


def interrupted(
    words: list[str | Path], when: Callable[[], bool], sent: signal.Signals, folder: Path
) -> subprocess.CompletedProcess[str]:
    """A command that gets a signal, alone or with all its processes, as soon as something is the case."""
    process = subprocess.Popen(
        command(words),
        cwd=folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 300
    try:
        while not when() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, sent) if sent == signal.SIGHUP else process.send_signal(sent)
        _, said = process.communicate(timeout=100)
    finally:
        process.kill()
    return subprocess.CompletedProcess(words, process.returncode, "", said)


def members(group: int) -> list[str]:
    """The processes of a group that live."""
    found = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = (line.split(maxsplit=2) for line in found.stdout.splitlines())
    return [args for of, stat, args in rows if int(of) == group and stat[0] != "Z"]
