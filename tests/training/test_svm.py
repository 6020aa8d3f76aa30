"""Training that ends in an SVM, on pooled features and on a STAN; and networks with one, tested and saved."""

from __future__ import annotations

import shutil
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from attcell.data.sources import read_source
from attcell.errors import CallError, DataError, ModelError
from attcell.inference.evaluate import evaluate_model, listing_of
from attcell.inference.extract import extract_features, feature_store
from attcell.inference.model import Model, load
from attcell.inference.predict import predict_video
from attcell.inference.run import encode_part, mean_scores, run_views
from attcell.models.build import build_network, evaluation_plan, input_spec
from attcell.nn import (
    STAN,
    VLAD,
    LinearSVM,
    Normalise,
    Pooled,
    PooledStream,
    SVMNetwork,
    build_backbone,
    build_pooling,
)
from attcell.training.finish import finish
from attcell.training.fit import fit
from attcell.training.prepare import prepare
from attcell.training.run import train
from attcell.training.svm_fit import choose_and_fit
from attcell.training.vlad import fit_vlad, sample_descriptors
from tests.small_models import LABELS, random_model, recipe_of

SMALL = {"backbone": "small", "weights": "none", "train_from": "none"}
CPU = torch.device("cpu")
SIDE = 32


def pooled_recipe(folder, cache=None, **model):
    """Pooled features of a network with random weights, on videos that tell their own number."""
    return recipe_of(
        folder,
        data={"test": folder},
        model={"kind": "pooled", "classifier": "svm", "streams": {"frame": SMALL}, **model},
        train={"iterations": None, "batch_size": 2, "accelerator": "cpu"},
        cache={"folder": cache},
    )


@pytest.mark.parametrize(
    "model",
    [{"pooling": "average"}, {"pooling": "flat"}, {"pooling": "vlad", "vlad_size": 4, "vlad_centres": 2}],
)
def test_kept_and_decoded_features_give_the_same_svm(folder, tmp_path, model):
    found = []
    for place, cache in (("decoded", None), ("kept", tmp_path / "features")):
        outcome = train(pooled_recipe(folder, cache, **model), tmp_path / place)
        saved = Model.from_folder(outcome.model_folder)
        assert isinstance(saved.network, SVMNetwork)
        assert isinstance(saved.network.body, Pooled)
        tested = evaluate_model(saved, listing_of(saved, "test"))
        assert tested.protocol["scores"] == "margin, averaged over crops"
        assert tested.protocol["network"].endswith("pooled over regions and segments, linear SVM")
        found.append(tested.scores)
    np.testing.assert_allclose(found[0], found[1], atol=0.05)  # kept maps are rounded to 16 bits


def test_a_svm_takes_the_place_of_a_trained_classifier(folder, tmp_path):
    recipe = recipe_of(folder, data={"test": folder}, model={"classifier": "svm"})
    outcome = train(recipe, tmp_path / "run")
    saved = Model.from_folder(outcome.model_folder)
    assert isinstance(saved.network, SVMNetwork)
    assert isinstance(saved.network.body, STAN)
    assert saved.network.svm.bias.any()  # the videos of all classes are alike, so its weights are 0
    assert saved.recipe.model.classifier == "svm"
    scores = evaluate_model(saved, listing_of(saved, "test")).scores
    assert not np.allclose(scores.sum(axis=1), 1)  # margins are no probabilities
    again = Model.from_folder(train(recipe, tmp_path / "run", resume=True).model_folder)
    for key, value in saved.network.svm.state_dict().items():
        assert torch.equal(again.network.svm.state_dict()[key], value)


def test_a_stan_begins_with_one_that_has_an_svm(folder, tmp_path):
    first = train(recipe_of(folder, model={"classifier": "svm"}), tmp_path / "first").model_folder
    second = train(
        recipe_of(folder, model={"init_from": first}, train={"iterations": 1, "learning_rate": 1e-12}),
        tmp_path / "second",
    ).model_folder
    ours, theirs = Model.from_folder(second).network, Model.from_folder(first).network.body
    assert torch.allclose(ours.stream("frame").conv6.weight, theirs.stream("frame").conv6.weight, atol=1e-6)


