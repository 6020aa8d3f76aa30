"""Recipes and run folders that are not right: one clear message, and no run is left behind."""

from __future__ import annotations

import shutil

import pytest
import torch
from safetensors.torch import save_file

from tests.end_to_end.conftest import Run, left


class TestRecipes:
    """The kinds of mistake are tested one by one in tests/test_config.py."""

    @pytest.mark.parametrize(
        ("overrides", "message", "status"),
        [
            (["train.epoch=3"], "train.epoch: unknown key; did you mean 'epochs'?", 2),
            (["train"], "attcell: override 'train' is not key=value; for example train.epochs=3", 2),
            (["train.epochs=3"], "train: give either iterations (the paper's 15000) or epochs", 2),
            (
                ["train.batch_size=5", "train.accumulate=2"],
                "batch_size 5 cannot be split into accumulate 2",
                2,
            ),
            (["model.streams.frame.backbone=vgg17"], "unknown backbone 'vgg17'; did you mean 'vgg16'?", 2),
            (["model.streams.frame.tap=pool6"], "backbone small has no tap 'pool6'; allowed: block4", 2),
            (
                ["model.streams.frame.train_from=conv9"],
                "has no layer 'conv9' to train from; use all, none, or",
                2,
            ),
            (
                ["model.streams.frame.weights=x.safetensors"],
                "x.safetensors; allowed: pretrained, none, ",
                2,
            ),
            (
                ["model.streams.frame.weights=w.pt"],
                "w.pt are not of small: it lacks 12 keys, first block1.0.weight",
                1,
            ),
            (["model.streams.frame.weights=w.safetensors"], "w.safetensors is not a safetensors file", 1),
            (["model.streams.frame.weights=other.safetensors"], "it has 1 other keys, first conv.weight", 1),
            (["data.train=nowhere"], "nowhere: no such file or folder; give a folder", 2),
            (["data.val=null", "data.val_fraction=0.01"], "is not one video of any class; raise it", 1),
        ],
    )
    def test_a_wrong_recipe_leaves_no_run_behind(
        self, attcell: Run, recipe, tmp_path, overrides, message, status
    ):
        torch.save({}, tmp_path / "w.pt")
        shutil.copy(tmp_path / "w.pt", tmp_path / "w.safetensors")
        save_file({"conv.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
        before = left(tmp_path)
        done = attcell("train", recipe, *overrides, "--out", "run", status=status)
        assert message in done.stderr
        assert done.stdout == ""
        assert left(tmp_path) == before

    def test_nothing_to_resume(self, attcell: Run, recipe, tmp_path):
        done = attcell("train", recipe, "--out", "run", "--resume", status=2)
        assert done.stderr == "attcell: run holds no run to go on with; leave --resume out, or mend --out\n"
        assert not (tmp_path / "run").exists()

    def test_a_damaged_checkpoint(self, attcell: Run, recipe, tmp_path):
        attcell("train", recipe, "train.iterations=1", "data.val=null", "--out", "run")
        again = ["train", recipe, "train.iterations=1", "data.val=null", "--out", "run", "--resume"]
        checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
        whole = checkpoint.read_bytes()
        middle = len(whole) // 2
        changed = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        for content in (b"", b"junk", whole[:middle], changed):
            checkpoint.write_bytes(content)
            done = attcell(*again, status=1)
            path = "run/checkpoints/last.ckpt"
            assert done.stderr == f"attcell: {path} is damaged; bring it back, or delete it to begin again\n"
        checkpoint.unlink()
        assert "\nmodel: run/model\n" in attcell(*again).stdout

    def test_a_folder_with_something_else(self, attcell: Run, recipe, tmp_path):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "thesis.tex").touch()
        done = attcell("train", recipe, "--out", "run", status=2)
        assert done.stderr == "attcell: run is not empty and is no run; choose another --out\n"
        assert left(tmp_path / "run") == ["thesis.tex"]
