"""The smallest recipe, for the tests of recipes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from attcell.config.recipe import check_recipe
from attcell.errors import CallError

SMALL = {"data": {"train": "videos/train"}, "train": {"epochs": 2}}


def write_small(folder: Path) -> Path:
    """It as a file."""
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(SMALL))
    return file


def refusal(values: object) -> str:
    """Why values are no recipe."""
    with pytest.raises(CallError) as caught:
        check_recipe(values, source="here")
    assert caught.value.exit_status == 2
    return str(caught.value)
