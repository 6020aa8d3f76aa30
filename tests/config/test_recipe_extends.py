"""Recipes that extend others, and what a recipe is called."""

from __future__ import annotations

import pytest

from attcell.config.recipe import load_recipe
from attcell.errors import CallError
from tests.small_recipes import write_small


@pytest.fixture
def path(tmp_path):
    return write_small(tmp_path)


class TestExtends:
    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "base.yaml").write_text("train: {epochs: 2, seed: 3}\nname: never\n")
        (tmp_path / "data.yaml").write_text("data: {train: videos/train}\n")
        return tmp_path

    def test_the_files_own_values_go_over_those_it_extends(self, folder):
        path = folder / "mine.yaml"
        path.write_text("extends: [base.yaml, data.yaml]\ntrain: {epochs: 5}\n")
        recipe = load_recipe(path, ["train.batch_size=4"])
        assert (recipe.train.epochs, recipe.train.seed, recipe.train.batch_size) == (5, 3, 4)
        assert str(recipe.data.train) == "videos/train"

    def test_one_may_extend_one_that_extends(self, folder):
        (folder / "sub").mkdir()
        (folder / "sub" / "middle.yaml").write_text("extends: ../base.yaml\ntrain: {seed: 9}\n")
        path = folder / "mine.yaml"
        path.write_text("extends: [data.yaml, sub/middle.yaml]\nname: mine\n")
        recipe = load_recipe(path)
        assert (recipe.train.epochs, recipe.train.seed, recipe.name) == (2, 9, "mine")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("extends: mine.yaml", "extends itself; leave that out"),
            (
                "extends: none.yaml",
                "no recipe at .*none.yaml, which .*mine.yaml extends; paths there",
            ),
            ("extends: 3", "extends is 3; give the path of a recipe, or a list of such"),
        ],
    )
    def test_what_cannot_be_extended_is_named(self, folder, text, message):
        path = folder / "mine.yaml"
        path.write_text(text)
        with pytest.raises(CallError, match=message):
            load_recipe(path)


def test_a_recipe_is_called_as_its_file_unless_it_says_otherwise(path):
    assert load_recipe(path).name == "recipe"
    assert load_recipe(path, ["name=other"]).name == "other"
