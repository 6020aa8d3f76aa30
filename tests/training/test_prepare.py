"""What a training draws from."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from attcell.data.datasets import KeptViews, PlannedParts, TrainingFeatures, TrainingVideos
from attcell.errors import CallError, DataError
from attcell.models.build import build_network
from attcell.models.listings import Listings, read_listings
from attcell.nn.streams import Standardise
from attcell.training.prepare import _identity, fit_standardise, gather_training_data
from attcell.types import VideoRecord
from tests.small_models import FROZEN, LABELS, recipe_of

CPU = torch.device("cpu")


def test_a_validation_source_has_the_training_sources_classes(folder, tmp_path):
    (tmp_path / "val" / "wave").mkdir(parents=True)
    shutil.copy(folder / "wave" / "0.mp4", tmp_path / "val" / "wave")
    listings = read_listings(recipe_of(folder, data={"val": tmp_path / "val"}))
    assert listings.labels == LABELS
    assert len(listings.train) == 6
    assert [record.label for record in listings.val] == [2]
    shutil.copytree(tmp_path / "val" / "wave", tmp_path / "val" / "wve")
    with pytest.raises(DataError, match=r"unknown class folders: 'wve' \(did you mean 'wave'\?\)"):
        read_listings(recipe_of(folder, data={"val": tmp_path / "val"}))


def test_a_fraction_is_held_out_by_the_seed(folder):
    held = set()
    for seed in range(8):
        recipe = recipe_of(folder, data={"val_fraction": 0.5}, train={"seed": seed})
        held.add(tuple(record.id for record in read_listings(recipe).val))
    assert len(held) > 1
    assert all(len(ids) == 3 for ids in held)


def test_a_fraction_that_holds_out_nothing_is_refused(folder):
    message = r"data.val_fraction 0.1 of .* is not one video of any class; raise it, or set it to 0"
    with pytest.raises(DataError, match=message):
        read_listings(recipe_of(folder, data={"val_fraction": 0.1}))


def grouped_folder(tmp_path: Path, groups: int) -> Path:
    """Two classes of three empty files in each group."""
    for label in ("run", "wave"):
        (tmp_path / "train" / label).mkdir(parents=True)
        for group in range(groups):
            for clip in range(3):
                (tmp_path / "train" / label / f"g{group}_{clip}.mp4").touch()
    return tmp_path / "train"


def test_whole_groups_are_held_out(tmp_path):
    data = {"val_fraction": 0.2, "groups": "(g[0-9]+)_"}
    listings = read_listings(recipe_of(grouped_folder(tmp_path, 10), data=data))
    held = {record.group for record in listings.val}
    assert len(held) == 2
    assert len(listings.val) == 12
    assert not held & {record.group for record in listings.train}


@pytest.mark.parametrize(
    ("groups", "expression", "message"),
    [
        (
            4,
            "([gx])",
            "all 24 training videos of .*train are of one group, g, and groups are held out whole",
        ),
        (
            4,
            "(g[0-9])",
            "val_fraction 0.1 of .* is not one group of any class .4 groups, held out",
        ),
    ],
)
def test_groups_that_leave_no_validation_videos(tmp_path, groups, expression, message):
    data = {"val_fraction": 0.1, "groups": expression}
    with pytest.raises(DataError, match=message):
        read_listings(recipe_of(grouped_folder(tmp_path, groups), data=data))


def test_a_data_sets_own_groups_stay_unless_others_are_given(miniature):
    data = {"train": None, "dataset": "weizmann", "root": miniature("weizmann") / "videos"}
    recipe = recipe_of(Path(), data=data)
    assert {record.group for record in read_listings(recipe).train} == set("bcdefghi")
    recipe = recipe_of(Path(), data={**data, "groups": "/([a-d])|/([e-i])"})
    assert {record.group for record in read_listings(recipe).train} == set("bcdefghi")
    recipe = recipe_of(Path(), data={**data, "groups": "^(.)"})
    assert {record.group for record in read_listings(recipe).train} == {"b", "r"}


def test_sources_that_are_not_there(tmp_path):
    with pytest.raises(CallError, match="none: no such file or folder"):
        read_listings(recipe_of(tmp_path / "none"))


def gathered(recipe, listings=None):
    network = build_network(recipe, len(LABELS), load_weights=False)
    training_data = gather_training_data(recipe, listings or read_listings(recipe), network, CPU)
    fit_standardise(network, training_data)
    return network, training_data


def test_videos_are_decoded_as_the_training_goes(folder):
    _, training_data = gathered(recipe_of(folder, data={"val": folder, "workers": 1}))
    assert isinstance(training_data.train, TrainingVideos)
    assert isinstance(training_data.val, PlannedParts)
    assert (training_data.num_videos, training_data.workers, training_data.kept_features) == (6, 1, False)
    assert [record.label for record in training_data.val_records] == [0, 0, 1, 1, 2, 2]
    assert training_data.train[0, 0].inputs["frame"].shape == (2, 3, 32, 32)
    assert next(iter(training_data.val)).inputs["frame"].shape == (1, 3, 3, 32, 32)


def test_without_validation_videos(folder):
    _, training_data = gathered(recipe_of(folder))
    assert training_data.val is None
    assert training_data.val_records == ()


def kept_recipe(folder: Path, cache: Path, **stream: object):
    streams = {"frame": {**FROZEN["streams"]["frame"], **stream}}
    return recipe_of(
        folder, data={"val": folder}, model={"streams": streams}, cache={"folder": cache, "positions": 2}
    )


def test_kept_features_have_their_views(folder, tmp_path):
    network, training_data = gathered(kept_recipe(folder, tmp_path))
    assert isinstance(training_data.train, TrainingFeatures)
    assert isinstance(training_data.val, KeptViews)
    assert training_data.kept_features
    assert training_data.workers == 0
    assert training_data.train[0, 0].inputs["frame"].shape == (2, 128, 2, 2)
    assert training_data.val[0].inputs["frame"].shape == (1, 3, 128, 2, 2)
    assert isinstance(network.stream("frame").standardise, torch.nn.Identity)


def test_standardised_features_have_mean_0_and_deviation_1_over_the_training_videos(folder, tmp_path):
    torch.manual_seed(0)
    recipe = kept_recipe(folder, tmp_path, standardise=True)
    network, training_data = gathered(recipe)
    standardise = network.stream("frame").standardise
    assert isinstance(standardise, Standardise)
    listings = read_listings(recipe)
    store = training_data.train.stores["frame"]
    maps = torch.cat([store.read(record)[0].float().flatten(0, 1) for record in listings.train])
    rows = standardise(maps).double().movedim(1, 0).flatten(1)
    assert float(rows.mean(1).abs().max()) < 1e-3
    spread = rows.std(1, correction=0)
    assert torch.all(((spread - 1).abs() < 1e-2) | (spread == 0))
    assert torch.any(spread > 0)


def test_all_videos_that_cannot_be_read_are_named_before_the_training(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "data")
    for number in range(12):
        (tmp_path / "data" / "run" / f"empty{number}.mp4").touch()
    recipe = kept_recipe(tmp_path / "data", tmp_path / "cache")
    with pytest.raises(DataError) as caught:
        gathered(recipe, Listings(read_listings(recipe).train, (), LABELS))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("12 videos cannot be read; `attcell data check` names them all.")
    assert len(lines) == 12
    assert lines[1].startswith(f"  {tmp_path}/data/run/empty0.mp4: the file is empty")
    assert lines[-1] == "  and 2 more"


def test_a_video_whose_name_is_no_utf_8_is_told_from_others():
    names = [os.fsdecode(name) for name in (b"run/caf\xe9.mp4", b"run/caf\xe8.mp4")]
    found = [
        _identity(Listings((VideoRecord(name, Path(name), (0,)),), (), ("run", "sit"))) for name in names
    ]
    assert found[0]["training videos"] != found[1]["training videos"]


def test_a_video_that_was_replaced_is_told_and_a_copy_is_not(tmp_path):
    path = tmp_path / "a.mp4"
    listings = Listings((VideoRecord("run/a.mp4", path, (0,)),), (), ("run", "sit"))
    path.write_bytes(b"one")
    before = _identity(listings)
    os.utime(path, (0, 0))
    assert _identity(listings) == before
    path.write_bytes(b"another")
    assert [name for name, of in _identity(listings).items() if of != before[name]] == ["training videos"]
