"""Frame, flow and clip streams as a user trains, tests and predicts with them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from attcell.inference.model import Model
from attcell.nn import LateFusion
from attcell.synth.write import write_dataset
from tests.end_to_end.conftest import Run, recipe_values

NONE = {"weights": "none", "conv6_channels": 8}
STREAMS = {
    "frame": {"backbone": "small", **NONE},
    "flow": {"backbone": "small", **NONE},
    "clip": {"backbone": "small3d", **NONE},
}


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated set of 4 classes: 8 videos for training, 4 for validation, 4 for testing."""
    return write_dataset(
        tmp_path_factory.mktemp("few"), seed=4, num_classes=4, videos={"train": 2, "val": 1, "test": 1}
    )


@pytest.fixture
def make_recipe(few: Path, tmp_path: Path):
    """``make_recipe("frame", "flow", fusion="late")``: a recipe's path."""

    def make(*streams: str, **model: Any) -> Path:
        values = recipe_values(few)
        values["data"]["workers"] = 0
        values["input"] = {"size": 32, "short_side": 36}
        values["segments"] = {"train": 2, "test": 3}
        values["flow"], values["clip"] = {"fields": 2}, {"frames": 4}
        values["model"].update(streams={name: STREAMS[name] for name in streams}, lstm_hidden=8, **model)
        values["train"] = {"iterations": 3, "batch_size": 2, "accelerator": "cpu", "learning_rate": 0.01}
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        return path

    return make


@pytest.fixture
def video(few: Path) -> Path:
    return sorted((few / "test").rglob("*.mp4"))[2]


def predicted(attcell: Run, video: Path, *words: str) -> dict[str, Any]:
    return json.loads(attcell("predict", video, "--model", "run/model", "--json", "-", *words).stdout)


def test_frame_and_flow_in_early_fusion(attcell: Run, make_recipe, video, tmp_path):
    attcell("train", make_recipe("frame", "flow"), "--out", "run")
    done = attcell("test", "run/model", "--out", "test")
    assert (
        "protocol: streams frame, flow, network STAN, early fusion, videos 4, unread 0, segments 3,"
        in done.stdout
    )
    assert done.stderr == ""
    scores = json.loads((tmp_path / "test" / "scores.json").read_text())
    found = predicted(attcell, video, "--report", "page.html")
    name = "/".join(video.parts[-2:])
    assert found["scores"] == pytest.approx(scores["videos"][name]["scores"], abs=1e-6)
    assert list(found["spatial_attention"]) == ["frame", "flow"]
    for maps in found["spatial_attention"].values():
        assert np.array(maps).shape == (3, 2, 2)
        assert np.array(maps).sum(axis=(1, 2)) == pytest.approx(np.ones(3), abs=1e-5)
    assert found["temporal_attention_by_stream"] == {}, "one β serves both"
    assert sum(found["temporal_attention"]) == pytest.approx(1, abs=1e-5)
    assert (tmp_path / "page.html").stat().st_size > 1000


def test_three_streams_in_late_fusion(attcell: Run, make_recipe, video, tmp_path):
    done = attcell("train", make_recipe("clip", "frame", "flow", fusion="late"), "--out", "run")
    said = re.search(r"late fusion: clip counts (\S+), frame counts (\S+), flow counts (\S+)\n", done.stderr)
    network = Model.from_folder(tmp_path / "run" / "model").network
    assert isinstance(network, LateFusion)
    assert [float(weight) for weight in said.groups()] == pytest.approx(network.weights.tolist(), abs=0.005)
    assert float(network.weights.sum()) == pytest.approx(1)
    done = attcell("test", "run/model", "--crops", "10")
    assert (
        "protocol: streams clip, frame, flow, network STAN, late fusion, videos 4, unread 0, segments 3, "
        "crops 10" in done.stdout
    )
    found = predicted(attcell, video)
    parts = found["temporal_attention_by_stream"]
    assert list(parts) == list(found["spatial_attention"]) == ["clip", "frame", "flow"]
    averaged = np.tensordot(network.weights.numpy(), np.array(list(parts.values())), axes=1)
    np.testing.assert_allclose(found["temporal_attention"], averaged, atol=1e-6)
    for weights in parts.values():
        assert sum(weights) == pytest.approx(1, abs=1e-5)


def test_late_fusion_without_validation_videos_says_so(attcell: Run, make_recipe, tmp_path):
    recipe = make_recipe("frame", "clip", fusion="late")
    done = attcell("train", recipe, "data.val=null", "train.iterations=1", "--out", "run")
    assert "late fusion: no validation videos to weigh the streams by, so all count alike\n" in done.stderr
    assert Model.from_folder(tmp_path / "run" / "model").network.weights.tolist() == [0.5, 0.5]


def test_a_finished_late_fusion_resumes_to_the_same_model(attcell: Run, make_recipe, tmp_path):
    recipe = make_recipe("frame", "clip", fusion="late")
    attcell("train", recipe, "--out", "run")
    before = load_file(tmp_path / "run" / "model" / "model.safetensors")
    attcell("train", recipe, "--out", "run", "--resume")
    after = load_file(tmp_path / "run" / "model" / "model.safetensors")
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], value) for key, value in before.items())


