"""Videos without sound: counted and said once, or refused before long work, whoever hears them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from attcell.data.sources import read_source
from attcell.errors import CallError, VideoError
from attcell.inference.evaluate import evaluate_model
from attcell.inference.extract import filled_stores
from attcell.inference.heard import refuse_unheard, silence_sentences, silent_ids
from attcell.inference.predict import predict_video
from attcell.models.build import build_network, evaluation_plan
from attcell.models.listings import read_listings
from attcell.types import VideoRecord
from tests.small_models import LABELS, random_model, recipe_of
from tests.small_sounds import FROZEN_HEARING, HEARING, SEEING, SHORT, SILENT, hearing_recipe
from tests.video.sounding import Track, write_sounding

COUNTED = f"1 of 6 videos has no sound, such as {SILENT}; silence was given"
CPU = torch.device("cpu")


def test_one_sentence_for_all():
    assert silence_sentences([], 4) == ()
    assert silence_sentences(["b", "a"], 60) == (
        "2 of 60 videos have no sound, such as b; silence was given",
    )


def test_only_who_hears_looks_for_sound(sounding):
    for streams, found in (({"frame": SEEING}, []), ({"frame": SEEING, "audio": HEARING}, [SILENT])):
        recipe = hearing_recipe(sounding, model={"streams": streams})
        assert silent_ids(recipe, read_listings(recipe).train) == found
    gone = VideoRecord("gone.mp4", sounding / "gone.mp4", (0,))
    assert silent_ids(recipe, [gone]) == []  # whoever reads it says so


def test_a_test_counts_them(sounding, tmp_path):
    listing = read_source(sounding, labels=LABELS)
    model = random_model(hearing_recipe(sounding, model={"streams": {"audio": FROZEN_HEARING}}))
    for cache in (None, tmp_path, tmp_path):  # decoded, kept now, kept before
        found = evaluate_model(model, listing, cache_folder=cache)
        assert not found.unread
        assert found.notes == (
            f"{SHORT}: 2 of 3 segments lie where no sound was recorded: silence stands for it",
            COUNTED,
        )


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.webm"])
def test_sound_as_long_as_the_pictures_is_whole_in_every_format(tmp_path, name):
    codecs = {"a.webm": ("libopus", "libvpx", 48_000), "a.avi": ("libmp3lame", "mpeg4", 44_100)}
    sound, pictures, rate = codecs.get(name, ("aac", "libx264", 44_100))
    path = write_sounding(tmp_path / name, Track(sound, rate, tone=300.0), codec=pictures)
    refuse_unheard(hearing_recipe(tmp_path, missing="refuse"), [VideoRecord(name, path, (0,))])


def test_a_test_and_a_prediction_refuse_them_by_name(sounding, tmp_path):
    listing = read_source(sounding, labels=LABELS)
    streams = {"streams": {"audio": FROZEN_HEARING}}
    lenient = random_model(hearing_recipe(sounding, model=streams))
    strict = random_model(hearing_recipe(sounding, model=streams, missing="refuse"))
    advice = "and audio.missing is refuse; leave the video out, or set audio.missing to silence"
    refused = {
        SILENT: f"{sounding / SILENT}: the video has no sound, {advice}",
        SHORT: f"{sounding / SHORT}: 2 of 3 segments lie where no sound was recorded, {advice}",
    }
    evaluate_model(lenient, listing, cache_folder=tmp_path)  # what is kept of silence serves no strict one
    for cache in (None, tmp_path):
        assert evaluate_model(strict, listing, cache_folder=cache).unread == refused
    with pytest.raises(VideoError) as caught:
        predict_video(strict, sounding / SILENT)
    assert str(caught.value) == refused[SILENT]


def test_sound_alone_has_no_crops(sounding):
    listing = read_source(sounding, labels=LABELS)
    said = r"this model's streams \(audio\) look at no frames, of which alone there are crops: .* with 1 crop"
    with pytest.raises(CallError, match=said):
        evaluate_model(random_model(hearing_recipe(sounding)), listing, num_crops=10)
    both = random_model(hearing_recipe(sounding, model={"streams": {"frame": SEEING, "audio": HEARING}}))
    (first, *_) = listing.records
    found = evaluate_model(
        both, replace(listing, records=(first,)), num_crops=10
    )  # it hears one thing ten times
    assert np.isfinite(found.scores).all()


def test_notes_of_each_streams_features_are_read(sounding, tmp_path):
    """Those of the frames may have been kept before anybody listened."""
    seeing = {**SEEING, "train_from": "none"}
    streams = {"frame": seeing, "audio": FROZEN_HEARING}
    recipe = hearing_recipe(sounding, model={"streams": streams}, cache={"folder": tmp_path})
    alone = recipe_of(sounding, model={"streams": {"frame": seeing}})
    records = read_listings(recipe).train
    for one in (alone, recipe):
        torch.manual_seed(0)
        network = build_network(one, len(LABELS), load_weights=False)
        filled_stores(tmp_path, one, network, records, evaluation_plan(one), CPU)
    torch.manual_seed(0)
    model = random_model(recipe)
    model.network.load_state_dict(network.state_dict())
    assert COUNTED in evaluate_model(model, read_source(sounding, labels=LABELS), cache_folder=tmp_path).notes
