"""Training one stream, then joining the trained streams into one network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from attcell.errors import CallError, ModelError
from attcell.inference.model import Model
from attcell.models.build import build_network
from attcell.nn import Network
from attcell.training.run import train
from tests.small_models import random_model, recipe_of

FRAME = {"backbone": "small", "weights": "none", "conv6_channels": 8}
CLIP = {"backbone": "small3d", "weights": "none", "conv6_channels": 6}
FLOW = {"backbone": "small", "weights": "none", "conv6_channels": 4}


def recipe(folder: Path, streams: dict[str, Any], **sections: dict[str, Any]):
    model = {"streams": streams, **sections.pop("model", {})}
    return recipe_of(folder, model=model, flow={"fields": 2}, clip={"frames": 4}, **sections)


def saved(folder: Path, place: Path, streams: dict[str, Any], **sections: dict[str, Any]) -> Path:
    """A model folder with weights drawn at random."""
    model = random_model(recipe(folder, streams, **sections), seed=len(str(place)))
    model.save_pretrained(place)
    return place


def same(one: Network, other: Network, name: str) -> bool:
    first, second = one.stream(name).state_dict(), other.stream(name).state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("fusion", ["early", "late"])
def test_trained_streams_are_joined_and_trained_on(folder, tmp_path, fusion, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rate = {"learning_rate": 0.1, "iterations": 1}
    for name, stream in (("frame", FRAME), ("clip", CLIP)):
        train(recipe(folder, {name: stream}, train=rate), tmp_path / name)
    streams = {
        "frame": {**FRAME, "init_from": "frame/model", "train_from": "none"},
        "clip": {**CLIP, "init_from": "clip/model"},
    }
    joined = recipe(folder, streams, train=rate, model={"fusion": fusion})
    first = {name: Model.from_folder(tmp_path / name / "model").network for name in streams}
    begun = build_network(joined, 3, load_weights=True)
    assert all(same(begun, first[name], name) for name in streams)
    outcome = train(joined, tmp_path / "joined")
    after = Model.from_folder(outcome.model_folder)
    assert after.recipe.model.streams["clip"].init_from == tmp_path / "clip" / "model"
    assert not same(after.network, first["clip"], "clip")
    frozen = after.network.stream("frame").backbone.state_dict()
    expected = first["frame"].stream("frame").backbone.state_dict()
    assert all(torch.equal(frozen[key], expected[key]) for key in expected)
    assert not same(after.network, first["frame"], "frame"), "conv6 and attention are trained on"


def test_a_joined_model_is_loaded_without_what_it_began_with(folder, tmp_path):
    begun = saved(folder, tmp_path / "one", {"frame": FRAME})
    streams = {"frame": {**FRAME, "init_from": str(begun)}, "clip": CLIP}
    joined = saved(folder, tmp_path / "two", streams)
    (begun / "model.safetensors").unlink()
    assert list(Model.from_folder(joined).recipe.model.streams) == ["frame", "clip"]


@pytest.mark.parametrize("fusion", ["early", "late"])
def test_a_stream_comes_out_of_any_model_that_has_it(folder, tmp_path, fusion):
    both = saved(folder, tmp_path / "both", {"flow": FLOW, "frame": FRAME}, model={"fusion": fusion})
    begun = build_network(recipe(folder, {"flow": {**FLOW, "init_from": str(both)}}), 7, load_weights=True)
    assert same(begun, Model.from_folder(both).network, "flow")


def test_what_was_measured_for_standardising_comes_along(folder, tmp_path):
    stream = {**FRAME, "train_from": "none", "standardise": True}
    cache = {"folder": str(tmp_path / "cache")}
    model = random_model(recipe(folder, {"frame": stream}, cache=cache))
    model.network.stream("frame").standardise.fit(torch.full((128,), 2.0), torch.full((128,), 3.0))
    model.save_pretrained(tmp_path / "one")
    streams = {"frame": {**stream, "init_from": str(tmp_path / "one")}}
    begun = build_network(recipe(folder, streams), 3, load_weights=True)
    assert begun.stream("frame").standardise.mean[5] == 2
    assert begun.stream("frame").standardise.deviation[5] == 3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"conv6_channels": 9}, "3 shapes differ, first conv6.weight is (8, 128, 3, 3), not (9, 128, 3, 3)"),
        ({"backbone": "squeezenet"}, "it lacks "),
        ({"standardise": True, "train_from": "none"}, "it lacks 2 keys, first standardise.deviation"),
    ],
)
def test_a_stream_of_another_shape_is_refused(folder, tmp_path, changes, reason):
    begun = saved(folder, tmp_path / "one", {"frame": FRAME})
    with pytest.raises(ModelError) as caught:
        build_network(
            recipe(folder, {"frame": {**FRAME, **changes, "init_from": str(begun)}}), 3, load_weights=True
        )
    message = str(caught.value)
    assert message.startswith(f"the frame stream of {begun} does not fit: ")
    assert reason in message
    assert message.endswith(
        "Give it the same backbone, tap, conv6_channels and standardise, and the model's own kind"
    )


def test_averaging_has_no_attention_to_begin_with(folder, tmp_path):
    begun = saved(folder, tmp_path / "one", {"frame": FRAME}, model={"kind": "average"})
    streams = {"frame": {**FRAME, "init_from": str(begun)}}
    with pytest.raises(ModelError, match=r"it lacks 2 keys, first attention\.score\.bias\. Give"):
        build_network(recipe(folder, streams), 3, load_weights=True)
    same_kind = recipe(folder, streams, model={"kind": "average"})
    assert same(build_network(same_kind, 3, load_weights=True), Model.from_folder(begun).network, "frame")


def test_flow_of_another_number_of_fields_is_refused(folder, tmp_path):
    begun = saved(folder, tmp_path / "one", {"flow": FLOW})
    other = recipe_of(
        folder, model={"streams": {"flow": {**FLOW, "init_from": str(begun)}}}, flow={"fields": 3}
    )
    with pytest.raises(ModelError, match=r"block1\.0\.weight is \(24, 4, 7, 7\), not \(24, 6, 7, 7\)"):
        build_network(other, 3, load_weights=True)


def test_a_model_that_lacks_the_stream_and_a_folder_that_is_none(folder, tmp_path):
    begun = saved(folder, tmp_path / "one", {"frame": FRAME})
    clip = recipe(folder, {"clip": {**CLIP, "init_from": str(begun)}})
    with pytest.raises(ModelError, match=r"the model at .*one has no clip stream; give one that has"):
        build_network(clip, 3, load_weights=True)
    nowhere = recipe(folder, {"clip": {**CLIP, "init_from": str(tmp_path)}})
    with pytest.raises(CallError, match=f"{tmp_path} is no model folder: it holds no model.safetensors"):
        build_network(nowhere, 3, load_weights=True)
