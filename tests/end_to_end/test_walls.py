"""Videos that end their decoders, among good ones: each command names these and does the others."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest

from tests.bad_decoders import DOES, bad_open
from tests.end_to_end.conftest import Run
from tests.video.conftest import write_video

SAYS = {
    "raises": "a library fails on it (RuntimeError: no such side data, in tests/bad_decoders.py, line",
    "crashes": "decoding it crashed its process (SIGSEGV), and again alone; leave it out",
    "leaves": "decoding it ended its process, with status 3, and again alone; leave it out",
    "hangs": "decoding it gave no sign of life for 1 s ($ATTCELL_VIDEO_SECONDS), and again alone",
    "eats": "it wants more memory than the 4 GiB that one may take ($ATTCELL_VIDEO_GIB); leave it out",
}


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Two classes of two good videos, and beside them those that do what their names say."""
    monkeypatch.setenv("ATTCELL_VIDEO_SECONDS", "1")
    monkeypatch.setenv("ATTCELL_VIDEO_GIB", "4")
    monkeypatch.setattr(av, "open", bad_open)
    for name in ("run", "wave"):
        (tmp_path / "videos" / name).mkdir(parents=True)
        for number in range(2):
            write_video(tmp_path / "videos" / name / f"good-{number}.mp4", 12 + number, size=(80, 64))
    for number, name in enumerate(DOES):
        path = tmp_path / "videos" / ("run", "wave")[number % 2] / f"{name}-{number}.mp4"
        path.write_bytes((tmp_path / "videos" / "run" / "good-0.mp4").read_bytes() + bytes(number + 1))
    return tmp_path / "videos"


def named(text: str) -> bool:
    """Whether all of them are named, with what they do."""
    return all(f"{name}-{number}.mp4: {SAYS[name]}" in text for number, name in enumerate(DOES))


def test_data_check(bad: Path, attcell: Run) -> None:
    done = attcell("data", "check", "videos", "--json", "found.json", status=1)
    assert named(done.stdout)
    found = json.loads((bad.parent / "found.json").read_text())
    assert len(found["unreadable"]) == len(DOES)
    assert sum(of["frames"] for of in found["classes"]) == 2 * (12 + 13)
    assert named("\n".join(found["unreadable"].values()))
