"""From a recipe to a network: what does not go together is refused."""

from __future__ import annotations

import pytest
import torch

from attcell.data.listing import Listing
from attcell.errors import CallError, ModelError
from attcell.inference.model import load
from attcell.inference.protocol import protocol_of
from attcell.models.build import build_network, evaluation_plan
from attcell.models.warm_start import refuse_other_shapes
from tests.small_models import LABELS, random_model, recipe_of

STREAMS = ("frame", "flow")
OTHER = {"size": 32, "short_side": 36, "mean": [0.5, 0.5, 0.5]}


def network(folder, name, backbone, **sections):
    streams = {name: {"backbone": backbone, "weights": "none", "conv6_channels": 4}}
    return build_network(recipe_of(folder, model={"streams": streams}, **sections), 3, load_weights=False)


@pytest.mark.parametrize(
    ("stream", "backbone", "message"),
    [
        ("frame", "small3d", "the frame stream's backbone is small3d, which takes a clip, not a picture; "),
        ("clip", "small", "the clip stream's backbone is small, which takes a picture, not a clip; "),
    ],
)
def test_a_backbone_that_takes_something_else(tmp_path, stream, backbone, message):
    with pytest.raises(CallError, match=message + "for clips choose one such as c3d"):
        network(tmp_path, stream, backbone)


@pytest.mark.parametrize(
    ("stream", "backbone"), [("clip", "c3d"), ("clip", "r3d_18"), ("frame", "googlenet")]
)
def test_colours_around_other_means_where_the_network_undoes_imagenets(tmp_path, stream, backbone):
    expected = rf"input\.mean \[0\.5, 0\.5, 0\.5\] .* are not ImageNet's, from which {backbone} brings"
    with pytest.raises(CallError, match=expected):
        network(tmp_path, stream, backbone, input=OTHER)
    assert network(tmp_path, stream, backbone) is not None


@pytest.mark.parametrize("fusion", ["early", "late"])
def test_attention_by_an_mlp_is_saved_and_read_again(folder, tmp_path, fusion):
    streams = {name: {"backbone": "small", "weights": "none", "conv6_channels": 4} for name in STREAMS}
    form = {"attention": "mlp", "fusion": fusion, "streams": streams}
    model = random_model(recipe_of(folder, model=form))
    keys = [key for key in model.network.state_dict() if "hidden.0.weight" in key]
    assert len(keys) == (4 if fusion == "late" else 3)  # over regions a stream, over time a network
    model.save_pretrained(tmp_path / "model")
    found = load(tmp_path / "model")
    assert found.recipe.model.attention == "mlp"
    video = folder / "wave" / "1.mp4"
    assert (found.predict(video).scores == model.predict(video).scores).all()
    assert protocol_of(found.recipe, evaluation_plan(found.recipe), Listing((), LABELS), 0)["network"] == (
        f"STAN with attention by an MLP, {fusion} fusion"
    )
    linear = recipe_of(folder, model={**form, "attention": "linear", "init_from": str(tmp_path / "model")})
    with pytest.raises(ModelError, match=r"model\.attention is mlp there and linear here"):
        refuse_other_shapes(linear)


TEMPORAL = {
    "lstm": ({}, "lstm.weight_hh_l0", (32, 8), "STAN"),
    "attcell": ({}, "score.weight", (1, 8), "STAN, segments by an AttCell without LSTM"),
    "self_attention": ({}, "enter.weight", (8, 8), "STAN, segments by self-attention"),
    "encoder_decoder": (
        {},
        "attention.score.weight",
        (1, 8),
        "STAN, segments by an encoder-decoder (one direction, additive)",
    ),
    "of classes": (
        {
            "temporal": "encoder_decoder",
            "decoder_steps": "classes",
            "decoder_score": "dot",
            "lstm_bidirectional": True,
            "lstm_layers": 2,
        },
        "classes.weight",
        (3, 8),
        "STAN, segments by an encoder-decoder (two directions, dot, one step a class)",
    ),
}


