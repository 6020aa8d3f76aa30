"""``attcell extract features`` as a user runs it, kills it, and trains and tests with what it kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from attcell._owners import held
from attcell.data import shards
from tests.end_to_end.conftest import command, recipe_values


def states(folder: Path) -> dict[str, tuple[int, int]]:
    """What the features' files are like."""
    kept = (".tar", ".index", ".safetensors", ".npy", ".json")
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.suffix in kept
    }


@pytest.fixture
def frozen(videos, tmp_path) -> Path:
    """A recipe whose backbone is frozen."""
    values = recipe_values(videos)
    values["model"]["streams"]["frame"]["train_from"] = "none"
    path = tmp_path / "frozen.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_training_and_a_test_find_all_of_it(videos, frozen, attcell, tmp_path):
    words = ["--recipe", frozen, "--format", "shards"]
    done = attcell("extract", "features", videos / "train", "kept", *words)
    assert done.stdout == "kept: 24 videos computed, 0 there already, 0 failed\n"
    for source in (videos / "val", videos / "test"):
        done = attcell("extract", "features", source, "kept", *words, "--views", "test")
        assert done.stdout == "kept: 8 videos computed, 0 there already, 0 failed\n"
    before = states(tmp_path / "kept")
    assert {name.rpartition(".")[2] for name in before} == {"json", "tar", "index"}
    attcell("train", frozen, "cache.folder=kept", "--out", "run")
    attcell("test", "run/model", "--cache", "kept")
    assert states(tmp_path / "kept") == before, "nothing was computed again"
    done = attcell("extract", "features", videos / "train", "kept", "--recipe", frozen)
    assert done.stdout == "kept: 0 videos computed, 24 there already, 0 failed\n"
    done = attcell("extract", "features", videos / "test", "kept", "--model", "run/model")
    assert done.stdout == "kept: 0 videos computed, 8 there already, 0 failed\n"
    words = ["extract", "features", videos / "train", "kept", "--recipe", frozen, "--format", "files"]
    told = "holds these features as shards, not as files; leave --format out to go on with it, or name"
    assert told in attcell(*words, status=2).stderr
    assert states(tmp_path / "kept") == before


def test_killed_and_started_again_nothing_whole_is_done_twice(videos, frozen, attcell, tmp_path):
    words = ["extract", "features", videos / "train", "kept", "--recipe", frozen, "--format", "shards"]
    process = subprocess.Popen(command(words), start_new_session=True, cwd=tmp_path)
    deadline = time.monotonic() + 120
    while len(in_shards(tmp_path / "kept")) < 5 and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    written = in_shards(tmp_path / "kept")
    done = attcell(*words)
    assert (
        done.stdout == f"kept: {24 - len(written)} videos computed, {len(written)} there already, 0 failed\n"
    )
    names = in_shards(tmp_path / "kept")
    assert len(names) == len(set(names)) == 24
    assert len(list(tmp_path.glob("kept/*/*.tar"))) == 1, "one was gone on with"
    attcell("extract", "features", videos / "train", "whole", *words[4:])
    assert bytes_of(tmp_path / "kept") == bytes_of(tmp_path / "whole")


def in_shards(folder: Path) -> list[str]:
    """The names of the whole videos."""
    rows = [shards._rows_of(shard)["name"][:-1].tolist() for shard in folder.glob("*/*.tar")]
    return [name.decode() for names in rows for name in names]


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Each video's maps."""
    (place,) = (path for path in folder.iterdir() if path.is_dir())
    kept = shards.Shards(place)
    return {name: kept.get(name)[1].numpy().tobytes() for name in in_shards(folder)}


