"""The commands on lists of frame folders, as many data sets are kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from attcell.video.frame_folder import NO_TIMES
from tests.end_to_end.conftest import Run, recipe_values
from tests.moving import moving_frames, write_frames, write_pictures

LABELS = ("run", "sit", "wave")
NUM_FRAMES = 10


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Six clips of three classes, ``frames/CLASS/N`` and ``videos/CLASS/N.avi`` with the same pixels."""
    data = tmp_path_factory.mktemp("data")
    lists: dict[str, list[str]] = {"frames": [], "videos": []}
    for place in range(6):
        name, label = f"{LABELS[place % 3]}/take {place}", place % 3
        frames = moving_frames(NUM_FRAMES + place, (96, 72), seed=place)
        write_pictures(data / "frames" / name, frames)
        write_frames(data / "videos" / f"{name}.avi", frames)
        lists["frames"].append(f"{name} {NUM_FRAMES + place} {label}")
        lists["videos"].append(f"{name}.avi {label}")
    for kind, lines in lists.items():
        (data / kind / "list.txt").write_text("\n".join(lines) + "\n")
        (data / kind / "labels.txt").write_text("\n".join(LABELS) + "\n")
    return data


def recipe(folder: Path, source: Path) -> Path:
    values = recipe_values(folder)
    values["data"] = {"train": str(source), "val": str(source), "test": str(source), "workers": 1}
    values["train"]["iterations"] = 4
    path = folder / f"{source.parent.name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_check_train_test_and_predict(attcell: Run, data: Path, tmp_path: Path) -> None:
    source = data / "frames" / "list.txt"
    lines = attcell("data", "check", source).stdout.splitlines()
    assert lines[0] == f"{source}: 6 videos, 3 classes, 6 can be read"
    assert f"  {NO_TIMES}: run/take 0 and 5 more" in lines
    assert lines[-1] == "all videos are there and whole"

    for kind in ("frames", "videos"):
        done = attcell("train", recipe(tmp_path, data / kind / "list.txt"), "--out", kind)
        assert NO_TIMES not in done.stderr, "no times are used in training"
    trained = [load_file(tmp_path / kind / "model" / "model.safetensors") for kind in ("frames", "videos")]
    assert all(torch.equal(tensor, trained[1][key]) for key, tensor in trained[0].items())

    figures = [attcell("test", f"{kind}/model").stdout for kind in ("frames", "videos")]
    assert "videos 6, unread 0" in figures[0]
    scores = [
        json.loads((tmp_path / kind / "test-test" / "scores.json").read_text())
        for kind in ("frames", "videos")
    ]
    assert scores[0]["figures"] == scores[1]["figures"]

    clip = data / "frames" / "sit" / "take 1"
    done = attcell("predict", clip, "--model", "frames/model", "--json", "p.json", "--report", "page.html")
    assert done.stdout.startswith(f"{clip}: ")
    assert done.stderr == f"{clip}: {NO_TIMES}\nreport: page.html\n"
    (found,) = json.loads((tmp_path / "p.json").read_text())["predictions"]
    assert found["duration_seconds"] == pytest.approx((NUM_FRAMES + 1) / 25)
    attcell("predict", data / "videos" / "sit" / "take 1.avi", "--model", "frames/model", "--json", "v.json")
    (expected,) = json.loads((tmp_path / "v.json").read_text())["predictions"]
    assert found["scores"] == pytest.approx(expected["scores"], abs=1e-6)


def test_what_is_wrong_is_named(attcell: Run, data: Path, model: Path, tmp_path: Path) -> None:
    root = shutil.copytree(data / "frames", tmp_path / "root")
    (root / "run" / "take 0" / "img_00004.png").unlink()
    (root / "sit" / "take 1" / "img_00004.png").write_bytes(b"\x89PNG")
    done = attcell("data", "check", root / "list.txt", status=1)
    assert "take 0: img_00004.png is missing, the first of 1" in done.stdout
    assert (
        "sit/take 1: 10 of 11 frames decode; the rest is damaged or missing; does not decode" in done.stdout
    )

    done = attcell("predict", root / "run" / "take 0", root / "run", "--model", model, status=1)
    assert "take 0: img_00004.png is missing, the first of 1; frames are numbered" in done.stderr
    assert "root/run: 2 videos" in done.stderr, "a folder stands for the folders of frames below it"

    (root / "list.txt").write_text("wave/take 2 13 2\nsit/take 4 9 1\n")
    done = attcell("data", "check", root / "list.txt", status=1)
    assert "list.txt:1: the line says 13 frames, and the folder has 12: 'wave/take 2 13 2'" in done.stderr
    assert "list.txt:2: the line says 9 frames, and the folder has 14: 'sit/take 4 9 1'" in done.stderr


def test_flow_of_folders_and_a_store_as_source(attcell: Run, data: Path, tmp_path: Path) -> None:
    """Flow replaces no frames; what is written is a source itself, with flow beside the frames."""
    source = data / "frames" / "list.txt"
    refused = attcell("extract", "flow", source, data / "frames", "--method", "fast", status=2)
    assert "would replace" in refused.stderr
    options = ("--method", "fast", "--short-side", "72", "--workers", "1")
    done = attcell("extract", "flow", source, "store", *options)
    assert done.stdout == "store: 6 videos computed, 0 there already, 0 failed\n"
    lines = attcell("data", "check", "store").stdout.splitlines()
    assert lines[0] == "store: 6 videos, 3 classes, 6 can be read"
    values = yaml.safe_load(recipe(tmp_path, source).read_text())
    values["data"] = {"train": "store", "val": "store", "test": "store", "workers": 0}
    values["flow"] = {"fields": 2, "method": "fast", "store": "store"}
    values["model"]["streams"]["flow"] = values["model"]["streams"]["frame"]
    (tmp_path / "both.yaml").write_text(yaml.safe_dump(values))
    attcell("train", "both.yaml", "--out", "both")
    assert "videos 6, unread 0" in attcell("test", "both/model").stdout
