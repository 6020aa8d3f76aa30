"""``attcell plan`` on generated videos."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from attcell.config.loading import load_recipe
from attcell.forecast import measure
from attcell.forecast.call import make_plan
from attcell.forecast.lines import in_bytes, in_time, plan_lines
from tests.end_to_end.conftest import recipe_values
from tests.small_models import recipe_of

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def impatient(monkeypatch) -> None:
    monkeypatch.setattr(measure, "PATIENCE", 3.0)
    monkeypatch.setattr(measure, "FEWEST_ITERATIONS", 4)


def of_two_streams(videos: Path, tmp_path: Path) -> Path:
    """Flow from a store and features that are kept."""
    values = recipe_values(videos)
    stream = {**values["model"]["streams"]["frame"], "train_from": "none"}
    values["model"]["streams"] = {"frame": stream, "flow": stream}
    values["flow"] = {"store": str(tmp_path / "flow"), "fields": 2}
    values["cache"] = {"folder": str(tmp_path / "features")}
    values["train"] |= {"iterations": 5000, "checkpoint_every": 1000}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def test_a_recipe_with_flow_and_features(videos, tmp_path, attcell):
    recipe = of_two_streams(videos, tmp_path)
    done = attcell("plan", recipe, "--videos", "6", "--machines", "4", "--json", "plan.json")
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["videos"] == {"all": 40, "here": 40, "train": 24, "val": 8, "test": 8}
    assert len(plan["measured"]["videos"]) >= 4
    assert plan["measured"]["unread"] == []
    terms = {phase["name"]: [(of["count"], of["unit"]) for of in phase["terms"]] for phase in plan["phases"]}
    assert terms == {
        "extract flow": [(40, "videos")],
        "features": [(24, "training videos"), (8, "validation videos")],
        "train": [(5000, "iterations of 4 videos"), (40, "videos validated, 5 times"), (5, "checkpoints")],
        "test": [(8, "test videos")],
    }
    flow, features, train, _ = plan["phases"]
    assert flow["bytes"] > 40 * 10_000
    assert features["bytes"] > 0
    assert train["bytes"] == 0
    for phase in plan["phases"]:
        sums = sum(of["count"] * of["seconds_each"] for of in phase["terms"])
        assert phase["seconds"] == pytest.approx(sums)
        assert sums > 0
    alone = sum(
        term["count"] * term["seconds_each"]
        for phase in plan["phases"]
        for term in phase["terms"]
        if not term["divides"]
    )
    shared = sum(phase["seconds"] for phase in plan["phases"]) - alone
    assert plan["machines"]["1"]["seconds"] == pytest.approx(shared + alone)
    assert plan["machines"]["4"]["seconds"] == pytest.approx(shared / 4 + alone)
    assert {part["name"] for part in plan["parts"]} >= {"decoding", "flow: a video's input", "disk, writing"}
    lines = done.stdout.splitlines()
    assert lines[:2] == ["plan of mine", "40 videos: 24 to train, 8 to validate"]
    assert max(map(len, lines)) <= 40
    assert [line for line in lines if line.startswith("machines  ")] == [
        "machines                1           4"
    ]
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert not (tmp_path / "flow").exists()
    assert not (tmp_path / "features").exists()


def test_pictures_are_trained_from_and_missing_videos_count(videos, tmp_path):
    lines = [
        f"{path} {number % 2}" for number, path in enumerate(sorted((videos / "train").rglob("*.mp4"))[:5])
    ]
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join([*lines, "gone.mp4 0", "away.mp4 1", ""]))
    recipe = recipe_of(listed, train={"iterations": 10, "batch_size": 8, "accumulate": 2})
    plan = make_plan(recipe, videos=4)
    assert (plan.videos.num, len(plan.videos.here)) == (7, 5)
    (train,) = plan.phases
    assert train.name == "train"
    assert train.terms[0].count == 10
    said = " ".join(" ".join(plan_lines(plan)).split())
    assert "2 of them are not here, and count as the mean of the 5 that are" in said
    assert "without a GPU here, the hours are those of processors alone" in said


def test_statistics_have_no_iterations(folder):
    stream = {"backbone": "small", "weights": "none", "train_from": "none"}
    model = {"kind": "pooled", "classifier": "svm", "streams": {"frame": stream}, "lstm_hidden": 1024}
    recipe = recipe_of(folder, model=model, train={"iterations": None}, data={"test": folder})
    plan = make_plan(recipe)
    assert [phase.name for phase in plan.phases] == ["fit the SVM", "test"]
    assert "not forecast: the choice of C grows" in " ".join(" ".join(plan_lines(plan)).split())


def test_unread_videos_are_named_and_the_status_is_1(videos, tmp_path, attcell):
    listed = tmp_path / "list.txt"
    good = sorted((videos / "train").rglob("*.mp4"))[:6]
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    listed.write_text("".join(f"{path} {number % 2}\n" for number, path in enumerate([*good, "bad.mp4"])))
    values = recipe_values(videos)
    values["data"] = {"train": str(listed), "workers": 1}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values))
    done = attcell("plan", "mine.yaml", "--videos", "4", status=1)
    assert "1 videos that were looked at cannot be read, and are not measured" in done.stderr
    assert "bad.mp4" in done.stderr
    assert done.stdout.startswith("plan of mine\n7 videos: 7 to train\n")


def test_what_is_wrong_with_the_call(videos, tmp_path, attcell):
    values = recipe_values(videos)
    values["data"]["train"] = str(tmp_path / "nowhere")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values))
    assert "nowhere" in attcell("plan", "mine.yaml", status=2).stderr
    assert "stan-table-7 is a table" in attcell("plan", "stan-table-7", status=2).stderr
    assert load_recipe(tmp_path / "mine.yaml").name == "mine"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0123, "12.3 ms"),
        (0.5, "0.50 s"),
        (59, "59.0 s"),
        (600, "10.0 min"),
        (7_200_000, "2,000 h"),
        (0, "0.00 s"),
    ],
)
def test_times(seconds, words):
    assert in_time(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"), [(50_176, "50.2 kB"), (2.4e6, "2.40 MB"), (66.8e9, "66.8 GB"), (4.55e12, "4.55 TB")]
)
def test_bytes(number, words):
    assert in_bytes(number) == words


CLOCK = """
import sys, time
time.perf_counter = lambda: float("torch" in sys.modules)  # tells whether PyTorch was there
import attcell.forecast.starts as starts
from attcell.cli.app import main

def told(begun):
    print("begun", begun)
    raise SystemExit(0)

starts.timed_imports = told
sys.argv = ["attcell", "plan", "stan-small", "data.train=videos"]
main()
"""


def test_the_start_is_counted_from_before_pytorch_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", CLOCK], check=False, capture_output=True, text=True)
    assert done.stdout == "begun 0.0\n", done.stderr
