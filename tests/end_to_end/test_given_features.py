"""Features that were computed elsewhere, from labels of videos to scored detections, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from attcell.config.recipe import Recipe, check_recipe
from attcell.data.datasets import PlannedViews
from attcell.data.sources import read_source
from attcell.inference.run import part_maps
from attcell.models.build import input_spec
from attcell.nn import Network
from attcell.synth.scene import FPS
from attcell.training.finish import finish
from attcell.training.fit import fit
from attcell.training.prepare import PreparedTraining, prepare
from attcell.video.sampling import ViewPlan
from tests.end_to_end.conftest import Run
from tests.given_features import ROW_SECONDS, chance, write_given


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated features with known actions in time."""
    folder = tmp_path_factory.mktemp("given")
    write_given(folder)
    return folder


def recipe_of_given(given: Path) -> dict[str, object]:
    return {
        "data": {"train": f"{given}/train", "test": f"{given}/test", "workers": 0},
        "features": {"fps": 25, "stride": 16},
        "segments": {"train": 20, "test": 20},
        "model": {"streams": {"features": {"conv6_channels": 32}}, "lstm_hidden": 32},
        "train": {
            "optimizer": "adamw",
            "learning_rate": 0.01,
            "schedule": "onecycle",
            "iterations": 60,
            "batch_size": 12,
            "accelerator": "cpu",
        },
    }


def mean_ap(scored: Path, threshold: float) -> float:
    """The mAP by THUMOS14's protocol in what ``score detection --json`` wrote."""
    thumos, _ = json.loads(scored.read_text())["files"][0]["protocols"]
    return float(dict(zip(thumos["thresholds"], thumos["mAP"], strict=True))[threshold])


def test_from_labels_to_the_map_of_given_features(attcell: Run, given, tmp_path):
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe_of_given(given)))
    attcell("train", "recipe.yaml", "--out", "run")
    saved = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert saved["features"]["dim"] == 16, "it was read from the files"
    done = attcell("test", "run/model")
    assert "top1                 100.00 %" in done.stdout
    assert "features 16 numbers a row, a row every 0.64 s" in done.stdout
    assert "crops" not in done.stdout
    attcell("calibrate", "run/model")
    videos = sorted((given / "test").glob("*/*.npy"))
    attcell("detect", *videos, "--model", "run/model", "--json", "found.json")
    attcell("score", "detection", "found.json", "--truth", given / "truth.json", "--json", "s.json")
    ours, by_chance = (
        mean_ap(tmp_path / "s.json", 0.5),
        chance(given / "truth.json", tmp_path / "found.json", 0.5),
    )
    assert ours > 0.15
    assert ours > 5 * by_chance
    page = ("--report", "page.html")
    attcell("detect", *videos[:2], "--model", "run/model", *page)
    text = (tmp_path / "page.html").read_text()
    assert text.count("Features stand in the place of this video; there are no pictures of it.") == 2
    assert "<img" not in text.partition("<main>")[2], "the time line alone"
    assert text.count('<path class="line"') == 2
    done = attcell("predict", videos[0], "--model", "run/model", "--json", "p.json", *page)
    assert done.stdout.startswith(f"{videos[0]}: jump ")
    (predicted,) = json.loads((tmp_path / "p.json").read_text())["predictions"]
    assert predicted["spatial_attention"] == {}
    assert predicted["segments_seconds"][-1][1] == pytest.approx(len(np.load(videos[0])) * ROW_SECONDS)
    done = attcell("predict", videos[0], "--model", "run/model", "--pictures", "drawn", status=2)
    assert (
        done.stderr
        == f"attcell: --pictures draw frames, and {videos[0]} holds features alone; leave it out\n"
    )


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda rows: rows[:, :15], "jump_0.npy has rows of 15 numbers, and the recipe's features have 16"),
        (
            lambda rows: rows[:16].T[:, :9],
            "has rows of 9 numbers, and the recipe's features have 16; it may be turned",
        ),
        (
            lambda rows: np.where(np.arange(len(rows))[:, None] == 7, np.nan, rows),
            "row 7, counted from 0, holds NaN",
        ),
        (lambda rows: rows[:0], "an array of shape (0, 16), in which there is no row; leave the video out"),
        (
            lambda rows: rows.astype(object),
            "it holds pickled Python objects, which are not read; save a plain",
        ),
        (lambda rows: rows.astype(int), "numbers of type int64; allowed are float16, float32 and float64"),
        (
            lambda rows: np.stack([rows] * 10),
            "expected are T rows of D numbers, (T, D), or (1, T, D) or (T, 1, D)",
        ),
    ],
    ids=["width", "turned", "nan", "empty", "pickled", "type", "crops"],
)
def test_a_file_that_is_not_as_the_rest_is_named_before_long_work(attcell: Run, tmp_path, spoil, said):
    write_given(tmp_path / "given", train=2, test=1)
    bad = tmp_path / "given" / "train" / "jump" / "train_jump_1.npy"
    np.save(bad, spoil(np.load(bad)), allow_pickle=True)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe_of_given(tmp_path / "given")))
    done = attcell("train", "recipe.yaml", "--out", "run", status=1)
    assert "attcell: the features of 1 videos cannot be taken:" in done.stderr
    assert str(bad) in done.stderr
    assert said.removeprefix("jump_0.npy") in done.stderr.replace("\n", " ")
    assert not (tmp_path / "run").exists()


