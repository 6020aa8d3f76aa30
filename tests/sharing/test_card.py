"""A model's card: what it says, and that no name from outside becomes Markdown, HTML or YAML."""

from __future__ import annotations

import html
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.config.recipe import Recipe, check_recipe
from attcell.errors import DataError
from attcell.results.scores import Scores, write_scores
from attcell.sharing.card import ModelFigures, model_card, plain, read_test

GIVEN = {
    "data": {"train": "train"},
    "model": {"streams": {"frame": {"backbone": "squeezenet"}}},
    "train": {"epochs": 1},
}
MORE = {
    "run": {"dataset": "videos/weizmann"},
    "protocol": {"segments": 25, "short_videos": "repeat"},
    "figures": {"top1": 75.0, "mean_class_accuracy": 70.0},
}


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return check_recipe(GIVEN, "a test")


def front(card: str) -> dict:
    """The metadata."""
    _, text, _ = card.split("---\n", 2)
    return yaml.safe_load(text)


def scores(path: Path, more: dict) -> Path:
    found = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]])
    truth = (("run",), ("sit",), ("run",), ("run",))
    write_scores(path, Scores(str(path), ("run", "sit"), ("a", "b", "c", "d"), found, truth), more)
    return path


def test_a_test_is_read_with_the_interval_of_its_accuracy(tmp_path: Path) -> None:
    found = read_test(scores(tmp_path / "scores.json", MORE))
    assert (found.dataset, found.num_videos, dict(found.figures)) == ("weizmann", 4, MORE["figures"])
    low, high = found.interval
    assert (round(low, 1), round(high, 1)) == (30.1, 95.4)  # Wilson's, of 3 of 4
    with pytest.raises(DataError, match=r"scores.json holds no figures of a test .*of attcell test$"):
        read_test(scores(tmp_path / "other" / "scores.json", {"figures": {}}))


def test_the_hub_finds_what_it_indexes(recipe: Recipe) -> None:
    tested = ModelFigures("weizmann", {"top1": 75.0, "map": 60.123}, {"segments": 25}, 4, (30.1, 95.4))
    card = model_card(
        "us/stan", ("run", "sit"), recipe, tested=tested, licence="mit", picture="confusion.png"
    )
    said = front(card)
    assert said["pipeline_tag"] == "video-classification"
    assert said["license"] == "mit"
    (entry,) = said["model-index"]
    (result,) = entry["results"]
    assert entry["name"] == "stan"
    assert result["task"] == {"type": "video-classification"}
    assert result["dataset"] == {"type": "weizmann", "name": "weizmann"}
    assert result["metrics"] == [
        {"type": "accuracy", "name": "top1", "value": 75.0},
        {"type": "mean_average_precision", "name": "map", "value": 60.12},
    ]
    assert "| top1 | 75.00 (95 % interval 30.1 to 95.4) |" in card
    assert "Protocol: segments 25." in card
    assert "So few videos say little of others." in card
    assert "![Confusion matrix](confusion.png)" in card
    assert "attcell predict clip.mp4 --model us/stan" in card


def test_without_a_test_it_states_nothing(recipe: Recipe) -> None:
    card = model_card("us/stan", ("run", "sit"), recipe)
    assert "model-index" not in front(card)
    assert "license" not in front(card)
    assert "None are stated" in card


def test_many_classes_are_folded(recipe: Recipe) -> None:
    card = model_card("us/stan", tuple(f"class {n}" for n in range(101)), recipe)
    assert "<details><summary>101 classes</summary>" in card


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=30))
def test_no_name_is_markup(name: str) -> None:
    card = model_card(
        "us/stan",
        (name, "sit"),
        check_recipe(GIVEN, "a test"),
        tested=ModelFigures(name, {"top1": 1.0}, {"segments": name}, 4),
    )
    assert front(card)["model-index"][0]["results"][0]["metrics"][0]["value"] == 1.0
    shown = plain(name)
    assert not re.search(r"(?<!\\)[<>`\[\]*_|]", shown)
    assert "\n" not in shown
    assert f"\n{shown}, sit\n" in card


def test_a_name_is_shown_as_it_is() -> None:
    assert plain("jump_rope <b>") == r"jump\_rope &lt;b&gt;"
    assert html.unescape(plain("a & b")) == "a & b"
