"""Trainings with mixed, changed and balanced videos: broken off and gone on with they end as undisturbed."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from attcell.errors import CallError, VideoError
from attcell.inference.model import load
from attcell.training.learner import Learner
from attcell.training.prepare import prepare
from attcell.training.rate_finder import _steepest, find_learning_rate
from attcell.training.run import train
from attcell.training.schedule import ValidationResult, balanced_weights
from tests.small_models import FROZEN, recipe_of


def same(first, second):
    return all(torch.equal(value, second.state_dict()[key]) for key, value in first.state_dict().items())


def stop_at(monkeypatch, iteration):
    """Let the training break when it has done so many iterations."""
    step = Learner.training_step

    def stopping(self, batch, index):
        if self.global_step == iteration:
            raise VideoError("a disk that is gone for a while")
        return step(self, batch, index)

    monkeypatch.setattr(Learner, "training_step", stopping)


KEPT = {"model": FROZEN, "cache": {"positions": 2}}


@pytest.mark.parametrize(
    ("changes", "sections"),
    [
        ({"mixup": 0.4, "accumulate": 2}, KEPT),
        ({"mixup": 0.4, "cutmix": 1.0, "balanced_sampling": True}, KEPT),
        ({"class_weights": "balanced", "flip_pairs": {"run": "sit"}}, KEPT),
        ({"randaugment": 9, "colour_jitter": 0.3, "cutmix": 1.0}, {}),
    ],
)
def test_broken_off_and_resumed_they_end_with_the_same_weights(
    folder, tmp_path, monkeypatch, changes, sections
):
    sections = dict(sections)
    if "cache" in sections:
        sections["cache"] = {**sections["cache"], "folder": tmp_path / "cache"}
    times = {"learning_rate": 0.1, "iterations": 4, "batch_size": 4, "checkpoint_every": 2}
    recipe = recipe_of(folder, train={**times, **changes}, **sections)
    whole = load(train(recipe, tmp_path / "whole").model_folder).network
    stop_at(monkeypatch, 3)
    with pytest.raises(VideoError):
        train(recipe, tmp_path / "broken")
    monkeypatch.undo()
    resumed = load(train(recipe, tmp_path / "broken", resume=True).model_folder).network
    assert same(whole, resumed)
    plain = recipe_of(folder, train=times, **sections)
    assert not same(whole, load(train(plain, tmp_path / "plain").model_folder).network)


ACCURACIES = {1: 0.2, 2: 0.5, 3: 0.5, 4: 0.4, 5: 0.3, 6: 0.9, 7: 0.1, 8: 0.1}  # after so many iterations


def test_early_stopping_ends_where_it_should_and_goes_on_alike(folder, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO, logger="attcell")
    recipe = recipe_of(
        folder,
        data={"val": folder},
        model=FROZEN,
        cache={"folder": tmp_path / "cache"},
        train={"learning_rate": 0.1, "iterations": 8, "checkpoint_every": 1, "early_stopping": 3},
    )

    def judged(self):
        self.latest = ValidationResult(self.global_step, ACCURACIES[self.global_step], 1.0)

    def judge():
        monkeypatch.setattr(Learner, "on_validation_epoch_end", judged)

    judge()
    whole = train(recipe, tmp_path / "whole")
    assert (whole.iterations, whole.best.iterations) == (5, 2)
    said = "stopped early, after 5 of 8 iterations: 3 validations since iteration 2 gave no better network"
    assert caplog.messages.count(said) == 1
    for iteration in (1, 2, 4):
        stop_at(monkeypatch, iteration)
        with pytest.raises(VideoError):
            train(recipe, tmp_path / f"broken{iteration}")
        monkeypatch.undo()
        judge()
        resumed = train(recipe, tmp_path / f"broken{iteration}", resume=True)
        assert (resumed.iterations, resumed.best) == (5, whole.best)
        assert same(load(whole.model_folder).network, load(resumed.model_folder).network)
    again = train(recipe, tmp_path / "whole", resume=True)
    assert (again.iterations, again.best) == (5, whole.best), "it had ended, and does so again"


def test_directional_names_leave_mirror_images_out_of_all_that_is_learnt_from(folder, tmp_path, caplog):
    renamed = tmp_path / "turns"
    renamed.mkdir()
    for name, of in {"turn_left": "run", "turn_right": "sit"}.items():
        (renamed / name).symlink_to(folder / of)
    changes = {"model": {**FROZEN, "classifier": "svm"}, "cache": {"folder": tmp_path / "cache"}}

    def views(**section):
        prepared = prepare(recipe_of(renamed, train=section, **changes), tmp_path / "run")
        kept = prepared.data.train.stores["frame"].read(prepared.listings.train[0])[0]
        return len(kept), len(prepared.svm_videos[0].inputs["frame"])

    assert views() == (2, 2)
    assert [said for said in caplog.messages if "mirror" in said] == [
        "no mirror images in training: a mirror image changes turn_left, turn_right, by the name. To teach "
        'from them as well: "train.flip_pairs={turn_left: turn_right}"; if they change nothing: '
        "train.flip=true"
    ]
    assert views(flip=True) == (4, 4)
    assert views(flip=False) == (2, 2)
    assert views(flip_pairs={"turn_left": "turn_right"}) == (4, 2), "an SVM learns from the mean of all views"


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_balanced_weights_let_every_class_count_alike(loss):
    labels = [(0,)] * 6 + [(1,)] * 2 + [(3,)]
    weights = balanced_weights(labels, 5, loss)
    if loss == "softmax":
        assert weights.tolist() == pytest.approx([9 / 18, 9 / 6, 1, 9 / 3, 1])
        assert sum(float(weights[label]) for (label,) in labels) == pytest.approx(9), "1 on average"
        return
    assert weights.shape == (2, 5)
    assert weights[:, 2].tolist() == [1, 1]
    for label in (0, 1, 3):
        has = sum(label in of for of in labels)
        assert float(weights[1, label]) * has == pytest.approx(float(weights[0, label]) * (9 - has))


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_the_weighted_loss_is_that_of_repeated_videos(folder, loss):
    """Weights of 1/2 and 3/2 give what each video would give alone, so often."""
    section = {"loss": loss, "class_weights": "balanced", "label_smoothing": 0.0}
    learner = Learner.__new__(Learner)
    torch.nn.Module.__init__(learner)
    learner.section = recipe_of(folder, train=section).train
    learner.class_weights = None
    logits = torch.tensor([[[2.0, -1.0]], [[0.0, 1.0]]])
    truth = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    alone = [float(learner._cross_entropy(logits[n : n + 1], truth[n : n + 1])) for n in (0, 1)]
    if loss == "softmax":
        learner.class_weights = torch.tensor([0.5, 1.5])
    else:
        learner.class_weights = torch.tensor([[1.5, 0.5], [0.5, 1.5]])  # of no, and of yes
    found = float(learner._cross_entropy(logits, truth))
    assert found == pytest.approx((0.5 * alone[0] + 1.5 * alone[1]) / 2)


def test_the_learning_rate_finder_finds_the_same_again_and_writes_nothing(folder, tmp_path):
    recipe = recipe_of(
        folder, model=FROZEN, cache={"folder": tmp_path / "cache"}, train={"batch_size": 4, "accumulate": 2}
    )
    first, again = (find_learning_rate(recipe, iterations=25) for _ in range(2))
    assert first.losses.tolist() == again.losses.tolist()
    assert first.suggestion == again.suggestion
    assert len(first.rates) == len(first.losses) <= 25
    assert first.rates[0] == pytest.approx(1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


@pytest.mark.parametrize(
    ("losses", "found"),
    [([3 - 2 / (1 + 10 ** (4 - n / 5)) for n in range(40)], 20), ([1.0 + n for n in range(40)], None)],
)
def test_the_suggestion_is_where_the_loss_falls_fastest(losses, found):
    rates = np.geomspace(1e-6, 10, 40)
    suggestion = _steepest(rates, np.array(losses))
    assert suggestion == (None if found is None else float(f"{rates[found]:.1e}"))


def test_the_finder_refuses_what_learns_in_no_iterations(folder):
    streams = {"frame": {"backbone": "small", "weights": "none", "train_from": "none"}}
    recipe = recipe_of(
        folder, model={"kind": "pooled", "classifier": "svm", "streams": streams}, train={"iterations": None}
    )
    with pytest.raises(CallError, match="kind pooled fits an SVM alone, which has no learning rate"):
        find_learning_rate(recipe)
    with pytest.raises(CallError, match="iterations is 3; give a whole number, at least 20"):
        find_learning_rate(recipe, iterations=3)
