"""Ready models as a user meets them: predict, detect, models, and what goes wrong."""

from __future__ import annotations

import json
import urllib.error
from pathlib import Path

import pytest

from attcell.inference.model import load
from attcell.models.ready.kinetics import NAMES
from tests.end_to_end.conftest import Run
from tests.moving import moving_frames, write_frames
from tests.transformers_models import LABELS, change_json, put_into_hubs_cache, save_video_model


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small VideoMAE, as transformers saves it."""
    folder = tmp_path_factory.mktemp("mae")
    save_video_model(folder)
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_frames(tmp_path_factory.mktemp("video") / "clip.avi", moving_frames(100, (64, 48)))


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No network, and an empty cache of torch's hub."""

    def refused(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("torch.hub.urlopen", refused)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch"


def text_of(page: str) -> str:
    """What a reader of the page sees: without style, scripts and data."""
    return page.split("<body>")[1].split('<script type="application/json" id=', maxsplit=1)[0]


def test_predict_says_what_and_how_it_looked(attcell: Run, ready: Path, video: Path, tmp_path: Path):
    done = attcell(
        "predict",
        video,
        "--model",
        ready,
        "--clips",
        3,
        "--crops",
        3,
        "--report",
        "p.html",
        "--json",
        "p.json",
    )
    assert done.stdout.startswith(f"{video}: ")
    assert "(most of it at " in done.stdout
    assert "3 clips of 4 frames at 1.875 a second (2.1 s), evenly spread, 3 crops of each" in done.stderr
    (found,) = json.loads((tmp_path / "p.json").read_text())["predictions"]
    assert found["labels"] == list(LABELS.values())
    assert found["explanation"]["where"] == "attention rollout over all blocks"
    assert len(found["temporal_attention"]) == 3
    page = text_of((tmp_path / "p.html").read_text())
    assert "A region’s share in attention rollout over all blocks, which is found after the fact" in page
    assert f"each clip’s share in the score of {found['top'][0]['label']}" in page
    for foreign in ("temporal attention", "Temporal attention", "β", "α", "even attention"):
        assert foreign not in page


def test_pictures_name_the_method(attcell: Run, ready: Path, video: Path, tmp_path: Path):
    attcell("predict", video, "--model", ready, "--pictures", "drawn")
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {"clip-evidence.png", "clip-mean.png"}


def test_detect_names_its_rule(attcell: Run, ready: Path, video: Path, tmp_path: Path):
    given = ("--threshold", 0.05, "--report", "d.html", "--json", "d.json")
    done = attcell("detect", video, "--model", ready, *given)
    assert "rule classes: the clips’ class score above 0.05" in done.stderr
    assert "one every 27 frames of the video" in done.stderr
    (found,) = json.loads((tmp_path / "d.json").read_text())["videos"]
    assert found["detections"]
    page = (tmp_path / "d.html").read_text()
    assert "classes: the clips’ class score above 0.05" in page
    assert "temporal attention" not in text_of(page).lower()


def test_models_are_listed(attcell: Run, offline: Path):
    lines = attcell("models").stdout.splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(NAMES)]] == list(NAMES)
    (default,) = (line for line in lines if line.endswith("the default"))
    assert default.split()[:5] == ["kinetics/mvit_v2_s", "138", "MB", "80.8", "%"]
    assert "  no, the default" in default
    listed = json.loads(attcell("models", "--json", "-").stdout)
    assert listed["default"] == "kinetics/mvit_v2_s"
    assert [model["name"] for model in listed["models"]] == list(NAMES)
    assert listed["models"][0]["path"].startswith(str(offline))


def test_the_hubs_models_that_are_here_are_listed(
    attcell: Run, ready: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cache = tmp_path / "hub"
    for name in ("me/mae", "me/small", "me/no-classifier"):
        put_into_hubs_cache(cache, name, ready)
    weights = cache / "models--me--mae" / "snapshots" / ("0" * 40) / "model.safetensors"
    weights.write_bytes(bytes(3_000_000))
    plain = cache / "models--me--no-classifier" / "snapshots" / ("0" * 40) / "config.json"
    change_json(plain, architectures=["VideoMAEModel"])
    (cache / "models--me--damaged" / "snapshots").mkdir(parents=True)
    (cache / "models--..--odd").mkdir()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    assert attcell("models").stdout.splitlines()[-3:] == [
        "of the Hugging Face hub on this machine:",
        "hf/me/mae: VideoMAE, 3 classes, 3 MB",
        "hf/me/small: VideoMAE, 3 classes, its weights are not here",
    ]
    here, other = json.loads(attcell("models", "--json", "-").stdout)["hub"]
    assert (here["path"], here["megabytes"]) == (str(weights), 3.0)
    assert (other["name"], other["path"]) == ("hf/me/small", "")


def test_without_a_model_the_default_is_named(attcell: Run, video: Path, offline: Path):
    done = attcell("predict", video, "--json", "-", status=1)
    assert done.stdout == ""
    said, loading, failed = done.stderr.splitlines()
    assert said.startswith(
        "no --model: kinetics/mvit_v2_s, 80.8 % top-1 on Kinetics-400 as published; 138 MB to download once"
    )
    assert loading.startswith("downloading kinetics/mvit_v2_s: 138 MB, once, to ")
    assert "cannot be downloaded: no network. Call it again where there is a network" in failed
    assert "no --model: kinetics/mvit_v2_s" in attcell("detect", video, status=1).stderr


def test_nothing_is_downloaded_where_no_video_opens(attcell: Run, offline: Path):
    done = attcell("predict", "nothing.mp4", "no.mp4", status=1)
    assert done.stderr.splitlines() == [
        "attcell: nothing.mp4: there is no such file",
        "attcell: no.mp4: there is no such file",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["predict", "--segments", 3],
            "--segments is not for {model}: a ready model takes --clips",
        ),
        (["predict", "--clips", 200], "clips is 200; allowed: 1 to 100"),
        (
            ["detect", "--rule", "paper"],
            "rule paper is of models with attention, and {model} has",
        ),
        (["detect", "--length-normalised"], "scores a mean anyway; leave --length-normalised out"),
        (["detect", "--threshold", 2], "threshold is 2.0; give a number from 0"),
    ],
)
def test_options_that_it_has_no_use_for(attcell: Run, ready: Path, video: Path, words, message: str):
    command, *options = words
    done = attcell(command, video, "--model", ready, *options, status=2)
    assert message.format(model=ready) in done.stderr


