"""Probabilities averaged over views."""

from __future__ import annotations

import pytest
import torch

from attcell.errors import ModelError
from attcell.inference.run import best_device, mean_scores, run_views


def test_views_are_averaged_as_probabilities(model):
    views = {"frame": torch.rand(3, 2, 3, 32, 32)}
    with torch.inference_mode():
        found = mean_scores(model.network, views, "softmax", kept_features=False).all
        expected = model.network(views).logits.softmax(-1).mean(0)
    torch.testing.assert_close(found, expected)
    assert float(found.sum()) == pytest.approx(1, abs=1e-6)


def test_kept_features_give_the_same(model):
    views = {"frame": torch.rand(3, 2, 3, 32, 32)}
    with torch.inference_mode():
        maps = model.network.feature_maps(views)
        kept = mean_scores(model.network, maps, "softmax", kept_features=True).all
        seen = mean_scores(model.network, views, "softmax", kept_features=False).all
        torch.testing.assert_close(kept, seen)
        assert run_views(model.network, maps, kept_features=True).logits.shape == (3, 3)


@pytest.mark.parametrize("rule", ["softmax", "sigmoid", "margin"])
def test_scores_are_made_by_the_rule_before_views_are_averaged(model, rule):
    views = {"frame": torch.rand(3, 2, 3, 32, 32)}
    with torch.inference_mode():
        found = mean_scores(model.network, views, rule, kept_features=False).all
        logits = model.network(views).logits
    made = {"softmax": logits.softmax(-1), "sigmoid": 1 / (1 + (-logits).exp()), "margin": logits}[rule]
    torch.testing.assert_close(found, made.mean(0))


def test_scores_that_are_no_numbers_are_refused(model):
    with torch.no_grad():
        model.network.classifier.bias[0] = float("inf")
    with pytest.raises(ModelError, match="the network's scores are not finite numbers"):
        mean_scores(model.network, {"frame": torch.rand(1, 2, 3, 32, 32)}, "softmax", kept_features=False)


def test_the_device_is_one_that_is_there():
    assert best_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