def test_arrays_for_others(videos, frozen, attcell, tmp_path):
    words = ["--recipe", frozen, "input.size=16", "--format", "npy"]
    done = attcell("extract", "features", videos / "test", "arrays", *words)
    assert done.stdout == "arrays: 8 videos computed, 0 there already, 0 failed\n"
    files = sorted((tmp_path / "arrays").glob("*/*.npy"))
    assert len(files) == 8
    array, about = np.load(files[0]), json.loads(files[0].with_suffix(".json").read_text())
    assert array.shape == (4, 128)
    assert array.dtype == np.float16
    assert about["axes"] == ["segment", "feature"]
    assert about["video"].endswith(".mp4")
    assert about["made_by"]["views"]["num_segments"] == 4
    before = states(tmp_path / "arrays")
    assert (
        "0 videos computed, 8 there already"
        in attcell("extract", "features", videos / "test", "arrays", *words).stdout
    )
    assert states(tmp_path / "arrays") == before
    refused = attcell("extract", "features", videos / "test", "arrays", *words, "segments.test=5", status=1)
    assert "its features were made otherwise (fingerprint" in refused.stderr
    several = attcell(
        "extract",
        "features",
        videos / "val",
        "views",
        "--recipe",
        frozen,
        "--format",
        "npy",
        "--views",
        "train",
    )
    assert several.stdout == "views: 8 videos computed, 0 there already, 0 failed\n"
    assert np.load(next((tmp_path / "views").glob("*/*.npy"))).shape == (4, 3, 128, 4, 4)


def test_arrays_are_a_stream_of_features(videos, frozen, attcell, tmp_path):
    for part in ("train", "test"):
        words = ["--recipe", frozen, "input.size=16", "segments.test_every=4"]
        attcell("extract", "features", videos / part, f"arrays/{part}", *words, "--format", "npy")
    given = recipe_values(videos)
    given["model"]["streams"] = {"features": {"conv6_channels": 16}}
    given["features"] = {"folder": "arrays", "fps": 12, "stride": 4}
    given["data"] |= {"val": None}
    (tmp_path / "given.yaml").write_text(yaml.safe_dump(given))
    attcell("train", "given.yaml", "--out", "given")
    assert "top1" in attcell("test", "given/model").stdout


def test_it_is_told_what_is_wrong(videos, recipe, frozen, attcell, tmp_path):
    words = ["extract", "features", videos / "val", "kept"]
    for more, told in (
        ([], "whose features: give either --recipe, or --model"),
        (["--recipe", frozen, "--model", "m"], "whose features: give either --recipe, or --model"),
        (["--model", "m", "train.epochs=3"], "train.epochs=3 is for a recipe, and m has its own"),
        (
            ["--recipe", frozen, "data.train=x"],
            "data.train=x: SOURCE, OUT, --root, --workers",
        ),
        (["--recipe", frozen, "--views", "both", "--format", "npy"], "--views both is two arrays a video"),
        (["--recipe", recipe], "model.streams.frame"),
    ):
        assert told in attcell(*words, *more, status=2).stderr
    assert not (tmp_path / "kept").exists()
    folder = tmp_path / "some" / "a"
    folder.mkdir(parents=True)
    (folder / "b.mp4").write_bytes(b"no video")
    (folder / "c.mp4").symlink_to(next((videos / "val").glob("*/*.mp4")))
    (tmp_path / "some" / "d").mkdir()
    (tmp_path / "some" / "d" / "e.mp4").touch()
    failed = attcell("extract", "features", "some", "kept", "--recipe", frozen, status=1)
    assert failed.stdout == "kept: 1 videos computed, 0 there already, 2 failed\n"
    assert "b.mp4: not a video" in failed.stderr
    assert "e.mp4: the file is empty" in failed.stderr


def test_a_second_driver_is_refused(videos, frozen, attcell, tmp_path):
    words = ["extract", "features", videos / "val", "kept", "--recipe", frozen, "--format", "shards"]
    attcell(*words)
    (place,) = (path for path in (tmp_path / "kept").iterdir() if path.is_dir())
    next(place.glob("*.tar")).unlink()
    next(place.glob("*.index")).unlink()
    with held(place):
        refused = attcell(*words, status=2)
    assert refused.stderr.endswith("; wait until it is done, or name another place\n")
    assert "another process is at work in" in refused.stderr
