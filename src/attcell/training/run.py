"""A whole training: from a recipe to a run folder with logs, checkpoints and the best model.

A run folder holds ``recipe.yaml`` (everything resolved), ``logs/`` (CSV and TensorBoard),
``checkpoints/last.ckpt`` and ``model/``.
"""

from __future__ import annotations

import logging
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import lightning as L
import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from attcell._checks import path_of, shown
from attcell._files import check_output, write_text
from attcell._log import logger
from attcell.config.recipe import Recipe, load_recipe
from attcell.config.schema import TrainSection
from attcell.errors import CallError, TrainingError
from attcell.inference.model import Model
from attcell.inference.run import best_device
from attcell.models.build import Listings, build_network, read_listings
from attcell.models.warm_start import other_inputs, refuse_other_shapes, refuse_other_split
from attcell.nn import LateFusion, Pooled, SVMNetwork
from attcell.training.callbacks import Interruption, TrainingProgress
from attcell.training.finish import tune_fusion
from attcell.training.learner import Learner, ValidationResult, num_iterations
from attcell.training.prepare import TrainingData, gather_training_data
from attcell.training.svm import train_svm

RECIPE_FILE = "recipe.yaml"
CHECKPOINT = Path("checkpoints") / "last.ckpt"


@dataclass(frozen=True)
class TrainingOutcome:
    """What came of a training: where the model is, and how it stood on the validation set."""

    model_folder: Path
    best: ValidationResult
    iterations: int


def train(recipe: Recipe, run_folder: str | Path, *, resume: bool = False) -> TrainingOutcome:
    """Train by a recipe; the best network so far is always in ``run_folder/model``.

    Args:
        recipe: the whole run.
        run_folder: where everything goes. It must be new or empty, unless ``resume``.
        resume: go on from the last checkpoint. The outcome is that of an undisturbed run.

    Raises:
        CallError: ``recipe`` is no recipe; the folder holds another run, or there is nothing to resume with
            this recipe.
        DataError, VideoError: videos or lists that cannot be read.
        ModelError: weights that do not fit.
        TrainingError: the loss is no longer a number, or the checkpoint to go on from is damaged.
    """
    if not isinstance(recipe, Recipe):
        raise CallError(f"recipe is {shown(recipe)}; read one with attcell.config.recipe.load_recipe(path)")
    run_folder = path_of(run_folder, "run_folder", "runs/mine")
    recipe = _with_absolute_paths(recipe)
    # A further process of a distributed training: the first one has prepared everything.
    started_by_another = os.environ.get("LOCAL_RANK", "0") != "0"
    checkpoint = run_folder / CHECKPOINT
    if not started_by_another:
        _check_run_folder(run_folder, recipe, resume)
    section = recipe.train
    torch.manual_seed(section.seed)
    listings = read_listings(recipe)
    refuse_other_shapes(recipe)
    refuse_other_split(recipe)
    whole = build_network(recipe, len(listings.labels), load_weights=True)
    for sentence in other_inputs(recipe) if not started_by_another else ():
        logger.info(sentence)
    network = whole.body if isinstance(whole, SVMNetwork) else whole  # an SVM comes at the end
    if isinstance(network, Pooled):
        assert isinstance(whole, SVMNetwork), "pooled features have an SVM"
        return _train_pooled(run_folder, whole, recipe, listings)
    training_data = gather_training_data(recipe, listings, network, _device(section))
    iterations = num_iterations(section, training_data.num_videos)
    model_folder = run_folder / "model"
    if not started_by_another:  # only now, so that a recipe that is wrong leaves nothing behind
        write_text(run_folder / RECIPE_FILE, yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))

    model = recipe.model.model_copy(update={"classifier": "linear"})  # not yet
    while_training = recipe.model_copy(update={"model": model})

    def keep(standing: ValidationResult) -> None:
        Model(network, listings.labels, while_training, {"standing": asdict(standing)}).save_pretrained(
            model_folder
        )

    learner = Learner(network, section, iterations, training_data, keep)
    interruption = Interruption()
    with _quiet_lightning(), interruption.listening():
        trainer = _trainer(section, run_folder, learner, interruption)
        _fit(trainer, learner, checkpoint if resume and checkpoint.is_file() else None)
    assert learner.best is not None, "a finished round has a standing"
    best = learner.best
    if recipe.model.fusion == "late" and not started_by_another:
        best = _weigh_streams(model_folder, recipe, training_data, best)
    if isinstance(whole, SVMNetwork) and not started_by_another:
        best = _classify_by_svm(model_folder, whole, recipe, listings, best)
    return TrainingOutcome(model_folder, best, iterations)


def _train_pooled(
    run_folder: Path, network: SVMNetwork, recipe: Recipe, listings: Listings
) -> TrainingOutcome:
    """Pooled features: only their SVM is trained, on the training videos; val is not looked at."""
    train_svm(network, recipe, listings, _device(recipe.train))
    write_text(run_folder / RECIPE_FILE, yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))
    Model(network, listings.labels, recipe).save_pretrained(run_folder / "model")
    return TrainingOutcome(run_folder / "model", ValidationResult(0), 0)


def _classify_by_svm(
    model_folder: Path, network: SVMNetwork, recipe: Recipe, listings: Listings, best: ValidationResult
) -> ValidationResult:
    """Put an SVM in the place of the best network's classifier; how it stands on val is not looked at."""
    found = Model.from_folder(model_folder).network
    trained = found.body if isinstance(found, SVMNetwork) else found  # of a run that is gone on with
    network.body.load_state_dict(trained.state_dict())
    train_svm(network, recipe, listings, _device(recipe.train))
    Model(network, listings.labels, recipe, {"standing": asdict(best)}).save_pretrained(model_folder)
    return replace(best, accuracy=None, loss=None)


