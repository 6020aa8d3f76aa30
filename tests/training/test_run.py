"""Calls that training refuses at once, and what its three steps hand on.

What a training does from end to end is seen in tests/end_to_end/test_training.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import torch

from attcell.errors import CallError, DataError, TrainingError
from attcell.inference.model import load
from attcell.nn import STAN, SVMNetwork
from attcell.training.finish import finish
from attcell.training.fit import Interruption, fit
from attcell.training.prepare import prepare
from attcell.training.run import train
from attcell.training.schedule import ValidationResult
from tests.conftest import left_over
from tests.small_models import FROZEN, recipe_of


def same(first, second):
    return all(torch.equal(value, second.state_dict()[key]) for key, value in first.state_dict().items())


def test_what_is_no_recipe_is_refused(tmp_path):
    with pytest.raises(CallError) as caught:
        train("a.yaml", tmp_path / "run")
    assert str(caught.value) == "recipe is 'a.yaml'; read one with attcell.load_recipe(path)"
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_killed_with_its_first_file_begins_again(folder, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    left_over(run, "recipe", ".yaml").write_text("name: kil")
    train(recipe_of(folder, train={"iterations": 1}), run)
    assert not [path for path in run.iterdir() if path.name.startswith(".")]


def test_a_run_folder_is_a_path_or_its_text(recipe, tmp_path):
    (tmp_path / "something").touch()
    with pytest.raises(CallError, match=f"{tmp_path} is not empty and is no run"):
        train(recipe, str(tmp_path))
    with pytest.raises(
        CallError, match=r'run_folder is None; give one path as text or Path, such as "runs/mine"'
    ):
        train(recipe, None)


def test_features_computed_first_or_found_give_the_same_network(folder, tmp_path):
    """Computing them puts the network in test mode, where dropout is off."""
    recipe = recipe_of(
        folder, model=FROZEN, cache={"folder": tmp_path / "cache"}, train={"learning_rate": 0.1}
    )
    computed, found = (load(train(recipe, tmp_path / name).model_folder).network for name in "ab")
    assert same(computed, found)


def test_preparing_writes_nothing_into_the_run_folder(folder, tmp_path):
    prepared = prepare(recipe_of(folder), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
    assert prepared.iterations == 2
    assert repr(prepared) == (
        f"PreparedTraining({tmp_path}/run: 6 training and 0 validation videos, 2 iterations)"
    )


def test_until_its_svm_is_fitted_a_run_has_no_model_but_the_best_weights(folder, tmp_path):
    recipe = recipe_of(folder, model={"classifier": "svm"}, train={"learning_rate": 0.1})
    prepared = prepare(recipe, tmp_path / "run")
    assert prepared.recipe.model.classifier == "svm"
    fitted = fit(prepared)
    assert not (tmp_path / "run" / "model").exists()
    best = fitted.best_network()
    assert isinstance(best, SVMNetwork)
    assert isinstance(prepared.network, SVMNetwork)
    assert same(best.body, prepared.network.body), "without validation videos the last network is the best"
    assert not best.svm.bias.any()
    outcome = finish(fitted)
    assert not prepared.network.svm.bias.any(), "what was prepared is left alone"
    model = load(outcome.model_folder)
    assert isinstance(model.network, SVMNetwork)
    assert isinstance(model.network.body, STAN)
    assert same(model.network.body, best.body)
    assert model.network.svm.bias.any()
    assert outcome.best == ValidationResult(2)


def test_steps_and_outcome_are_shown_in_a_line(folder, tmp_path):
    recipe = recipe_of(folder, data={"val": folder}, train={"iterations": 1})
    fitted = fit(prepare(recipe, tmp_path / "run"))
    outcome = finish(fitted)
    accuracy = outcome.best.accuracy
    assert repr(outcome) == (
        f"TrainingOutcome({tmp_path}/run/model, iteration 1 of 1, val accuracy {accuracy:.3f})"
    )
    assert repr(fitted).startswith(f"FittedTraining({tmp_path}/run: ValidationResult(iterations=1, ")


def test_a_checkpoint_of_an_older_format_is_refused(folder, tmp_path):
    recipe, run = recipe_of(folder, train={"iterations": 1}), tmp_path / "run"
    train(recipe, run)
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    del checkpoint["format"]
    torch.save(checkpoint, run / "checkpoints" / "last.ckpt")
    with pytest.raises(DataError) as caught:
        train(recipe, run, resume=True)
    assert str(caught.value) == (
        "this run's checkpoint is of an older attcell (format None, and this one reads format 4); "
        "train again in another run folder"
    )


def test_what_is_heavy_is_imported_only_where_it_is_used():
    code = (
        "import sys, attcell.training.run, attcell.research.driver; print('lightning' in sys.modules)\n"
        "import attcell.training.fit, attcell.training.finish\n"
        "print('attcell.training.svm_fit' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


class TestInterruption:
    """A signal is heard at once, and acts before the next batch."""

    @staticmethod
    def interrupted(*sent: signal.Signals, then: Exception | None = None) -> None:
        interruption = Interruption()
        with interruption.listening():
            interruption.on_validation_batch_start()
            for number in sent:
                os.kill(os.getpid(), number)
            if then is not None:
                raise then
            interruption.on_train_batch_start()

    def test_a_program_that_handles_no_sigterm_gets_an_error(self):
        before = signal.getsignal(signal.SIGTERM)
        with pytest.raises(TrainingError, match="terminated; go on from the last") as caught:
            self.interrupted(signal.SIGTERM)
        assert caught.value.exit_status == 143
        assert signal.getsignal(signal.SIGTERM) is before

    def test_what_came_of_it_meanwhile_does_not_count(self):
        with pytest.raises(KeyboardInterrupt):
            self.interrupted(
                signal.SIGINT, then=RuntimeError("DataLoader worker (pid 7) is killed by signal")
            )

    def test_without_one_errors_are_what_they_are(self):
        self.interrupted()
        with pytest.raises(RuntimeError, match="mine"):
            self.interrupted(then=RuntimeError("mine"))
