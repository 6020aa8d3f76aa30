"""Networks of every kind with an audio stream: early and late fusion, SAN, SVM, kept features, detection."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from attcell.data.sources import read_source
from attcell.inference.detect import follow_video
from attcell.inference.evaluate import evaluate_model
from attcell.inference.model import load
from attcell.inference.predict import predict_video
from attcell.nn import LateFusion, Pooled, SVMNetwork
from attcell.training.run import train
from attcell.types import Hearing
from attcell.video.sound.log_mel import LogMel
from tests.small_models import LABELS, random_model
from tests.small_sounds import HEARING, SEEING, SHORT, SILENT, hearing_recipe
from tests.video.conftest import write_video
from tests.video.sounding import Track, damaged_copy, write_sounding

BOTH = {"frame": SEEING, "audio": HEARING}
FROZEN = {name: {**stream, "train_from": "none"} for name, stream in BOTH.items()}
WINDOW = LogMel(bands=16, seconds=0.2).window_seconds
HEARD = Hearing(WINDOW, (125.0, 7500.0))
VIDEO = "sit/1.mkv"
PLAIN = Track("pcm_s16le", 16_000, "mono", tone=500.0)


@pytest.mark.parametrize(
    "model",
    [{}, {"fusion": "late"}, {"kind": "san"}, {"kind": "san", "fusion": "late"}],
    ids=["early", "late", "san", "late san"],
)
def test_attention_is_over_frames_and_over_sound(sounding, model):
    built = random_model(hearing_recipe(sounding, model={"streams": BOTH, **model}))
    assert isinstance(built.network, LateFusion) == (model.get("fusion") == "late")
    found = predict_video(built, sounding / VIDEO)
    assert found.segments.spatial_attention["frame"].shape == (3, 2, 2)
    assert found.segments.spatial_attention["audio"].shape == (3, 2, 2)  # of 20 rows and 16 bands
    assert found.segments.hearing == {"audio": HEARD}
    assert list(found.segments.over_frames) == ["frame"]
    for maps in found.segments.spatial_attention.values():
        assert maps.sum(axis=(1, 2)) == pytest.approx(np.ones(3), abs=1e-5)
    assert found.sound is not None
    assert found.sound.windows["audio"].shape == (3, 20, 16)


@pytest.mark.parametrize("streams", [{"audio": HEARING}, BOTH], ids=["alone", "with frames"])
def test_detection_goes_through_the_sound(sounding, streams):
    """Sample after sample it hears what a prediction of as many segments hears."""
    model = random_model(hearing_recipe(sounding, model={"kind": "san", "streams": streams}))
    followed = follow_video(model, sounding / SHORT, every=8)
    track = followed.track
    assert track is not None
    assert track.hearing == followed.segments.hearing == {"audio": HEARD}
    assert track.spatial_attention["audio"].shape == (5, 2, 2)
    assert followed.notes == ("3 of 5 segments lie where no sound was recorded: silence stands for it",)
    whole = evaluate_model(model, read_source(sounding, labels=LABELS), num_segments=40)
    (row,) = (of for of, one in zip(whole.scores, whole.records, strict=True) if one.id == SHORT)
    every = follow_video(model, sounding / SHORT, every=1)
    np.testing.assert_allclose(every.scores, row, atol=1e-5)


@pytest.mark.parametrize("model", [{}, {"fusion": "late"}, {"kind": "san"}], ids=["early", "late", "san"])
def test_kept_features_give_the_same_scores(sounding, tmp_path, model):
    built = random_model(hearing_recipe(sounding, model={"streams": FROZEN, **model}))
    listing = read_source(sounding, labels=LABELS)
    decoded, kept = (evaluate_model(built, listing, cache_folder=cache) for cache in (None, tmp_path))
    np.testing.assert_allclose(kept.scores, decoded.scores, atol=2e-3)
    assert {path.stem for path in tmp_path.glob("*")} >= {"digests"}
    assert kept.notes == decoded.notes


@pytest.mark.parametrize("backbone", ["small_sound", "mfcc", "mel_statistics"])
def test_a_pooled_rival_learns_from_sound_alone_and_statistics_tell_tones_apart(sounding, tmp_path, backbone):
    """Its weights may be drawn at random, and then nothing is promised of classes; but what is not heard
    changes nothing, and what is heard does."""
    stream = {"backbone": backbone, "weights": "none", "train_from": "none"}
    recipe = hearing_recipe(
        sounding,
        model={"kind": "pooled", "classifier": "svm", "pooling": "average", "streams": {"audio": stream}},
        train={"iterations": None, "batch_size": 2, "accelerator": "cpu"},
        cache={"folder": tmp_path / "cache", "positions": 1},
        audio={"bands": 64},
    )
    torch.manual_seed(0)
    model = load(train(recipe, tmp_path / "run").model_folder)
    assert isinstance(model.network, SVMNetwork)
    assert isinstance(model.network.body, Pooled)
    found = evaluate_model(model, read_source(sounding, labels=LABELS))
    if backbone != "small_sound":
        assert found.figures()["top1"] >= 5 / 6 * 100 - 1e-6  # one has no sound to tell it by
    folder = tmp_path / "more" / LABELS[0]
    folder.mkdir(parents=True)
    write_video(folder / "no sound.mp4", 50, size=(64, 48))
    write_sounding(folder / "silence.mkv", replace(PLAIN, tone=0.0))
    write_sounding(folder / "tone.mkv", PLAIN)
    write_sounding(folder / "tone of other pictures.mkv", PLAIN, size=(64, 48), codec="mpeg4")
    write_sounding(folder / "higher tone.mkv", replace(PLAIN, tone=2_000.0))
    heard = evaluate_model(model, read_source(tmp_path / "more", labels=LABELS))
    rows = {one.id: row for of in (found, heard) for one, row in zip(of.records, of.scores, strict=True)}
    higher, unheard, silence, tone, other = (rows[one.id] for one in heard.records)
    np.testing.assert_allclose(unheard, rows[SILENT], rtol=0, atol=1e-5)
    np.testing.assert_allclose(silence, rows[SILENT], rtol=0, atol=1e-5)
    np.testing.assert_allclose(other, tone, rtol=0, atol=1e-5)
    for one, another in ((tone, silence), (higher, silence), (higher, tone)):
        assert np.abs(one - another).max() > 5e-4


@pytest.mark.parametrize(
    ("name", "track"),
    [
        ("8-khz.mkv", Track("pcm_s16le", 8_000, "mono", tone=500.0)),
        ("192-khz-float.mkv", Track("pcm_f32le", 192_000, tone=500.0)),
        ("24-bit-7.1.mkv", Track("pcm_s24le", 48_000, "7.1", tone=500.0)),
        ("aac-5.1.mp4", Track("aac", 48_000, "5.1", tone=500.0)),
        ("short.mkv", Track("pcm_s16le", 16_000, "mono", tone=500.0, seconds=0.1)),
    ],
)
def test_any_sound_is_predicted_alike(sounding, tmp_path, name, track):
    """A tone of 500 Hz, in any rate, layout and format, gives the same scores; 0.1 s are too short for any of
    the segments, which is said."""
    model = random_model(hearing_recipe(sounding))
    plain = write_sounding(tmp_path / "plain.mkv", replace(PLAIN, seconds=track.seconds))
    found, wanted = (predict_video(model, path) for path in (write_sounding(tmp_path / name, track), plain))
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-3)  # 700 Hz differ by 7e-3
    np.testing.assert_allclose(found.sound.windows["audio"], wanted.sound.windows["audio"], atol=0.3)
    missing = ["3 of 3 segments lie where no sound was recorded: silence stands for it"]
    assert list(found.notes) == (missing if track.seconds < 0.2 else [])


def test_damaged_sound_beside_good_pictures_is_silence(sounding, tmp_path):
    whole = write_sounding(tmp_path / "a.mp4", Track(tone=440.0))
    path = damaged_copy(whole, tmp_path / "a.mkv", between=(0.6, 1.4))
    model = random_model(hearing_recipe(sounding, model={"streams": BOTH}))
    found = predict_video(model, path)
    damage, missing = found.notes
    assert damage.startswith("damaged packets of sound: ")
    assert missing == "1 of 3 segments lie where no sound was recorded: silence stands for it"
    heard, lost, heard_again = found.sound.windows["audio"]
    assert np.ptp(lost) < 1e-3
    assert min(np.ptp(heard), np.ptp(heard_again)) > 1
