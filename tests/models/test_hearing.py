"""What the audio section asks for is tried before long work."""

from __future__ import annotations

import pytest
import torch

from attcell.errors import CallError
from attcell.models.hearing import refuse_unfit_sound
from attcell.training.run import train
from attcell.video.sound.log_mel import LogMel, log_mel
from tests.small_models import recipe_of
from tests.small_sounds import SEEING

pytest.importorskip("torchaudio")


def hearing(folder, backbone="small_sound", **audio):
    stream = {"backbone": backbone, "weights": "none", "conv6_channels": 4}
    return recipe_of(folder, model={"streams": {"frame": SEEING, "audio": stream}}, audio=audio)


@pytest.mark.parametrize(
    ("backbone", "audio"),
    [
        ("small_sound", {}),
        ("small_sound", {"form": "panns"}),
        ("small_sound", {"form": "ast", "window_ms": 30}),
        ("small_sound", {"bands": 16, "seconds": 0.1}),
        ("small_sound", {"hop_ms": 30}),
        ("small", {"bands": 8}),
        ("mfcc", {"seconds": 0.05}),
    ],
)
def test_what_a_backbone_can_look_at_is_taken(tmp_path, backbone, audio):
    refuse_unfit_sound(hearing(tmp_path, backbone, **audio))


@pytest.mark.parametrize(
    ("backbone", "audio", "said"),
    [
        ("small_sound", {"bands": 2}, "audio.bands is 2; at least 3 are needed"),
        (
            "small_sound",
            {"bands": 500},
            "audio.bands is 500, and 144 of them have no frequency of their own in windows of 25 ms; take "
            "fewer bands, or a larger audio.window_ms",
        ),
        (
            "small_sound",
            {"form": "ast", "bands": 300},
            "audio.bands is 300, and 41 of them have no frequency",
        ),
        ("small_sound", {"window_ms": 1}, "have no frequency of their own in windows of 1 ms"),
        (
            "small_sound",
            {"form": "panns", "seconds": 0.02},
            "audio.seconds gives 0.01 s of sound, less than one window of 32 ms",
        ),
        (
            "small_sound",
            {"bands": 4},
            "small_sound cannot look at pictures of 96 rows of time and 4 bands, which audio.seconds, "
            "audio.hop_ms and audio.bands make (Given input size: (64x24x1)",
        ),
        ("small_sound", {"seconds": 0.03}, "cannot look at pictures of 3 rows of time and 64 bands"),
    ],
)
def test_what_it_cannot_is_refused_in_one_message(tmp_path, backbone, audio, said):
    with pytest.raises(CallError) as caught:
        refuse_unfit_sound(hearing(tmp_path, backbone, **audio))
    assert str(caught.value).startswith("model.streams.audio: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_training_refuses_it_before_any_video_is_decoded(sounding, tmp_path, monkeypatch):
    monkeypatch.setattr("attcell.training.prepare.gather_training_data", lambda *_: pytest.fail("too late"))
    with pytest.raises(CallError, match=r"audio.bands is 500, and 144 of them"):
        train(hearing(sounding, bands=500), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_recipes_without_sound_are_left_alone(tmp_path):
    refuse_unfit_sound(recipe_of(tmp_path, audio={"bands": 2}))


@pytest.mark.parametrize("form", ["vggish", "panns", "ast"])
def test_the_shortest_window_gives_a_picture(form):
    spec = LogMel(form, seconds=0.04)
    assert log_mel(torch.zeros(2, spec.num_samples), spec).shape == (2, 1, *spec.shape)
