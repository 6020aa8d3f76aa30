"""``calibrate``, ``detect`` and the scores of what they find, as a user runs them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import attcell as library
from tests.end_to_end.conftest import Run
from tests.video.conftest import write_video


@pytest.fixture
def mine(model: Path, tmp_path: Path) -> Path:
    """A model folder of one's own."""
    return Path(shutil.copytree(model, tmp_path / "mine"))


@pytest.fixture
def longs(untrimmed: Path) -> list[Path]:
    return sorted((untrimmed / "test").glob("*/*.mp4"))


def test_from_labels_to_scored_detections(attcell: Run, mine, untrimmed, longs, tmp_path):
    done = attcell("calibrate", "mine", "--data", untrimmed / "train")
    assert done.stdout.startswith(
        "learnt from 4 videos: an action is where relative attention × class score is"
    )
    everything = ("--threshold", "0.05", "--json", "found.json", "--report", "page.html")
    done = attcell("detect", *longs, "--model", "mine", *everything)
    assert done.stdout.count(" action") == 4
    content = json.loads((tmp_path / "found.json").read_text())
    assert [of["video"] for of in content["videos"]] == [str(path) for path in longs]
    (first, *_) = content["videos"]
    assert first["detections"]
    found = library.load("mine").detect(longs[0], threshold=0.05)
    assert [of.score for of in found] == pytest.approx([of["score"] for of in first["detections"]])
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count('class="hit"') >= len(first["detections"])
    assert "relative attention × class score above 0.05" in page
    done = attcell(
        "score", "detection", "found.json", "--truth", untrimmed, "--json", "s.json", "--csv", "s.csv"
    )
    assert "thumos, AP %" in done.stdout
    assert "activitynet, AP %" in done.stdout
    assert "4 videos, " in done.stdout
    scored = json.loads((tmp_path / "s.json").read_text())["files"][0]
    assert [of["protocol"] for of in scored["protocols"]] == ["thumos", "activitynet"]
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 1 + 2 * 5


def test_every_rule_runs_and_lines_come_as_json(attcell: Run, mine, untrimmed, longs):
    attcell("calibrate", "mine", "--data", untrimmed / "train")
    for rule in ("relative", "paper", "sigmoid", "classes", "stpn", "evidence"):
        done = attcell("detect", longs[0], "--model", "mine", "--rule", rule, "--json", "-", "--every", "9")
        (line,) = done.stdout.splitlines()
        assert json.loads(line)["duration_seconds"] > 9


def test_the_result_files_of_challenges(attcell: Run, model, longs, tmp_path):
    few = [shutil.copy(path, tmp_path / f"v{n}.mp4") for n, path in enumerate(longs[:2])]
    words = ("--model", model, "--threshold", "0.05")
    attcell("detect", *few, *words, "--json", "a.json", "--format", "activitynet")
    results = json.loads((tmp_path / "a.json").read_text())["results"]
    assert list(results) == ["v0", "v1"]
    attcell("detect", *few, *words, "--json", "t.txt", "--format", "thumos")
    lines = (tmp_path / "t.txt").read_text().splitlines()
    assert len(lines) == sum(map(len, results.values()))
    assert all(len(line.split()) == 5 for line in lines)
    done = attcell("detect", few[0], *words, "--format", "thumos", status=2)
    assert done.stderr == "attcell: --format thumos is a file's; name one by --json\n"
    (tmp_path / "other").mkdir()
    double = shutil.copy(few[0], tmp_path / "other" / "v0.mp4")
    done = attcell("detect", *few, double, *words, "--json", "d.json", "--format", "activitynet", status=2)
    assert done.stderr == "attcell: two videos are called v0, which --format activitynet cannot tell apart\n"
    assert done.stdout == ""
    done = attcell("detect", few[0], *words, "--class-numbers", "x.txt", status=2)
    assert done.stderr == "attcell: --class-numbers is for --format thumos; leave it out\n"


def test_a_video_that_cannot_be_read_is_told_and_the_others_are_done(attcell: Run, model, longs, tmp_path):
    (tmp_path / "empty.mp4").touch()
    done = attcell("detect", "empty.mp4", longs[0], "--model", model, "--json", "f.jsonl", status=1)
    assert done.stderr.startswith("attcell: empty.mp4: the file is empty")
    text = (tmp_path / "f.jsonl").read_text()
    attcell("detect", longs[0], "--model", model, "--rule", "paper", "--json", "f.jsonl", status=2)
    assert (tmp_path / "f.jsonl").read_text() == text, "a wrong call leaves it alone"
    empty, found = map(json.loads, text.splitlines())
    assert empty["error"].startswith("empty.mp4: the file is empty")
    assert found["video"] == str(longs[0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rule", "paper"], "rule paper needs a segment classifier, and this model has none; run attcell"),
        (["--class-threshold", "0.5"], "rule relative takes no class_threshold; leave it out"),
        (["--json", "folder"], "folder is a folder; name a file to write to"),
    ],
)
def test_a_wrong_call_is_told_before_work(attcell: Run, model, longs, tmp_path, words, said):
    (tmp_path / "folder").mkdir()
    done = attcell("detect", longs[0], "--model", model, *words, status=2)
    assert done.stderr.startswith(f"attcell: {said}")
    assert done.stdout == ""


def test_calibrate_wants_a_model_folder_and_training_videos(attcell: Run, mine, tmp_path):
    done = attcell("calibrate", "nobody/nothing", status=2)
    assert done.stderr.startswith("attcell: nobody/nothing is no model folder; give one")
    (tmp_path / "none").mkdir()
    done = attcell("calibrate", "mine", "--data", "none", status=1)
    assert "none" in done.stderr
    assert not (tmp_path / "mine" / "detection.safetensors").exists()


