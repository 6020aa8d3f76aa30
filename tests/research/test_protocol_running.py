"""What counts as done when a suite goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from attcell.errors import DataError
from attcell.research import protocol as running
from attcell.research.protocol import PlannedRun


def _write(run: PlannedRun, unread: dict[str, str]) -> None:
    run.scores.parent.mkdir(parents=True)
    run.scores.write_text(json.dumps({"unread": unread}), encoding="utf-8")


def test_a_test_with_unread_videos_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who has mended the video need not delete anything."""
    done, broken = (PlannedRun(cast(Any, None), tmp_path / name) for name in ("done", "broken"))
    _write(done, {})
    _write(broken, {"a.mp4": "a.mp4: no video"})
    tested: list[PlannedRun] = []

    def test_what_is_left(runs: Sequence[PlannedRun], jobs: int) -> Iterator[PlannedRun]:
        for run in runs:
            if not run.scores.is_file():
                tested.append(run)
                run.scores.write_text(json.dumps({"unread": still_unread}), encoding="utf-8")
            yield run

    monkeypatch.setattr(running, "run_protocol", test_what_is_left)
    still_unread = {"a.mp4": "a.mp4: no video"}
    with pytest.raises(DataError, match=r"1 videos cannot be read; [\s\S]*a\.mp4: no video"):
        running.run_all([done, broken], 1)
    still_unread = {}
    running.run_all([done, broken], 1)
    running.run_all([done, broken], 1)
    assert tested == [broken, broken]