def _weigh_streams(
    model_folder: Path, recipe: Recipe, training_data: TrainingData, best: ValidationResult
) -> ValidationResult:
    """Late fusion: weigh the streams of the best network, write it again, and say how it stands now."""
    saved = Model.from_folder(model_folder)
    assert isinstance(saved.network, LateFusion)
    figures = tune_fusion(saved.network.to(_device(recipe.train)), training_data)
    standing = best if figures is None else replace(best, accuracy=figures[0], loss=figures[1])
    Model(saved.network, saved.labels, recipe, {"standing": asdict(standing)}).save_pretrained(model_folder)
    return standing


def _fit(trainer: L.Trainer, learner: Learner, checkpoint: Path | None) -> None:
    """Train; an interruption, which Lightning turns into the end of the process, comes out as what it is."""
    try:
        trainer.fit(learner, ckpt_path=checkpoint, weights_only=True)
    except SIGTERMException:
        error = TrainingError("terminated; go on from the last checkpoint with --resume")
        error.exit_status = 143
        raise error from None
    except SystemExit:
        raise KeyboardInterrupt from None


def _device(section: TrainSection) -> torch.device:
    """Where features are computed, before Lightning takes over."""
    if section.accelerator == "gpu" and not torch.cuda.is_available():
        raise CallError("train.accelerator is gpu, and PyTorch finds none; use cpu or auto")
    return torch.device("cpu") if section.accelerator == "cpu" else best_device()


def _check_run_folder(run_folder: Path, recipe: Recipe, resume: bool) -> None:
    """Refuse a folder that is not new or empty, or, to resume, one that this recipe did not begin."""
    check_output(run_folder, is_folder=True)
    saved = run_folder / RECIPE_FILE
    if saved.is_file():
        if not resume:
            raise CallError(f"{run_folder} holds a run already; go on with --resume, or choose another --out")
        refuse_another_recipe(run_folder, recipe)
        checkpoint = run_folder / CHECKPOINT
        if checkpoint.is_file() and not zipfile.is_zipfile(checkpoint):  # as PyTorch writes them
            raise TrainingError(f"{checkpoint} is damaged; bring it back, or delete it to begin again")
        return
    if run_folder.exists() and any(run_folder.iterdir()):
        raise CallError(f"{run_folder} is not empty and is no run; choose another --out")
    if resume:
        raise CallError(f"{run_folder} holds no run to go on with; leave --resume out, or mend --out")


def refuse_another_recipe(run_folder: Path, recipe: Recipe) -> None:
    """Raise a CallError if another recipe began the run in a folder; the keys that differ are named."""
    saved = run_folder / RECIPE_FILE
    if not saved.is_file():
        return
    told = {"name": "", "published": ()}  # by which nothing is trained
    before = load_recipe(saved).model_copy(update=told)
    now = _with_absolute_paths(recipe).model_copy(update=told)
    if before != now:
        differing = ", ".join(_differences(before.model_dump(mode="json"), now.model_dump(mode="json")))
        raise CallError(
            f"{run_folder} was started by another recipe; it differs in {differing}. "
            "Resume with the same recipe and overrides, or choose another --out"
        )


def _differences(old: dict[str, Any], new: dict[str, Any], before: str = "") -> list[str]:
    """The keys in which two recipes differ, as in ``train.seed``."""
    found: list[str] = []
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict) and not before:
            found += _differences(old[key], value, f"{key}.")
        elif old.get(key) != value:
            found.append(f"{before}{key}")
    return found


def _with_absolute_paths(recipe: Recipe) -> Recipe:
    """The recipe with all its paths absolute, so that it means the same from any folder."""
    values = recipe.model_dump()
    streams = values["model"]["streams"].values()
    for section in (values["data"], values["cache"], values["flow"], values["model"], *streams):
        section.update({key: path.absolute() for key, path in section.items() if isinstance(path, Path)})
    for stream in streams:
        if stream["weights"] not in ("pretrained", "none"):
            stream["weights"] = str(Path(stream["weights"]).absolute())
    return Recipe.model_validate(values)


def _trainer(
    section: TrainSection, run_folder: Path, learner: Learner, interruption: Interruption
) -> L.Trainer:
    logs = run_folder / "logs"
    return L.Trainer(
        accelerator=section.accelerator,
        devices=section.devices,
        strategy="ddp" if section.devices > 1 else "auto",
        precision="bf16-mixed" if section.precision == "bf16" else "32-true",
        accumulate_grad_batches=section.accumulate,
        gradient_clip_val=section.clip_gradient_norm,
        max_epochs=len(learner.rounds),
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        limit_val_batches=0 if learner.training_data.val is None else 1.0,
        log_every_n_steps=max(1, learner.iterations // 500),
        logger=[CSVLogger(logs, name="csv"), TensorBoardLogger(logs, name="tensorboard")],
        callbacks=[
            ModelCheckpoint(
                run_folder / "checkpoints",
                filename="last",
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            ),
            TrainingProgress(),
            interruption,
        ],
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep Lightning's advice off the terminal; errors come through as exceptions."""
    theirs = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [one.level for one in theirs]
    for one in theirs:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            yield
    finally:
        for one, level in zip(theirs, levels, strict=True):
            one.setLevel(level)
