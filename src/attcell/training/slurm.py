"""A training as a job of Slurm: its batch script, which submitit writes, lies in the run folder.

The job runs the plain command with ``--resume`` by ``srun``, so that a job which Slurm puts back into its
queue goes on by itself, and so does the same script submitted again.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from attcell._files import write_text
from attcell.config.recipe import Recipe
from attcell.config.stages import refuse_stages
from attcell.errors import CallError, installing
from attcell.models.listings import read_listings
from attcell.training.run_folder import RECIPE_FILE, check_run_folder, with_absolute_paths, write_recipe

FOLDER = "slurm"  # in the run folder
SCRIPT = "train.sh"
WRITE_ONLY = "write"  # in place of an option
END_SECONDS = 120  # before a job's time is over, its processes are told to end
_OF_THE_RECIPE = {
    "nodes": "train.num_nodes",
    "ntasks_per_node": "train.devices",
    "tasks_per_node": "train.devices",
    "ntasks": "train.devices and train.num_nodes",
    "signal": "attcell itself",
    "output": "attcell itself",
    "error": "attcell itself",
    "requeue": "attcell itself",
    "open_mode": "attcell itself",
}
_OF_GPUS = {"gres", "gpus", "gpus_per_node", "gpus_per_task"}
_OF_CPUS = {"cpus_per_task", "cpus_per_gpu"}


@dataclass(frozen=True)
class SlurmJob:
    """What Slurm is asked for.

    Attributes:
        options: of sbatch, such as partition → gpu.
        setup: lines of the script before the training, such as ``module load cuda``.
        submits: whether the script is submitted, or only written.
    """

    options: dict[str, str | bool]
    setup: tuple[str, ...] = ()
    submits: bool = True


def slurm_job(words: Sequence[str]) -> SlurmJob:
    """What some words ask for: ``KEY=VALUE`` or ``KEY`` is an option of sbatch without its dashes,
    ``setup=LINE`` a line of the script, and ``write`` says not to submit it.

    Raises:
        CallError: a word that is none of these, an option that the recipe says, or no time.
    """
    options: dict[str, str | bool] = {}
    setup: list[str] = []
    for word in words:
        key, is_given, value = word.partition("=")
        name = key.replace("-", "_")
        if word == WRITE_ONLY:
            continue
        is_empty = not value.strip() and (bool(is_given) or name == "setup")
        if not re.fullmatch(r"[a-z][a-z_]*", name) or is_empty or "\n" in value:
            raise CallError(
                f"--slurm {word} is no option of sbatch; give such as --slurm time=24:00:00 --slurm "
                "partition=gpu, a line of the script as --slurm 'setup=module load cuda', or --slurm write"
            )
        if name in _OF_THE_RECIPE:
            raise CallError(f"--slurm {key}: {_OF_THE_RECIPE[name]} says it; leave it out here")
        if name == "setup":
            setup.append(value)
        else:
            options[name] = value if is_given else True
    if "time" not in options:
        raise CallError("--slurm must say how long the job may take, such as --slurm time=24:00:00")
    return SlurmJob(options, tuple(setup), WRITE_ONLY not in words)


def submit(recipe: Recipe, run_folder: Path, job: SlurmJob, *, resume: bool = False) -> list[str]:
    """Write the job's script and the recipe into the run folder, and submit it; what is to be said of it.

    The lists of videos are read first, so that what is wrong with them is not found after hours in a queue.

    Raises:
        CallError: as of a training in this folder; submitit is not installed, or sbatch is not here.
        DataError: a list that is not right.
    """
    if job.submits and shutil.which("sbatch") is None:
        raise CallError(
            "sbatch is not on this machine; call this where Slurm is, or add --slurm write, and submit the "
            "script there"
        )
    refuse_stages(recipe)
    check_run_folder(run_folder, recipe, resume=resume)
    recipe = with_absolute_paths(recipe)
    read_listings(recipe)
    script = run_folder.absolute() / FOLDER / SCRIPT
    text = script_text(recipe, run_folder.absolute(), job)
    write_recipe(run_folder, recipe)
    script.parent.mkdir(parents=True, exist_ok=True)
    write_text(script, text)
    if not job.submits:
        return [f"script: {script}", f"next: sbatch {shlex.quote(str(script))}"]
    return [f"script: {script}", _submitted(script), f"its messages: {script.parent}/*_log.*"]


def script_text(recipe: Recipe, run_folder: Path, job: SlurmJob) -> str:
    """The batch script. All paths in it are absolute.

    Raises:
        CallError: submitit is not installed.
    """
    try:
        from submitit.slurm.slurm import _make_sbatch_string
    except ImportError as error:
        raise CallError(
            f"--slurm needs submitit, which cannot be imported ({error}); install it: {installing('slurm')}"
        ) from error
    train, options = recipe.train, dict(job.options)
    options.setdefault("job_name", recipe.name or run_folder.name)
    if train.accelerator != "cpu" and not _OF_GPUS & options.keys():
        options["gpus_per_node"] = str(train.devices)
    if not _OF_CPUS & options.keys():
        options["cpus_per_task"] = str(1 + recipe.data.workers)
    text: str = _make_sbatch_string(
        command=_command(run_folder),
        folder=run_folder / FOLDER,
        nodes=train.num_nodes,
        ntasks_per_node=train.devices,
        setup=list(job.setup),
        additional_parameters={**options, "signal": f"TERM@{END_SECONDS}", "requeue": True},
        srun_args=["--kill-on-bad-exit=1", "--wait=0"],
    )
    return text


def _command(run_folder: Path) -> str:
    """The command of each process, by the recipe of the run folder, which holds all overrides."""
    place = str(run_folder / RECIPE_FILE)
    words = ["-m", "attcell.cli.app", "train", place, "--out", str(run_folder), "--resume"]
    return shlex.join([sys.executable, "-u", *words])


def _submitted(script: Path) -> str:
    """Submit a script; what sbatch says."""
    done = subprocess.run(["sbatch", str(script)], capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).strip()
    if done.returncode:
        raise CallError(
            f"sbatch refuses {script}: {said or f'exit status {done.returncode}'}. Mend the options, and "
            "call again with --resume"
        )
    return said
