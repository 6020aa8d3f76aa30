"""What is said of the sound of a source, and of a data set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from attcell.data.check import check_source
from attcell.video.sound.check import SoundLevels, sound_levels
from tests.video.conftest import write_video
from tests.video.sounding import Track, damaged_copy, write_sounding

QUIET = Track("pcm_s16le", 16_000, "mono", seconds=0.5)


def write_wave(path: Path, wave: np.ndarray, codec: str, layout: str, monkeypatch) -> Path:
    """A video with this wave, of full scale 1, in all channels at 16 kHz."""
    monkeypatch.setattr("tests.video.sounding.waveform", lambda track, events: wave.astype(np.float32))
    return write_sounding(path, Track(codec, 16_000, layout), seconds=0.2)


@pytest.mark.parametrize(
    ("codec", "layout"),
    [
        ("pcm_u8", "mono"),
        ("pcm_s16le", "stereo"),
        ("pcm_s24le", "7.1"),
        ("pcm_s32le", "mono"),
        ("pcm_f32le", "stereo"),
        ("pcm_f64le", "mono"),
        ("flac", "stereo"),
        ("aac", "stereo"),
    ],
)
def test_levels_of_every_kind_of_sound(tmp_path, monkeypatch, codec, layout):
    tone = np.sin(2 * np.pi * 440 * np.arange(8_000) / 16_000)
    found = {
        name: sound_levels(write_wave(tmp_path / f"{name}.mkv", wave, codec, layout, monkeypatch))
        for name, wave in {"half": tone / 2, "loud": 3 * tone, "none": 0 * tone}.items()
    }
    assert found["half"].peak == pytest.approx(0.5, abs=0.05)
    assert found["half"].peak_db == pytest.approx(-6, abs=1)
    assert not found["half"].clips
    assert not found["half"].is_silent
    assert found["loud"].clips
    assert found["loud"].at_full_scale == pytest.approx(0.78, abs=0.3 if codec == "aac" else 0.02)
    assert found["none"].is_silent
    assert not found["none"].clips


def test_what_counts_as_silent_and_as_clipping():
    assert SoundLevels(0.0009, 0).is_silent
    assert not SoundLevels(0.0011, 0).is_silent
    assert SoundLevels(0, 0).peak_db is None
    assert SoundLevels(1, 0.001).clips
    assert not SoundLevels(1, 0.0009).clips


def test_a_source_with_sound_of_every_kind(tmp_path, monkeypatch):
    folder = tmp_path / "videos" / "wave"
    folder.mkdir(parents=True)
    write_sounding(folder / "good.mkv", Track("pcm_s16le", 16_000, "mono", tone=440.0), seconds=0.4)
    write_sounding(folder / "silent.mkv", QUIET, seconds=0.4)
    write_video(folder / "mute.mp4", 10)
    whole = write_sounding(tmp_path / "whole.mp4", Track(tone=440.0), seconds=0.4)
    damaged_copy(whole, folder / "damaged.mkv", between=(0.5, 1.0))
    write_wave(folder / "hiss.mkv", np.full(8_000, 0.0005), "pcm_f32le", "mono", monkeypatch)
    write_wave(folder / "loud.mkv", np.full(8_000, 2.0), "pcm_f32le", "mono", monkeypatch)
    report = check_source(tmp_path / "videos")
    assert report.ok
    found = report.to_dict()["sound"]
    assert json.loads(json.dumps(found)) == found
    notes = found.pop("notes")
    assert found == {
        "videos": 5,
        "without": ["wave/mute.mp4"],
        "silent": {"wave/hiss.mkv": pytest.approx(-66, abs=0.1), "wave/silent.mkv": None},
        "clipping": {"wave/loud.mkv": 1.0},
    }
    assert list(notes) == ["wave/damaged.mkv"]
    assert "damaged packets of sound: " in notes["wave/damaged.mkv"][0]
    text = "\n".join(report.lines())
    for said in (
        "  sound: 5 of 6 videos have some, 2 of them silent all through, 1 of them clipped",
        "without sound, beside others that have it: 1\n  wave/mute.mp4",
        "silent all through (never above -60 dB of full scale): 2\n"
        "  wave/hiss.mkv: at most -66 dB\n  wave/silent.mkv: digital silence",
        "sound that clips (one sample in 1,000 or more is at full scale): 1\n  wave/loud.mkv: 100.0 %",
        "notes on the sound: 1\n  wave/damaged.mkv: damaged packets of sound: ",
        "all videos are there and whole",
    ):
        assert said in text


def test_a_source_without_sound_has_one_line_of_it(tmp_path):
    (tmp_path / "wave").mkdir()
    write_video(tmp_path / "wave" / "a.mp4", 3)
    report = check_source(tmp_path)
    assert "  sound: no video has any" in report.lines()
    assert report.to_dict()["sound"]["without"] == ["wave/a.mp4"]
    assert "without sound" not in "\n".join(report.lines())


def test_features_have_nothing_to_be_heard(tmp_path):
    (tmp_path / "wave").mkdir()
    np.save(tmp_path / "wave" / "a.npy", np.zeros((4, 8), np.float32))
    report = check_source(tmp_path)
    assert report.sound.levels == {}
    assert "sound" not in "\n".join(report.lines())
