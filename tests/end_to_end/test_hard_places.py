"""Where a disk is full, files are few, memory is short, clocks jump, or another process is at work."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest
import torch

from attcell._owners import held
from tests.end_to_end.conftest import Run, left

FEW = ["train.iterations=3", "train.checkpoint_every=3"]


@contextmanager
def at_most(kind: int, most: int) -> Iterator[None]:
    """A limit of this process meanwhile."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def test_a_checkpoint_that_finds_no_room_is_not_there_and_the_training_goes_on(
    attcell: Run, recipe: Path, tmp_path: Path
) -> None:
    words = ["train", recipe, *FEW, "data.val=null", "--out", "run"]
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    with at_most(resource.RLIMIT_FSIZE, 800_000):  # the model has 750,000 bytes
        stopped = attcell(*words, status=1)
    assert stopped.stderr.splitlines()[-1] == f"attcell: File too large: {checkpoint}"
    names = left(tmp_path / "run")
    assert "recipe.yaml" in names
    assert not [name for name in names if ".ckpt" in name or "/." in name]
    attcell(*words, "--resume")
    assert torch.load(checkpoint, weights_only=True)["global_step"] == 3


def test_lines_of_results_are_whole_where_there_is_no_room(
    attcell: Run, videos: Path, model: Path, tmp_path: Path
) -> None:
    given = sorted((videos / "test").glob("*/*.mp4"))[:3]
    words = ["predict", *given, "--model", model, "--json"]
    attcell(*words, "whole.jsonl")
    whole = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    with at_most(resource.RLIMIT_FSIZE, len(whole[0]) + len(whole[1]) // 2):
        stopped = attcell(*words, "p.jsonl", status=1)
    assert stopped.stderr == "attcell: File too large: p.jsonl\n"
    assert (tmp_path / "p.jsonl").read_bytes() == whole[0]
    with at_most(resource.RLIMIT_FSIZE, 2500):
        stopped = attcell(*words, "p.json", "--report", "p.html", status=1)
    assert stopped.stderr == "attcell: File too large: p.json\n"
    assert left(tmp_path) == ["p.jsonl", "whole.jsonl"]


def test_flow_goes_on_when_there_is_room(attcell: Run, videos: Path, tmp_path: Path) -> None:
    source = videos / "test" / sorted(path.name for path in (videos / "test").iterdir())[0]
    for form in ("folder", "zip"):
        words = ["extract", "flow", source, form, "--method", "dis", "--form", form, "--workers", "1"]
        with at_most(resource.RLIMIT_FSIZE, 700):  # a JPEG has about a thousand bytes
            stopped = attcell(*words, status=1)
        place = Path(form) / ("000.zip" if form == "zip" else "000")
        assert stopped.stderr.startswith(f"attcell: File too large: {place}")
        assert left(tmp_path / form) == []
        assert attcell(*words).stdout == f"{form}: 2 videos computed, 0 there already, 0 failed\n"


@pytest.mark.parametrize(
    ("words", "lacking"),
    [
        (["calibrate", "mine", "--data", "videos"], "mine/detection.safetensors"),
        (["test", "mine", "--data", "videos", "--out", "tested"], "tested/scores.json"),
    ],
)
def test_what_finds_no_room_is_not_there(
    attcell: Run, videos: Path, model: Path, tmp_path: Path, words: list[str], lacking: str
) -> None:
    shutil.copytree(model, tmp_path / "mine")
    shutil.copytree(videos / "test", tmp_path / "videos")
    before = left(tmp_path)
    with at_most(resource.RLIMIT_FSIZE, 100):
        stopped = attcell(*words, status=1)
    assert stopped.stderr.splitlines()[-1] == f"attcell: File too large: {lacking}"
    assert [name for name in left(tmp_path) if name not in before and name != "tested"] == []


def test_few_files_may_be_open(attcell: Run, videos: Path, model: Path, tmp_path: Path) -> None:
    given = sorted((videos / "test").glob("*/*.mp4"))
    opened = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    with at_most(resource.RLIMIT_NOFILE, opened + 40):
        attcell("predict", *given, "--model", model, "--json", "p.json")
        attcell("extract", "flow", videos / "test", "flow", "--method", "dis", "--workers", "4")
    assert len(json.loads((tmp_path / "p.json").read_text())["predictions"]) == len(given) == 8


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), ""),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"), "Allocator"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "libtorch_cpu.so"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
        (torch.OutOfMemoryError("CUDA out of memory."), "CUDA out of memory."),
    ],
)
def test_memory_that_runs_out_is_one_message(
    attcell: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def work(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("attcell.data.check.check_source", work)
    said = attcell("data", "check", ".", status=1).stderr
    assert said.startswith("attcell: there is not enough memory")
    assert told in said
    assert said.count("\n") == 1


def test_a_run_folder_in_which_another_process_is_at_work_is_refused(
    attcell: Run, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(tmp_path / "run"):
        said = attcell("train", recipe, "--out", "run", status=2).stderr
    assert said == (
        "attcell: another process is at work in run; wait until it is done, or name another place\n"
    )
    assert left(tmp_path / "run") == []
    from attcell.training import prepare as preparing

    prepare = preparing.prepare

    def prepared_beside(*given: object, **options: object) -> object:
        found = prepare(*given, **options)  # type: ignore[arg-type]
        (tmp_path / "run" / "recipe.yaml").write_text("of another process")
        return found

    monkeypatch.setattr(preparing, "prepare", prepared_beside)
    said = attcell("train", recipe, "--out", "run", status=2).stderr
    assert said.endswith("run holds a run already; go on with --resume, or choose another --out\n")
    assert left(tmp_path / "run") == ["recipe.yaml"]


def test_clocks_that_jump_change_nothing(
    attcell: Run, videos: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", recipe, *FEW, "data.val=null", "--out"]
    attcell(*words, "steady")
    years = cycle([0.0, 4e9, 1e9, 2e9])
    monkeypatch.setattr(time, "time", lambda: next(years))
    shutil.copytree(videos / "test", tmp_path / "of the future")
    for video in (tmp_path / "of the future").glob("*/*.mp4"):
        os.utime(video, (4e9, 4e9))
    attcell(*words, "jumping")
    steady, jumping = (
        torch.load(tmp_path / run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in ("steady", "jumping")
    )
    assert all(torch.equal(value, jumping[key]) for key, value in steady.items())
    flow = ["extract", "flow", "of the future", "flow", "--method", "dis"]
    assert "8 videos computed, 0 there already" in attcell(*flow).stdout
    assert "0 videos computed, 8 there already" in attcell(*flow).stdout
