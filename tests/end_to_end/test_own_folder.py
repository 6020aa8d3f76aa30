"""``attcell train FOLDER``: from a folder per class to a chosen model with a test, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from attcell.choosing import call, candidates, crossing, trainings
from attcell.errors import TrainingError
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
    monkeypatch.setattr(trainings, "num_cores", lambda: 1)


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
    done = attcell("train", folder, *TINY, "--out", "run", "--take", "frame-average")
    after = {path: path.stat().st_mtime_ns for path in Path("run/folds").rglob("scores.json")}
    assert before == after
    other = {
        one["name"]: one["accuracy"] for one in json.loads(Path("run/choice.json").read_text())["candidates"]
    }
    if other["frame-svm"] >= other["frame-average"]:  # of equals the first
        assert "the same command without --take, to take frame-svm" in done.stdout
    else:
        assert "without --take" not in done.stdout
    assert json.loads(Path("run/choice.json").read_text())["taken"] == "frame-average"
    assert Path("run/report.html").is_file()


@pytest.mark.usefixtures("two_candidates")
def test_a_choice_that_was_broken_off_goes_on_and_ends_the_same(attcell, folder, monkeypatch):
    attcell("train", folder, *TINY, "--out", "whole")
    done, train_and_test = [], trainings.train_and_test

    def broken(run):
        if len(done) == 4:
            raise TrainingError("the power went out")
        done.append(run.folder)
        train_and_test(run)

    monkeypatch.setattr(trainings, "train_and_test", broken)
    assert "the power went out" in attcell("train", folder, *TINY, "--out", "run", status=1).stderr
    monkeypatch.setattr(
        trainings, "train_and_test", lambda run: done.append(run.folder) or train_and_test(run)
    )
    attcell("train", folder, *TINY, "--out", "run")
    assert len(done) == len(set(done)) == 2 * 3
    found, whole = (json.loads(Path(out, "choice.json").read_text()) for out in ("run", "whole"))
    for one, other in zip(found["candidates"], whole["candidates"], strict=True):
        assert one["accuracy"] == other["accuracy"]
    assert (found["taken"], found["test"]) == (whole["taken"], whole["test"])


@pytest.mark.usefixtures("two_candidates")
def test_trainings_side_by_side_are_the_same(attcell, folder, monkeypatch):
    attcell("train", folder, *TINY, "--out", "one")
    monkeypatch.setattr(trainings, "num_cores", lambda: 2)
    done = attcell("train", folder, *TINY, "--out", "two")
    for scores in Path("one/folds").rglob("scores.json"):
        assert (Path("two/folds") / scores.relative_to("one/folds")).read_bytes() == scores.read_bytes()
    assert Path("two/folds/frame-average/fold1.log").is_file()
    assert done.stderr.count("has 3 training videos") <= 1, "a warning of each fold is said once"


@pytest.mark.usefixtures("two_candidates")
def test_groups_are_never_parted(attcell, tmp_path):
    names = [
        f"{of}/{of}_p{person}_{clip}.mp4" for of in ("sit", "wave") for person in range(4) for clip in "ab"
    ]
    clips(tmp_path / "videos", names)
    done = attcell("train", "videos", *TINY, "--out", "run", "--groups", "_(p[0-9])_")
    assert "of 3 groups in 2 classes; test: 4 videos, 1 group held out of videos" in done.stderr
    assert "3 groups, one left out" in done.stderr
    people = {
        name: {line.split("_")[1] for line in Path(f"run/lists/{name}.txt").read_text().splitlines()}
        for name in ("train", "test", "1-train", "1-test", "2-train", "2-test", "3-train", "3-test")
    }
    for part in ("", "1-", "2-", "3-"):
        assert people[f"{part}train"].isdisjoint(people[f"{part}test"])
    found = json.loads(Path("run/choice.json").read_text())
    assert found["test"]["num_groups"] == 1
    assert found["test"]["interval"] == [0, 100], "one group says nothing of others"


@pytest.mark.usefixtures("two_candidates")
def test_what_does_not_fit_in_the_budget_is_left_out_and_named(attcell, folder, monkeypatch):
    def lacks(*_):
        return len(list(Path("run/folds").rglob("scores.json"))) >= 3

    monkeypatch.setattr(crossing.Budget, "lacks", lacks)
    done = attcell("train", folder, *TINY, "--out", "run", "--minutes", "1")
    assert "frame-average is left out: the budget is used up" in done.stderr
    found = json.loads(Path("run/choice.json").read_text())
    assert found["taken"] == "frame-svm"
    assert found["left_out"] == {"frame-average": "the budget is used up"}
    assert "frame-average is left out: the budget is used up" in Path("run/choice.md").read_text()


@pytest.mark.usefixtures("two_candidates")
def test_events_are_lines_of_json(attcell, folder):
    done = attcell("train", folder, *TINY, "--out", "run", "--json", "-")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    names = [event["event"] for event in events if event["event"] not in ("message", "warning")]
    assert names == ["videos", "candidate", "candidate", "choice", "done"]
    assert events[-1]["model"] == f"run/{events[-1]['taken']}/model"
    assert all(event["text"] for event in events)
    wrong = attcell("train", folder, *TINY, "--out", "run", "--take", "all", "--json", "bad.jsonl", status=2)
    (said,) = map(json.loads, Path("bad.jsonl").read_text().splitlines())
    assert said["event"] == "error"
    assert said["text"] in wrong.stderr


def test_a_recipe_says_at_its_end_what_it_came_to(attcell, recipe):
    done = attcell("train", recipe, "--out", "run", "--json", "run.jsonl")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("best validation accuracy: ")
    assert " of 8 videos (95 % interval " in lines[0]
    assert lines[1].startswith("kept: iteration ")
    assert lines[1].endswith(" of 1.3")
    assert lines[3:5] == ["model: run/model", "next: attcell test run/model"]
    last = json.loads(Path("run.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "done"
    assert lines[0].startswith(f"best validation accuracy: {last['accuracy']:.1f} % of {last['num_videos']}")


@pytest.mark.usefixtures("two_candidates")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--minutes", "0.00001"],
            "--minutes 1e-05 is too little for one candidate: of frame-svm, the first,",
        ),
        (["--minutes", "0"], "--minutes is 0; give more than 0"),
        (["--take", "frame-sum"], "no candidate is called frame-sum; did you mean 'frame-svm'"),
        (["--row", "frame-svm"], "--row is not for the folder of videos"),
        (["--weights", "none.safetensors"], "--weights: no weights at none.safetensors"),
        (["data.train=other"], "attcell train FOLDER finds that itself"),
        (["--groups", "person(\\d)"], "finds nothing in the names of 6 videos"),
    ],
)
def test_what_is_wrong_with_the_call_is_said(attcell, folder, options, words):
    assert words in attcell("train", folder, *TINY, "--out", "run", *options, status=2).stderr
    assert not Path("run/folds").exists()


def test_a_folder_that_holds_something_else_is_left_alone(attcell, folder, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    said = attcell("train", folder, *TINY, "--out", "other", status=2).stderr
    assert "other is not empty and no choice; name another --out" in said
    assert [path.name for path in Path("other").iterdir()] == ["mine.txt"]


@pytest.mark.usefixtures("two_candidates")
def test_other_videos_do_not_go_on(attcell, folder):
    attcell("train", folder, *TINY, "--out", "run", "--quick", "--take", "frame-svm")
    (folder / "train" / "wave" / "0.mp4").rename(folder / "train" / "wave" / "new.mp4")
    said = attcell("train", folder, *TINY, "--out", "run", status=2).stderr
    assert "run was begun with other training videos" in said


def test_a_folder_that_is_not_there_is_told_as_one(attcell):
    said = attcell("train", "vidoes", status=2).stderr
    assert said.startswith("attcell: no recipe at vidoes; ")
    assert said.endswith(". There is no folder of videos of this name either\n")


def test_options_of_a_folder_are_not_a_recipes(attcell):
    said = attcell("train", "stan-small", "--groups", "a", status=2).stderr
    assert (
        "--groups is not for the recipe stan-small: it is for a folder of videos, and there is no folder"
        in said
    )
