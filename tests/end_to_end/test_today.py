"""A STAN on today's networks for clips, as a user runs it: trained, its features kept, tested, and saved.

The networks are small ones with random weights: a VideoMAE in transformers' form in a folder, and an MViT v2
by its Python path. Both get the size, the mean and deviation and the number of frames of their own.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import attcell as library
from attcell.config.hub import read_video_model
from attcell.config.recipe import check_recipe
from attcell.models.build import build_network, evaluation_plan, input_spec
from attcell.nn.streams import feature_maps
from attcell.video.parts import ViewParts
from tests.end_to_end.conftest import Run, recipe_values
from tests.transformers_models import processor_of, save_video_model


def write_recipe(path: Path, videos: Path, backbone: str, **stream: object) -> Path:
    values = recipe_values(videos)
    del values["input"]
    values["clip"] = {"stride": 2}
    values["cache"] = {"folder": "features", "positions": 2, "mirrored": True}
    own = {"backbone": backbone, "train_from": "none", "conv6_channels": 8, "standardise": True, **stream}
    values["model"] = {"kind": "stan", "streams": {"clip": own}, "lstm_hidden": 8}
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.parametrize("time", ["average", "keep"])
def test_on_a_video_mae(videos: Path, tmp_path: Path, attcell: Run, time: str) -> None:
    save_video_model(tmp_path / "mae")
    write_recipe(tmp_path / "recipe.yaml", videos, "mae", time=time)
    attcell("train", "recipe.yaml", "--out", "run")
    kept = list((tmp_path / "features").rglob("*.safetensors"))
    assert len(kept) >= 8

    recipe = library.load_recipe(tmp_path / "run" / "recipe.yaml")
    assert (recipe.input.size, recipe.clip.frames, recipe.clip.stride) == (32, 4, 2)
    assert Path(recipe.model.streams["clip"].backbone) == tmp_path / "mae"
    network = library.load(tmp_path / "run" / "model").network
    state = network.stream("clip").backbone.named_as_published.state_dict()
    published = save_video_model(tmp_path / "again").videomae.state_dict()
    assert all(torch.equal(state[key], published[key]) for key in published), "frozen, as it was published"

    shutil.rmtree(tmp_path / "mae")  # a trained model needs the folder no more
    tested = attcell("test", "run/model").stdout
    assert "clip" in tested
    video = next((videos / "test").rglob("*.mp4"))
    attcell("predict", video, "--model", "run/model", "--json", "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    maps = np.array(library.load(tmp_path / "run" / "model").predict(video).spatial_attention["clip"])
    assert maps.shape[1:] == (4, 4)
    assert maps.sum(axis=(1, 2)) == pytest.approx(1, abs=1e-3)
    assert found


def test_its_features_are_transformers_own_of_the_same_clip(videos: Path, tmp_path: Path) -> None:
    """The library's own preprocessing and network, from the frames of the file to its last hidden state."""
    network = save_video_model(tmp_path / "mae")
    values = yaml.safe_load(write_recipe(tmp_path / "r.yaml", videos, str(tmp_path / "mae")).read_text())
    values["model"]["streams"]["clip"] |= {"time": "keep", "standardise": False}
    values["input"] = {"resize": "squash", "short_side": 32}
    values |= {"cache": {}, "segments": {"train": 2, "test": 2}}
    recipe = check_recipe(values, source="here")
    ours = build_network(recipe, 3, load_weights=True).eval()
    video = next((videos / "test").rglob("*.mp4"))
    (part,) = ViewParts(video, input_spec(recipe), evaluation_plan(recipe))
    clips = part.views["clip"][0]  # (2, 3, 4, 32, 32) uint8
    maps = feature_maps(ours.stream("clip"), clips[None], torch.device("cpu"))[0]
    frames = [clip.permute(1, 2, 3, 0).numpy() for clip in clips]
    pixels = processor_of("videomae")([list(of) for of in frames], return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        states = network.videomae(pixels).last_hidden_state  # (2, 2 * 4 * 4, 24)
    expected = states.transpose(1, 2).unflatten(2, (2 * 4, 4))
    torch.testing.assert_close(maps, expected, atol=1e-5, rtol=1e-5)


def test_on_an_mvit_of_the_users_own(videos: Path, tmp_path: Path, attcell: Run) -> None:
    path = "tests.own_backbones:small_mvit"
    write_recipe(tmp_path / "recipe.yaml", videos, path, weights="none", time="keep")
    attcell("train", "recipe.yaml", "--out", "run")
    recipe = library.load_recipe(tmp_path / "run" / "recipe.yaml")
    assert (recipe.input.size, recipe.clip.frames) == (32, 4)
    attcell("test", "run/model")
    video = next((videos / "test").rglob("*.mp4"))
    before = library.load(tmp_path / "run" / "model").predict(video)
    shutil.copytree(tmp_path / "run" / "model", tmp_path / "copy")
    after = library.load(tmp_path / "copy").predict(video)
    np.testing.assert_array_equal(before.scores, after.scores)
    assert before.spatial_attention["clip"].shape[1:] == (4, 4)


def test_it_can_be_trained_from_its_last_block(videos: Path, tmp_path: Path, attcell: Run) -> None:
    save_video_model(tmp_path / "mae")
    write_recipe(tmp_path / "recipe.yaml", videos, "mae", train_from="encoder.layer.1", standardise=False)
    attcell("train", "recipe.yaml", "cache.folder=null", "--out", "run")
    network = library.load(tmp_path / "run" / "model").network
    state = network.stream("clip").backbone.named_as_published.state_dict()
    published = save_video_model(tmp_path / "again").videomae.state_dict()
    changed = {key for key in published if not torch.equal(state[key], published[key])}
    assert changed
    assert all(key.startswith("encoder.layer.1.") for key in changed)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("clip.frames=8", "looks at clips of 4 frames, not of 8; set clip.frames to 4, or leave it out"),
        ("input.size=48", "looks at pictures of 32×32, not of 48×48; set input.size to 32, or leave it out"),
        ("model.streams.clip.backbone=hf/maes", "'hf/maes' is no name at the Hub; allowed: hf/OWNER/NAME"),
        ("model.streams.clip.backbone=maes", "unknown backbone 'maes'"),
        (
            "model.streams.clip.backbone=tests.own_backbones:nothing",
            "tests.own_backbones has no nothing; give",
        ),
        ("model.streams.clip.backbone=tests.own_backbones:number", "has a int of that name; give"),
        ("model.streams.clip.backbone=tests.own_backbones:says_nothing", "has a function of that name; give"),
        ("model.streams.clip.backbone=no_such_package:build", "no_such_package cannot be imported"),
        ("model.streams.clip.backbone=tests.own_backbones:patches", "which takes a picture, not a clip"),
        ("model.kind=cnn", "kind cnn has no use for streams.clip.time; leave it out"),
    ],
)
def test_what_does_not_fit_is_told_in_one_message(
    videos: Path, tmp_path: Path, attcell: Run, override: str, said: str
) -> None:
    save_video_model(tmp_path / "mae")
    write_recipe(tmp_path / "recipe.yaml", videos, "mae", weights="none", time="keep")
    told = attcell("train", "recipe.yaml", override, "--out", "run", status=2).stderr
    assert said in " ".join(told.split())
    assert not (tmp_path / "run").exists()


