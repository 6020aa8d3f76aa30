"""Commands that are told to end: one sentence, the right status, no process and nothing half-written left."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Run, command, left


@pytest.fixture(autouse=True)
def _watches_children() -> Iterator[None]:
    """What listens to the end of children, and to alarms, does so again afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGALRM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def signalled(*numbers: signal.Signals) -> object:
    """What stands in the place of a command's work, and is told to end."""

    def work(*_: object, **__: object) -> None:
        for number in numbers:
            os.kill(os.getpid(), number)
        raise OSError(5, "what came of it")

    return work


@pytest.mark.parametrize(
    ("words", "work", "number", "said"),
    [
        ("data check .", "data.check.check_source", "SIGTERM", "SIGTERM; nothing more is written"),
        (
            "extract flow . ../flow",
            "data.sources.videos_below",
            "SIGHUP",
            "SIGHUP, for its terminal went away; the flow of the videos that are done stays, and this goes "
            "on: attcell extract flow . ../flow",
        ),
        (
            "demo --out 'a demo'",
            "research.demo.run_demo",
            "SIGINT",
            "Ctrl-C; what is done stays in its folder, and this goes on: attcell demo --out 'a demo'",
        ),
        (
            "predict a.mp4 --json p.jsonl",
            "cli.models.loaded_model",
            "SIGINT",
            "Ctrl-C; the lines of the videos that are done stay, and nothing else is written",
        ),
        (
            "train . --out run",
            "choosing.call.train_folder",
            "SIGTERM",
            "SIGTERM; what is done stays in run, and this goes on: attcell train . --out run",
        ),
        (
            "train stan-small data.train=. --out run",
            "training.run.train",
            "SIGTERM",
            "SIGTERM; run holds nothing yet, and this goes on: attcell train stan-small data.train=. "
            "--out run",
        ),
    ],
)
def test_one_sentence_says_what_stays_and_what_goes_on(
    attcell: Run, monkeypatch: pytest.MonkeyPatch, words: str, work: str, number: str, said: str
) -> None:
    sent = signal.Signals[number]
    before = signal.getsignal(sent)
    monkeypatch.setattr(f"attcell.{work}", signalled(sent, sent))  # some send it twice
    given = shlex.split(words)
    done = attcell(*given, status=128 + sent)
    command_words = given[:2] if given[0] in ("data", "extract") else given[:1]
    assert done.stderr == f"attcell: {' '.join(command_words)} was ended by {said}\n"
    assert signal.getsignal(sent) is before


def test_a_signal_that_nohup_ignores_stays_ignored(attcell: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attcell.data.check.check_source", signalled(signal.SIGHUP))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert attcell("data", "check", ".", status=1).stderr == "attcell: what came of it\n"
    finally:
        signal.signal(signal.SIGHUP, before)


def test_one_that_comes_where_nothing_can_be_raised_is_not_lost(
    attcell: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Destroyed:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.001)  # it is heard here

    def work(*_: object, **__: object) -> None:
        Destroyed()
        time.sleep(60)

    monkeypatch.setattr("attcell.data.check.check_source", work)
    said = attcell("data", "check", ".", status=143).stderr
    assert said == "attcell: data check was ended by SIGTERM; nothing more is written\n"


def members(group: int) -> list[str]:
    """The processes of a group that live."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = place.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue  # it ended meanwhile
        if int(of) == group and state != "Z":
            found.append(place.parent.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system lists no processes in /proc")
def test_a_terminal_that_goes_takes_all_processes_along(videos: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(["extract", "flow", videos / "train", "flow", "--workers", "2"]),
        cwd=tmp_path,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("flow/*/.*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    try:
        os.killpg(process.pid, signal.SIGHUP)
        _, said = process.communicate(timeout=100)
        while members(process.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        process.kill()
    assert process.returncode == 129, said
    *before, last = said.splitlines()
    assert last.startswith("attcell: extract flow was ended by SIGHUP")
    assert [line for line in before if "the flow kernels" not in line] == []
    assert not [name for name in left(tmp_path) if "/." in name]
