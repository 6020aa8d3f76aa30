"""``attcell sweep`` from the command line, with trainings of seconds."""

from __future__ import annotations

import signal

import pytest

from attcell.config import load_recipe
from tests.end_to_end.conftest import Run, left
from tests.end_to_end.test_interruption import signalled


def test_two_trials_and_the_best_recipe(attcell: Run, recipe, tmp_path):
    words = ("train.iterations=2", "train.learning_rate=log:1e-4..1e-1", "--trials", "2", "--out", "out")
    done = attcell("sweep", recipe, *words)
    assert "trial 2: " in done.stderr
    assert done.stdout.endswith("next: attcell train out/best.yaml --out out/best\n")
    found = left(tmp_path / "out")
    for number in ("0001", "0002"):
        assert {f"trials/{number}/recipe.yaml", f"trials/{number}/model/model.safetensors"} <= set(found)
    assert {"best.yaml", "study.db", "sweep.json", "trials.csv", "trials.json", "trials.png"} <= set(found)
    assert not any("test" in name for name in found)  # videos of the test are never asked
    rates = [
        load_recipe(tmp_path / f"out/trials/{n}/recipe.yaml").train.learning_rate for n in ("0001", "0002")
    ]
    assert rates[0] != rates[1]
    assert load_recipe(tmp_path / "out" / "best.yaml").train.learning_rate in rates


def test_an_interruption_says_what_stays(attcell: Run, recipe, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("attcell.sweep.call.sweep", signalled(signal.SIGINT))
    done = attcell("sweep", recipe, "train.epochs=1..3", status=130)
    assert done.stderr == (
        "attcell: sweep was ended by Ctrl-C; the trials that are done stay in runs/recipe-sweep, and this "
        f"goes on: attcell sweep {recipe} train.epochs=1..3\n"
    )