def test_another_backbone_takes_no_files_of_the_one_before(videos: Path, tmp_path: Path) -> None:
    save_video_model(tmp_path / "mae")
    write_recipe(tmp_path / "recipe.yaml", videos, str(tmp_path / "mae"))
    recipe = library.load_recipe(tmp_path / "recipe.yaml")
    values = recipe.model_dump(mode="json")
    files = values["model"]["streams"]["clip"]["files"]
    assert files["preprocessing"] == dict(read_video_model(str(tmp_path / "mae")).preprocessing)
    assert "id2label" not in files["config"]
    (tmp_path / "saved.yaml").write_text(yaml.safe_dump(values))
    assert library.load_recipe(tmp_path / "saved.yaml") == recipe
    other = library.load_recipe(tmp_path / "saved.yaml", ["model.streams.clip.backbone=small3d"])
    assert other.model.streams["clip"].files is None


def test_a_picture_backbone_by_its_python_path(videos: Path, tmp_path: Path, attcell: Run) -> None:
    values = recipe_values(videos)
    own = {"backbone": "tests.own_backbones:patches", "weights": "none", "conv6_channels": 8}
    values["model"] = {"kind": "stan", "streams": {"frame": own}, "lstm_hidden": 8}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    attcell("train", "recipe.yaml", "--out", "run")
    assert library.load(tmp_path / "run" / "model").network.stream("frame").backbone.name == own["backbone"]