def test_a_listed_file_that_is_missing_is_named_before_long_work(attcell: Run, tmp_path):
    write_given(tmp_path / "given", train=2, test=1)
    files = sorted((tmp_path / "given" / "train").glob("*/*.npy"))
    lines = [f"{path.relative_to(tmp_path)} {number // 2}" for number, path in enumerate(files)]
    (tmp_path / "list.txt").write_text("\n".join([*lines, "given/train/jump/lost.npy 0"]))
    values = recipe_of_given(tmp_path / "given")
    values["data"] = {"train": "list.txt", "workers": 0}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    done = attcell("train", "recipe.yaml", "--out", "run", status=1)
    assert "given/train/jump/lost.npy: no such features file; check the path" in done.stderr
    (tmp_path / "list.txt").write_text("\n".join(lines))
    values["train"]["iterations"] = 1
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    attcell("train", "recipe.yaml", "--out", "run")
    attcell("train", "recipe.yaml", "--out", "run", "--resume")  # the width that it found is no difference


def test_features_and_pictures_are_told_apart(attcell: Run, videos, recipe, model, given, tmp_path):
    rows = next((given / "test").glob("*/*.npy"))
    done = attcell("predict", rows, "--model", model, status=1)
    assert (
        f"{rows} holds features, and the streams are frame, some of which look at the video itself"
        in done.stderr
    )
    features = (f"data.train={given}/train", "data.val=null", "data.test=null")
    done = attcell("train", "recipe.yaml", *features, "--out", "a", status=1)
    assert "the features of 36 videos cannot be taken:" in done.stderr
    done = attcell(
        "train",
        "recipe.yaml",
        "model.streams.frame=null",
        "model.streams.features={}",
        "--out",
        "b",
        status=1,
    )
    assert (
        "the features stream wants a file of features such as a.npy in the video's place, or" in done.stderr
    )


# The program's own frame features, given


def recipe_of_frames(videos: Path, cache: Path) -> Recipe:
    """Frames through a frozen backbone that gives one region, each kept in one view."""
    values = {
        "data": {"train": f"{videos}/train", "test": f"{videos}/test", "workers": 0},
        "input": {"size": 16, "short_side": 16, "resize": "squash"},
        "features": {"fps": FPS, "stride": 1},
        "segments": {"train": 6, "test": 6},
        "model": {"streams": {"frame": ONE_REGION}, "lstm_hidden": 8, "dropout": 0.0},
        "cache": {"folder": str(cache), "mirrored": False},
        "train": {"iterations": 10, "batch_size": 4, "learning_rate": 0.05, "accelerator": "cpu"},
    }
    return check_recipe(values, source="test")


ONE_REGION = {"backbone": "small", "weights": "none", "train_from": "none", "conv6_channels": 8}


def write_own_features(network: Network, recipe: Recipe, source: Path, out: Path) -> None:
    """Each frame's feature map, of one region, as a row: in a file for each video."""
    for part in ("train", "test"):
        records = read_source(source / part).records
        views = PlannedViews(records, input_spec(recipe), ViewPlan(1, every=1))
        for number, record in enumerate(records):
            (maps,) = part_maps(network, views[number].inputs)["frame"]
            assert maps.shape[2:] == (1, 1)
            path = (out / part / record.id).with_suffix(".npy")
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, maps[:, :, 0, 0].numpy())


def begin_alike(given: PreparedTraining, frames: PreparedTraining) -> None:
    """Give the network of features the other's first weights: its conv6 is the middle of the 3×3 one, which
    is all that one region meets."""
    state = frames.network.state_dict()
    own = {key: state[key.replace("streams.features", "streams.frame")] for key in given.network.state_dict()}
    key = "streams.features.conv6.weight"
    given.network.load_state_dict({**own, key: own[key][:, :, 1:2, 1:2]})


