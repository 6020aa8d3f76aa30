"""The folder of a run: what lies where, and whether this recipe began it.

It holds ``recipe.yaml`` (everything resolved), ``logs/`` (of the recipe's ``train.loggers``),
``checkpoints/last.ckpt`` to go on from, and ``model/``.
"""

from __future__ import annotations

from pathlib import Path

from attcell._files import write_text
from attcell._log import logger
from attcell._owners import held, is_empty
from attcell._paths import check_output
from attcell.config import Recipe, differing_keys, load_recipe
from attcell.config.merging import literal
from attcell.errors import CallError, TrainingError
from attcell.models.weights import read_saved

RECIPE_FILE = "recipe.yaml"
CHECKPOINT = Path("checkpoints") / "last.ckpt"
BEST_WEIGHTS = Path("checkpoints") / "best.safetensors"  # of a network that an SVM is still to be put on
REPRESENTATIONS = "representations"  # of decoded videos, until an SVM is fitted to them
MODEL_FOLDER = "model"
WATCHED_BY = ("loggers", "pictures")  # keys of train that change nothing in it
SHARED_BY = ("accumulate", "devices", "num_nodes", "strategy")  # keys of train: who computes a batch's parts


def check_run_folder(run_folder: Path, recipe: Recipe, *, resume: bool) -> None:
    """Refuse a folder that is not new or empty, or, to resume, one that this recipe did not begin.

    Raises:
        CallError: something else is there, or nothing to resume, or another process trains there.
        TrainingError: the checkpoint to go on from is damaged.
    """
    check_output(run_folder, is_folder=True)
    if run_folder.exists():
        with held(run_folder):  # refused here, before long work, where another process trains
            pass
    if (run_folder / RECIPE_FILE).is_file():
        refuse_run(run_folder, resume=resume)
        refuse_another_recipe(run_folder, recipe)
        checkpoint = run_folder / CHECKPOINT
        if checkpoint.is_file() and not _is_whole(checkpoint):
            raise TrainingError(f"{checkpoint} is damaged; bring it back, or delete it to begin again")
        if checkpoint.is_file():
            _tell_of_other_parts(load_recipe(run_folder / RECIPE_FILE), recipe)
        return
    if not is_empty(run_folder):
        raise CallError(f"{run_folder} is not empty and is no run; choose another --out")
    if resume:
        raise CallError(f"{run_folder} holds no run to go on with; leave --resume out, or mend --out")


def refuse_run(run_folder: Path, *, resume: bool) -> None:
    """Raise a CallError for a folder that holds a run, unless it is to be resumed."""
    if (run_folder / RECIPE_FILE).is_file() and not resume:
        raise CallError(f"{run_folder} holds a run already; go on with --resume, or choose another --out")


def _is_whole(checkpoint: Path) -> bool:
    try:
        return isinstance(read_saved(checkpoint), dict)
    except ValueError:
        return False


def refuse_another_recipe(run_folder: Path, recipe: Recipe) -> None:
    """Raise a CallError if another recipe began the run in a folder; the keys that differ are named. Those
    that say which processes share the work, and what is told of it, may differ.
    """
    saved = run_folder / RECIPE_FILE
    if not saved.is_file():
        return
    told = {"name": "", "published": (), "rivals": (), "detection": None, "fuse": None}  # trains nothing
    now = with_absolute_paths(recipe).model_copy(update=told)
    before = _shared_as(load_recipe(saved).model_copy(update=told), now)
    if now.features.dim is None:  # the run took it from the files
        dim = {"dim": before.features.dim}
        now = now.model_copy(update={"features": now.features.model_copy(update=dim)})
    if before != now:
        differing = ", ".join(differing_keys([before, now]))
        raise CallError(
            f"{run_folder} was started by another recipe; it differs in {differing}. "
            "Resume with the same recipe and overrides, or choose another --out"
        )


def _shared_as(recipe: Recipe, other: Recipe) -> Recipe:
    """A recipe with the work shared, and told of, as in another one. What a batch holds does not depend on
    it.
    """
    train = {key: getattr(other.train, key) for key in (*SHARED_BY, *WATCHED_BY)}
    sections = {
        "train": recipe.train.model_copy(update=train),
        "data": recipe.data.model_copy(update={"workers": other.data.workers}),
    }
    return recipe.model_copy(update=sections)


def _tell_of_other_parts(before: Recipe, now: Recipe) -> None:
    """Say it where a batch is computed in another number of parts from here on."""
    if before.train.parts != now.train.parts:
        logger.info(
            f"a batch is computed in {now.train.parts} parts from here on, and was in {before.train.parts} "
            "(accumulate × devices × num_nodes): its videos are the same, but dropout, mixup, batch "
            "normalisation and class weights are a part's own, so that with any of these the losses are not "
            "those of an undisturbed run"
        )


def write_recipe(run_folder: Path, recipe: Recipe) -> None:
    """Write the resolved recipe, by which a folder is known as this recipe's run."""
    write_text(run_folder / RECIPE_FILE, recipe_text(recipe))


def recipe_text(recipe: Recipe) -> str:
    """The recipe in YAML, every value of it."""
    import yaml

    return yaml.safe_dump(literal(recipe.model_dump(mode="json")), sort_keys=False)


def with_absolute_paths(recipe: Recipe) -> Recipe:
    """The recipe with all its paths absolute, so that it means the same from any folder."""
    values = recipe.model_dump()
    streams = values["model"]["streams"].values()
    beside = [of for of in (values["detection"], values["fuse"]) if of is not None]
    named = [values[name] for name in ("data", "cache", "flow", "features", "model")]
    for section in (*named, *streams, *beside):
        section.update({key: path.absolute() for key, path in section.items() if isinstance(path, Path)})
    for stream in streams:
        if stream["weights"] not in ("pretrained", "none"):
            stream["weights"] = str(Path(stream["weights"]).absolute())
        if stream["files"] is not None and not stream["backbone"].startswith("hf/"):
            stream["backbone"] = stream["files"]["name"] = str(Path(stream["backbone"]).absolute())
    return Recipe.model_validate(values)
