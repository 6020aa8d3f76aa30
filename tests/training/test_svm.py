"""Training that ends in an SVM: pooled features, and a STAN whose classifier gives way to one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attcell.errors import CallError, DataError
from attcell.inference.evaluate import evaluate_model, listing_of
from attcell.inference.model import Model
from attcell.nn import STAN, Pooled, SVMNetwork
from attcell.training.run import train
from tests.small_models import recipe_of

SMALL = {"backbone": "small", "weights": "none", "train_from": "none"}
CPU = torch.device("cpu")


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
    assert saved.network.svm.weight.any()
    assert saved.recipe.model.classifier == "svm"
    scores = evaluate_model(saved, listing_of(saved, "test")).scores
    assert not np.allclose(scores.sum(axis=1), 1)  # margins are no probabilities
    again = Model.from_folder(train(recipe, tmp_path / "run", resume=True).model_folder)
    assert torch.equal(again.network.svm.weight, saved.network.svm.weight)


def test_a_stan_begins_with_one_that_has_an_svm(folder, tmp_path):
    first = train(recipe_of(folder, model={"classifier": "svm"}), tmp_path / "first").model_folder
    second = train(
        recipe_of(folder, model={"init_from": first}, train={"iterations": 1, "learning_rate": 1e-12}),
        tmp_path / "second",
    ).model_folder
    ours, theirs = Model.from_folder(second).network, Model.from_folder(first).network.body
    assert torch.allclose(ours.stream("frame").conv6.weight, theirs.stream("frame").conv6.weight, atol=1e-6)


def test_margins_are_not_shown_as_probabilities(folder, tmp_path):
    from attcell.inference.model import load

    model = load(train(pooled_recipe(folder), tmp_path / "run").model_folder)
    with pytest.raises(CallError, match="this model's classes are told by an SVM, whose margins are no prob"):
        model.predict(next(folder.rglob("*.mp4")))


def test_a_video_that_cannot_be_read_stops_it(folder, tmp_path):
    import shutil

    other = tmp_path / "videos"
    shutil.copytree(folder, other)
    (other / "wave" / "bad.mp4").write_bytes(b"no video")
    (other / "sit" / "worse.mp4").write_bytes(b"no video")
    for cache in (tmp_path / "features", None):
        with pytest.raises(DataError, match=r"2 videos cannot be read(.|\n)*worse.mp4(.|\n)*bad.mp4"):
            train(pooled_recipe(other, cache), tmp_path / "run")
    assert not (tmp_path / "run").exists()