def test_the_programs_own_frame_features_give_the_same_when_they_are_given(attcell: Run, untrimmed, tmp_path):
    recipe = recipe_of_frames(untrimmed, tmp_path / "cache")
    frames = prepare(recipe, tmp_path / "frames")
    write_own_features(frames.network, recipe, untrimmed, tmp_path / "given")
    values = recipe.model_dump(mode="json")
    values["data"].update({part: str(tmp_path / "given" / part) for part in ("train", "test")})
    values["model"]["streams"] = {"features": {"conv6_channels": 8}}
    given = prepare(check_recipe(values, source="test"), tmp_path / "features")
    begin_alike(given, frames)
    begun = {key: value.clone() for key, value in frames.network.state_dict().items()}
    found, scored = [], []
    for prepared, suffix in ((frames, "mp4"), (given, "npy")):
        folder = prepared.run_folder
        finish(fit(prepared))
        attcell("calibrate", folder / "model", "--every", "5")
        videos = sorted((Path(prepared.recipe.data.test)).glob(f"*/*.{suffix}"))
        attcell("detect", *videos, "--model", folder / "model", "--json", folder / "found.json")
        truth = ("--truth", untrimmed, "--json", folder / "scored.json")
        attcell("score", "detection", folder / "found.json", *truth)
        found.append(json.loads((folder / "found.json").read_text())["videos"])
        scored.append(json.loads((folder / "scored.json").read_text())["files"][0]["protocols"])
    one, other = frames.network.state_dict(), given.network.state_dict()
    for key in ("temporal.attention.score.weight", "classifier.weight"):
        assert not torch.equal(one[key], begun[key]), "it was trained"
        torch.testing.assert_close(other[key], one[key], atol=1e-6, rtol=1e-5)
    for by_frames, by_rows in zip(*found, strict=True):
        assert by_frames["detections"]
        assert by_rows["duration_seconds"] == pytest.approx(by_frames["duration_seconds"])
        assert_alike(by_frames["detections"], by_rows["detections"])
    assert scored[1] == scored[0]


def assert_alike(ours: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    """The same detections, numbers to single precision."""
    assert [of["label"] for of in others] == [of["label"] for of in ours]
    for key in ("start_seconds", "end_seconds", "score"):
        assert [of[key] for of in others] == pytest.approx([of[key] for of in ours], rel=1e-4)


def test_features_beside_the_videos_join_other_streams(attcell: Run, folder, tmp_path):
    for video in folder.glob("*/*.mp4"):
        path = tmp_path / "given" / video.parent.name / f"{video.stem}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.random.default_rng(0).normal(size=(3, 5)))  # of 10 or 12 frames
    small = {"backbone": "small", "weights": "none", "conv6_channels": 4}
    values = {
        "data": {"train": str(folder), "test": str(folder), "workers": 0},
        "input": {"size": 32, "short_side": 36},
        "features": {"fps": 25, "stride": 4, "folder": "given"},
        "segments": {"train": 2, "test": 3},
        "model": {"streams": {"frame": small, "features": {"conv6_channels": 4}}, "lstm_hidden": 4},
        "train": {"iterations": 2, "batch_size": 2, "accelerator": "cpu"},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    attcell("train", "recipe.yaml", "--out", "run")
    assert "videos 6, unread 0" in attcell("test", "run/model").stdout
    video = folder / "wave" / "1.mp4"
    attcell("detect", video, "--model", "run/model", "--json", "d.json", "--report", "page.html")
    attcell("predict", video, "--model", "run/model", "--json", "p.json")
    (predicted,) = json.loads((tmp_path / "p.json").read_text())["predictions"]
    assert list(predicted["spatial_attention"]) == ["frame"], "one region is nothing to look at"
    np.save(tmp_path / "given" / "wave" / "1.npy", np.zeros((20, 5)))
    done = attcell("train", "recipe.yaml", "--out", "again", status=1)
    assert "given/wave/1.npy has 20 rows, and its video asks for 3.0; 5 rows or 5%" in done.stderr
    assert "videos 6, unread 1" in attcell("test", "run/model", status=1).stdout
    (tmp_path / "given" / "wave" / "1.npy").unlink()
    done = attcell("train", "recipe.yaml", "--out", "again", status=1)
    assert f"given holds no features of {video}: no 1.npy, neither there nor in the place" in done.stderr
