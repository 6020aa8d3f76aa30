"""A training on several machines, all of them this one: shared differently, killed, and gone on with."""

from __future__ import annotations

import csv
import os
import signal
import time
from pathlib import Path

import pytest
import torch

from tests.end_to_end.conftest import Run
from tests.several import slurm, start

PLAIN = ("model.dropout=0", "data.workers=0", "train.optimizer=adamw", "train.clip_gradient_norm=1")


def losses(run: Path) -> dict[int, float]:
    """Iteration → its training loss, from all CSV logs; a later one counts."""
    found: dict[int, float] = {}
    for path in sorted((run / "logs" / "csv").glob("version_*/metrics.csv")):
        with path.open() as file:
            rows = [row for row in csv.DictReader(file) if row["train_loss"]]
        found |= {int(row["step"]): float(row["train_loss"]) for row in rows}
    return found


def test_one_of_four_is_killed_and_other_four_go_on(attcell: Run, recipe: Path, tmp_path: Path) -> None:
    """Two machines with shards, of which one process is killed; then one machine without shards, by Slurm."""
    attcell("train", recipe, *PLAIN, "--out", "whole")
    words = ["train", recipe, *PLAIN, "train.devices=2", "train.num_nodes=2", "train.strategy=fsdp"]
    run, checkpoint = tmp_path / "run", tmp_path / "run" / "checkpoints" / "last.ckpt"
    begun = start([*words, "--out", run], tmp_path, 2, 2)
    end = time.monotonic() + 200
    while not checkpoint.is_file() and time.monotonic() < end:
        time.sleep(0.002)
    os.kill(begun.processes[3].pid or 0, signal.SIGKILL)
    *others, killed = begun.ended()
    assert killed.status == -signal.SIGKILL
    for ended in others:
        assert ended.status == 1
        assert "attcell: process 3 (machine 1, " in ended.said
        assert "When that is mended, go on with --resume, or without it if the run folder is" in ended.said
        assert "Traceback" not in ended.said
    kept = torch.load(checkpoint, weights_only=True)["global_step"]
    assert 0 < kept < 8

    words = ["train", recipe, *PLAIN, "train.devices=4", "--out", run, "--resume"]
    for ended in start(words, tmp_path, 1, 4, slurm).ended():
        assert (ended.status, "Traceback" in ended.said) == (0, False), ended.said
    expected, found = losses(tmp_path / "whole"), losses(run)
    assert expected.keys() == set(range(8))
    assert found.keys() >= set(range(kept, 8)), "of those before, the kill may have lost lines of the log"
    for step, loss in found.items():
        assert loss == pytest.approx(expected[step], abs=1e-5)
