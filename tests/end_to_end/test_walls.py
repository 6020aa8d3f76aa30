"""Videos that end their decoders, among good ones: each command names these and does the others."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import av
import numpy as np
import pytest
from torch.utils.data import get_worker_info

from attcell.data import datasets
from attcell.data.datasets import PlannedParts
from attcell.inference.model import Model
from attcell.inference.run import decide_views, mean_scores, run_videos
from attcell.models.build import evaluation_plan, input_spec
from tests.bad_decoders import DOES, bad_open
from tests.end_to_end.conftest import Run

SAYS = {
    "raises": "a library fails on it (RuntimeError: no such side data, in tests/bad_decoders.py, line",
    "crashes": "decoding it crashed its process (SIGSEGV), and again alone; leave it out",
    "leaves": "decoding it ended its process, with status 3, and again alone; leave it out",
    "eats": "it wants more memory than the 4 GiB that one may take ($ATTCELL_VIDEO_GIB); leave it out",
}


@pytest.fixture
def bad(videos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The generated set's 8 test videos, and beside them those that do what their names say."""
    monkeypatch.setenv("ATTCELL_VIDEO_SECONDS", "60")
    monkeypatch.setenv("ATTCELL_VIDEO_GIB", "4")
    monkeypatch.setattr(av, "open", bad_open)
    folder = shutil.copytree(videos / "test", tmp_path / "videos")
    good = sorted(folder.glob("*/*"))
    for number, name in enumerate(SAYS):
        path = good[number].with_name(f"{name}-{number}.mp4")
        path.write_bytes(good[0].read_bytes() + bytes(number + 1))
    return folder


def named(text: str) -> bool:
    """Whether all of them are named, with what they do."""
    return all(f"{name}-{number}.mp4: {SAYS[name]}" in text for number, name in enumerate(SAYS))


def good_videos(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*/*")) if path.stem.partition("-")[0] not in DOES]


def test_data_check(bad: Path, attcell: Run) -> None:
    done = attcell("data", "check", "videos", "--json", "found.json", status=1)
    assert named(done.stdout)
    found = json.loads((bad.parent / "found.json").read_text())
    assert sum(of["videos"] for of in found["classes"]) == 8 + len(SAYS)
    assert sum(found["sizes"].values()) == 8
    assert named("\n".join(found["unreadable"].values()))


def test_one_that_never_ends(bad: Path, monkeypatch: pytest.MonkeyPatch, attcell: Run) -> None:
    monkeypatch.setenv("ATTCELL_VIDEO_SECONDS", "4")
    two = bad.parent / "two" / "class"
    two.mkdir(parents=True)
    shutil.copy(good_videos(bad)[0], two)
    shutil.copy(good_videos(bad)[0], two / "hangs-0.mp4")
    done = attcell("data", "check", "two", status=1)
    said = "hangs-0.mp4: decoding it gave no sign of life for 4 s ($ATTCELL_VIDEO_SECONDS), and again alone"
    assert said in done.stdout
    assert "2 videos, 1 classes, 1 can be read" in done.stdout


def test_extract_flow(bad: Path, attcell: Run) -> None:
    arguments = ("extract", "flow", "videos", "flow", "--method", "fast", "--short-side", "32", "--no-frames")
    done = attcell(*arguments, status=1)
    assert named(done.stderr)
    assert done.stdout == f"flow: 8 videos computed, 0 there already, {len(SAYS)} failed\n"
    places = {path.relative_to(bad.parent / "flow") for path in (bad.parent / "flow").glob("*/*")}
    assert places == {path.relative_to(bad).with_suffix("") for path in good_videos(bad)}


def test_test(bad: Path, model: Path, attcell: Run) -> None:
    loaded = Model.from_folder(model)
    found = loaded.evaluate(bad)
    assert named("\n".join(found.unread.values()))
    assert list(found.unread) == [record.id for record in found.records if record.id in found.unread]
    assert len(found.unread) == len(SAYS)
    for row, record in zip(found.scores, found.records, strict=True):
        if record.id not in found.unread:
            views = PlannedParts([record], input_spec(loaded.recipe), evaluation_plan(loaded.recipe))
            (video,) = run_videos(loaded.network, views, kept_features=False)
            alone = mean_scores(decide_views(loaded.network, video.parts), "softmax").all
            assert np.array_equal(row, alone.double().numpy())  # bit by bit those of one process


def test_kept_features_are_of_all_or_none(bad: Path, recipe: Path, attcell: Run) -> None:
    frozen = ["model.streams.frame.train_from=none", "cache.folder=cache"]
    done = attcell("train", recipe, "data.train=videos", "data.val=null", *frozen, "--out", "run", status=1)
    assert f"{len(SAYS)} videos cannot be read" in done.stderr
    assert named(done.stderr)
    kept = {path.stem for path in (bad.parent / "cache").rglob("*") if path.is_file()}
    assert len(kept) >= 8, "the others are there for the next time"


@pytest.mark.parametrize("command", ["predict", "detect"])
def test_predict_and_detect(bad: Path, model: Path, attcell: Run, command: str) -> None:
    paths = sorted(bad.glob("*/*"))
    done = attcell(command, *paths, "--model", model, "--json", "all.jsonl", "--report", "all.html", status=1)
    assert named(done.stderr)
    lines = [json.loads(line) for line in (bad.parent / "all.jsonl").read_text().splitlines()]
    assert [line["video"] for line in lines] == list(map(str, paths)), "in their order"
    good = [line for line in lines if "error" not in line]
    assert len(good) == 8
    for path, line in list(zip(good_videos(bad), good, strict=True))[:2]:
        attcell(command, path, "--model", model, "--json", "one.jsonl", "--report", "one.html")
        assert json.loads((bad.parent / "one.jsonl").read_text()) == line  # bit by bit those of one process


def test_a_training_says_what_ended_it(
    videos: Path, recipe: Path, attcell: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder that crashes after the first packet, which the look before the training sees."""

    def crash(*_: object, **__: object) -> None:
        if get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(datasets, "read_sampled_frames", crash)
    done = attcell("train", recipe, "data.val=null", "--out", "run", status=1)
    said = "attcell: a process that decodes videos has ended (DataLoader worker (pid"
    assert said in done.stderr
    assert "`attcell data check` names a video that does that. Take it out" in done.stderr
