"""The first minute where nothing is as usual: streams, folders, names and settings of the machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Run, command
from tests.video.conftest import write_video

NAMES = {
    "spaces and quotes": "a b'\"`$(x)",
    "composed": "caf\u00e9",
    "decomposed": "cafe\u0301",
    "long": "x" * 230,
    "controls": "a\x1b[2J\u202eb",
    "brackets": "[red]a[",
    "option": "-rf",
}


def shell(line: str, *words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """``attcell`` with these words as "$@" in a line of the shell."""
    environment = {**os.environ, **variables}
    return subprocess.run(
        ["sh", "-c", line, "sh", *command(words)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def test_streams_that_are_closed_or_full() -> None:
    closed = shell('"$@" >&-', "--help")
    said = "attcell: stdout is closed, and results go there; send it to a file, or to /dev/null\n"
    assert (closed.returncode, closed.stderr) == (2, said)
    full = shell('"$@" >/dev/full', "--help")
    assert (full.returncode, full.stderr) == (1, "attcell: No space left on device: stdout\n")


def test_a_bare_machine(model: Path, tmp_path: Path) -> None:
    """No home, no UTF-8, a dumb terminal, one core, stderr closed: JSON is JSON, and a page is there."""
    video = write_video(tmp_path / f"{NAMES['decomposed']} \u00fc.mp4", 12)
    words = ["predict", video, "--model", model, "--report", tmp_path / "p\u00e4ge.html", "--json", "-"]
    bare = 'env -i PATH="$PATH" LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 TERM=dumb NO_COLOR=1'
    one_core = 'taskset -c 0 true 2>/dev/null && set -- taskset -c 0 "$@"'
    done = shell(f'{one_core}; exec {bare} PYTHONPATH="$PYTHONPATH" "$@" 2>&-', *words)
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert os.fsencode(found["video"]) == os.fsencode(video)
    assert "<html" in (tmp_path / "p\u00e4ge.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_of_all_kinds(attcell: Run, model: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    place.mkdir()
    video = write_video(place / f"{name}.mp4", 12)
    shutil.copytree(model, place / "model")
    out = place / "out"
    done = attcell(
        "predict", video, "--model", place / "model", "--json", out / "p.json", "--report", out / "p.html"
    )
    shown = str(video).replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    assert done.stdout.startswith(f"{shown}: ")
    assert not {"\x1b", "\u202e"} & {*done.stdout, *done.stderr}
    (found,) = json.loads((out / "p.json").read_text(encoding="utf-8"))["predictions"]
    assert found["video"] == str(video)


def test_one_set_of_class_folders_with_such_names(attcell: Run, tmp_path: Path) -> None:
    for number, label in enumerate(NAMES.values(), 26):
        (tmp_path / "set" / label).mkdir(parents=True)
        write_video(tmp_path / "set" / label / f"{label}.mp4", number)
    done = attcell("data", "check", "set", "--json", "set.json")
    assert not {"\x1b", "\u202e"} & {*done.stdout, *done.stderr}
    assert "\n  a\\x1b[2J\\u202eb " in done.stdout
    assert len(json.loads((tmp_path / "set.json").read_text(encoding="utf-8"))["classes"]) == len(NAMES) - 1
