"""TAN from a recipe: what is built, what is learnt, what a prediction holds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from attcell.errors import CallError, ModelError
from attcell.inference.evaluate import evaluate_model, listing_of
from attcell.inference.model import load
from attcell.inference.predict import predict_video
from attcell.models.build import build_network
from attcell.models.listings import read_listings
from attcell.nn import TAN
from attcell.training.learner import Learner
from attcell.training.prepare import gather_training_data
from attcell.training.run import train
from tests.small_models import random_model, recipe_of

NONE = {"backbone": "small", "weights": "none"}
BRANCHES = {"kind": "tan", "streams": {"frame": NONE, "flow": NONE}, "lstm_hidden": 6}
FLOW = {"method": "dis", "fields": 1, "form": "picture"}


def tan_recipe(folder, model=None, **sections):
    return recipe_of(folder, model={**BRANCHES, **(model or {})}, **{"flow": FLOW, **sections})


@pytest.fixture
def tan(folder):
    return random_model(tan_recipe(folder))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_recipe_says_which_network(folder, cell):
    network = build_network(tan_recipe(folder, {"cell": cell, "lstm_layers": 2}), 3, load_weights=True)
    assert isinstance(network, TAN)
    for name in ("frame", "flow"):
        recurrent = network.stream(name).recurrent
        assert (recurrent.mode, recurrent.hidden_size, recurrent.num_layers) == (cell.upper(), 6, 2)
    assert network.stream("flow").backbone.in_channels == 3
    stacked = build_network(tan_recipe(folder, flow={"fields": 5}), 3, load_weights=True)
    assert stacked.branches["flow"].backbone.in_channels == 10


@pytest.mark.parametrize(
    ("model", "flow", "message"),
    [
        ({"streams": {"frame": NONE}}, FLOW, "kind tan needs two streams, such as frame and flow, not frame"),
        ({"fusion": "late"}, FLOW, "kind tan joins its branches by itself; leave fusion out"),
        (
            {"streams": {"frame": NONE, "flow": {**NONE, "conv6_channels": 8}}},
            FLOW,
            "kind tan has no use for streams.flow.conv6_channels; leave it out",
        ),
        (
            {"lstm_bidirectional": True},
            FLOW,
            "kind tan has no use for lstm_bidirectional; leave it out",
        ),
        ({"uniform_start": False}, FLOW, "kind tan has no use for uniform_start; leave it out"),
        ({"attention": "mlp"}, FLOW, "kind tan has no use for attention; leave it out"),
        ({}, {"form": "picture"}, "form picture holds one field, and fields is 10; set fields to 1"),
    ],
)
def test_what_tan_cannot_be_is_refused(folder, model, flow, message):
    with pytest.raises(CallError, match=message):
        tan_recipe(folder, model, flow=flow)


@pytest.mark.parametrize("steps", ["all", "last"])
def test_the_loss_covers_the_steps_that_count(folder, steps):
    recipe = tan_recipe(folder, train={"steps": steps, "label_smoothing": 0.1})
    network = random_model(recipe).network
    listings = read_listings(recipe)
    training_data = gather_training_data(recipe, listings, network, torch.device("cpu"))
    learner = Learner(network, recipe.train, 2, training_data, lambda *_: None)
    labels = torch.tensor([0, 2])
    inputs = {name: torch.rand(2, 4, 3, 32, 32) * 255 for name in ("frame", "flow")}
    with torch.no_grad():
        out = network(inputs)
        found = learner._loss(out, torch.eye(3)[labels])
    wanted = range(4) if steps == "all" else [3]
    expected = sum(
        np.mean([float(F.cross_entropy(logits[:, t], labels, label_smoothing=0.1)) for t in wanted])
        for logits in (out.frame_logits, out.flow_logits)
    )
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_a_prediction_holds_the_gates_and_the_last_steps_attention(tan, record):
    found = predict_video(tan, record.path, num_segments=4)
    assert found.spatial_attention == {}
    assert list(found.gates) == ["frame", "flow"]
    for name, gates in found.gates.items():
        assert gates.shape == (4, 4)
        np.testing.assert_allclose(gates.sum(axis=0), 1, atol=1e-5)
        np.testing.assert_allclose(found.temporal_attention_by_stream[name], gates[:, -1])
    np.testing.assert_allclose(
        found.temporal_attention, (found.gates["frame"][:, -1] + found.gates["flow"][:, -1]) / 2, atol=1e-6
    )
    assert found.scores.sum() == pytest.approx(1, abs=1e-5)
    assert found.stream_weights == {"frame": 0.5, "flow": 0.5}
    assert np.shape(found.to_dict()["gates"]["flow"]) == (4, 4)


@pytest.mark.parametrize("kept", [False, True])
def test_it_trains_is_read_again_and_is_tested(folder, tmp_path, kept):
    frozen = {**NONE, "train_from": "none", "standardise": True}
    model = {"streams": {"frame": frozen, "flow": frozen}} if kept else {}
    cache = {"cache": {"folder": tmp_path / "features"}} if kept else {}
    recipe = tan_recipe(folder, model, data={"test": folder}, train={"learning_rate": 0.1}, **cache)
    outcome = train(recipe, tmp_path / "run")
    saved = load(outcome.model_folder)
    features = tmp_path / "features" if kept else None
    evaluation = evaluate_model(saved, listing_of(saved, "test"), cache_folder=features)
    assert np.isfinite(evaluation.scores).all()
    assert evaluation.protocol["network"] == "TAN of GRU, last step"
    assert (
        evaluation.protocol["flow"]
        == "dis computed from the resized frames, one field as a picture, bound 20"
    )
    one = predict_video(saved, evaluation.records[0].path)
    np.testing.assert_allclose(one.scores, evaluation.scores[0], atol=1e-3 if kept else 1e-5)  # kept in half


def test_a_branch_may_begin_as_another_tans(tan, folder, tmp_path):
    """CNN and TAN from another data set: all is kept but the classifiers."""
    tan.save_pretrained(tmp_path / "model")
    begun = {**NONE, "init_from": str(tmp_path / "model")}
    network = build_network(
        tan_recipe(folder, {"streams": {"frame": begun, "flow": begun}}), 5, load_weights=True
    )
    for name in ("frame", "flow"):
        before, now = tan.network.stream(name).state_dict(), network.stream(name).state_dict()
        assert all(torch.equal(value, now[key]) for key, value in before.items())
    other = tan_recipe(folder, {"streams": {"frame": begun, "flow": begun}, "lstm_hidden": 7})
    with pytest.raises(ModelError, match=r"the frame stream of .*model does not fit: .* shapes differ"):
        build_network(other, 5, load_weights=True)


def test_a_branchs_backbone_may_be_another_tans(tan, folder, tmp_path):
    tan.save_pretrained(tmp_path / "model")
    begun = {"backbone": "small", "weights": str(tmp_path / "model")}
    network = build_network(
        tan_recipe(folder, {"streams": {"frame": begun, "flow": begun}}), 3, load_weights=True
    )
    for name in ("frame", "flow"):
        before = tan.network.stream(name).backbone.state_dict()
        assert all(torch.equal(v, before[k]) for k, v in network.stream(name).backbone.state_dict().items())
