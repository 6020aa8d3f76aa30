"""A hundred damaged inputs by seed, of the thousands of ``benchmarks.damage``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_damaged_videos_and_files_are_named_and_never_crash(tmp_path: Path):
    command = [
        sys.executable,
        "-m",
        "benchmarks.damage",
        "--videos",
        "50",
        "--files",
        "50",
        "--seed",
        "7",
        "--jobs",
        "1",
    ]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out"), "--to", str(tmp_path / "damage.md")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "50 damaged videos" in done.stdout
    assert "**0 faults**" in done.stdout
    assert (tmp_path / "damage.md").read_text(encoding="utf-8") == done.stdout
