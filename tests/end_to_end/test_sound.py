"""Sound as a user has it: generated videos, training, test, prediction, detection and check."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from attcell.inference.model import Model
from tests.end_to_end.conftest import Run, recipe_values
from tests.small_models import random_model
from tests.small_sounds import HEARING, SILENT, hearing_recipe
from tests.video.sounding import Track, write_sounding


def write_recipe(folder: Path) -> Path:
    """A recipe that hears and sees nothing, and trains for seconds."""
    values = recipe_values(folder / "videos")
    del values["data"]["val"]
    values["data"]["workers"] = 0
    values["model"].update(streams={"audio": HEARING}, lstm_hidden=8)
    values["audio"] = {"seconds": 0.4, "bands": 32}
    values["train"] = {"iterations": 3, "batch_size": 2, "accelerator": "cpu"}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_from_generated_videos_to_a_page(attcell: Run, tmp_path):
    attcell("synth", "videos", "--sound", "--classes", "4", "--train", "1", "--val", "0", "--test", "1")
    checked = attcell("data", "check", "videos/test", "--json", "check.json")
    assert "  sound: 4 of 4 videos have some\n" in checked.stdout
    sound = json.loads((tmp_path / "check.json").read_text())["sound"]
    assert sound == {"videos": 4, "without": [], "silent": {}, "clipping": {}, "notes": {}}

    trained = attcell("train", write_recipe(tmp_path), "--out", "run")
    assert "sound" not in trained.stderr
    tested = attcell("test", "run/model", "--out", "test")
    assert "audio log-mel as vggish has it, 40 rows of 32 bands, silence for none" in tested.stdout
    assert tested.stderr == ""

    (video, *_) = sorted((tmp_path / "videos" / "test").rglob("*.mp4"))
    arguments = ("--model", "run/model", "--json", "-", "--report", "page.html")
    found = json.loads(attcell("predict", video, *arguments).stdout)
    scores = json.loads((tmp_path / "test" / "scores.json").read_text())["videos"]
    name = video.relative_to(tmp_path / "videos" / "test").as_posix()
    assert found["scores"] == pytest.approx(scores[name]["scores"], abs=1e-6)
    assert list(found["spatial_attention"]) == ["audio"]
    maps = np.array(found["spatial_attention"]["audio"])
    assert maps.shape == (4, 5, 4)  # an eighth of 40 rows of time × 32 bands
    assert maps.sum(axis=(1, 2)) == pytest.approx(np.ones(4), abs=1e-5)
    assert found["hearing"]["audio"]["hertz"] == [125, 7500]
    page = (tmp_path / "page.html").read_text()
    for said in (
        'class="soundtrack mel"',
        "The sound over time, 125 Hz to 7.5 kHz, with the attention of audio",
    ):
        assert said in page

    detected = json.loads(attcell("detect", video, *arguments).stdout)
    assert detected["video"] == str(video)
    assert "The sound over time, 125 Hz" in (tmp_path / "page.html").read_text()


def test_silence_among_many_is_said_once(attcell: Run, sounding, tmp_path):
    random_model(hearing_recipe(sounding)).save_pretrained(tmp_path / "model")
    many = sorted(sounding.glob("*/*"))
    alone = f"{sounding / SILENT}: the video has no sound: silence stands for it\n"
    counted = f"1 of 6 videos has no sound, such as {sounding / SILENT}; silence was given\n"
    for command in ("predict", "detect"):
        said = attcell(command, *many, "--model", "model").stderr
        assert said.count(counted) == 1
        assert alone not in said
        said = attcell(command, sounding / SILENT, "--model", "model").stderr
        assert alone in said
        assert "silence was given" not in said
    random_model(hearing_recipe(sounding, missing="refuse")).save_pretrained(tmp_path / "strict")
    said = attcell("predict", sounding / SILENT, "--model", "strict", status=1).stderr
    assert (
        f"{sounding / SILENT}: the video has no sound, and audio.missing is refuse; leave the video out, or "
        "set audio.missing to silence\n"
    ) in said


def test_a_file_with_sound_alone_is_named_as_that(attcell: Run, sounding, tmp_path):
    write_sounding(tmp_path / "song.m4a", Track(seconds=0.5, tone=440.0), codec="")
    random_model(hearing_recipe(sounding)).save_pretrained(tmp_path / "model")
    assert list(Model.from_folder(tmp_path / "model").recipe.model.streams) == ["audio"]
    for command in ("predict", "detect"):
        said = attcell(command, "song.m4a", "--model", "model", status=1).stderr
        assert said == (
            "attcell: song.m4a: a file with sound alone, and a video is wanted, whose frames say where its "
            "segments are. Leave it out, or give the video that the sound is of.\n"
        )
