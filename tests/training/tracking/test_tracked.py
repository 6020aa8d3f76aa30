"""The tools of a training: begun once, found again, careful, and told no secret."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from lightning.pytorch.loggers.logger import DummyLogger
from PIL import Image

from attcell.config.recipe import Recipe, check_recipe
from attcell.errors import CallError, TrainingError
from attcell.training.tracking import tools
from attcell.training.tracking.tools import Begun, Run
from attcell.training.tracking.tracked import hyperparameters, refuse_missing_tools, tracked
from tests.small_recipes import refusal


def recipe_of(*loggers: str, **more: object) -> Recipe:
    train = {"epochs": 2, "loggers": list(loggers)}
    return check_recipe({"data": {"train": "videos"}, "train": train, **more}, source="here")


class Refusing(DummyLogger):
    """A tool whose server is gone."""

    def log_metrics(self, *_: object, **__: object) -> None:
        raise ConnectionError("nobody at http://me:hush@there/x")


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Run, list[bool]]]:
    """Each time that a stand-in of MLflow begins: what it was told, and how it ended."""
    times: list[tuple[Run, list[bool]]] = []

    def begin(run: Run) -> Begun:
        times.append((run, []))
        return Begun(Refusing(), lambda *_: None, run.before or f"run-{len(times)}", times[-1][1].append)

    monkeypatch.setitem(tools.TOOLS, "mlflow", begin)
    return times


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the real tools keep what is theirs."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patched:
        for name in ("WANDB_MODE", "WANDB_PROJECT", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
            patched.delenv(name, raising=False)
        patched.setenv("HOME", str(home))
        patched.setenv("TRACKIO_DIR", str(home / "trackio"))
        yield home


def test_a_run_that_is_resumed_is_the_same_in_its_tools(tmp_path, begun):
    for _ in range(2):
        with tracked(tmp_path, recipe_of("mlflow")):
            pass
    assert [run.before for run, _ in begun] == ["", "run-1"]
    assert begun[0][0].values["train.loggers"] == "['mlflow']"
    assert [ended for _, ended in begun] == [[True], [True]]
    assert json.loads((tmp_path / "logs" / "tracked.json").read_text()) == {"mlflow": "run-1"}


def test_a_tool_that_fails_is_named_once_and_does_not_end_the_training(tmp_path, begun, caplog):
    with tracked(tmp_path, recipe_of("mlflow")) as found:
        (logger,) = found.loggers
        for step in range(2):
            logger.log_metrics({"train_loss": 1.0}, step)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == (
        "mlflow takes no more of this training, which goes on without it: nobody at http://…@there/x"
    )
    assert begun[0][1] == []  # and it is not asked to end


def test_a_training_that_is_broken_off_is_told_so(tmp_path, begun):
    with pytest.raises(KeyboardInterrupt), tracked(tmp_path, recipe_of("mlflow")):
        raise KeyboardInterrupt
    assert begun[0][1] == [False]


def test_a_tool_that_cannot_begin_is_named(tmp_path, begun, monkeypatch):
    def begin(_: Run) -> Begun:
        raise ValueError("no key\nhere")

    monkeypatch.setitem(tools.TOOLS, "wandb", begin)
    with pytest.raises(TrainingError) as caught, tracked(tmp_path, recipe_of("mlflow", "wandb")):
        pass
    assert str(caught.value) == (
        "train.loggers: wandb cannot begin: no key here; mend that, or leave it out of train.loggers, and "
        "go on with --resume"
    )
    assert begun[0][1] == [False]


def test_a_package_that_is_not_there_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr("attcell._checks.find_spec", lambda name: None)
    with pytest.raises(CallError) as caught:
        refuse_missing_tools(("csv", "trackio"))
    assert str(caught.value) == (
        "train.loggers with trackio need trackio, not installed here; install: pip install "
        "'attcell[trackio]', or uv sync --extra trackio in a clone"
    )
    refuse_missing_tools(("csv", "tensorboard"))


def test_other_processes_log_nothing(tmp_path, begun, monkeypatch):
    monkeypatch.setattr("attcell.training.tracking.tracked.is_first_process", lambda: False)
    with tracked(tmp_path, recipe_of("csv", "mlflow")) as found:
        assert [type(one).__name__ for one in found.loggers] == ["CSVLogger", "DummyLogger"]
    assert begun == []


def test_the_recipe_is_told_flat_and_without_a_password():
    pairs = {"left/up": "right"}
    recipe = recipe_of("csv")
    train = recipe.train.model_copy(update={"flip_pairs": pairs})
    flow = recipe.flow.model_copy(update={"store": "https://me:hush@there/flow?key=1"})
    recipe = recipe.model_copy(update={"train": train, "flow": flow})
    found = hyperparameters(recipe)
    assert found["train.learning_rate"] == 1e-3
    assert found["train.loggers"] == "['csv']"
    assert found["train.iterations"] is None
    assert found["train.flip_pairs.left_up"] == "right"
    assert str(found["flow.store"]).startswith("https://…@there/flow?…")


def test_what_cannot_be_is_refused():
    def why(**train: object) -> str:
        return refusal({"data": {"train": "videos"}, "train": {"epochs": 2, **train}})

    assert "loggers names csv twice; name it once" in why(loggers=["csv", "csv"])
    assert "train.loggers.0: Input should be 'csv', 'tensorboard'" in why(loggers=["print"])
    assert "train.pictures shows validation videos; give data.val" in why(pictures={})


def test_the_real_tools_write_and_go_on(tmp_path, home):
    """Weights & Biases offline, MLflow in the run folder, Trackio in its own; of each the same run twice."""
    recipe, picture = recipe_of("tensorboard", "wandb", "mlflow", "trackio"), tmp_path / "a.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(picture)
    run = tmp_path / "a run"
    for step in (1, 2):
        with tracked(run, recipe) as found:
            for logger in found.loggers:
                logger.log_metrics({"train_loss": 1.0 / step}, step)
            for show in found.shows:
                show("pictures/a", picture, step)
    kept = json.loads((run / "logs" / "tracked.json").read_text())
    offline = sorted((run / "logs" / "wandb").glob(f"offline-run-*-{kept['wandb']}"))
    assert len(offline) == 2
    assert all(len(list(one.rglob("media/images/pictures/*.png"))) == 1 for one in offline)
    with sqlite3.connect(run / "logs" / "mlflow.db") as base:
        assert base.execute("select run_uuid, status from runs").fetchall() == [(kept["mlflow"], "FINISHED")]
        assert base.execute("select key, step, value from metrics").fetchall() == [
            ("train_loss", 1, 1.0),
            ("train_loss", 2, 0.5),
        ]
        rate = base.execute("select value from params where key = 'train.learning_rate'").fetchall()
        assert rate == [("0.001",)]
    assert len(list((run / "logs" / "mlflow").rglob("*.png"))) == 2
    with sqlite3.connect(home / "trackio" / "attcell.db") as base:
        rows = base.execute("select run_name, step, metrics from metrics").fetchall()
    assert {name for name, *_ in rows} == {kept["trackio"]}
    assert [step for _, step, metrics in rows if "train_loss" in str(metrics)] == [1, 2]
    assert len(list((home / "trackio").rglob("*.png"))) == 2
