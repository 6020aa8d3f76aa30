"""A modality and a backbone of a user's own, each registered in one call, from training to the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import attcell
from attcell.config.recipe import check_recipe
from attcell.nn import backbones
from attcell.nn.backbones import registry
from attcell.video import InputSpec, modalities
from tests.end_to_end.conftest import recipe_values


def differences(spec: InputSpec, origin: modalities.Origin) -> modalities.Reader:
    """What has changed since the frame before: 128 for nothing."""

    def read(around: modalities.FramesAround) -> modalities.Sheet:
        rows = around.rows(around.window(2))
        before, now = around.pictures[rows[:, 0]].int(), around.pictures[rows[:, 1]].int()
        changes = ((now - before) // 2 + 128).to(torch.uint8)
        return modalities.Sheet(changes, torch.arange(len(rows))[:, None])

    return read


def patches(tap: str, in_channels: int) -> backbones.Built:
    """16 filters on patches of 16 × 16 pixels."""
    return backbones.Built(nn.Sequential(nn.Conv2d(in_channels, 16, 16, stride=16), nn.ReLU()), 16)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of them, for one test."""
    monkeypatch.setattr(modalities, "_MODALITIES", modalities._MODALITIES.copy())
    monkeypatch.setattr(registry, "_ENTRIES", registry._ENTRIES.copy())
    modalities.register(
        modalities.Modality(
            "difference",
            differences,
            backbone="patches",
            window=lambda spec: 2,
            figures=lambda spec: ([128.0] * 3, [20.0] * 3),
            described=lambda spec: {},
            words=lambda spec: {"difference": "of two frames, halved"},
        )
    )
    backbones.register(backbones.BackboneEntry(name="patches", taps=("relu",), build=patches))


@pytest.mark.parametrize("kind", ["stan", "tan"])
def test_from_training_to_the_page(videos: Path, tmp_path: Path, kind: str) -> None:
    values = recipe_values(videos)
    own: dict[str, object] = {"weights": "none"} | ({"conv6_channels": 8} if kind == "stan" else {})
    values["model"] = {
        "kind": kind,
        "streams": {"frame": {"backbone": "patches", **own}, "difference": own},
        "lstm_hidden": 8,
    }
    recipe = check_recipe(values, source="here")
    assert recipe.model.streams["difference"].backbone == "patches", "the modality's own, as none was named"
    attcell.train(recipe, tmp_path / "run")

    model = attcell.load(tmp_path / "run" / "model")
    tested = model.evaluate(crops=10)
    assert tested.scores.shape == (8, 4)
    assert np.isfinite(tested.scores).all()
    assert tested.protocol["difference"] == "of two frames, halved"

    video = next((videos / "test").rglob("*.mp4"))
    found = model.predict(video)
    maps = found.spatial_attention if kind == "stan" else found.gates
    assert list(maps) == ["frame", "difference"]
    attcell.write_report([found], tmp_path / "page.html")
    assert "difference" in (tmp_path / "page.html").read_text(encoding="utf-8")

    model.save_pretrained(tmp_path / "again")
    again = attcell.load(tmp_path / "again").predict(video)
    np.testing.assert_array_equal(again.scores, found.scores)


def test_a_stream_is_cut_and_mirrored_with_the_others() -> None:
    pictures = torch.randint(0, 256, (6, 3, 20, 24), dtype=torch.uint8)
    around = modalities.FramesAround(6, np.array([0, 3]), np.arange(6), pictures)
    spec = InputSpec(("difference",))
    sheet = spec.readers(modalities.Origin())["difference"](around)
    entry = modalities.modality("difference")
    assert sheet.pictures.shape == (2, 3, 20, 24)
    cut: Tensor = sheet.pictures[sheet.rows]
    assert torch.equal(entry.arrange(cut, spec), sheet.pictures)
    assert torch.equal(entry.mirror(sheet.pictures), sheet.pictures.flip(-1))