def test_margins_are_shown_as_what_they_were_worth_on_videos_left_out(folder, tmp_path):
    outcome = train(pooled_recipe(folder), tmp_path / "run")
    model, video = load(outcome.model_folder), next(folder.rglob("*.mp4"))
    found = model.predict(video).scores
    assert found.sum() == pytest.approx(1)
    assert model.training["svm"]["sharpness"] == outcome.inside.sharpness
    tested = evaluate_model(model, listing_of(model, "train")).scores[0]
    powers = np.exp(outcome.inside.sharpness * tested)
    np.testing.assert_allclose(np.sort(found), np.sort(powers / powers.sum()), atol=1e-3)


def test_margins_of_unknown_worth_are_not_shown_as_probabilities(folder, tmp_path):
    model = load(train(pooled_recipe(folder), tmp_path / "run").model_folder)
    del model.training["svm"]
    with pytest.raises(CallError, match="this model's classes are told by an SVM, whose margins are no prob"):
        model.predict(next(folder.rglob("*.mp4")))


def test_a_video_that_cannot_be_read_stops_it(folder, tmp_path):
    other = tmp_path / "videos"
    shutil.copytree(folder, other)
    (other / "wave" / "bad.mp4").write_bytes(b"no video")
    (other / "sit" / "worse.mp4").write_bytes(b"no video")
    for cache in (tmp_path / "features", None):
        with pytest.raises(DataError, match=r"2 videos cannot be read(.|\n)*worse.mp4(.|\n)*bad.mp4"):
            train(pooled_recipe(other, cache), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("pooling", "what"), [("average", "representation"), ("vlad", "frame stream's feature map")]
)
def test_a_video_of_which_a_network_makes_no_numbers_is_named(folder, tmp_path, pooling, what):
    sizes = {"vlad_size": 4, "vlad_centres": 2} if pooling == "vlad" else {}
    prepared = prepare(pooled_recipe(folder, pooling=pooling, **sizes), tmp_path / "run")
    with torch.no_grad():
        next(prepared.network.body.stream("frame").backbone.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError) as caught:
        finish(fit(prepared))
    assert str(caught.value) == (
        f"{read_source(folder).records[0].id}: its {what} is not finite numbers; the network's weights are "
        "broken: load others, or train it again"
    )


def test_what_was_made_of_decoded_videos_outlives_an_interruption(folder, tmp_path, monkeypatch):
    recipe, run = pooled_recipe(folder), tmp_path / "run"
    expected = Model.from_folder(train(recipe, tmp_path / "whole").model_folder).network.svm.state_dict()
    assert not (tmp_path / "whole" / "representations").exists()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("attcell.training.svm.choose_and_fit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, run)
    files = sorted(run.glob("representations/*/*.npy"))
    assert len(files) == 6
    files[0].unlink()
    files[1].write_bytes(b"damaged")
    seen = []
    monkeypatch.setattr(
        "attcell.training.svm.encode_part",
        lambda *args, **kwargs: seen.append(args) or encode_part(*args, **kwargs),
    )
    found = Model.from_folder(train(recipe, run, resume=True).model_folder).network.svm.state_dict()
    assert len(seen) == 2, "those that are not there or cannot be read"
    assert all(torch.equal(value, expected[key]) for key, value in found.items())
    assert not (run / "representations").exists()


def test_vlad_on_decoded_videos_says_what_it_costs(folder, tmp_path, capsys):
    said = "VLAD is fitted anew for each fold that is left out, and all training videos are decoded for each"
    model = {"pooling": "vlad", "vlad_size": 4, "vlad_centres": 2}
    train(pooled_recipe(folder, **model), tmp_path / "decoded")
    assert said in capsys.readouterr().err
    train(pooled_recipe(folder, tmp_path / "cache", **model), tmp_path / "kept")
    assert said not in capsys.readouterr().err


def test_long_videos_are_read_in_parts(folder, tmp_path, monkeypatch):
    """In any parts and with any number of workers, the SVM is the same."""
    whole = Model.from_folder(train(pooled_recipe(folder), tmp_path / "whole").model_folder).network
    monkeypatch.setattr("attcell.video.parts.BYTES_AT_ONCE", 1)
    for workers in (0, 2):
        recipe = pooled_recipe(folder)
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"workers": workers})})
        parts = Model.from_folder(train(recipe, tmp_path / f"{workers}").model_folder).network
        for key, value in whole.svm.state_dict().items():
            torch.testing.assert_close(
                parts.svm.state_dict()[key].double(), value.double(), rtol=1e-3, atol=1e-5
            )


