"""The suite on real clips, on miniatures: few networks, few folds, and nothing is learnt."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from attcell.data.known_sets import KNOWN_SETS
from attcell.errors import CallError, DataError
from attcell.research.paper_claims import CLIPS
from attcell.research.suites import clips
from attcell.research.suites.clips import NETWORKS, REAL_SETS, container_accuracy, reproduce_clips
from attcell.research.suites.networks import STREAMS
from attcell.types import VideoRecord
from tests.video.conftest import write_video

MEASURED = ("STAN late", "STAN", "pooled SVM")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folds, three small networks on small pictures, one epoch and two segments."""
    monkeypatch.setitem(KNOWN_SETS, "weizmann", replace(KNOWN_SETS["weizmann"], splits=2))
    monkeypatch.setattr(clips, "NETWORKS", [network for network in NETWORKS if network.name in MEASURED])
    monkeypatch.setattr(clips, "EPOCHS", 1)
    monkeypatch.setattr(clips, "NUM_SEGMENTS", 2)
    monkeypatch.setattr(clips, "BACKBONE", "small")
    monkeypatch.setattr(clips, "SIDE", 64)
    monkeypatch.setattr(clips, "FLOW_METHOD", "dis")
    names = {*MEASURED, "chance", "file headers alone", "STAN late: frame alone", "STAN late: flow alone"}
    asked = [claim for claim in CLIPS if {claim.better, *claim.worse} <= names]
    assert len(asked) == 5
    monkeypatch.setattr(clips, "CLIPS", asked)


@pytest.mark.usefixtures("small")
def test_claims_stand_beside_the_floors(miniature, tmp_path: Path) -> None:
    root, out = miniature("weizmann") / "videos", tmp_path / "out"
    verdicts = reproduce_clips(REAL_SETS["weizmann"], root, "none", out, 1, 1)
    assert [verdict.rivals for verdict in verdicts][:1] == [(50.0,)]  # chance: two classes
    text = (out / "claims.md").read_text(encoding="utf-8")
    assert "Weizmann, each actor left out once (2 folds)" in text
    assert "**One seed, so that no figure is established.**" in text
    with (out / "claims.csv").open(newline="", encoding="utf-8") as file:
        assert [row["claim"] for row in csv.DictReader(file)] == [of.claim.said for of in verdicts]
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*")}
    assert reproduce_clips(REAL_SETS["weizmann"], root, "none", out, 1, 1) == verdicts
    assert {path: path.stat().st_mtime_ns for path in before} == before  # nothing was trained again


def test_every_claim_on_clips_asks_for_what_is_measured() -> None:
    alone = {f"{name}: {stream} alone" for name in ("STAN late", "SAN late") for stream in STREAMS}
    measured = {network.name for network in NETWORKS} | {"chance", "file headers alone"} | alone
    for claim in CLIPS:
        assert {claim.better, *claim.worse} <= measured


def test_a_set_without_all_of_its_groups_is_refused_by_name(miniature, tmp_path: Path) -> None:
    for path in sorted((miniature("weizmann") / "videos").glob("*/*"))[:2]:
        for actor in ("ann", "bob"):
            copy = tmp_path / "videos" / path.parent.name / f"{actor}_{path.parent.name}.avi"
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    root, out = tmp_path / "videos", tmp_path / "out"
    with pytest.raises(DataError, match="there is no actor 3 to test on; there are 2"):
        reproduce_clips(REAL_SETS["weizmann"], root, "none", out, 1, 1)
    assert not out.exists()


def test_videos_that_are_not_there_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="no such folder"):
        reproduce_clips(REAL_SETS["weizmann"], tmp_path / "none", "none", tmp_path / "out", 1, 1)
    assert not (tmp_path / "out").exists()


# What file headers give away


def _records(folder: Path, sizes: dict[int, tuple[int, int]], groups: str) -> list[VideoRecord]:
    records = []
    for group in groups:
        for label, size in sizes.items():
            path = folder / f"{group}_{label}.avi"
            write_video(path, 5, size=size, codec="mpeg4")
            records.append(VideoRecord(path.name, path, (label,), group))
    return records


def test_classes_of_their_own_size_are_told_by_headers_alone(tmp_path: Path) -> None:
    records = _records(tmp_path, {0: (32, 32), 1: (64, 32)}, "abcdef")
    assert container_accuracy(records[:8], records[8:]) == 100


def test_alike_headers_tell_nothing(tmp_path: Path) -> None:
    records = _records(tmp_path, {0: (32, 32), 1: (32, 32)}, "abcdef")
    assert container_accuracy(records[:8], records[8:]) == pytest.approx(50)