def test_a_trained_model_takes_no_clips(attcell: Run, model: Path, video: Path):
    done = attcell("predict", video, "--model", model, "--clips", 3, status=2)
    assert f"--clips is not for {model}: a trained model takes --segments" in done.stderr


def test_unknown_names_bring_close_ones(attcell: Run, video: Path):
    done = attcell("predict", video, "--model", "kinetics/swin3d", status=2)
    assert "unknown ready model kinetics/swin3d; did you mean kinetics/swin3d_" in done.stderr


def test_a_ready_model_is_not_calibrated(attcell: Run, ready: Path):
    said = attcell("calibrate", ready, status=2).stderr
    assert "is a ready model, of which attcell.load gives a model that predicts" in said


def test_a_subset_of_its_classes_is_tested(attcell: Run, ready: Path, video: Path, tmp_path: Path):
    for name in ("run/a.avi", "run/b.avi", "wave/c.avi"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(video.read_bytes())
    (tmp_path / "set" / "wave" / "bad.avi").write_bytes(b"no video")
    done = attcell("test", ready, "--data", "set", "--clips", 2, "--out", "tested", status=1)
    assert "wave/bad.avi: not a video" in done.stderr.replace(str(tmp_path / "set") + "/", "")
    assert "2 of the model's 3 have a video" in done.stdout
    assert "looked at 2 clips of 4 frames at 1.875 a second" in done.stdout
    content = json.loads((tmp_path / "tested" / "scores.json").read_text())
    assert content["labels"] == list(LABELS.values())
    (found,) = {tuple(one["scores"]) for one in content["videos"].values() if one["scores"]}
    alone = json.loads(attcell("predict", video, "--model", ready, "--clips", 2, "--json", "-").stdout)
    assert found == pytest.approx(alone["scores"], abs=1e-6)
    best = list(LABELS.values())[max(range(3), key=found.__getitem__)]
    assert content["figures"]["top1"] == {"run": 50, "wave": 25, "sit": 0}[best]
    assert load(ready).evaluate(tmp_path / "set", clips=2).figures() == pytest.approx(content["figures"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which has no videos of its own; name them with --data"),
        (["--data", "set", "--segments", 3], "--segments is not for "),
        (["--data", "set", "--crops", 10], "crops is 10; allowed: 1 (the middle), 3"),
    ],
)
def test_what_a_test_of_it_wants(attcell: Run, ready: Path, video: Path, tmp_path: Path, words, message: str):
    (tmp_path / "set" / "run").mkdir(parents=True)
    (tmp_path / "set" / "run" / "a.avi").write_bytes(video.read_bytes())
    assert message in attcell("test", ready, *words, status=2).stderr


def test_unknown_classes_are_told_before_a_download(attcell: Run, video: Path, offline: Path, tmp_path: Path):
    (tmp_path / "set" / "playing_guitar").mkdir(parents=True)
    (tmp_path / "set" / "playing_guitar" / "a.avi").write_bytes(video.read_bytes())
    done = attcell("test", "kinetics/r3d_18", "--data", "set", status=1)
    (line,) = done.stderr.splitlines()
    assert "unknown class folders: 'playing_guitar' (did you mean 'playing guitar'?)" in line
    assert "and 390 more" in line


def test_a_video_that_cannot_be_read_is_counted(attcell: Run, ready: Path, video: Path, tmp_path: Path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    done = attcell("predict", "bad.mp4", video, "--model", ready, "--json", "p.json", status=1)
    assert "bad.mp4: not a video" in done.stderr
    content = json.loads((tmp_path / "p.json").read_text())
    assert list(content["failed"]) == ["bad.mp4"]
    assert len(content["predictions"]) == 1


def test_a_short_video_is_told(attcell: Run, ready: Path, tmp_path: Path):
    write_frames(tmp_path / "short.avi", moving_frames(2))
    done = attcell("predict", "short.avi", "--model", ready)
    assert "short.avi: the video has 0.1 s, and " in done.stderr
    assert "1 clip of 4 frames" in done.stderr