def test_streams_trained_alone_are_joined(attcell: Run, make_recipe, video, tmp_path):
    attcell("train", make_recipe("frame"), "--out", "frame")
    attcell("train", make_recipe("flow"), "--out", "flow")
    joining = [f"model.streams.{name}.init_from={name}/model" for name in ("frame", "flow")]
    frozen = [f"model.streams.{name}.train_from=none" for name in ("frame", "flow")]
    both = make_recipe("frame", "flow")
    attcell("train", both, *joining, *frozen, "cache.folder=cache", "cache.positions=1", "--out", "run")
    assert list(predicted(attcell, video)["spatial_attention"]) == ["frame", "flow"]
    kept = sorted((tmp_path / "cache").glob("*/made_by.json"))
    assert sorted(json.loads(path.read_text())["stream"] for path in kept) == [
        "flow",
        "flow",
        "frame",
        "frame",
    ]
    refused = attcell("train", both, "model.streams.frame.init_from=flow/model", "--out", "no", status=1)
    assert "the model at " in refused.stderr
    assert refused.stderr.endswith(
        "flow/model has no frame stream; give one that has, or weights of a file\n"
    )
    assert not (tmp_path / "no").exists()


def test_flow_from_a_store(attcell: Run, make_recipe, few, video, tmp_path):
    for split in ("train", "val", "test"):
        words = ["--method", "fast", "--short-side", "36", "--no-frames", "--form", "zip", "--workers", "1"]
        done = attcell("extract", "flow", few / split, f"store/{split}", *words)
        assert done.stdout == (
            f"store/{split}: {8 if split == 'train' else 4} videos computed, 0 there already, 0 failed\n"
        )
    recipe = make_recipe("frame", "flow")
    attcell("train", recipe, "flow.store=store", "--out", "run")
    assert Model.from_folder(tmp_path / "run" / "model").recipe.flow.store == tmp_path / "store"
    attcell("test", "run/model", "--out", "a")
    stored = json.loads((tmp_path / "a" / "scores.json").read_text())
    name = "/".join(video.parts[-2:])
    assert predicted(attcell, video)["scores"] == pytest.approx(  # predict computes it
        stored["videos"][name]["scores"], abs=0.05
    )

    refused = attcell("train", recipe, "flow.store=store", "flow.bound=10", "--out", "b", status=1)
    assert refused.stderr.startswith(f"attcell: {tmp_path}/store does not fit 12 videos:\n")
    assert (
        "bound 20.0, not 10.0. Set flow.method, flow.bound, flow.short_side and flow.camera to what"
        in refused.stderr
    )
    assert refused.stderr.endswith("  and 2 more\n")
    assert not (tmp_path / "b").exists()

    (tmp_path / "store" / "test" / Path(name).with_suffix(".zip")).unlink()
    done = attcell("test", "run/model", "--out", "c", status=1)
    assert "videos 4, unread 1," in done.stdout
    assert f"holds no flow of {few}/test/{name}: neither a folder 000 nor 000.zip" in done.stderr


def branches(path: Path) -> Path:
    """The recipe at a path, for networks of branches: one flow field as a picture, and no conv6."""
    values = yaml.safe_load(path.read_text())
    values["flow"] = {"method": "dis", "fields": 1, "form": "picture"}
    for stream in values["model"]["streams"].values():
        del stream["conv6_channels"]
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def test_tan_from_stage_to_stage(attcell: Run, make_recipe, few, tmp_path):
    recipe = branches(make_recipe("frame", "flow", kind="cnn"))
    attcell("train", recipe, "--out", "cnn")
    done = attcell("test", "cnn/model")
    assert "network CNN, all segments alike" in done.stdout
    tan = ("train", recipe, "model.kind=tan")
    cnns = [f"model.streams.{name}.weights=cnn/model" for name in ("frame", "flow")]
    attcell(*tan, *cnns, "--out", "tan")
    attcell(*tan, "model.init_from=tan/model", "train.epochs=1", "train.iterations=null", "--out", "others")
    done = attcell("test", "others/model", "--segments", "5", "--crops", "10")
    assert "top1 frame" in done.stdout
    assert "top1 flow" in done.stdout
    assert ", segments 5, crops 10," in done.stdout
    some = next((few / "test").rglob("*.mp4"))
    done = attcell("predict", some, "--model", "cnn/model", "--pictures", "looks", status=2)
    assert done.stderr == (
        "attcell: --pictures show attention, and cnn/model is of kind cnn, which has none; leave it out\n"
    )
    assert not (tmp_path / "looks").exists()
    attcell("predict", some, "--model", "cnn/model", "--report", "page.html")
    done = attcell(*tan, "model.init_from=cnn/model", "--out", "never", status=1)
    assert "cnn/model is another network: model.kind is cnn there and tan here. Set them" in done.stderr
    assert not (tmp_path / "never").exists()


def test_tan_from_a_recipe_to_its_page(attcell: Run, make_recipe, video, tmp_path):
    attcell("train", branches(make_recipe("frame", "flow", kind="tan")), "--out", "run")
    done = attcell("test", "run/model", "--out", "test")
    assert "protocol: streams frame, flow, network TAN of GRU, last step, videos 4," in done.stdout
    found = predicted(attcell, video, "--report", "page.html", "--pictures", "pictures")
    assert np.allclose(np.sum(found["gates"]["frame"], axis=0), 1, atol=1e-5)
    assert "Sharing gates" in (tmp_path / "page.html").read_text()
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == [f"{video.stem}-gates.png"]
