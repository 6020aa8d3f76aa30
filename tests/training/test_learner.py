"""What a training step does, and which network is kept."""

from __future__ import annotations

import csv
import math

import lightning as L
import pytest
import torch

from attcell.data.datasets import Views, collate
from attcell.data.order import ShuffledVideos, TrainingOrder
from attcell.errors import TrainingError, VideoError
from attcell.models.build import build_network
from attcell.models.listings import read_listings
from attcell.training.fit import _quiet_lightning
from attcell.training.learner import Learner
from attcell.training.prepare import gather_training_data
from attcell.training.run import train
from attcell.training.schedule import ValidationResult
from tests.small_models import LABELS, recipe_of


@pytest.mark.parametrize(
    ("one", "other", "better"),
    [
        (ValidationResult(5, 0.5, 1.0), None, True),
        (ValidationResult(5, 0.6, 2.0), ValidationResult(4, 0.5, 1.0), True),
        (ValidationResult(5, 0.5, 0.9), ValidationResult(4, 0.5, 1.0), True),
        (ValidationResult(5, 0.5, 1.0), ValidationResult(4, 0.5, 1.0), False),
        (ValidationResult(5, 0.4, 0.1), ValidationResult(4, 0.5, 1.0), False),
        (ValidationResult(5), ValidationResult(4), True),
    ],
)
def test_the_better_network_is_the_more_accurate_then_the_surer_then_the_first(one, other, better):
    assert one.beats(other) is better


class Harness:
    """A learner, fitted in memory, without logs or checkpoints."""

    def __init__(self, recipe, seed: int = 0) -> None:
        torch.manual_seed(seed)
        listings = read_listings(recipe)
        self.network = build_network(recipe, len(LABELS), load_weights=True)
        self.before = {key: value.clone() for key, value in self.network.state_dict().items()}
        self.kept: list[ValidationResult] = []
        training_data = gather_training_data(recipe, listings, self.network, torch.device("cpu"))
        self.learner = Learner(
            self.network, recipe.train, recipe.train.iterations, training_data,
            lambda _, result: self.kept.append(result),
        )  # fmt: skip

    def fit(self) -> None:
        with _quiet_lightning():
            trainer = L.Trainer(
                accelerator="cpu", max_epochs=len(self.learner.periods), reload_dataloaders_every_n_epochs=1,
                logger=False, enable_checkpointing=False, enable_progress_bar=False,
                enable_model_summary=False, num_sanity_val_steps=0, use_distributed_sampler=False,
                limit_val_batches=0 if self.learner.training_data.val is None else 1.0,
            )  # fmt: skip
            trainer.fit(self.learner)

    @property
    def moved(self) -> set[str]:
        """The keys whose values changed."""
        after = self.network.state_dict()
        return {key for key, value in self.before.items() if not torch.equal(value, after[key])}


def test_every_trained_parameter_moves_and_the_last_network_is_kept_without_validation(folder):
    harness = Harness(recipe_of(folder, train={"iterations": 3, "checkpoint_every": 2, "learning_rate": 0.1}))
    harness.fit()
    # β and α start uniform and the first gradient of their weights comes through the sums alone
    assert harness.moved >= {
        key for key in harness.before if "attention.score.bias" not in key and "lstm" not in key
    }
    assert [result.iterations for result in harness.kept] == [2, 3]
    assert harness.learner.best == ValidationResult(3)


def test_only_layers_from_the_named_one_are_trained(folder):
    streams = {"frame": {"backbone": "small", "weights": "none", "conv6_channels": 8, "train_from": "block3"}}
    harness = Harness(
        recipe_of(
            folder,
            model={"streams": streams},
            train={"iterations": 2, "learning_rate": 0.1, "weight_decay": 0.1},
        )
    )
    harness.fit()
    blocks = {key.split("backbone.body.")[1].split(".")[0] for key in harness.moved if "backbone" in key}
    assert blocks == {"block3", "block4"}
    assert any("conv6" in key for key in harness.moved)


def test_validation_tells_accuracy_and_loss(folder):
    harness = Harness(recipe_of(folder, data={"val": folder}, train={"iterations": 1, "learning_rate": 1e-9}))
    harness.fit()
    (result,) = harness.kept
    network = harness.network.eval()
    training_data = harness.learner.training_data
    with torch.no_grad():
        scores = torch.stack([network(part.inputs).logits[0].softmax(-1) for part in training_data.val])
    labels = torch.tensor([record.label for record in training_data.val_records])
    assert result.accuracy == pytest.approx(float((scores.argmax(1) == labels).float().mean()))
    assert result.loss == pytest.approx(float(-scores[range(6), labels].log().mean()), rel=1e-4)


def test_the_seed_decides(folder):
    def trained(seed: int) -> dict[str, torch.Tensor]:
        harness = Harness(recipe_of(folder, train={"seed": seed, "learning_rate": 0.1}))
        harness.fit()
        return harness.network.state_dict()

    first, again, other = trained(3), trained(3), trained(2**63 - 1)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_a_loss_that_is_no_number_stops_at_once(folder):
    harness = Harness(recipe_of(folder))
    with torch.no_grad():
        harness.network.classifier.bias[0] = float("nan")
    with pytest.raises(TrainingError, match=r"the loss is nan at iteration 1; .* Lower train.learning_rate"):
        harness.fit()
    assert harness.kept == []


def test_weights_that_the_last_step_broke_are_not_kept(folder):
    harness = Harness(recipe_of(folder, train={"iterations": 1}))
    harness.network.classifier.weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(TrainingError, match="the weights are no finite numbers at iteration 1"):
        harness.fit()
    assert harness.kept == []