class TestScoreDetection:
    @pytest.fixture(autouse=True)
    def _truth(self, tmp_path):
        video = {
            "subset": "validation",
            "duration": 10.0,
            "annotations": [{"segment": [1.0, 3.0], "label": "run"}],
        }
        (tmp_path / "truth.json").write_text(json.dumps({"database": {"a": video, "b": video}}))

    def results(self, tmp_path, **results):
        (tmp_path / "r.json").write_text(json.dumps({"results": results}))

    def test_figures_and_what_was_counted(self, attcell: Run, tmp_path):
        self.results(tmp_path, a=[{"segment": [1, 3], "label": "run", "score": 0.5}])
        done = attcell("score", "detection", "r.json", "--truth", "truth.json", "--protocol", "activitynet")
        assert done.stdout.splitlines() == [
            "r.json: 1 detections",
            "",
            "activitynet, AP %     0.1    0.2    0.3    0.4    0.5    0.6    0.7",
            "run                  50.0   50.0   50.0   50.0   50.0   50.0   50.0",
            "mAP                  50.0   50.0   50.0   50.0   50.0   50.0   50.0",
            "mean mAP: 50.0 at 0.1-0.5, 50.0 at 0.3-0.7, 50.0 at 0.1-0.7",
            "protocol: activitynet, IoU at least the threshold, in the order of scores, AP interpolated, no "
            "ambiguity; validation of truth.json: 2 videos, 2 true actions, mean over 1 classes; nothing "
            "found in 1 videos; excluded none",
        ]

    def test_zero_detections(self, attcell: Run, tmp_path):
        self.results(tmp_path, a=[], b=[])
        done = attcell("score", "detection", "r.json", "--truth", "truth.json", "--thresholds", "0.5")
        assert done.stdout.startswith("r.json: 0 detections; with none, mAP is 0\n")
        assert "mAP                   0.0" in done.stdout

    def test_faults_are_told_and_the_status_is_1(self, attcell: Run, tmp_path):
        one = {"segment": [1, 3], "label": "fly", "score": 0.5}
        self.results(tmp_path, a=[one], z=[{**one, "label": "run", "segment": [5, 50]}])
        done = attcell("score", "detection", "r.json", "--truth", "truth.json", status=1)
        assert "1 detections of classes that truth.json does not have; they do not count:\n" in done.stderr
        assert "r.json: a, result 1: fly" in done.stderr
        assert "1 videos that truth.json does not have in validation" in done.stderr
        assert done.stdout.startswith("r.json: 1 detections\n")

    @pytest.mark.parametrize(
        ("words", "status", "said"),
        [
            (["--subset", "testing"], 2, "truth.json has no subset 'testing'; it has validation"),
            (["--exclude", "q"], 2, "--exclude q: truth.json has no such video in validation"),
            (["--thresholds", "a,b"], 2, "--thresholds a,b are not numbers; give some, as 0.3,0.5"),
            (["--thresholds", "2"], 2, "thresholds are [2.0]; give one or more above 0 and up to 1"),
            (["--json", "r.json"], 2, "r.json is named twice"),
        ],
    )
    def test_wrong_calls(self, attcell: Run, tmp_path, words, status, said):
        self.results(tmp_path, a=[])
        done = attcell("score", "detection", "r.json", "--truth", "truth.json", *words, status=status)
        assert done.stderr.startswith(f"attcell: {said}")

    def test_reversed_intervals_are_named(self, attcell: Run, tmp_path):
        self.results(tmp_path, a=[{"segment": [3, 1], "label": "run", "score": 0.5}])
        done = attcell("score", "detection", "r.json", "--truth", "truth.json", status=1)
        assert done.stderr == (
            "attcell: r.json: 1 of 1 detections are none:\n"
            "  r.json: a, result 1: it ends at 1 s, before its start at 3 s\n"
        )


def test_attention_scored_from_files(attcell: Run, model, untrimmed, longs, tmp_path):
    attcell("predict", *longs, "--model", model, "--json", "looks.json", "--segments", "12")
    done = attcell("score", "attention", "looks.json", "--truth", untrimmed, "--json", "s.json")
    assert done.stdout.startswith("stream  pointing (chance)  mass in the boxes (chance)\nframe ")
    assert "protocol: 4 videos, 0 left out, " in done.stdout
    found = json.loads((tmp_path / "s.json").read_text())["streams"]["frame"]
    assert 0 < found["mass"] < 1
    assert 0 < found["mass_chance"] < 0.5
    attcell("predict", *longs, "--model", model, "--json", "looks.jsonl", "--segments", "12")
    again = attcell("score", "attention", "looks.jsonl", "--truth", untrimmed)
    assert again.stdout == done.stdout
    (tmp_path / "looks.jsonl").rename(tmp_path / "lines.json")  # by what is in it, not by its name
    assert attcell("score", "attention", "lines.json", "--truth", untrimmed).stdout == done.stdout
    stranger = write_video(tmp_path / "stranger.mp4", 20)
    attcell("predict", longs[0], stranger, "--model", model, "--json", "two.json")
    done = attcell("score", "attention", "two.json", "--truth", untrimmed, status=1)
    assert done.stderr == f"attcell: {stranger} is no video of {untrimmed}; it is left out\n"
    assert "protocol: 1 videos, 1 left out, " in done.stdout
    done = attcell("score", "attention", "s.json", "--truth", untrimmed, status=1)
    assert done.stderr.startswith("attcell: s.json is not what attcell predict --json writes")
