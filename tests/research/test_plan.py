"""Which runs are planned, in which order, and what is told before any of them starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from attcell.config.recipe import Recipe, check_recipe
from attcell.errors import CallError, ModelError
from attcell.research.plan import plan_runs
from tests.small_models import recipe_of


def named(recipe: Recipe, name: str, **values: object) -> Recipe:
    """Another recipe for the same videos, with changes to its model."""
    found = recipe.model_dump(mode="json")
    found["name"], found["data"]["test"] = name, found["data"]["train"]
    found["model"] |= values
    return check_recipe(found, source="test")


def begun(recipe: Recipe, name: str, stage: str) -> Recipe:
    """A recipe whose frame stream begins with a stage's backbone."""
    found = named(recipe, name).model_dump(mode="json")
    found["model"]["streams"]["frame"]["weights"] = stage
    return check_recipe(found, source="test")


@pytest.fixture
def recipe(folder: Path) -> Recipe:
    return recipe_of(folder)


def places(runs: Sequence[object]) -> list[str]:
    return ["/".join(run.folder.parts[-2:]) for run in runs]  # type: ignore[attr-defined]


def test_each_stage_goes_once_and_before_what_begins_with_it(recipe, tmp_path):
    cnn = named(recipe, "cnn")
    first, second, last = (begun(recipe, name, "t#cnn") for name in ("a", "b", "c"))
    last = begun(last, "c", "t#a")
    runs = plan_runs([second, last], tmp_path, None, [0, 1], {"t#cnn": cnn, "t#a": first})
    assert places(runs) == [
        f"{name}/split1-seed{seed}" for name, seed in (
            ("cnn", 0), ("b", 0), ("cnn", 1), ("b", 1), ("a", 0), ("c", 0), ("a", 1), ("c", 1),
        )
    ]  # fmt: skip
    by_place = dict(zip(places(runs), runs, strict=True))
    run = by_place["c/split1-seed1"]
    assert run.after == {by_place["a/split1-seed1"].folder}
    assert run.recipe.model.streams["frame"].weights == str(by_place["a/split1-seed1"].model)
    assert run.recipe.train.seed == 1
    assert by_place["cnn/split1-seed0"].after == frozenset()


def test_a_stage_that_was_asked_for_too_is_planned_once(recipe, tmp_path):
    cnn = named(recipe, "cnn")
    runs = plan_runs([begun(recipe, "a", "t#cnn"), cnn], tmp_path, None, [0], {"t#cnn": cnn})
    assert places(runs) == ["cnn/split1-seed0", "a/split1-seed0"]
    with pytest.raises(CallError, match="two recipes are called cnn; give one of them another name: key"):
        plan_runs([begun(recipe, "a", "t#cnn"), named(recipe, "cnn")], tmp_path, None, [0], {"t#cnn": cnn})


def test_stages_are_of_the_runs_split(miniature, tmp_path):
    folder = miniature("hmdb51")
    data = {"train": None, "root": folder / "videos", "annotations": folder / "lists"}
    recipe = recipe_of(tmp_path, data={**data, "dataset": "hmdb51", "splits": [1]})
    cnn, two = named_set(recipe, "cnn"), named_set(recipe, "two", weights="t#cnn")
    runs = plan_runs([two], tmp_path, [2, 3], [0], {"t#cnn": cnn})
    assert places(runs) == [f"{name}/split{split}-seed0" for split in (2, 3) for name in ("cnn", "two")]
    ccv = miniature("ccv")
    values = cnn.model_dump(mode="json")
    values["data"] |= {"dataset": "ccv", "root": ccv / "videos", "annotations": ccv / "lists", "splits": None}
    other = check_recipe(values, source="test")
    assert places(plan_runs([two], tmp_path, [2], [0], {"t#cnn": other}))[0] == "cnn/split1-seed0"


def test_a_split_that_crosses_over_by_way_of_another_data_set_is_refused(miniature, tmp_path):
    """CCV has one split, so what it begins with is of one split of HMDB51."""
    recipes = {}
    for name, dataset, begins in (
        ("first", "hmdb51", "none"), ("between", "ccv", "t#first"), ("last", "hmdb51", "t#between"),
    ):  # fmt: skip
        folder = miniature(dataset)
        data = {"train": None, "root": folder / "videos", "annotations": folder / "lists", "dataset": dataset}
        recipes[name] = named_set(recipe_of(tmp_path, data=data), name, weights=begins)
    stages = {f"t#{name}": recipe for name, recipe in recipes.items()}
    assert places(plan_runs([recipes["last"]], tmp_path, [1], [0], stages))[-1] == "last/split1-seed0"
    said = (
        r"between/split1-seed0/model goes back to .*first/split1-seed0/model, which was trained on split 1 "
        r"of hmdb51, and this is split 2, some of whose test videos it has seen"
    )
    with pytest.raises(CallError, match=said):
        plan_runs([recipes["last"]], tmp_path, [2], [0], stages)


def named_set(recipe: Recipe, name: str, weights: str = "none") -> Recipe:
    values = recipe.model_dump(mode="json")
    values["name"], values["model"]["streams"]["frame"]["weights"] = name, weights
    return check_recipe(values, source="test")


def test_another_network_is_told_before_its_stage_is_trained(recipe, tmp_path):
    cnn = named(recipe, "cnn", streams={"frame": {"backbone": "squeezenet", "weights": "none"}})
    with pytest.raises(ModelError, match=r"the backbone of .*cnn/split1-seed0/model is squeezenet, and this"):
        plan_runs([begun(recipe, "a", "t#cnn")], tmp_path, None, [0], {"t#cnn": cnn})
    whole = named(recipe, "b", init_from="t#cnn")
    with pytest.raises(ModelError, match=r"model.init_from .*cnn/split1-seed0/model is another network: "):
        plan_runs([whole], tmp_path, None, [0], {"t#cnn": cnn})


def test_several_devices_are_for_one_training_alone(recipe, tmp_path):
    values = named(recipe, "wide").model_dump(mode="json")
    values["train"] |= {"devices": 2, "batch_size": 4}
    with pytest.raises(CallError) as caught:
        plan_runs([check_recipe(values, source="test")], tmp_path, None, [0])
    assert str(caught.value) == (
        "recipe wide has train.devices 2, and what runs one training after another gives each of them one "
        "device; set train.devices=1 and let --jobs train several runs at once, each on a GPU of its own; or "
        "train this one alone (attcell train … --out RUN, then attcell test RUN)"
    )


@pytest.mark.parametrize("key", ["weights", "init_from"])
def test_weights_that_are_not_there_are_told_before_any_training(recipe, tmp_path, key):
    values = named(recipe, "a").model_dump(mode="json")
    values["model"]["streams"]["frame"] |= {"weights": "none", key: "nowhere"}
    said = "no weights at nowhere; allowed" if key == "weights" else "nowhere is no model folder: it holds no"
    with pytest.raises(CallError, match=said):
        plan_runs([check_recipe(values, source="test")], tmp_path, None, [0])