def pooled_network(kind):
    torch.manual_seed(0)
    backbone = build_backbone("small")
    backbone.train_from("none")
    pooling = build_pooling(kind, backbone, (SIDE, SIDE), dims=4, centres=3)
    body = Pooled({"frame": PooledStream(backbone, pooling, normalise=Normalise([128.0] * 3, [60.0] * 3))})
    return SVMNetwork(body, LinearSVM(body.dim, len(LABELS))).eval()


def represented(network, maps, places):
    """All videos' representations; a VLAD is fitted to those of these places first."""
    pooling = network.stream("frame").pooling
    if isinstance(pooling, VLAD):
        seen = [maps[place] for place in places]
        pooling.load_state_dict(fit_vlad(sample_descriptors(seen, len(seen), 0), 4, 3, 0).state_dict())
    with torch.inference_mode():
        return torch.cat([network.body.attend({"frame": one}).video for one in maps]).numpy()


def fitted(kind, folder, recipe, tmp_path):
    """The network, fitted to all videos of the folder, and their kept feature maps."""
    network, records = pooled_network(kind), read_source(folder).records
    spec, plan = input_spec(recipe), evaluation_plan(recipe)
    store = feature_store(tmp_path / "features", "frame", network.stream("frame"), spec, plan)
    assert extract_features({"frame": store}, network, records, spec, plan, workers=0) == {}
    maps = [store.read(record)[0].float() for record in records]
    everything = represented(network, maps, range(len(maps)))
    truth = np.eye(len(LABELS), dtype=bool)[[record.label for record in records]]
    refitted = partial(represented, pooled_network(kind), maps) if kind == "vlad" else None
    _, svm, figure = choose_and_fit(everything, truth, (), 0, refitted=refitted)
    network.svm.load_state_dict(svm.state_dict())
    assert figure.validation == "2 folds with a share of every class, one left out"
    return network, maps, records


@pytest.mark.parametrize("kind", ["average", "flat", "vlad"])
def test_a_pooled_rival_is_fitted_and_predicts(kind, folder, recipe, tmp_path):
    network, maps, records = fitted(kind, folder, recipe, tmp_path)
    for record, one in zip(records, maps, strict=True):
        prediction = predict_video(Model(network, LABELS, recipe, {}), record.path)
        with torch.inference_mode():
            kept = mean_scores(run_views(network, {"frame": one}, kept_features=True), "softmax")
        np.testing.assert_allclose(prediction.scores, kept.all, atol=1e-2)  # kept maps are rounded
        assert kept.by_stream == {}
        assert prediction.spatial_attention == {}
        assert prediction.gates == {}
        np.testing.assert_allclose(prediction.temporal_attention, 1 / 3)
        assert not prediction.temporal_scores.any()


def test_a_saved_rival_holds_all_that_it_knows(folder, recipe, tmp_path):
    network, _, records = fitted("vlad", folder, recipe, tmp_path)
    Model(network, LABELS, recipe).save_pretrained(tmp_path / "model")
    other = pooled_network("vlad")
    other.load_state_dict(load_file(tmp_path / "model" / "model.safetensors"))
    first, second = (
        predict_video(Model(one, LABELS, recipe, {}), records[0].path) for one in (network, other)
    )
    np.testing.assert_array_equal(first.scores, second.scores)


def test_an_svm_on_stan_predicts_with_stans_attention(folder, recipe):
    model = random_model(recipe)
    stan = build_network(recipe, len(LABELS), load_weights=False)
    stan.load_state_dict(model.network.state_dict())
    svm = LinearSVM(8, len(LABELS))
    svm.fit(torch.zeros(8), torch.ones(8), False, torch.randn(3, 8), torch.zeros(3))
    path = folder / "wave" / "1.mp4"
    found = predict_video(Model(SVMNetwork(stan, svm).eval(), LABELS, recipe, {}), path)
    expected = predict_video(model, path)
    np.testing.assert_array_equal(found.temporal_attention, expected.temporal_attention)
    np.testing.assert_array_equal(found.spatial_attention["frame"], expected.spatial_attention["frame"])
    assert abs(found.scores - expected.scores).max() > 1e-3
