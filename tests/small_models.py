"""A small recipe, a network with random weights, and videos whose frames tell their own number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from attcell.config.recipe import Recipe, check_recipe
from attcell.inference.model import Model
from attcell.models.build import build_network
from attcell.types import VideoRecord
from tests.video.conftest import write_video

LABELS = ("run", "sit", "wave")


def recipe_of(folder: Path, **sections: dict[str, Any]) -> Recipe:
    """A recipe for the videos of a folder, with changes section by section."""
    values: dict[str, Any] = {
        "data": {"train": folder, "workers": 0},
        "input": {"size": 32, "short_side": 36},
        "segments": {"train": 2, "test": 3},
        "model": {
            "streams": {"frame": {"backbone": "small", "weights": "none", "conv6_channels": 8}},
            "lstm_hidden": 8,
        },
        "train": {"iterations": 2, "batch_size": 2, "accelerator": "cpu"},
    }
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section}
    return check_recipe(values, source="test")


FROZEN = {
    "streams": {"frame": {"backbone": "small", "weights": "none", "conv6_channels": 8, "train_from": "none"}}
}


def random_model(recipe: Recipe, seed: int = 0) -> Model:
    """Weights drawn at random, also where a network starts at zero."""
    network = build_network(recipe, len(LABELS), load_weights=False)
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
    return Model(network.eval(), LABELS, recipe, {"note": "random"})


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of two short videos."""
    folder = tmp_path_factory.mktemp("classes")
    for label in LABELS:
        (folder / label).mkdir()
        for number in range(2):
            write_video(folder / label / f"{number}.mp4", 10 + 2 * number, size=(48, 36))
    return folder


@pytest.fixture
def recipe(folder: Path) -> Recipe:
    return recipe_of(folder)


@pytest.fixture
def model(recipe: Recipe) -> Model:
    return random_model(recipe)


@pytest.fixture(scope="session")
def record(folder: Path) -> VideoRecord:
    return VideoRecord("wave/1.mp4", folder / "wave" / "1.mp4", (2,))
