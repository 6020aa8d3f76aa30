"""Classes that differ by a direction alone: told apart by default, and not with mirror images forced on."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.end_to_end.conftest import Run
from tests.moving import moving_frames, write_frames

SIDES = {"drift_left": -1, "drift_right": 1}


@pytest.fixture(scope="module")
def drifting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A texture that goes to the left or to the right; a video of one class is a mirror image of none."""
    folder = tmp_path_factory.mktemp("drifting")
    for part, seeds in (("train", range(12)), ("test", range(100, 108))):
        for seed in seeds:
            for number, (name, side) in enumerate(SIDES.items()):
                frames = moving_frames(5, (40, 32), seed=2 * seed + number)
                shown = [frame[:, ::side].copy() for frame in frames]
                write_frames(folder / part / name / f"{seed}.avi", shown)
    return folder


@pytest.fixture
def recipe(drifting: Path, tmp_path: Path) -> Path:
    values = {
        "data": {"train": f"{drifting}/train", "test": f"{drifting}/test", "workers": 0},
        "input": {"size": 32, "short_side": 32},
        "flow": {"fields": 1, "bound": 4},  # a pixel is 32 codes: how these are rounded tells nothing
        "segments": {"train": 2, "test": 2},
        "model": {
            "kind": "san",
            "streams": {
                "flow": {
                    "backbone": "small", "weights": "none", "train_from": "none", "standardise": True,
                    "conv6_channels": 16,
                }
            },
        },
        "cache": {"folder": "features", "positions": 1},
        "train": {
            "optimizer": "adamw", "learning_rate": 0.003, "schedule": "constant", "iterations": 60,
            "batch_size": 8, "checkpoint_every": 60, "accelerator": "cpu",
        },
    }  # fmt: skip
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def accuracy(tested: str) -> float:
    """The top-1 accuracy that a test prints."""
    return float(tested.split("top1")[1].split(maxsplit=1)[0])


def test_by_default_directions_are_told_apart_and_forced_flips_end_that(
    attcell: Run, recipe: Path, tmp_path: Path
) -> None:
    found = {}
    for name, changes in (
        ("default", []),
        ("forced", ["train.flip=true"]),
        ("pairs", ["train.flip_pairs={drift_left: drift_right}"]),
    ):
        trained = attcell("train", recipe, *changes, "--out", tmp_path / name)
        tested = attcell("test", tmp_path / name / "model")
        found[name] = (accuracy(tested.stdout), trained.stderr)
    assert (
        "no mirror images in training: a mirror image changes drift_left, drift_right" in found["default"][1]
    )
    assert "such classes cannot be told apart so" in found["forced"][1]
    assert "mirror image" not in found["pairs"][1]
    assert found["default"][0] >= 90
    assert found["pairs"][0] >= 90
    assert found["forced"][0] <= 75


def test_a_pair_of_no_class_is_refused_before_anything_is_done(
    attcell: Run, recipe: Path, tmp_path: Path
) -> None:
    refused = attcell(
        "train", recipe, "train.flip_pairs={drift_left: drift_rigth}", "--out", tmp_path / "run", status=2
    )
    assert "train.flip_pairs names 'drift_rigth'" in refused.stderr
    assert "did you mean 'drift_right'?" in refused.stderr
    assert not (tmp_path / "features").exists()


def test_the_learning_rate_finder_prints_a_table_and_a_suggestion(
    attcell: Run, recipe: Path, tmp_path: Path
) -> None:
    found = attcell("learning-rate", recipe, "--iterations", "40")
    assert found.stdout.splitlines()[0].split() == ["rate", "loss"]
    assert "suggestion: train.learning_rate=" in found.stdout
    assert "(the recipe has 0.003)" in found.stdout
    assert attcell("learning-rate", recipe, "--iterations", "40").stdout == found.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["features", "recipe.yaml"]
