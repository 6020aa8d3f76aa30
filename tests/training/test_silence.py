"""What a training says of videos without sound, with some of it, or with damaged sound."""

from __future__ import annotations

import pytest

from attcell.data.datasets import TrainingVideos
from attcell.errors import DataError
from attcell.inference.heard import refuse_unheard
from attcell.models.build import input_spec
from attcell.models.listings import read_listings
from attcell.training.run import train
from attcell.types import VideoRecord
from tests.small_sounds import FROZEN_HEARING, HEARING, SHORT, SILENT, hearing_recipe
from tests.video.sounding import Track, damaged_copy, write_sounding

SHORT_TRAINING = {"iterations": 3, "batch_size": 2, "accelerator": "cpu"}


@pytest.mark.parametrize("kept", [False, True])
def test_a_training_counts_them_at_its_end(sounding, tmp_path, capfd, kept):
    cache = {"folder": tmp_path / "cache"} if kept else {}
    streams = {"audio": FROZEN_HEARING if kept else HEARING}
    recipe = hearing_recipe(
        sounding, model={"streams": streams}, data={"val": sounding}, train=SHORT_TRAINING, cache=cache
    )
    train(recipe, tmp_path / "run")
    said = capfd.readouterr().err
    assert said.count(f"2 of 12 videos have no sound, such as {SILENT}; silence was given") == 1
    assert said.count("no sound, such as") == 1
    assert "the video has no sound" not in said
    assert f"{SHORT}: " in said
    assert "segments lie where no sound was recorded: silence stands for it" in said


def test_training_refuses_them_at_its_start(sounding, tmp_path):
    recipe = hearing_recipe(sounding, missing="refuse")
    with pytest.raises(DataError) as caught:
        train(recipe, tmp_path / "run")
    assert str(caught.value).splitlines() == [
        "2 of 6 videos have no sound or too little of it, and audio.missing is refuse. Leave them out of the "
        "source, or set audio.missing=silence:",
        f"  {sounding / SILENT}: no sound",
        f"  {sounding / SHORT}: no sound was recorded within 0.11 s of 29 frames",
    ]
    assert not (tmp_path / "run").exists()
    refuse_unheard(hearing_recipe(sounding), read_listings(recipe).train)
    whole = [record for record in read_listings(recipe).train if record.id not in (SILENT, SHORT)]
    refuse_unheard(recipe, whole)


def test_damage_of_sound_is_noted_alike_whatever_is_drawn(tmp_path):
    """Else a training would say it again with each number of packets."""
    whole = write_sounding(tmp_path / "a.mp4", Track(tone=440.0))
    path = damaged_copy(whole, tmp_path / "a.mkv", between=(0.2, 1.2))
    record, spec = VideoRecord("a.mkv", path, (0,)), input_spec(hearing_recipe(tmp_path))
    videos = TrainingVideos([record], spec, 2, "repeat", seed=0)
    assert {note for position in range(6) for note in videos[0, position].notes} == {
        "a.mkv: damaged packets of sound: they are silence",
        "a.mkv: some segments lie where no sound was recorded: silence stands for it",
    }


def test_parts_without_sound_are_noted_alike_whatever_is_drawn(sounding):
    record, spec = VideoRecord(SHORT, sounding / SHORT, (2,)), input_spec(hearing_recipe(sounding))
    videos = TrainingVideos([record], spec, 4, "repeat", seed=0)
    noted = [videos[0, position].notes for position in range(6)]
    said = "some segments lie where no sound was recorded: silence stands for it"
    assert set(noted) == {(f"{SHORT}: {said}",)}
