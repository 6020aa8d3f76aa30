"""``attcell train FOLDER``: from a folder per class to a chosen model with a test, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from attcell.choosing import call, candidates
from tests.miniatures import clips

TINY = ("segments.train=2", "segments.test=2", "train.epochs=1", "data.workers=0", "--weights", "shipped")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of three training videos and one test video."""
    names = [f"train/{label}/{number}.mp4" for label in ("walk", "wave") for number in range(3)]
    clips(tmp_path / "videos", [*names, "test/walk/8.mp4", "test/wave/9.mp4"])
    return tmp_path / "videos"


@pytest.fixture
def two_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them would take a while."""
    for module in (call, candidates):
        monkeypatch.setattr(module, "candidate_names", lambda: ("frame-svm", "frame-average"))


@pytest.mark.usefixtures("two_candidates")
def test_a_folder_becomes_a_model_with_a_test_and_what_was_chosen_and_why(attcell, folder):
    done = attcell("train", folder, *TINY, "--out", "run")
    found = json.loads(Path("run/choice.json").read_text())
    assert [one["name"] for one in found["candidates"]] == ["frame-svm", "frame-average"]
    assert all(one["num_videos"] == 6 for one in found["candidates"])
    best = max(found["candidates"], key=lambda one: one["accuracy"])
    assert found["taken"] == best["name"]
    assert found["test"]["num_videos"] == 2
    assert f"attcell predict VIDEO --model run/{best['name']}/model" in done.stdout
    assert "no --groups" in done.stderr
    assert "drawn video by video" not in done.stderr.partition("on all training videos")[0]
    assert Path("run/report.html").is_file()
    assert Path(f"run/{best['name']}/test-test/confusion.png").is_file()
    assert f"**{best['name']}**" in Path("run/choice.md").read_text()


@pytest.mark.usefixtures("two_candidates")
def test_the_other_can_be_taken_later_and_nothing_is_done_twice(attcell, folder, monkeypatch):
    attcell("train", folder, *TINY, "--out", "run", "--take", "frame-svm")
    before = {path: path.stat().st_mtime_ns for path in Path("run/folds").rglob("scores.json")}
    assert len(before) == 2 * 3
    attcell("train", folder, *TINY, "--out", "run", "--take", "frame-average")
    after = {path: path.stat().st_mtime_ns for path in Path("run/folds").rglob("scores.json")}
    assert before == after
    assert json.loads(Path("run/choice.json").read_text())["taken"] == "frame-average"
    assert Path("run/report.html").is_file()