def test_validation_scores_that_are_no_numbers_stop(folder):
    harness = Harness(recipe_of(folder, data={"val": folder}, train={"iterations": 1, "learning_rate": 1e30}))
    with pytest.raises(
        TrainingError, match="the scores of a validation video are no finite numbers at iteration 1"
    ):
        harness.fit()
    assert harness.kept == []


def test_a_batch_that_could_not_be_read_stops(folder, tmp_path):
    harness = Harness(recipe_of(folder))
    with pytest.raises(VideoError, match="bad"):
        harness.learner.training_step(VideoError("bad"), 0)
    with pytest.raises(VideoError, match="bad"):
        harness.learner.validation_step(Views({}, error=VideoError("bad")), 0)


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_videos_of_several_classes(folder, loss, smoothing):
    """Softmax: the classes share the target evenly. Sigmoid: each class is a question of its own."""
    learner = Harness(recipe_of(folder, train={"loss": loss, "label_smoothing": smoothing})).learner
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, 3.0]])
    truth = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    expected = []
    for row, own in zip(logits.tolist(), truth.tolist(), strict=True):
        if loss == "softmax":
            total = sum(math.exp(value) for value in row)
            target = [(1 - smoothing) * value / sum(own) + smoothing / 3 for value in own]
            terms = [-part * math.log(math.exp(x) / total) for part, x in zip(target, row, strict=True)]
            expected.append(sum(terms))
        else:
            target = [(1 - smoothing) * value + smoothing / 2 for value in own]
            shares = [1 / (1 + math.exp(-value)) for value in row]
            terms = [
                -part * math.log(share) - (1 - part) * math.log(1 - share)
                for part, share in zip(target, shares, strict=True)
            ]
            expected.append(sum(terms) / 3)
    found = learner._cross_entropy(logits[:, None], truth)
    assert float(found) == pytest.approx(sum(expected) / 2, rel=1e-6)


def logged(run):
    """The rows of each version of a run's metrics.csv that tell of a training step."""
    files = sorted((run / "logs" / "csv").glob("version_*/metrics.csv"))
    rows = [list(csv.DictReader(file.read_text().splitlines())) for file in files]
    return [[row for row in of_version if row["train_loss"]] for of_version in rows]


def rates(schedule, iterations):
    """The learning rate of each iteration, by the schedule's formula: a tenth every 2, or one cycle."""
    if schedule == "step":
        return [0.3 * 0.1 ** (number // 2) for number in range(iterations)]
    top, first, last = 0.3, 0.3 / 25, 0.3 / 25 / 1e4  # up by half a cosine for 30 % of it, and down
    turn = 0.3 * (iterations + 1) - 1

    def between(start, end, share):
        return end + (start - end) / 2 * (1 + math.cos(math.pi * share))

    return [
        between(first, top, number / turn)
        if number <= turn
        else between(top, last, (number - turn) / (iterations - turn))
        for number in range(iterations)
    ]


@pytest.mark.parametrize("schedule", ["step", "onecycle"])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_each_row_of_the_log_is_what_the_equations_give(folder, tmp_path, schedule, accumulate):
    """As of a plain loop over whole batches: the mean loss of all videos, and the rate that the step used."""
    recipe = recipe_of(
        folder,
        model={"dropout": 0.0},
        train={
            "learning_rate": 0.3, "schedule": schedule, "step_iterations": 2, "iterations": 7,
            "batch_size": 3, "accumulate": accumulate, "checkpoint_every": 3,
        },
    )  # fmt: skip
    train(recipe, tmp_path / "run")
    ((*rows,),) = logged(tmp_path / "run")
    assert [int(row["step"]) for row in rows] == list(range(7))

    harness = Harness(recipe, recipe.train.seed)
    videos, network = harness.learner.training_data.train, harness.network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0, momentum=0.9)
    order = list(TrainingOrder(ShuffledVideos(6, recipe.train.seed), 3, range(7)))
    for number, (row, rate) in enumerate(zip(rows, rates(schedule, 7), strict=True)):
        batch = collate([videos[key] for key in order[3 * number : 3 * number + 3]])
        truth = torch.tensor([label for (label,) in batch.labels])
        loss = torch.nn.functional.cross_entropy(network(batch.inputs).logits, truth)
        assert float(row["train_loss"]) == pytest.approx(loss.item(), rel=1e-4), number
        assert float(row["learning_rate"]) == pytest.approx(rate, rel=1e-6), number
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_a_resumed_run_logs_what_the_undisturbed_one_does(folder, tmp_path, monkeypatch):
    recipe = recipe_of(
        folder,
        train={
            "learning_rate": 0.1, "schedule": "onecycle", "iterations": 6, "batch_size": 4, "accumulate": 2,
            "checkpoint_every": 2,
        },
    )  # fmt: skip
    train(recipe, tmp_path / "whole")
    ((*expected,),) = logged(tmp_path / "whole")
    step = Learner.training_step

    def stopping(self, batch, index):
        if self.global_step == 4:
            raise VideoError("a disk that is gone for a while")
        return step(self, batch, index)

    monkeypatch.setattr(Learner, "training_step", stopping)
    with pytest.raises(VideoError):
        train(recipe, tmp_path / "broken")
    monkeypatch.undo()
    train(recipe, tmp_path / "broken", resume=True)
    before, after = logged(tmp_path / "broken")
    assert [*before, *after] == expected
