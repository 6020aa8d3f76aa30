"""A whole training: from a recipe to a run folder with logs, checkpoints and the best model."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from attcell._checks import path_of, shown
from attcell._owners import held, is_first_process
from attcell.config.recipe import Recipe
from attcell.config.stages import refuse_stages
from attcell.errors import CallError

if TYPE_CHECKING:
    from attcell.training.finish import TrainingOutcome


def train(recipe: Recipe, run_folder: str | Path, *, resume: bool = False) -> TrainingOutcome:
    """Train by a recipe; the model is in ``run_folder/model``.

    While it trains, the best network so far is there already, except where an SVM is to take its
    classifier's place: that one is fitted at the end.

    Args:
        recipe: the whole run.
        run_folder: where everything goes. It must be new or empty, unless ``resume``.
        resume: go on from the last checkpoint. The outcome is that of an undisturbed run.

    Raises:
        CallError: ``recipe`` is no recipe, or names a row to begin with in place of its model, or a logger
            whose package is not installed; the folder
            holds another run, or another process trains there, or there is nothing to resume with this
            recipe; or another number of processes was started than it asks for.
        DataError, VideoError: videos or lists that cannot be read.
        ModelError: weights that do not fit.
        TrainingError: the loss is no longer a number, the checkpoint to go on from is damaged, or another
            process of this training has ended.
    """
    if not isinstance(recipe, Recipe):
        raise CallError(f"recipe is {shown(recipe)}; read one with attcell.load_recipe(path)")
    refuse_stages(recipe)
    folder = path_of(run_folder, "run_folder", "runs/mine")

    # Lightning and what it brings are imported only where something is trained.
    from attcell._shared_memory import loading
    from attcell.training.finish import finish
    from attcell.training.fit import fit
    from attcell.training.launching import meeting
    from attcell.training.prepare import prepare
    from attcell.training.processes import place_of
    from attcell.training.run_folder import refuse_run
    from attcell.training.tracking.tracked import refuse_missing_tools

    refuse_missing_tools(recipe.train.loggers)
    with meeting(place_of(recipe.train)) as processes:
        with processes.in_turn():
            prepared = prepare(recipe, folder, resume=resume)
        with loading(), held(folder) if is_first_process() else nullcontext():
            if is_first_process():
                refuse_run(folder, resume=resume)  # another process may have begun one meanwhile
            return finish(fit(prepared, processes))
