"""Generated videos and small recipes for running the commands as a user would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from attcell.cli.app import main
from attcell.config.recipe import check_recipe
from attcell.inference.model import Model
from attcell.models.build import build_network
from attcell.synth.write import write_dataset

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated set of 4 classes: 24 videos for training, 8 for validation, 8 for testing."""
    return write_dataset(
        tmp_path_factory.mktemp("videos"), seed=3, num_classes=4, videos={"train": 6, "val": 2, "test": 2}
    )


@pytest.fixture(scope="session")
def untrimmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated untrimmed set of the model's 4 classes."""
    return write_dataset(
        tmp_path_factory.mktemp("untrimmed"),
        "untrimmed",
        seed=5,
        num_classes=4,
        videos={"train": 1, "test": 1},
    )


def recipe_values(videos: Path) -> dict[str, Any]:
    """A recipe for the generated set that trains for seconds."""
    return {
        "data": {"train": f"{videos}/train", "val": f"{videos}/val", "test": f"{videos}/test", "workers": 1},
        "input": {"size": 64, "short_side": 72},
        "segments": {"train": 3, "test": 4},
        "model": {
            "kind": "stan",
            "streams": {"frame": {"backbone": "small", "weights": "none", "conv6_channels": 16}},
            "lstm_hidden": 16,
        },
        "train": {"iterations": 8, "batch_size": 4, "checkpoint_every": 3, "accelerator": "cpu"},
    }


@pytest.fixture
def recipe(videos: Path, tmp_path: Path) -> Path:
    """The same as a file."""
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe_values(videos)))
    return path


@pytest.fixture(scope="session")
def model(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder for the generated set, with weights drawn at random: it is quick to make."""
    labels = tuple(sorted(path.name for path in (videos / "train").iterdir()))
    recipe = check_recipe(recipe_values(videos), source="test")
    network = build_network(recipe, len(labels), load_weights=False)
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    folder = tmp_path_factory.mktemp("run") / "model"
    Model(network, labels, recipe).save_pretrained(folder)
    return folder


def command(arguments: Sequence[str | Path]) -> list[str]:
    """The command line of ``attcell`` in this environment."""
    return [sys.executable, "-m", "attcell.cli.app", *map(str, arguments)]


@pytest.fixture
def attcell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run ``attcell`` as the console script does, in the test's folder, inside this process."""

    def run(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
        words = ["attcell", *map(str, arguments)]
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", words)
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        done = subprocess.CompletedProcess(words, ended.value.code or 0, *capfd.readouterr())
        return checked(done, status)

    return run


@pytest.fixture
def attcell_process(tmp_path: Path) -> Run:
    """Run ``attcell`` in a process of its own, in the test's folder."""

    def run(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
        words = command(arguments)
        done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
        return checked(done, status)

    return run


def checked(done: subprocess.CompletedProcess[str], status: int) -> subprocess.CompletedProcess[str]:
    """What was run, if it ended with this status and without a traceback."""
    assert done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


def left(folder: Path) -> list[str]:
    """Everything below a folder, with what begins with a dot."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
