"""A training as a job of Slurm: the script of a made-up cluster as text, and a stand-in for sbatch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from attcell.config.loading import load_recipe
from attcell.errors import CallError
from attcell.training.run_folder import check_run_folder
from attcell.training.slurm import SlurmJob, slurm_job
from tests.end_to_end.conftest import Run

WIDE = ("train.num_nodes=2", "train.devices=2", "train.accelerator=auto", "data.workers=3")
ASKED = (
    "--slurm", "time=24:00:00", "--slurm", "partition=gpu", "--slurm", "mem-per-cpu=4G",
    "--slurm", "exclusive", "--slurm", "setup=module load cuda",
)  # fmt: skip


@pytest.fixture
def sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in, which writes down what it got."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "sbatch"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho "Submitted batch job 123"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return program


def test_the_script_of_a_made_up_cluster(attcell: Run, recipe: Path, tmp_path: Path, sbatch: Path) -> None:
    run = tmp_path / "my run"
    done = attcell("train", recipe, *WIDE, "--out", run, *ASKED)
    script = run / "slurm" / "train.sh"
    assert done.stdout.splitlines() == [
        f"script: {script}", "Submitted batch job 123", f"its messages: {run}/slurm/*_log.*",
    ]  # fmt: skip
    assert (tmp_path / "asked").read_text() == f"{script}\n"
    place, python = f"'{run}/recipe.yaml' --out '{run}'", sys.executable
    assert script.read_text() == (
        "#!/bin/bash\n\n# Parameters\n"
        "#SBATCH --cpus-per-task=4\n"
        f"#SBATCH --error='{run}/slurm/%j_0_log.err'\n"
        "#SBATCH --exclusive\n"
        "#SBATCH --gpus-per-node=2\n"
        "#SBATCH --job-name=recipe\n"
        "#SBATCH --mem-per-cpu=4G\n"
        "#SBATCH --nodes=2\n"
        "#SBATCH --ntasks-per-node=2\n"
        "#SBATCH --open-mode=append\n"
        f"#SBATCH --output='{run}/slurm/%j_0_log.out'\n"
        "#SBATCH --partition=gpu\n"
        "#SBATCH --requeue\n"
        "#SBATCH --signal=TERM@120\n"
        "#SBATCH --time=24:00:00\n"
        "#SBATCH --wckey=submitit\n"
        "\n# setup\nmodule load cuda\n\n# command\nexport SUBMITIT_EXECUTOR=slurm\n"
        f"srun --unbuffered --output '{run}/slurm/%j_%t_log.out' --error '{run}/slurm/%j_%t_log.err' "
        f"--kill-on-bad-exit=1 --wait=0 {python} -u -m attcell.cli.app train {place} --resume\n"
    )


def test_the_job_goes_on_with_what_was_submitted(
    attcell: Run, recipe: Path, tmp_path: Path, sbatch: Path
) -> None:
    """Its command finds the recipe as it was changed, and nothing to go on from, which is no fault."""
    run = tmp_path / "run"
    attcell("train", recipe, "train.seed=5", "--out", run, "--slurm", "time=10", "--slurm", "gres=gpu:a100:1")
    text = (run / "slurm" / "train.sh").read_text()
    assert "#SBATCH --gres=gpu:a100:1\n" in text
    assert "gpus" not in text.replace("gres=gpu", "")
    submitted = load_recipe(run / "recipe.yaml")
    assert submitted.train.seed == 5
    check_run_folder(run, submitted, resume=True)
    again = attcell("train", recipe, "--out", run, "--slurm", "time=10", status=2)
    assert "holds a run already; go on with --resume" in again.stderr


def test_only_written_it_needs_no_slurm(attcell: Run, recipe: Path, tmp_path: Path) -> None:
    done = attcell("train", recipe, "--out", "run", "--slurm", "time=10", "--slurm", "write")
    script = tmp_path / "run" / "slurm" / "train.sh"
    assert done.stdout.splitlines() == [f"script: {script}", f"next: sbatch {script}"]
    refused = attcell("train", recipe, "--out", "other", "--slurm", "time=10", status=2)
    assert refused.stderr == (
        "attcell: sbatch is not on this machine; call this where Slurm is, or add --slurm write, and submit "
        "the script there\n"
    )
    assert not (tmp_path / "other").exists()


def test_what_sbatch_says_against_it_is_told(
    attcell: Run, recipe: Path, tmp_path: Path, sbatch: Path
) -> None:
    sbatch.write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: gpu' >&2\nexit 1\n")
    refused = attcell("train", recipe, "--out", "run", "--slurm", "time=10", status=2)
    assert "train.sh: sbatch: error: invalid partition specified: gpu. Mend the options" in refused.stderr
    sbatch.write_text("#!/bin/sh\necho Submitted batch job 124\n")
    done = attcell("train", recipe, "--out", "run", "--slurm", "time=10", "--resume")
    assert "Submitted batch job 124" in done.stdout


def test_bad_lists_are_found_before_the_queue(
    attcell: Run, recipe: Path, tmp_path: Path, sbatch: Path
) -> None:
    attcell("train", recipe, "data.train=nowhere", "--out", "run", "--slurm", "time=10", status=2)
    assert not (tmp_path / "run").exists()


def test_without_submitit_it_says_how_to_install_it(
    attcell: Run, recipe: Path, tmp_path: Path, sbatch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "submitit.slurm.slurm", None)
    refused = attcell("train", recipe, "--out", "run", "--slurm", "time=10", status=2)
    assert "--slurm needs submitit, which cannot be imported" in refused.stderr
    assert "pip install 'attcell[slurm]'" in refused.stderr
    assert not (tmp_path / "run").exists()


def test_words_of_slurm():
    job = slurm_job(["time=1:00:00", "setup=a=b", "setup=c", "write", "no-kill"])
    assert job == SlurmJob({"time": "1:00:00", "no_kill": True}, ("a=b", "c"), submits=False)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("nodes=2", "--slurm nodes: train.num_nodes says it; leave it out here"),
        ("ntasks-per-node=2", "--slurm ntasks-per-node: train.devices says it"),
        ("signal=USR1@10", "--slurm signal: attcell itself says it"),
        ("partition=", "--slurm partition= is no option of sbatch; give such as --slurm time=24:00:00"),
        ("--partition=gpu", "--slurm --partition=gpu is no option of sbatch"),
        ("setup", "--slurm setup is no option of sbatch"),
        ("partition=gpu", "--slurm must say how long the job may take, such as --slurm time=24:00:00"),
    ],
)
def test_a_word_that_cannot_be(word, message):
    with pytest.raises(CallError) as caught:
        slurm_job([word])
    assert str(caught.value).startswith(message)
