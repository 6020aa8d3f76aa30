"""Calls that training refuses at once; what it does is seen in tests/end_to_end/test_training.py."""

from __future__ import annotations

import pytest

from attcell.errors import CallError
from attcell.training.run import train


def test_what_is_no_recipe_is_refused(tmp_path):
    with pytest.raises(CallError) as caught:
        train("a.yaml", tmp_path / "run")
    assert str(caught.value) == "recipe is 'a.yaml'; read one with attcell.config.recipe.load_recipe(path)"
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_is_a_path_or_its_text(recipe, tmp_path):
    (tmp_path / "something").touch()
    with pytest.raises(CallError, match=f"{tmp_path} is not empty and is no run"):
        train(recipe, str(tmp_path))
    with pytest.raises(
        CallError, match=r'run_folder is None; give one path as text or Path, such as "runs/mine"'
    ):
        train(recipe, None)
