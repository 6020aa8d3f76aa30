"""TAN's stages of training, and its rivals, from recipes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attcell.errors import CallError, ModelError
from attcell.inference.evaluate import evaluate_model, listing_of
from attcell.inference.model import load
from attcell.inference.predict import predict_video
from attcell.models.build import build_network
from attcell.models.listings import read_listings
from attcell.models.warm_start import refuse_other_shapes
from attcell.training.learner import Learner
from attcell.training.prepare import gather_training_data
from attcell.training.run import train
from tests.small_models import random_model, recipe_of

NONE = {"backbone": "small", "weights": "none"}
BOTH = {"frame": NONE, "flow": NONE}
KINDS = ["cnn", "two_stream", "fc", "branch_selection", "spatial_attention", "soft_attention"]


def recipe_for(folder, kind, model=None, **sections):
    values = {"kind": kind, "streams": {"frame": NONE} if kind == "soft_attention" else BOTH}
    flow = {"method": "dis", "fields": 1, "form": "picture"}
    return recipe_of(
        folder, model={**values, "lstm_hidden": 6, **(model or {})}, **{"flow": flow, **sections}
    )


def saved(folder, place, kind, model=None):
    made = random_model(recipe_for(folder, kind, model))
    made.save_pretrained(place)
    return made.network


def begun(folder, kind, model, num_classes=3):
    """The network that a recipe begins with, after it was found to be of one shape."""
    recipe = recipe_for(folder, kind, model)
    refuse_other_shapes(recipe)
    return build_network(recipe, num_classes, load_weights=True)


def assert_same_weights(now, before):
    assert now.state_dict().keys() == before.state_dict().keys()
    assert all(torch.equal(now.state_dict()[key], value) for key, value in before.state_dict().items())


def test_a_cnn_classifies_single_clips_too(folder, tmp_path):
    model = {"streams": {"clip": {"backbone": "small3d", "weights": "none"}, "frame": NONE}}
    recipe = recipe_for(folder, "cnn", model, data={"test": folder}, clip={"frames": 4})
    trained = load(train(recipe, tmp_path / "run").model_folder)
    evaluation = evaluate_model(trained, listing_of(trained, "test"))
    assert evaluation.unread == {}
    assert evaluation.protocol["network"] == "CNN, all segments alike"
    assert {"top1", "top1_clip", "top1_frame"} <= evaluation.figures().keys()
    alone = [evaluation.by_stream[name] for name in ("clip", "frame")]
    np.testing.assert_allclose(evaluation.scores, np.mean(alone, axis=0), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rival_is_trained_tested_and_predicts(folder, tmp_path, kind):
    penalty = {"gate_penalty": 0.1} if kind == "branch_selection" else {}
    recipe = recipe_for(folder, kind, data={"test": folder}, train={"learning_rate": 0.1, **penalty})
    outcome = train(recipe, tmp_path / "run")
    model = load(outcome.model_folder)
    evaluation = evaluate_model(model, listing_of(model, "test"))
    named = {
        "cnn": "CNN, all segments alike",
        "branch_selection": "branch selection with L2 0.1 of GRU, last step",
    }.get(kind, f"{kind.replace('_', ' ')} of GRU, last step")
    assert evaluation.protocol["network"] == named
    streams = list(recipe.model.streams)
    assert [f"top1_{name}" in evaluation.figures() for name in streams] == [True] * len(streams)
    one = predict_video(model, evaluation.records[0].path)
    np.testing.assert_allclose(one.scores, evaluation.scores[0], atol=1e-5)
    assert one.gates == {}
    assert list(one.spatial_attention) == (streams if "attention" in kind else [])
    np.testing.assert_allclose(one.temporal_attention, 1 / 3)


@pytest.mark.parametrize("kind", ["tan", *KINDS])
def test_one_step_is_enough(folder, kind):
    model = random_model(recipe_for(folder, kind))
    found = predict_video(model, folder / "wave" / "1.mp4", num_segments=1)
    np.testing.assert_allclose(found.temporal_attention, [1])
    assert found.scores.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "model", "message"),
    [
        ("cnn", {"lstm_bidirectional": True}, "cnn has no use for lstm_bidirectional; leave it out"),
        ("fc", {"streams": {"frame": NONE}}, "kind fc needs two streams, such as frame and flow, not frame"),
        (
            "soft_attention",
            {"streams": BOTH},
            "soft_attention needs one stream, such as frame or flow, not frame, f",
        ),
        (
            "two_stream",
            {"streams": {"clip": NONE}},
            "two_stream has streams of pictures, such as frame and flow, not clip",
        ),
        ("two_stream", {"fusion": "late"}, "kind two_stream joins its branches by itself; leave fusion out"),
        (
            "tan",
            {"init_from": "x", "streams": {"frame": {**NONE, "init_from": "y"}, "flow": NONE}},
            "init_from is the whole network's; leave streams.frame.init_from out",
        ),
        (
            "tan",
            {"init_from": "x", "streams": {"frame": {**NONE, "weights": "w"}, "flow": NONE}},
            "frame stream begins with x, and streams.frame.weights w would not be read; leave one of them",
        ),
        (
            "tan",
            {"streams": {"frame": NONE, "flow": {**NONE, "init_from": "y", "weights": "w"}}},
            "flow stream begins with y, and streams.flow.weights w would not be read; leave one of them",
        ),
    ],
)
def test_what_a_rival_cannot_be_is_refused(folder, kind, model, message):
    with pytest.raises(CallError, match=message):
        recipe_for(folder, kind, model)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("tan", {"gate_penalty": 0.1}, "train.gate_penalty is for kind branch_selection, not tan"),
        ("cnn", {"steps": "last"}, "train.steps=last is for recurrent branches, and model.kind is cnn"),
        ("branch_selection", {"gate_penalty": -1.0}, "greater than or equal to 0"),
    ],
)
def test_what_does_not_belong_to_a_kind_is_refused(folder, kind, values, message):
    with pytest.raises(CallError, match=message):
        recipe_for(folder, kind, train=values)


@pytest.mark.parametrize(("steps", "first"), [("all", 0), ("last", -1)])
def test_the_penalty_is_on_the_gates_raw_scores(folder, steps, first):
    losses = []
    for penalty in (0.0, 0.5):
        section = {"gate_penalty": penalty, "steps": steps}
        recipe = recipe_for(folder, "branch_selection", train=section)
        network = random_model(recipe).network
        listings = read_listings(recipe)
        training_data = gather_training_data(recipe, listings, network, torch.device("cpu"))
        learner = Learner(network, recipe.train, 2, training_data, lambda result: None)
        generator = torch.Generator().manual_seed(0)
        inputs = {name: torch.rand(2, 4, 3, 32, 32, generator=generator) * 255 for name in BOTH}
        with torch.no_grad():
            out = network(inputs)
            losses.append(float(learner._loss(out, torch.eye(3)[[0, 2]])))
    expected = 0.5 * float(out.joined.selection[:, first:].square().mean())
    assert expected > 0.001
    assert losses[1] - losses[0] == pytest.approx(expected, rel=1e-3)


def test_tan_begins_with_the_cnns_of_the_first_stage(folder, tmp_path):
    first = saved(folder, tmp_path / "cnn", "cnn")
    network = begun(
        folder, "tan", {"streams": {name: {**NONE, "weights": str(tmp_path / "cnn")} for name in BOTH}}
    )
    for name in BOTH:
        assert_same_weights(network.stream(name).backbone, first.stream(name).backbone)


@pytest.mark.parametrize("kind", ["tan", "two_stream", "fc"])
def test_another_data_sets_network_keeps_all_but_its_classifiers(folder, tmp_path, kind):
    before = saved(folder, tmp_path / "model", kind).state_dict()
    now = begun(folder, kind, {"init_from": str(tmp_path / "model")}, num_classes=5).state_dict()
    classifiers = {key for key in now if "classifier" in key}
    assert classifiers
    for key, value in now.items():
        assert len(value) == 5 if key in classifiers else torch.equal(value, before[key]), key


@pytest.mark.parametrize(
    ("kind", "model", "message"),
    [
        ("two_stream", {}, "model.kind is tan there and two_stream here"),
        ("tan", {"lstm_hidden": 7}, "model.lstm_hidden is 6 there and 7 here"),
        ("tan", {"cell": "lstm"}, "model.cell is gru there and lstm here"),
        (
            "tan",
            {"streams": {"frame": {**NONE, "backbone": "squeezenet"}, "flow": NONE}},
            "model.streams.frame.backbone is small there and squeezenet here",
        ),
    ],
)
def test_a_stage_from_another_network_names_what_differs(folder, tmp_path, kind, model, message):
    saved(folder, tmp_path / "model", "tan")
    recipe = recipe_for(folder, kind, {"init_from": str(tmp_path / "model"), **model})
    with pytest.raises(ModelError) as caught:
        train(recipe, tmp_path / "run")
    assert str(caught.value) == (
        f"model.init_from {tmp_path / 'model'} is another network: {message}. "
        "Set them alike, or begin with another model"
    )
    assert not (tmp_path / "run").exists()


def test_a_stage_from_another_flow_names_its_channels(folder, tmp_path):
    saved(folder, tmp_path / "model", "tan")
    recipe = recipe_for(
        folder, "tan", {"init_from": str(tmp_path / "model")}, flow={"method": "dis", "fields": 5}
    )
    with pytest.raises(ModelError, match=r"network: flow has 3 channels there and 10 here\. Set"):
        refuse_other_shapes(recipe)


def test_a_stage_from_another_backbone_names_both(folder, tmp_path):
    saved(folder, tmp_path / "cnn", "cnn")
    streams = {**BOTH, "flow": {"backbone": "squeezenet", "weights": str(tmp_path / "cnn")}}
    with pytest.raises(ModelError) as caught:
        train(recipe_for(folder, "tan", {"streams": streams}), tmp_path / "run")
    assert str(caught.value) == (
        f"model.streams.flow.weights: the backbone of {tmp_path / 'cnn'} is small, and this recipe's is "
        "squeezenet; set model.streams.flow.backbone=small, or give another model's folder"
    )


def test_no_model_to_begin_with(folder, tmp_path):
    recipe = recipe_for(folder, "tan", {"init_from": str(tmp_path / "nothing")})
    with pytest.raises(CallError, match=r"no model at .*nothing: model.init_from wants a model folder"):
        train(recipe, tmp_path / "run")


def test_a_stage_warns_of_another_input(folder, tmp_path, capsys):
    saved(folder, tmp_path / "model", "tan")
    recipe = recipe_for(
        folder,
        "tan",
        {"init_from": str(tmp_path / "model")},
        flow={"method": "dis", "fields": 1, "form": "picture", "bound": 10.0},
    )
    train(recipe, tmp_path / "run")
    assert "warning: the flow stream begins as that of" in capsys.readouterr().err


def test_a_stream_that_is_null_is_left_out(folder):
    recipe = recipe_for(folder, "soft_attention", {"streams": {"frame": NONE, "flow": None}})
    assert list(recipe.model.streams) == ["frame"]


def test_keys_that_a_cnn_has_no_use_for_may_differ(folder, tmp_path):
    saved(folder, tmp_path / "model", "cnn")
    refuse_other_shapes(
        recipe_for(folder, "cnn", {"init_from": str(tmp_path / "model"), "cell": "lstm", "lstm_hidden": 7})
    )


@pytest.mark.parametrize(
    ("before", "model", "message"),
    [
        ("tan", {"lstm_hidden": 7}, "is another stream: model.lstm_hidden is 6 there and 7 here. Set them"),
        (
            "two_stream",
            {"cell": "lstm"},
            "is another stream: model.cell is gru there and lstm here. Set",
        ),
        (
            "tan",
            {"streams": {"frame": {**NONE, "backbone": "squeezenet"}, "flow": NONE}},
            "is another stream: model.streams.frame.backbone is small there and squeezenet here. Set them",
        ),
        (
            "cnn",
            {},
            "is of kind cnn and has no recurrent layer; take its backbone: model.streams.frame.weights=",
        ),
    ],
)
def test_a_stream_of_another_shape_is_named(folder, tmp_path, before, model, message):
    saved(folder, tmp_path / "model", before)
    streams = model.get("streams", BOTH)
    begins = {"frame": {**streams["frame"], "init_from": str(tmp_path / "model")}, "flow": NONE}
    with pytest.raises(ModelError) as caught:
        refuse_other_shapes(recipe_for(folder, "tan", {**model, "streams": begins}))
    where = f"model.streams.frame.init_from {tmp_path / 'model'} "
    assert str(caught.value).startswith(where + message)


def test_a_branch_of_a_rival_becomes_one_of_tan(folder, tmp_path):
    before = saved(folder, tmp_path / "model", "two_stream")
    network = begun(
        folder, "tan", {"streams": {name: {**NONE, "init_from": str(tmp_path / "model")} for name in BOTH}}
    )
    for name in BOTH:
        assert_same_weights(network.stream(name), before.stream(name))


def test_the_weights_of_late_fusion_belong_to_the_classes(folder, tmp_path):
    small = {**NONE, "conv6_channels": 4}
    values = {"kind": "san", "fusion": "late", "streams": {"frame": small, "flow": small}}
    made = random_model(recipe_of(folder, model=values))
    made.network.set_weights(torch.tensor([0.8, 0.2]))
    made.save_pretrained(tmp_path / "model")
    recipe = recipe_of(folder, model={**values, "init_from": str(tmp_path / "model")})
    network = build_network(recipe, 5, load_weights=True)
    assert network.weights.tolist() == [0.5, 0.5]
    conv6 = [key for key in network.state_dict() if "conv6.weight" in key]
    assert conv6
    assert all(torch.equal(network.state_dict()[key], made.network.state_dict()[key]) for key in conv6)
