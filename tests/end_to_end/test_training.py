"""Training as a user would: killed and resumed, on two processes, with accumulation."""

from __future__ import annotations

import csv
import os
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.end_to_end.conftest import Run, command


def losses(run: Path) -> list[float]:
    """The training loss of every iteration, from the CSV log."""
    with (run / "logs" / "csv" / "version_0" / "metrics.csv").open() as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file) if row["train_loss"]]


CHANGED = [
    f"train.{change}"
    for change in (
        "mixup=0.4", "cutmix=1", "randaugment=9", "colour_jitter=0.4", "balanced_sampling=true",
        "early_stopping=9", "flip=false",
    )
]  # fmt: skip


@pytest.mark.parametrize("changes", [[], CHANGED], ids=["plain", "changed"])
def test_killed_and_resumed_training_ends_with_the_same_weights(
    attcell: Run, recipe: Path, tmp_path: Path, changes: list[str]
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    attcell("train", recipe, *changes, "--out", whole)
    process = subprocess.Popen(
        command(["train", recipe, *changes, "--out", broken]),
        cwd=tmp_path,
        start_new_session=True,
        stderr=subprocess.PIPE,
    )
    checkpoint = broken / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 300
    while not checkpoint.is_file() and time.monotonic() < deadline:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "the training ended before it could be killed"
    step = torch.load(checkpoint, weights_only=True)["global_step"]
    assert 0 < step < 8
    refused = attcell("train", recipe, *changes, "--out", broken, status=2)
    assert "holds a run already; go on with --resume" in refused.stderr
    attcell("train", recipe, *changes, "--out", broken, "--resume")
    expected, resumed = (load_file(run / "model" / "model.safetensors") for run in (whole, broken))
    assert expected.keys() == resumed.keys()
    assert all(torch.equal(expected[key], resumed[key]) for key in expected)
    last = [torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (whole, broken)]
    assert last[0]["global_step"] == last[1]["global_step"] == 8
    assert all(torch.equal(value, last[1]["state_dict"][key]) for key, value in last[0]["state_dict"].items())


def test_two_processes_and_accumulation_follow_the_plain_loss(
    attcell: Run, attcell_process: Run, recipe: Path, tmp_path: Path
) -> None:
    plain = ["model.dropout=0"]  # each process draws its own dropout
    attcell("train", recipe, *plain, "--out", tmp_path / "one")
    attcell_process("train", recipe, *plain, "train.devices=2", "--out", tmp_path / "two")
    expected, found = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(expected) == 8
    assert found == pytest.approx(expected, abs=1e-5)
    attcell("train", recipe, *plain, "train.accumulate=2", "--out", tmp_path / "parts")
    one, parts = (load_file(tmp_path / run / "model" / "model.safetensors") for run in ("one", "parts"))
    for key, value in one.items():
        torch.testing.assert_close(parts[key], value, atol=1e-5, rtol=1e-4)


def test_resuming_with_another_recipe_is_refused(attcell: Run, recipe: Path, tmp_path: Path) -> None:
    attcell("train", recipe, "train.iterations=1", "--out", tmp_path / "run")
    refused = attcell(
        "train", recipe, "train.iterations=1", "train.seed=5", "--out", tmp_path / "run", "--resume", status=2
    )
    assert "was started by another recipe; it differs in train.seed" in refused.stderr


def test_a_loss_that_is_no_number_stops_the_training(attcell: Run, recipe: Path, tmp_path: Path) -> None:
    stopped = attcell("train", recipe, "train.learning_rate=1e30", "--out", tmp_path / "run", status=1)
    assert "attcell: the loss is nan at iteration " in stopped.stderr


def test_kept_features_train_and_test_as_decoded_frames_do(
    attcell: Run, recipe: Path, tmp_path: Path
) -> None:
    frozen = [
        "model.streams.frame.train_from=none",
        "model.kind=san",
        "cache.folder=cache",
        "cache.positions=1",
    ]
    attcell(
        "train", recipe, *frozen, "cache.mirrored=false", "model.streams.frame.standardise=true",
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert len(list((tmp_path / "cache").glob("*/*.safetensors"))) == 24 + 8
    assert len(list((tmp_path / "cache").glob("*/made_by.json"))) == 2
    decoded = attcell("test", tmp_path / "run" / "model", "--out", tmp_path / "a")
    kept = attcell("test", tmp_path / "run" / "model", "--cache", tmp_path / "cache", "--out", tmp_path / "b")
    assert decoded.stdout.split("written")[0] == kept.stdout.split("written")[0]


@pytest.mark.parametrize(
    ("sent", "status", "by"),
    [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")],
)
def test_an_interrupted_training_says_so(
    recipe: Path, tmp_path: Path, sent: signal.Signals, status: int, by: str
) -> None:
    run = tmp_path / "run"
    words = command(given := ["train", recipe, "train.iterations=50000", "--out", run])
    go_on = shlex.join(["attcell", *map(str, given), "--resume"])
    message = (
        f"attcell: train was ended by {by}; {run} holds the last checkpoint, and this goes on: {go_on}\n"
    )
    process = subprocess.Popen(
        words,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 300
    while not (run / "checkpoints" / "last.ckpt").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(sent)
    try:
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, said) == (status, message)


def test_resuming_with_other_videos_is_refused(
    attcell: Run, videos: Path, recipe: Path, tmp_path: Path
) -> None:
    copied = shutil.copytree(videos, tmp_path / "copied")
    sources = [f"data.{split}={copied}/{split}" for split in ("train", "val", "test")]
    attcell("train", recipe, *sources, "train.iterations=1", "--out", "run")
    first = sorted((copied / "train").iterdir())[0]
    for split in ("train", "val", "test"):
        (copied / split / first.name).rename(copied / split / "zz")
    refused = attcell("train", recipe, *sources, "train.iterations=1", "--out", "run", "--resume", status=1)
    assert (
        "the classes and training videos and validation videos are not those that this run began with"
        in refused.stderr
    )


def test_unreadable_videos_are_named_before_training_starts(
    attcell: Run, videos: Path, recipe: Path, tmp_path: Path
) -> None:
    copied = shutil.copytree(videos, tmp_path / "copied")
    for split in ("train", "val"):
        next((copied / split).iterdir()).joinpath("junk.mp4").write_text("no video")
    sources = [f"data.{split}={copied}/{split}" for split in ("train", "val", "test")]
    stopped = attcell("train", recipe, *sources, "train.iterations=1", "--out", "run", status=1)
    assert "2 videos cannot be read" in stopped.stderr
    assert stopped.stderr.count("junk.mp4") == 2
    assert not (tmp_path / "run").exists()


def test_videos_in_both_training_and_validation_are_said(attcell: Run, videos: Path, recipe: Path) -> None:
    done = attcell("train", recipe, f"data.val={videos}/train", "train.iterations=1", "--out", "run")
    assert "warning: 24 videos are in both data.train and data.val" in done.stderr
