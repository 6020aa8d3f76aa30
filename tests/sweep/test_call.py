"""Sweeps whose trials are a function: what is kept, gone on with, refused and written."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
import yaml
from PIL import Image

from attcell.config import load_recipe
from attcell.config.recipe import Recipe
from attcell.errors import CallError, DataError, TrainingError
from attcell.sweep.call import SweepCall, sweep
from attcell.sweep.study import Judged
from tests.small_recipes import SMALL

TEXTS = ("train.learning_rate=log:1e-4..1e-1", "train.optimizer=sgd,adamw")


class Trials:
    """What stands in the place of trainings; the best rate is 0.01."""

    def __init__(self, breaks_in: int = 0, fails_in: int = 0) -> None:
        self.done: list[tuple[float, str, str]] = []
        self.breaks_in, self.fails_in = breaks_in, fails_in

    def __call__(self, recipe: Recipe, folder: Path) -> Judged:
        rate = recipe.train.learning_rate
        if len(self.done) + 1 == self.breaks_in:
            raise KeyboardInterrupt
        self.done.append((rate, recipe.train.optimizer, folder.name))
        if len(self.done) == self.fails_in:
            raise TrainingError("the loss is nan\nat iteration 3")
        return Judged(1 - abs(math.log10(rate) + 2) / 4, 0.5, 2.0)


@pytest.fixture
def call(tmp_path: Path) -> SweepCall:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({**SMALL, "data": {"train": "videos", "val_fraction": 0.25}}))
    return SweepCall(str(file), TEXTS, tmp_path / "out", trials=3)


def again(call: SweepCall, **changes: object) -> SweepCall:
    return SweepCall(**{**vars(call), **changes})  # type: ignore[arg-type]


def test_the_best_of_three_is_written_as_a_recipe_beside_a_table_and_a_picture(call, monkeypatch):
    trials = Trials()
    outcome = sweep(call, trials)
    assert [name for *_, name in trials.done] == ["0001", "0002", "0003"]
    best = min(trials.done, key=lambda one: abs(math.log10(one[0]) + 2))
    found = load_recipe(call.out / "best.yaml")
    assert (found.train.learning_rate, found.train.optimizer) == best[:2]
    assert found.name == "mine-best"
    assert (call.out / "best.yaml").read_text().startswith("# The best of 3 trials, number ")
    rows = list(csv.DictReader((call.out / "trials.csv").read_text().splitlines()))
    assert [float(row["train.learning_rate"]) for row in rows] == [rate for rate, *_ in trials.done]
    values = json.loads((call.out / "trials.json").read_text())
    assert [one["values"]["train.optimizer"] for one in values] == [kind for _, kind, _ in trials.done]
    assert max(one["accuracy"] for one in values) == pytest.approx(
        100 * outcome.best.judged.accuracy, abs=1e-3
    )
    with Image.open(call.out / "trials.png") as picture:
        assert min(picture.size) > 400
    assert outcome.lines[-1] == f"next: attcell train {call.out}/best.yaml --out {call.out}/best"


def test_a_sweep_that_was_broken_off_goes_on_as_if_it_had_not_been(call, tmp_path):
    whole = Trials()
    sweep(again(call, out=tmp_path / "whole"), whole)
    first, second = Trials(breaks_in=2), Trials()
    with pytest.raises(KeyboardInterrupt):
        sweep(call, first)
    assert (call.out / "trials.csv").read_text().count("\n") == 2
    sweep(call, second)
    assert [*first.done, *second.done] == whole.done
    more = Trials()
    sweep(again(call, trials=4), more)
    assert [name for *_, name in more.done] == ["0004"]


def test_a_trial_that_fails_is_named_and_the_others_are_done(call, caplog):
    outcome = sweep(call, Trials(fails_in=2))
    assert [one.judged is None for one in outcome.trials] == [False, True, False]
    assert outcome.lines[0] == "trial 2 failed: the loss is nan"
    assert "trial 2 failed: the loss is nan (train.learning_rate=" in caplog.text
    assert json.loads((call.out / "trials.json").read_text())[1]["failed"].endswith("\nat iteration 3")


def test_where_all_fail_there_is_no_best(call):
    outcome = sweep(again(call, trials=1), Trials(fails_in=1))
    assert outcome.best is None
    assert outcome.lines[-1] == f"no trial of 1 succeeded; {call.out}/trials.json says why"
    assert not (call.out / "best.yaml").exists()


def test_equal_values_are_trained_once(call):
    trials = Trials()
    outcome = sweep(again(call, texts=["train.optimizer=sgd,adamw"], trials=4), trials)
    assert len(trials.done) == 2
    assert len(outcome.trials) == 4
    assert sum(one.same_as is not None for one in outcome.trials) == 2


def test_another_sweep_in_the_same_folder_is_refused(call, tmp_path):
    sweep(again(call, trials=1), Trials())
    for changes, differing in (
        ({"texts": TEXTS[:1]}, "looked through, train.optimizer"),
        ({"seed": 1}, "seed"),
        ({"texts": (*TEXTS, "train.epochs=5")}, "train.epochs"),
    ):
        with pytest.raises(CallError) as caught:
            sweep(again(call, **changes), Trials())
        assert str(caught.value) == (
            f"{call.out} was begun with other {differing}; give the same again to go on, or name another "
            "--out"
        )
    with pytest.raises(CallError, match="is not empty and no sweep; name another --out"):
        sweep(again(call, out=tmp_path), Trials())
    (call.out / "study.db").write_text("no data base")
    with pytest.raises(DataError, match=r"study.db cannot be read or written"):
        sweep(call, Trials())


def test_what_cannot_be_is_refused_before_the_first_trial(call, monkeypatch):
    trials = Trials()
    for texts, why in (
        (["train.optimiser=sgd,adamw"], "did you mean 'optimizer'?"),
        (["train.optimizer=sgd,adam"], "Input should be 'sgd' or 'adamw'"),
        (["data.val_fraction=0", TEXTS[0]], "a sweep compares trials on validation videos, and this recipe"),
    ):
        with pytest.raises(CallError) as caught:
            sweep(again(call, texts=texts), trials)
        assert why in str(caught.value)
    monkeypatch.setattr("attcell._checks.find_spec", lambda name: None)
    with pytest.raises(CallError, match="sweeps need optuna, not installed here; install: pip install 'attc"):
        sweep(call, trials)
    assert trials.done == []
    assert not call.out.exists()