@pytest.mark.parametrize("form", TEMPORAL)
def test_what_weights_the_segments_is_saved_and_read_again(folder, tmp_path, form):
    options, key, shape, words = TEMPORAL[form]
    model = random_model(recipe_of(folder, model={"temporal": form, **options}))
    assert model.network.state_dict()[f"temporal.{key}"].shape == shape
    model.save_pretrained(tmp_path / "model")
    found = load(tmp_path / "model")
    assert found.recipe.model == model.recipe.model
    video = folder / "wave" / "1.mp4"
    said = found.predict(video)
    assert (said.scores == model.predict(video).scores).all()
    assert said.temporal_attention.sum() == pytest.approx(1)
    assert (
        protocol_of(found.recipe, evaluation_plan(found.recipe), Listing((), LABELS), 0)["network"] == words
    )


def test_another_data_sets_decoder_keeps_all_but_its_classes(folder, tmp_path):
    section = {"temporal": "encoder_decoder", "decoder_steps": "classes"}
    before = random_model(recipe_of(folder, model=section))
    before.save_pretrained(tmp_path / "model")
    recipe = recipe_of(folder, model={**section, "init_from": str(tmp_path / "model")})
    state = build_network(recipe, 5, load_weights=True).state_dict()
    own = {key for key in state if "classifier" in key or "temporal.classes" in key}
    assert len(own) == 3
    for key, value in state.items():
        assert len(value) == 5 if key in own else torch.equal(value, before.network.state_dict()[key]), key


@pytest.mark.parametrize(
    ("now", "message"),
    [
        ({"temporal": "lstm"}, "model.temporal is encoder_decoder there and lstm here"),
        ({"decoder_score": "dot"}, "model.decoder_score is additive there and dot here"),
        ({"decoder_steps": "classes"}, "model.decoder_steps is one there and classes here"),
        ({"lstm_hidden": 4}, "model.lstm_hidden is 8 there and 4 here"),
    ],
)
def test_a_beginning_that_weights_segments_otherwise_is_refused(folder, tmp_path, now, message):
    section = {"temporal": "encoder_decoder"}
    random_model(recipe_of(folder, model=section)).save_pretrained(tmp_path / "model")
    recipe = recipe_of(folder, model={**section, **now, "init_from": str(tmp_path / "model")})
    with pytest.raises(ModelError) as caught:
        refuse_other_shapes(recipe)
    assert message in str(caught.value)


def test_networks_without_attention_have_no_use_for_an_mlp(tmp_path):
    with pytest.raises(CallError, match="kind average has no use for attention; leave it out"):
        recipe_of(tmp_path, model={"kind": "average", "attention": "mlp"})


@pytest.mark.parametrize(("stream", "backbone"), [("frame", "small"), ("flow", "googlenet")])
def test_other_networks_take_any_mean(tmp_path, stream, backbone):
    assert network(tmp_path, stream, backbone, input=OTHER) is not None


def test_given_features_go_through_nothing_but_conv6(tmp_path):
    given = {"model": {"streams": {"features": {"conv6_channels": 4}}}, "features": {"dim": 6}}
    network = build_network(recipe_of(tmp_path, **given), 3, load_weights=True)
    stream = network.stream("features")
    assert stream.backbone.name == "given"
    assert stream.backbone.frozen
    assert stream.conv6.weight.shape == (4, 6, 1, 1)
    rows = torch.randn(2, 5, 6, 1, 1)
    out = network({"features": rows})
    assert torch.equal(stream.feature_maps(rows), rows)
    assert torch.equal(out.spatial_attention["features"], torch.ones(2, 5, 1, 1))
    weight = stream.conv6.weight[:, :, 0, 0]
    torch.testing.assert_close(out.segments, torch.relu(rows[..., 0, 0] @ weight.T + stream.conv6.bias))
    with pytest.raises(CallError, match="how many numbers a row of features has is not known"):
        build_network(recipe_of(tmp_path, model=given["model"]), 3, load_weights=True)
    message = "the features stream's backbone is small, which takes a picture, not given features; "
    recipe = recipe_of(tmp_path, model={"streams": {"features": {"backbone": "small"}}}, features={"dim": 6})
    with pytest.raises(CallError, match=message):
        build_network(recipe, 3, load_weights=False)
