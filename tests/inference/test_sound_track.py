"""What is drawn of a video's sound, and predictions that hold it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from attcell.inference.detect import follow_video
from attcell.inference.predict import predict_video
from attcell.inference.sound_track import MOST_PARTS, sound_track
from attcell.report.lines import prediction_line
from attcell.video.decode import count_frames
from attcell.video.input_spec import InputSpec
from attcell.video.sound.log_mel import LogMel
from tests.clicks import CLICK_SECONDS, MOMENTS, write_clicks
from tests.moving import moving_frames, write_frames, write_pictures
from tests.small_models import random_model, recipe_of

SEEING = {"backbone": "small", "weights": "none", "conv6_channels": 4}
STREAMS = {"frame": SEEING, "audio": SEEING}


def hearing(mel: LogMel) -> InputSpec:
    spec = InputSpec(streams=("frame", "audio"))
    return replace(spec, audio=replace(spec.audio, log_mel=mel))


@pytest.mark.parametrize("form", ["vggish", "panns", "ast"])
def test_clicks_lie_where_they_are_heard(tmp_path: Path, form) -> None:
    path = write_clicks(tmp_path / "a.mkv", start=3.0, sound=(-0.5, 3.0))
    mel = LogMel(form)
    at = 3 + np.array([MOMENTS[2], MOMENTS[0], 3.5])
    found = sound_track(path, count_frames(path), at, hearing(mel))
    assert found is not None
    assert found.loudness is not None
    assert (found.seconds, found.peaks.shape, found.loudness.shape) == (
        (3.0, 7.0),
        (200, 2),
        (200, mel.shape[1]),
    )
    middles = 3 + (np.arange(200) + 0.5) / 50
    of_click = np.abs(middles[:, None] - (3 + np.array(MOMENTS) + CLICK_SECONDS / 2)).min(axis=1)
    assert found.peaks[of_click < 0.01].max(axis=1).min() > 0.5
    assert np.abs(found.peaks[of_click > 0.06]).max() < 0.05
    level = found.loudness.max(axis=1)
    assert level[of_click < 0.01].min() > level[of_click > 0.06].max() + 3
    windows = found.windows["audio"]
    assert windows.shape == (3, *mel.shape)
    loudest = mel.row_seconds[windows.max(axis=2).argmax(axis=1)]
    np.testing.assert_allclose(loudest[:2], CLICK_SECONDS / 2, atol=0.03)
    assert np.ptp(windows[2]) < np.ptp(windows[0])  # silence


def test_without_a_stream_that_hears_it_is_the_waveform_alone(tmp_path: Path) -> None:
    path = write_clicks(tmp_path / "a.mp4")
    found = sound_track(path, count_frames(path))
    assert found is not None
    assert (found.loudness, found.windows, found.peaks.shape) == (None, {}, (200, 2))
    assert found.peaks[30].max() > 0.5


def test_without_sound_there_is_none(tmp_path: Path) -> None:
    silent = write_frames(tmp_path / "a.avi", moving_frames(5))
    pictures = write_pictures(tmp_path / "frames", moving_frames(5))
    for path in (silent, pictures):
        assert sound_track(path, count_frames(path)) is None


def test_a_long_video_has_no_more_parts(tmp_path: Path) -> None:
    path = write_clicks(tmp_path / "a.mp4", seconds=25.0, sound=(0.0, 25.0))
    found = sound_track(path, count_frames(path))
    assert found is not None
    assert len(found.peaks) == MOST_PARTS
    assert np.flatnonzero(found.peaks[:, 1] > 0.3)[0] == 0.6 / 25 * MOST_PARTS


def test_predictions_of_a_model_that_hears(tmp_path: Path) -> None:
    path = write_clicks(tmp_path / "a.mp4")
    model = random_model(recipe_of(tmp_path, model={"streams": STREAMS}))
    found = predict_video(model, path)
    assert list(found.segments.over_sound) == ["audio"]
    assert found.sound is not None
    assert found.sound.windows["audio"].shape[0] == len(found.segments)
    assert found.spatial_attention["audio"].sum(axis=(1, 2)) == pytest.approx(1, abs=1e-5)
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["hearing"]["audio"]["hertz"] == [125, 7500]
    assert np.shape(content["spatial_attention"]["audio"])[0] == len(found.segments)
    assert prediction_line(found).startswith(f"{path}: ")
    plain = predict_video(model, path, pictures=False)
    assert plain.sound is None
    assert plain.to_dict() == found.to_dict()
    followed = follow_video(model, path)
    assert followed.sound is not None
    assert followed.sound.windows["audio"].shape[0] == len(followed.segments)
    assert followed.hearing == followed.track.hearing == found.hearing


def test_a_model_that_only_sees_keeps_the_waveform(tmp_path: Path) -> None:
    path = write_clicks(tmp_path / "a.mp4")
    found = predict_video(random_model(recipe_of(tmp_path, model={"streams": {"frame": SEEING}})), path)
    assert found.sound is not None
    assert (found.hearing, found.sound.windows) == ({}, {})
