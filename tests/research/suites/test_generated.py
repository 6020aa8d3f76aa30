"""The suite of generated videos from end to end, as small as it can be: nothing is learnt from so little."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attcell.cli.app import app
from attcell.nn import explain
from attcell.research.paper_claims import GENERATED
from attcell.research.suites import networks as stages
from attcell.research.suites import setting as sizes
from attcell.research.suites.generated import reproduce_generated
from attcell.research.suites.setting import Size

TINY = Size(
    seeds=1,
    trimmed={"train": 1, "val": 1},
    untrimmed={"train": 1, "val": 1, "test": 1},
    small={"train": 1, "val": 1, "test": 1},
    cnn_epochs={"frame": 1, "flow": 1, "clip": 1},
    epochs=2,
    branch_epochs=1,
    small_epochs=1,
    calibrated=1,
    deleted=1,
    reaches_bounds=True,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suite")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "NUM_CLASSES", 4)
        patch.setattr(explain, "DRAWS", 1)  # of the random order: ten take a minute
        patch.chdir(folder)
        reproduce_generated(Path("out"), TINY, 1)  # as the command line has it by default, a relative path
    return folder / "out"


@pytest.fixture(autouse=True)
def _as_when_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "NUM_CLASSES", 4)


def test_every_claim_is_judged_and_every_figure_shown(finished: Path) -> None:
    with (finished / "claims.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["claim"] for row in rows] == [claim.said for claim in GENERATED]
    assert {row["outcome"] for row in rows} <= {"held", "not held"}
    text = (finished / "claims.md").read_text(encoding="utf-8")
    assert (
        "6 untrimmed training videos with labels of whole videos alone; one seed of all trainings but" in text
    )
    for name in (
        "averaging",
        "STAN late: flow alone",
        "STAN of three streams",
        "STAN: temporal ROC area",
        "SAN: detection",
        "branch selection with L2: share of flow",
        "TAN begun as the large set's",
        "STAN, 48 segments",
        "deletion of regions, Grad-CAM",
        "deletion of segments, integrated gradients",
        "STAN by evidence: detection",
    ):
        assert f"\n| {name} | " in text
    assert (finished / "claims.png").read_bytes().startswith(b"\x89PNG")


def test_a_finished_suite_trains_nothing_again(finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if is_lasting(path)}
    text = (finished / "claims.md").read_text(encoding="utf-8")
    reproduce_generated(finished, TINY, 1)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (finished / "claims.md").read_text(encoding="utf-8") == text


def is_lasting(path: Path) -> bool:
    """All but what is written again at every end, and the folders that it lies in."""
    return path.is_file() and "claims" not in path.name and "test-part" not in path.name


def test_of_a_quick_run_only_clear_orders_are_expected(finished: Path) -> None:
    quick = replace(TINY, reaches_bounds=False, cnn_epochs={"frame": 1, "flow": 1})
    verdicts = reproduce_generated(finished, quick, 1)
    assert not any("three modalities" in verdict.claim.said for verdict in verdicts)
    asked = [verdict.claim for verdict in verdicts if verdict.claim.is_expected]
    assert [claim.said for claim in asked] == [
        "temporal attention helps on untrimmed video",
        "early fusion is above late fusion in STAN",
        "temporal attention finds actions better than SAN's class scores",
    ]
    assert all(claim.bound == 0 for claim in asked)
    assert "**A quick run: few videos" in (finished / "claims.md").read_text(encoding="utf-8")
    assert any(of.claim.is_expected and of.claim.bound for of in reproduce_generated(finished, TINY, 1))


def test_claims_that_do_not_hold_are_named_and_end_with_1(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured is made up here: only what the command says of it counts."""
    monkeypatch.setattr(sizes, "QUICK", TINY)
    measured = finished / "seed500" / "measured" / "streaming-stan.json"
    content = measured.read_text(encoding="utf-8")
    kept = json.loads(content)
    kept["figures"]["STAN: temporal ROC area"] = 10.0
    measured.write_text(json.dumps(kept), encoding="utf-8")
    outcome = CliRunner().invoke(
        app, ["reproduce", "generated", "--quick", "--jobs", "1", "--out", str(finished)]
    )
    measured.write_text(content, encoding="utf-8")
    assert outcome.exit_code == 1
    assert "attcell: not held: temporal attention lies on the action (mean ≥ 97)" in outcome.stderr
    assert "# Claims on generated videos" in outcome.stdout
    assert f"written: {finished / 'claims.md'}" in outcome.stdout
