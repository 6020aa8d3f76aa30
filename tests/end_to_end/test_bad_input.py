"""Whatever is wrong: one clear message, exit status 1 or 2, no traceback, nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

from attcell.inference.model import Model
from tests.damage import jpegs_with_exif, write_mjpeg, write_sound
from tests.end_to_end.conftest import Run, left


@pytest.fixture
def mine(model: Path, tmp_path: Path) -> Path:
    """A copy of the model that a test may break."""
    return Path(shutil.copytree(model, tmp_path / "mine" / "model"))


@pytest.fixture
def video(videos: Path) -> Path:
    return videos / "test" / "kick_red" / "000.mp4"


class TestVideos:
    @pytest.fixture(autouse=True)
    def _files(self, video: Path, tmp_path: Path) -> None:
        whole = video.read_bytes()
        (tmp_path / "empty.mp4").touch()
        (tmp_path / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
        write_sound(tmp_path / "sound.wav")
        (tmp_path / "text.mp4").write_text("this is no video\n" * 30)
        (tmp_path / "noise.avi").write_bytes(bytes(range(256)) * 40)
        (tmp_path / "folder.mp4").mkdir()

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("missing.mp4", "there is no such file"),
            ("empty.mp4", "the file is empty (0 bytes); get it again, or leave it out"),
            ("truncated.mp4", "an MP4 file without a readable index"),
            ("sound.wav", "a file with sound alone, and a video is wanted, whose frames say where"),
            ("text.mp4", "not a video that FFmpeg can read"),
            ("noise.avi", "not a video that FFmpeg can read"),
            ("folder.mp4", "this is a folder without frames"),
        ],
    )
    def test_it_is_named_and_nothing_is_written(self, attcell: Run, model, tmp_path, name, message):
        before = left(tmp_path)
        done = attcell("predict", name, "--model", model, "--report", "page.html", status=1)
        assert done.stdout == ""
        assert done.stderr.startswith(f"attcell: {name}: {message}")
        assert done.stderr.splitlines()[1:] == [
            "no report: no video could be read, and page.html is not written"
        ]
        assert left(tmp_path) == before

    def test_the_others_are_predicted_all_the_same(self, attcell: Run, model, video, tmp_path):
        done = attcell(
            "predict", "empty.mp4", video, "sound.wav", "--model", model, "--json", "-", "--report", "p.html",
            status=1,
        )  # fmt: skip
        empty, found, sound = map(json.loads, done.stdout.splitlines())
        assert [of["video"] for of in (empty, found, sound)] == ["empty.mp4", str(video), "sound.wav"]
        assert empty["error"].startswith("empty.mp4: the file is empty")
        assert found["labels"]
        assert "error" in sound
        assert (tmp_path / "p.html").is_file()

    def test_fewer_frames_than_segments_where_the_recipe_refuses_that(self, attcell: Run, mine, video):
        config = json.loads((mine / "config.json").read_text())
        config["recipe"]["segments"]["short"] = "refuse"
        (mine / "config.json").write_text(json.dumps(config))
        attcell("predict", video, "--model", mine)
        done = attcell("predict", video, "--model", mine, "--segments", "500", status=1)
        assert "frames, fewer than the 500 segments asked for; ask for fewer segments" in done.stderr


class TestModels:
    """The kinds of damage are tested one by one in tests/engine/test_model_folder.py."""

    @pytest.mark.parametrize("command", ["predict", "test"])
    def test_a_broken_model_is_one_message(self, attcell: Run, mine, video, tmp_path, command):
        arguments = ["predict", video, "--model", mine] if command == "predict" else ["test", mine]
        config = (mine / "config.json").read_text()
        (mine / "config.json").write_text(config.replace('"format": 2', '"format": 9'))
        before = left(tmp_path)
        done = attcell(*arguments, status=1)
        assert done.stderr.startswith(f"attcell: {mine}/config.json has model format 9, and attcell ")
        (mine / "config.json").write_text(config)
        torch.save({}, mine / "model.safetensors")
        assert "model.safetensors is not a safetensors file" in attcell(*arguments, status=1).stderr
        (mine / "model.safetensors").unlink()
        assert f"attcell: no model at {mine}: a model folder holds" in attcell(*arguments, status=2).stderr
        assert left(tmp_path) == [name for name in before if not name.endswith("safetensors")]

    @pytest.mark.parametrize("command", ["predict", "test"])
    def test_weights_that_are_no_numbers_give_no_figures(self, attcell: Run, mine, video, tmp_path, command):
        model = Model.from_folder(mine)
        model.network.state_dict()["classifier.weight"][0] = float("nan")
        model.save_pretrained(mine)
        before = left(tmp_path)
        arguments = (
            ["predict", video, "--json", "-", "--model", mine] if command == "predict" else ["test", mine]
        )
        done = attcell(*arguments, status=1)
        assert done.stderr.startswith("attcell: the network's scores are not finite numbers")
        assert done.stdout == ""
        assert left(tmp_path) == before


class TestCalls:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["predict", "a.mp4", "--model", "MODEL", "--segments", "0"], "Invalid value for '--segments'"),
            (["predict", "--model", "MODEL"], "Missing argument 'videos'"),
            (["test", "MODEL", "--segments", "0"], "Invalid value for '--segments'"),
            (["test", "MODEL", "--crops", "5"], "'5' is not one of '1', '3', '10'"),
            (["test", "MODEL", "--split", "dev"], "'dev' is not one of 'train', 'val', 'test'"),
            (
                ["test", "MODEL", "--data", "nowhere"],
                "attcell: nowhere: no such file or folder; give a folder",
            ),
            (["data", "check", "nowhere"], "attcell: nowhere: no such file or folder; give a folder"),
            (
                ["synth", "new", "--classes", "5"],
                "attcell: 5 classes cannot be generated; choose one of 4, 6, 8",
            ),
            (["synth", "new", "--kind", "long"], "'long' is not one of 'trimmed', 'untrimmed'"),
            (
                ["synth", "new", "--train", "0", "--val", "0", "--test", "0"],
                "choose numbers from 0 on, not all",
            ),
            (
                ["synth", "new", "--sound", "--motions", "paths"],
                "--motions is not for videos with sound: leave it out, or --sound",
            ),
            (["synth", "new", "--codec", "opus"], "--codec is of videos with sound; give --sound too"),
            (["synth", "new", "--sound", "--codec", "mp3"], "'mp3' is not one of 'aac', 'opus'"),
            (["prdict"], "No such command 'prdict'"),
        ],
    )
    def test_a_wrong_call_says_what_is_wrong(self, attcell: Run, model, tmp_path, arguments, message):
        done = attcell(*[str(model) if word == "MODEL" else word for word in arguments], status=2)
        assert message in done.stderr
        assert done.stdout == ""
        assert left(tmp_path) == []

    def test_a_split_that_the_recipe_does_not_name(self, attcell: Run, mine):
        config = json.loads((mine / "config.json").read_text())
        config["recipe"]["data"]["test"] = None
        (mine / "config.json").write_text(json.dumps(config))
        done = attcell("test", mine, status=2)
        assert done.stderr == "attcell: the model's recipe names no test videos; name a source with --data\n"

    def test_a_class_that_the_model_does_not_know(self, attcell: Run, model, videos, tmp_path):
        shutil.copytree(videos / "test" / "kick_red", tmp_path / "data" / "kick_redd")
        done = attcell("test", model, "--data", "data", "--out", "out", status=1)
        assert "attcell: data: unknown class folders: 'kick_redd' (did you mean 'kick_red'?)" in done.stderr
        assert not (tmp_path / "out").exists()

    def test_a_list_with_bad_lines_names_them_all(self, attcell: Run, model, tmp_path):
        (tmp_path / "list.txt").write_text("a.mp4 0\nb.mp4\n\nc.mp4 one\nd.mp4 4\na.mp4 1\n")
        done = attcell("test", model, "--data", "list.txt", status=1)
        assert done.stderr.splitlines() == [
            "attcell: list.txt: 4 bad lines; expected 'path label', or 'folder frames label' for a folder of "
            "frames, with labels from 0:",
            "  list.txt:2: a path and a label are needed: 'b.mp4'",
            "  list.txt:4: the label 'one' is not a whole number from 0: 'c.mp4 one'",
            "  list.txt:5: label 4 is too high, 4 classes count from 0 to 3: 'd.mp4 4'",
            "  list.txt:6: this video is on line 1 already: 'a.mp4 1'",
        ]


class TestOutput:
    @pytest.mark.parametrize(
        ("words", "output"),
        [
            (["data", "check", "list.txt"], "list.txt"),
            (["data", "check", "videos", "--groups", "groups.csv"], "groups.csv"),
            (["train", "mine.yaml"], "mine.yaml"),
            (["predict", "a.mp4", "--model", "model"], "model/config.json"),
            (["detect", "a.mp4", "--model", "model"], "./model/model.safetensors"),
            (["detect", "a.mp4", "--model", "model"], "model/detection.safetensors"),
            (["score", "detection", "r.json", "--truth", "videos"], "videos/truth.json"),
            (["score", "attention", "r.json", "--truth", "videos"], "videos/truth.json"),
        ],
    )
    def test_nothing_that_is_read_is_written_over(self, attcell: Run, tmp_path, words, output):
        (tmp_path / output).parent.mkdir(exist_ok=True)
        (tmp_path / output).write_text("kept")
        said = f"attcell: {Path(output)} is named twice, and would be written over; name another file"
        assert attcell(*words, "--json", output, status=2).stderr.startswith(said)
        assert (tmp_path / output).read_text() == "kept"

    @pytest.mark.parametrize(
        "there", ["videos/wave_red/a.mp4", "videos/B.AVI", "squeezenet.pth", "mine.yaml"]
    )
    def test_no_video_and_no_weights_are_written_over(self, attcell: Run, tmp_path, there):
        (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / there).write_text("kept")
        done = attcell("data", "check", "videos", "--json", there, status=2)
        kind = Path(there).suffix
        assert done.stderr == (
            f"attcell: {there} is there already, and would be written over: a {kind} file is not what is "
            "written here; name another file to write\n"
        )
        assert (tmp_path / there).read_text() == "kept"

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--json", "folder"], "attcell: folder is a folder; name a file to write to"),
            (["--report", "folder"], "attcell: folder is a folder; name a file to write to"),
            (["--json", "file/x.json"], "attcell: file/x.json cannot be written, for "),
            (["--report", "file/x.html"], "attcell: file/x.html cannot be written, for "),
        ],
    )
    def test_it_is_refused_before_the_work(self, attcell: Run, model, tmp_path, options, message):
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").touch()
        done = attcell("predict", "a.mp4", "--model", model, *options, status=2)
        assert done.stderr.startswith(message)
        assert left(tmp_path) == ["file", "folder"]

    def test_a_file_where_a_folder_is_to_be(self, attcell: Run, model, recipe, tmp_path):
        (tmp_path / "file").touch()
        for arguments in (["test", model], ["train", recipe]):
            done = attcell(*arguments, "--out", "file", status=2)
            assert done.stderr == "attcell: file is a file; name a folder to write to\n"

    def test_a_full_disk_is_named_and_leaves_nothing(self, attcell: Run, model, video, tmp_path, monkeypatch):
        write = Path.write_text

        def full(path: Path, text: str, **options: object) -> None:
            write(path, text[:50], **options)
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_text", full)
        done = attcell("predict", video, "--model", model, "--json", "p.json", status=1)
        assert done.stderr == "attcell: No space left on device: p.json\n"
        done = attcell("predict", video, "--model", model, "--report", "page.html", status=1)
        assert done.stderr == "attcell: No space left on device: page.html\n"
        done = attcell("test", model, "--split", "val", "--out", "out", status=1)
        assert done.stderr == "attcell: No space left on device: out/scores.json\n"
        assert left(tmp_path) == ["out"]

    def test_a_disk_that_fills_while_training(self, attcell: Run, recipe, tmp_path, monkeypatch):
        def full(path: Path, _: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        quick = ["train.iterations=1", "data.val=null"]
        done = attcell("train", recipe, *quick, "--out", "run", status=1)
        assert done.stderr == "attcell: No space left on device: run/model/model.safetensors\n"
        assert [name for name in left(tmp_path / "run") if name.startswith(("model/", "."))] == []


def test_names_with_bytes_and_ends_of_lines_are_tested_and_scored(attcell: Run, mine, videos, tmp_path):
    shutil.copytree(videos / "test", tmp_path / "set")
    first, second, *_ = sorted((tmp_path / "set" / "kick_red").iterdir())
    first.rename(first.with_name(os.fsdecode(b"caf\xe9.mp4")))
    second.rename(second.with_name("a\rb\nattcell: all is well\n.mp4"))
    config = json.loads((mine / "config.json").read_text())
    config["recipe"]["data"]["test"] = str(tmp_path / "set")
    (mine / "config.json").write_text(json.dumps(config))
    assert "videos 8, unread 0" in attcell("test", mine).stdout
    (scores,) = tmp_path.glob("**/scores.json")
    before, _ = attcell("score", "recognition", scores).stdout.split("\n", 1)
    assert "top1" in before
    attcell("score", "fuse", scores, scores, "--out", "fused.csv")
    after = attcell("score", "recognition", "fused.csv").stdout
    assert after.startswith(before.replace(str(scores), "fused.csv"))
    odd = second.with_name("a\rb\nattcell: all is well\n.mp4")
    odd.write_bytes(b"no video")
    said = attcell("test", mine, status=1).stderr
    assert "a\\rb\\nattcell: all is well\\n.mp4: not a video that FFmpeg can read" in said
    assert not any(line.startswith("attcell: all") for line in said.splitlines())
    told = attcell("data", "check", "set", status=1).stdout
    assert "a\\rb\\nattcell: all is well\\n.mp4: not a video" in told
    assert not any(line.startswith("attcell: all") for line in told.splitlines())


class TestWholeSets:
    """What one odd file or folder of a set does to the others: nothing."""

    def test_frames_with_exif_and_a_codec_that_nobody_knows(self, attcell: Run, model, video, tmp_path):
        for name in ("a/good.mp4", "b/exif.avi", "b/unknown.mp4"):
            (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(video, tmp_path / "set" / "a" / "good.mp4")
        write_mjpeg(tmp_path / "set" / "b" / "exif.avi", jpegs_with_exif(12, 6))
        unknown = tmp_path / "set" / "b" / "unknown.mp4"
        unknown.write_bytes(video.read_bytes().replace(b"avc1", b"xy12"))
        told = "unknown.mp4: FFmpeg has no decoder for the codec of its video, xy12;"
        done = attcell("data", "check", "set", "--json", "c.json", status=1)
        found = json.loads((tmp_path / "c.json").read_text())
        assert list(found["unreadable"]) == ["b/unknown.mp4"]
        assert found["sizes"]["60x80"] == 1, "the one with EXIF is read, and turned"
        assert told in done.stdout
        done = attcell("predict", *sorted((tmp_path / "set").glob("*/*")), "--model", model, status=1)
        assert [line.split(":")[0][-8:] for line in done.stdout.splitlines()] == ["good.mp4", "exif.avi"]
        assert told in done.stderr
        unknown.unlink()
        assert attcell("data", "check", "set").stdout.endswith("all videos are there and whole\n")

    def test_a_class_folder_that_may_not_be_looked_into(
        self, attcell: Run, mine, videos, tmp_path, monkeypatch
    ):
        shutil.copytree(videos / "test", tmp_path / "set")
        closed, scandir, listdir = str(tmp_path / "set" / "kick_red"), os.scandir, os.listdir

        def refused(path, real):
            if os.fspath(path) == closed:
                raise PermissionError(errno.EACCES, "Permission denied", closed)
            return real(path)

        monkeypatch.setattr(os, "scandir", lambda path=".": refused(path, scandir))
        monkeypatch.setattr(os, "listdir", lambda path=".": refused(path, listdir))
        config = json.loads((mine / "config.json").read_text())
        config["recipe"]["data"]["test"] = str(tmp_path / "set")
        (mine / "config.json").write_text(json.dumps(config))
        done = attcell("test", mine, status=1)
        assert "kick_red: cannot be read (Permission denied); check its permissions" in done.stderr
        assert "videos 7, unread 1" in done.stdout, "the folder stands among the videos"


def test_json_stays_json_where_stderr_is_closed_and_colours_are_forced(
    attcell: Run, model, video, tmp_path, monkeypatch
):
    (tmp_path / "empty.mp4").touch()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "stderr", None)
    done = attcell("predict", "empty.mp4", video, "--model", model, "--json", "-", status=1)
    sys.stderr.close()  # what the command line opened in its place
    assert ["error" in json.loads(line) for line in done.stdout.splitlines()] == [True, False]
    assert done.stderr == ""
