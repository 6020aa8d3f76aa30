"""The suite of temporal attention from end to end, as small as it can be: so little teaches nothing."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from attcell.research.claims import Claim
from attcell.research.paper_claims import TEMPORAL
from attcell.research.suites import networks as stages
from attcell.research.suites import temporal
from attcell.research.suites.networks import Network
from tests.research.suites.test_generated import TINY, is_lasting

SHOWN = ("encoder-decoder of classes", "none")  # of the others the trainings alone would differ


def some(networks: Sequence[Network]) -> tuple[Network, ...]:
    return tuple(network for network in networks if network.name.removesuffix(", trimmed") in SHOWN)


def test_every_figure_is_shown_and_a_finished_suite_trains_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Claim("classes help", "ours", f"{SHOWN[0]}: detection", ("none: detection",))
    monkeypatch.setattr(temporal, "TEMPORAL", (claim,))
    for networks in ("UNTRIMMED", "TRIMMED"):
        monkeypatch.setattr(temporal, networks, some(getattr(temporal, networks)))
    monkeypatch.setattr(stages, "NUM_CLASSES", 4)
    out = tmp_path / "out"
    (verdict,) = temporal.reproduce_temporal(out, TINY, 1)
    with (out / "claims.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["claim"] == verdict.claim.said
    text = (out / "claims.md").read_text(encoding="utf-8")
    assert text.startswith("# What weights the segments\n")
    for name in ("", ", trimmed", ": detection", " without attention: detection", ": temporal ROC area"):
        assert f"\n| {SHOWN[0]}{name} | " in text
    assert "\n| none: detection | " in text
    assert "none: temporal ROC area" not in text
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if is_lasting(path)}
    temporal.reproduce_temporal(out, TINY, 1)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_every_claim_is_of_figures_that_there_are() -> None:
    measured = {network.name for network in (*temporal.UNTRIMMED, *temporal.TRIMMED)}
    for network in temporal.UNTRIMMED:
        measured.add(f"{network.name}: detection")
        if network.kind == "stan":
            measured.add(f"{network.name}: temporal ROC area")
    asked = {name for claim in TEMPORAL for name in (claim.better, *claim.worse)}
    assert asked <= measured
    alone = {network.name.removesuffix(", trimmed") for network in temporal.UNTRIMMED}
    assert alone == {name.partition(":")[0].removesuffix(", trimmed") for name in asked}
    assert len({claim.said for claim in TEMPORAL}) == len(TEMPORAL)
    assert [claim.said for claim in TEMPORAL if claim.is_expected] == [
        "LSTM is above none, accuracy on untrimmed videos"
    ]
