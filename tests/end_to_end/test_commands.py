"""The commands as users call them: what they print, what they write, how they end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import attcell as library
from attcell.config import load_recipe
from attcell.metrics.recognition import mean_class_accuracy, top_k_accuracy
from attcell.synth.truth import read_truth
from tests.damage import damage
from tests.end_to_end.conftest import Run


@pytest.fixture
def some(videos: Path) -> list[Path]:
    """Two of the test videos."""
    return sorted((videos / "test").rglob("*.mp4"))[:4:3]


class TestPredict:
    def test_a_line_for_each_video(self, attcell: Run, model, some):
        lines = attcell("predict", *some, "--model", model).stdout.splitlines()
        loaded = library.load(model)
        assert len(lines) == 2
        for line, video in zip(lines, some, strict=True):
            found = loaded.predict(video)
            (label, score), *_ = found.top(1)
            assert line.startswith(f"{video}: {label} {100 * score:.1f} %, ")
            start, end = found.segments_seconds[found.temporal_attention.argmax()]
            assert line.endswith(f"(most attention at {start:.1f}-{end:.1f} s)")

    def test_json_on_stdout_is_json_alone_and_the_librarys(self, attcell: Run, model, some):
        done = attcell("predict", *some, "--model", model, "--json", "-", "--segments", "3")
        content = [json.loads(line) for line in done.stdout.splitlines()]
        loaded = library.load(model)
        assert content == [loaded.predict(video, segments=3).to_dict() for video in some]
        assert len(content[0]["temporal_attention"]) == 3
        assert np.array(content[0]["spatial_attention"]["frame"]).shape == (3, 4, 4)

    def test_json_and_report_in_files(self, attcell: Run, model, some, tmp_path):
        done = attcell(
            "predict", some[0], "--model", model, "--json", "out/p.json", "--report", "out/page.html"
        )
        content = json.loads((tmp_path / "out" / "p.json").read_text())
        assert done.stdout.startswith(f"{some[0]}: {content['predictions'][0]['top'][0]['label']} ")
        page = (tmp_path / "out" / "page.html").read_text()
        assert page.startswith("<!doctype html>")
        assert str(some[0].name) in page
        assert done.stderr == "report: out/page.html\n"
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["p.json", "page.html"]

    def test_damage_is_said_and_the_rest_is_used(self, attcell: Run, model, some, tmp_path):
        bad = Path(shutil.copy(some[0], tmp_path / "bad.mp4"))
        damage(bad)
        done = attcell("predict", "bad.mp4", "--model", model, "--json", "p.json")
        (note,) = json.loads((tmp_path / "p.json").read_text())["predictions"][0]["notes"]
        assert note.endswith("frames decode; the rest is damaged or missing")
        assert done.stderr == f"bad.mp4: {note}\n"

    def test_a_name_that_is_no_text_is_printed_somehow(self, attcell: Run, model, some, tmp_path):
        name = b"cl\xefp.mp4".decode("utf-8", "surrogateescape")
        shutil.copy(some[0], tmp_path / name)
        done = attcell("predict", name, "--model", model, "--json", "p.json")
        assert done.stdout.startswith("cl\\udcefp.mp4: ")
        assert json.loads((tmp_path / "p.json").read_text())["predictions"][0]["video"] == name


class TestTest:
    def test_what_is_printed_can_be_computed_from_what_is_written(self, attcell: Run, model, tmp_path):
        done = attcell("test", model, "--out", "out")
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["confusion.png", "scores.json"]
        content = json.loads((tmp_path / "out" / "scores.json").read_text())
        scores = np.array([video["scores"] for video in content["videos"].values()])
        truth = np.array([content["labels"].index(video["label"]) for video in content["videos"].values()])
        assert len(scores) == 8
        assert [name.split("/")[0] for name in content["videos"]] == [content["labels"][i] for i in truth]
        computed = {
            "top1": 100 * top_k_accuracy(scores, truth, 1),
            "mean class accuracy": 100 * mean_class_accuracy(scores, truth),
        }
        for name, value in computed.items():
            assert f"{name:20} {value:6.2f} %\n" in done.stdout
            assert content["figures"][name.replace(" ", "_")] == pytest.approx(value)
        assert (
            "protocol: streams frame, network STAN, videos 8, unread 0, segments 4, crops 1, short videos "
            "repeat, resize short 72, size 64, scores softmax" in done.stdout
        )
        assert done.stdout.endswith("written: out/scores.json, out/confusion.png\n")
        assert done.stderr == ""

    def test_segments_crops_and_another_source(self, attcell: Run, model, videos, tmp_path):
        shutil.copytree(videos / "test" / "kick_red", tmp_path / "mine" / "kick_red")
        done = attcell("test", model, "--data", "mine", "--segments", "2", "--crops", "10", "--out", "out")
        assert (
            "protocol: streams frame, network STAN, videos 2, unread 0, segments 2, crops 10," in done.stdout
        )
        content = json.loads((tmp_path / "out" / "scores.json").read_text())
        assert {name: video["label"] for name, video in content["videos"].items()} == {
            "kick_red/000.mp4": "kick_red",
            "kick_red/001.mp4": "kick_red",
        }

    def test_the_split_for_validation(self, attcell: Run, model, videos, tmp_path):
        attcell("test", model, "--split", "val", "--out", "out")
        content = json.loads((tmp_path / "out" / "scores.json").read_text())
        assert set(content["videos"]) == {
            path.relative_to(videos / "val").as_posix() for path in (videos / "val").rglob("*.mp4")
        }

    def test_the_figures_go_beside_the_model(self, attcell: Run, model, tmp_path):
        shutil.copytree(model, tmp_path / "run" / "model")
        attcell("test", "run/model", "--split", "val")
        assert (tmp_path / "run" / "test-val" / "scores.json").is_file()

    def test_an_unreadable_video_is_counted_wrong_and_named(self, attcell: Run, model, videos, tmp_path):
        shutil.copytree(videos / "test", tmp_path / "mine")
        for name in ("kick_red/empty.mp4", "wave_red/text.mp4"):
            (tmp_path / "mine" / name).write_text("" if "empty" in name else "no video")
        done = attcell("test", model, "--data", "mine", "--out", "out", status=1)
        whole = attcell("test", model, "--out", "whole")
        assert "attcell: mine/kick_red/empty.mp4: the file is empty (0 bytes)" in done.stderr
        assert "attcell: mine/wave_red/text.mp4: not a video that FFmpeg can read" in done.stderr
        assert "protocol: streams frame, network STAN, videos 10, unread 2," in done.stdout
        first, second = (
            json.loads((tmp_path / name / "scores.json").read_text()) for name in ("whole", "out")
        )
        assert first["protocol"]["videos"] == 8
        assert second["figures"]["top1"] == pytest.approx(first["figures"]["top1"] * 8 / 10)
        assert list(second["unread"]) == ["kick_red/empty.mp4", "wave_red/text.mp4"]
        assert "mine" in done.stderr
        assert whole.stderr == ""


class TestSynthAndCheck:
    def test_videos_with_sound(self, attcell: Run, tmp_path):
        numbers = ["--classes", "4", "--train", "1", "--val", "0", "--test", "0"]
        done = attcell("synth", "videos", "--sound", "--codec", "opus", *numbers)
        assert done.stdout == "videos: 4 videos of 4 classes, truth in videos/truth.json\n"
        assert all(video.sound is not None for video in read_truth(tmp_path / "videos").videos.values())

    def test_generated_videos_pass_the_check(self, attcell: Run, tmp_path):
        numbers = ["--classes", "4", "--train", "1", "--val", "0", "--test", "1"]
        done = attcell("synth", "videos", *numbers)
        assert done.stdout == "videos: 8 videos of 4 classes, truth in videos/truth.json\n"
        assert len(read_truth(tmp_path / "videos").videos) == 8
        checked = attcell("data", "check", "videos/test", "--json", "report.json")
        assert checked.stdout.startswith("videos/test: 4 videos, 4 classes, 4 can be read\n")
        assert checked.stdout.endswith("all videos are there and whole\n")
        assert json.loads((tmp_path / "report.json").read_text())["ok"] is True

        first = next((tmp_path / "videos" / "test").rglob("*.mp4"))
        name = first.relative_to(tmp_path / "videos" / "test").as_posix()
        damage(first)
        done = attcell("data", "check", "videos/test", "--json", "-", status=1)
        assert list(json.loads(done.stdout)["damaged"]) == [name]
        first.write_bytes(b"")
        done = attcell("data", "check", "videos/test", status=1)
        assert "unreadable: 1\n" in done.stdout
        assert f"videos/test/{name}: the file is empty (0 bytes)" in done.stdout
        assert done.stdout.endswith("something is wrong: see above\n")


class TestTrain:
    def test_a_run_folder_has_its_parts_and_the_recipe_trains_again(self, attcell: Run, recipe, tmp_path):
        done = attcell("train", recipe, "train.iterations=1", "--out", "run")
        assert "\nmodel: run/model\n" in done.stdout
        assert done.stdout.startswith("best validation accuracy: ")
        assert "\nkept: iteration 1 of 1, epoch " in done.stdout
        names = sorted(path.name for path in (tmp_path / "run").iterdir())
        assert names == ["checkpoints", "logs", "model", "recipe.yaml"]
        saved = library.load(tmp_path / "run" / "model")
        assert load_recipe(tmp_path / "run" / "recipe.yaml") == saved.recipe
        assert saved.training["validation_result"]["iterations"] == 1

    def test_bf16_trains_on_the_cpu_and_its_model_predicts(self, attcell: Run, recipe, some):
        attcell("train", recipe, "train.iterations=2", "train.precision=bf16", "--out", "run")
        assert attcell("predict", some[0], "--model", "run/model").stdout.startswith(str(some[0]))

    def test_damage_in_a_training_video_is_said(self, attcell: Run, recipe, videos, tmp_path):
        shutil.copytree(videos / "val", tmp_path / "mine")
        damage(tmp_path / "mine" / "kick_red" / "000.mp4")
        quick = ["data.train=mine", "data.val=null", "train.iterations=2", "train.checkpoint_every=9"]
        done = attcell("train", recipe, *quick, "--out", "run")
        note = "frames decode; the rest is damaged or missing"
        assert done.stderr.count(note) == 1
        assert (
            f"kick_red/000.mp4: {done.stderr.split('000.mp4: ')[1].split(' frames')[0]} {note}" in done.stderr
        )
        frozen = ["model.streams.frame.train_from=none", "cache.folder=cache", "cache.positions=1"]
        done = attcell("train", recipe, *quick, *frozen, "--out", "kept")
        assert done.stderr.count(note) == 1
        assert "kick_red/000.mp4: " in done.stderr

    def test_an_unreadable_training_video_stops_with_its_name(self, attcell: Run, recipe, videos, tmp_path):
        shutil.copytree(videos / "val", tmp_path / "mine")
        bad = tmp_path / "mine" / "kick_red" / "000.mp4"
        bad.write_bytes(bad.read_bytes()[:500])
        done = attcell("train", recipe, "data.train=mine", "data.val=null", "--out", "run", status=1)
        assert "1 videos cannot be read; `attcell data check` names them all" in done.stderr
        assert str(bad) in done.stderr
        assert not (tmp_path / "run").exists()
        frozen = ["model.streams.frame.train_from=none", "cache.folder=cache"]
        done = attcell(
            "train", recipe, "data.train=mine", "data.val=null", *frozen, "--out", "kept", status=1
        )
        assert "1 videos cannot be read; `attcell data check` names them all" in done.stderr
        assert str(bad) in done.stderr
        assert not (tmp_path / "kept").exists()


def test_an_interruption_ends_quietly(attcell: Run, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("attcell.data.check.check_source", interrupted)
    said = attcell("data", "check", ".", status=130).stderr
    assert said == "attcell: data check was ended by Ctrl-C; nothing more is written\n"
