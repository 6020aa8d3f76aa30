"""What is said before a training whose flow is computed as it goes."""

from __future__ import annotations

import re

import pytest
import torch
import yaml

from attcell.cli.train import train
from attcell.config.loading import load_recipe
from attcell.flow import tvl1
from attcell.training import flow_cost
from attcell.training.flow_cost import tell_flow_cost
from attcell.training.prepare import prepare
from tests.small_models import recipe_of

FLOW = {"flow": {"backbone": "small", "weights": "none", "conv6_channels": 4}}


@pytest.fixture
def rate(monkeypatch) -> None:
    monkeypatch.setattr(flow_cost, "_fields_a_second", lambda recipe: 2.5)
    monkeypatch.setattr(flow_cost.os, "cpu_count", lambda: 4)


def test_the_papers_schedule(rate, capsys):
    overrides = ["data.root=UCF-101", "data.annotations=lists", "flow.store=none"]
    tell_flow_cost([load_recipe("stan-table-7", overrides, "ucf101-pool5")])
    assert capsys.readouterr().err.rstrip() == (
        "flow is computed as it goes: 480,000,000 fields in this training (15,000 iterations × 128 videos × "
        "25 segments × 10 fields), about 13,333 hours in 4 processes at 2.5 fields a second each. To compute "
        "each field once: attcell extract flow UCF-101 flow --method paper --bound 20 --short-side 256; then "
        "give flow.store=flow"
    )


def test_several_trainings_are_counted_together(rate, folder, capsys):
    small = recipe_of(folder, model={"streams": FLOW}, flow={"fields": 1})
    large = recipe_of(folder, model={"streams": FLOW}, flow={"fields": 3}, train={"iterations": 10_000})
    tell_flow_cost([small, large])
    said = capsys.readouterr().err
    assert (
        "120,008 fields in these 2 trainings, the most in one (10,000 iterations × 2 videos × 2 segm" in said
    )
    assert "about 13 hours in 1 process" in said


def test_features_that_trainings_share_are_counted_once(folder, tmp_path, capsys):
    streams = {"flow": {**FLOW["flow"], "train_from": "none"}}
    sections = {"cache": {"folder": "cache", "positions": 4}, "flow": {"fields": 1}}
    first = recipe_of(folder, model={"streams": streams}, **sections)
    other_head = recipe_of(folder, model={"streams": streams, "dropout": 0.1}, **sections)
    tell_flow_cost([first, other_head])
    assert (
        "48 fields in these 2 trainings, the most in one (6 videos × 4 positions × 2 segments × 1 field, "
        "once), and what several draw from one cache counts once. To"
    ) in capsys.readouterr().err
    finer = recipe_of(folder, model={"streams": streams}, **(sections | {"flow": {"fields": 2}}))
    elsewhere = recipe_of(
        folder, model={"streams": streams}, **(sections | {"cache": {"folder": "other", "positions": 4}})
    )
    tell_flow_cost([first, finer, elsewhere])
    said = capsys.readouterr().err
    assert "192 fields in these 3 trainings" in said  # 48 + 96 + 48
    assert "counts once" not in said


def test_a_training_itself_says_nothing(folder, tmp_path, capsys):
    """Who starts it says it, of all that are started together."""
    recipe = recipe_of(folder, model={"streams": FLOW}, flow={"fields": 1})
    prepare(recipe, tmp_path / "run")
    assert "computed as it goes" not in capsys.readouterr().err


def test_measuring_draws_no_numbers_of_a_training(folder):
    recipe, before = recipe_of(folder, model={"streams": FLOW}), torch.get_rng_state()
    flow_cost._fields_a_second(recipe)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_is_measured_on_a_texture_that_moves_by_two_pixels():
    pictures = flow_cost._moving_texture(60, 80)
    assert pictures.shape == (2, 3, 60, 80)
    flow = tvl1(*pictures.float().mean(dim=1)[:, None], "fast")[0, :, 10:-10, 10:-10]
    assert flow.mean(dim=(1, 2)).tolist() == pytest.approx([-2, -2], abs=0.2)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (
            {"train": {"iterations": None, "epochs": 3, "batch_size": 2, "accelerator": "cpu"}},
            "36 fields in this training (3 epochs × 6 videos × 2 segments × 1 field). To",
        ),
        (
            {"cache": {"folder": "cache", "positions": 4}},
            "48 fields in this training (6 videos × 4 positions × 2 segments × 1 field, once). To",
        ),
    ],
)
def test_small_trainings_are_counted_and_not_timed(folder, capsys, sections, expected):
    streams = {"flow": {**FLOW["flow"], "train_from": "none"}}
    tell_flow_cost([recipe_of(folder, model={"streams": streams}, flow={"fields": 1}, **sections)])
    assert expected in capsys.readouterr().err


def test_nothing_is_said_where_nothing_is_computed(folder, tmp_path, capsys):
    tell_flow_cost([recipe_of(folder), recipe_of(folder, model={"streams": FLOW}, flow={"store": tmp_path})])
    assert capsys.readouterr().err == ""


class Begins(Exception):
    """A training is about to begin."""


@pytest.mark.parametrize(("process", "told"), [("0", "flow is computed as it goes: 8 fields"), ("1", "")])
def test_the_command_says_it_first_and_once(folder, tmp_path, monkeypatch, capsys, process, told):
    """A distributed training starts the command once more in each further process."""
    recipe = recipe_of(folder, model={"streams": FLOW}, flow={"fields": 1})
    (tmp_path / "flow.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json")), encoding="utf-8")

    def begins(*_: object, **__: object) -> None:
        raise Begins

    monkeypatch.setattr("attcell.training.run.train", begins)
    monkeypatch.setenv("LOCAL_RANK", process)
    with pytest.raises(Begins):
        train(str(tmp_path / "flow.yaml"))
    said = capsys.readouterr().err
    assert said.startswith(told)
    assert said.count("computed as it goes") == (process == "0")


def test_the_rate_is_measured(folder):
    recipe = recipe_of(folder, model={"streams": FLOW})
    assert flow_cost._fields_a_second(recipe) > 1
    said = flow_cost._hours(recipe, 10**6)
    assert re.fullmatch(r", about [\d,]+ hours in 1 process at [\d.e+]+ fields a second each", said)
    assert flow_cost._hours(recipe_of(folder, model={"streams": FLOW}, flow={"method": "raft"}), 10**6) == ""
