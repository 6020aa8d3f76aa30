"""The suite of joined videos on miniatures: two people, three classes, and nothing is learnt."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from attcell.errors import CallError
from attcell.research.paper_claims import JOINED
from attcell.research.suites import joined
from attcell.research.suites.joined import reproduce_joined
from tests.video.conftest import write_video


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    for label in ("bend", "wave", "walk"):
        (tmp_path / "clips" / label).mkdir(parents=True)
        for person in ("ann", "bob"):
            write_video(tmp_path / "clips" / label / f"{person}_{label}.avi", 12, codec="mpeg4")
    return tmp_path / "clips"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folds of few videos, a small network on small pictures, one epoch."""
    changes = {"BACKBONE": "small", "LEFT_OUT": 1, "VIDEOS": {"train": 2, "test": 1}, "EPOCHS": 1}
    changes |= {"BACKGROUND": ("walk",), "SEGMENTS": {"train": 2, "test": 2}, "SIDE": 64, "FLOW_SIDE": 32}
    for name, value in changes.items():
        monkeypatch.setattr(joined, name, value)


@pytest.mark.usefixtures("small")
def test_each_person_is_left_out_and_every_claim_is_judged(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    verdicts = reproduce_joined(clips, "none", out, 1, 1)
    assert [verdict.claim for verdict in verdicts] == list(JOINED)
    for fold in ("fold1", "fold2"):
        assert len(list((out / "videos" / fold).rglob("*.mp4"))) == 6
        truth = json.loads((out / "videos" / fold / "truth.json").read_text())
        assert truth["labels"] == ["bend", "wave"]
        assert all(np.isfinite(of["intervals"]).all() for of in truth["videos"].values())
    text = (out / "claims.md").read_text(encoding="utf-8")
    assert "1 actors are left out at a time (2 folds)" in text
    assert "**One seed, so that no figure is established.**" in text
    for name in ("STAN", "STAN: detection", "STAN: temporal ROC area", "random intervals: detection"):
        assert f"\n| {name} | " in text
    assert "peak on the actor" not in text  # nobody knows where he is
    with (out / "claims.csv").open(newline="", encoding="utf-8") as file:
        assert [row["claim"] for row in csv.DictReader(file)] == [claim.said for claim in JOINED]
    by_fold = [json.loads((out / "measured" / f"fold{number}-seed0.json").read_text()) for number in (1, 2)]
    mean = np.mean([of["figures"]["STAN: detection"] for of in by_fold])
    assert verdicts[0].values == (pytest.approx(mean),)
    lasting = [path for path in out.rglob("*") if path.is_file() and "claims" not in path.name]
    before = {path: path.stat().st_mtime_ns for path in lasting}
    assert reproduce_joined(clips, "none", out, 1, 1) == verdicts
    assert {path: path.stat().st_mtime_ns for path in before} == before  # nothing was made again


def test_clips_without_the_background_classes_are_refused(clips: Path, tmp_path: Path) -> None:
    said = "background: there is no 'run' among the clips; they have bend, walk, wave"
    with pytest.raises(CallError, match=said):
        reproduce_joined(clips, "none", tmp_path / "out", 1, 1)
    assert not (tmp_path / "out").exists()
