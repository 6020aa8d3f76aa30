"""The suite of generated videos from end to end, as small as it can be: nothing is learnt from so little."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attcell.cli import app
from attcell.reproduce import generated
from attcell.reproduce.claims import GENERATED
from attcell.reproduce.generated import Size, reproduce_generated

TINY = Size(
    seeds=1,
    trimmed={"train": 1, "val": 1},
    untrimmed={"train": 1, "val": 1, "test": 1},
    cnn_epochs={"frame": 1, "flow": 1},
    epochs=1,
    looked=1,
    erased=1,
    reaches_bounds=True,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("suite") / "out"
    reproduce_generated(out, TINY, 1)
    return out


def test_every_claim_is_judged_and_every_figure_shown(finished: Path) -> None:
    with (finished / "claims.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["claim"] for row in rows] == [claim.said for claim in GENERATED]
    assert {row["held"] for row in rows} <= {"yes", "no"}
    text = (finished / "claims.md").read_text(encoding="utf-8")
    assert "one seed; 6 training videos with labels of whole videos alone, and 6 test videos a seed" in text
    for name in ("averaging", "STAN, late fusion", "temporal ROC area", "deletion of regions, Grad-CAM"):
        assert f"\n| {name} | " in text
    assert (finished / "claims.png").read_bytes().startswith(b"\x89PNG")


def test_a_finished_suite_trains_nothing_again(finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if "claims" not in path.name}
    text = (finished / "claims.md").read_text(encoding="utf-8")
    reproduce_generated(finished, TINY, 1)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (finished / "claims.md").read_text(encoding="utf-8") == text


def test_of_a_quick_run_only_orders_are_expected(finished: Path) -> None:
    verdicts = reproduce_generated(finished, replace(TINY, reaches_bounds=False), 1)
    asked = [verdict.claim for verdict in verdicts if verdict.claim.is_expected]
    assert asked
    assert all(claim.bound == 0 for claim in asked)
    assert "**A quick run: few videos" in (finished / "claims.md").read_text(encoding="utf-8")
    assert any(of.claim.is_expected and of.claim.bound for of in reproduce_generated(finished, TINY, 1))


def test_claims_that_do_not_hold_are_named_and_end_with_1(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured is made up here: only what the command says of it counts."""
    monkeypatch.setattr(generated, "QUICK", TINY)
    looked = finished / "seed500" / "looked.json"
    figures = json.loads(looked.read_text(encoding="utf-8"))
    content = looked.read_text(encoding="utf-8")
    looked.write_text(json.dumps(figures | {"temporal ROC area": 10.0}), encoding="utf-8")
    outcome = CliRunner().invoke(
        app, ["reproduce", "generated", "--quick", "--jobs", "1", "--out", str(finished)]
    )
    looked.write_text(content, encoding="utf-8")
    assert outcome.exit_code == 1
    assert "attcell: not held: temporal attention lies on the action (mean ≥ 97)" in outcome.stderr
    assert "# Claims on generated videos" in outcome.stdout
    assert f"written: {finished / 'claims.md'}" in outcome.stdout


def test_an_unknown_suite_is_a_wrong_call() -> None:
    outcome = CliRunner().invoke(app, ["reproduce", "kinetics"])
    assert outcome.exit_code == 2
    assert "generated" in outcome.stderr
