"""From what was measured to the commands' numbers."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from attcell.config.recipe import Recipe
from attcell.forecast.measure import Kept, Measured, TrainingPace, make_whole, measured_recipe
from attcell.forecast.pace import Pace
from attcell.forecast.phases import Disk, phases_of
from attcell.forecast.starts import Starts
from attcell.forecast.videos import ListedVideos, Sample
from attcell.inference.run import part_maps
from attcell.models.build import build_network
from attcell.types import VideoRecord
from tests.small_models import FROZEN, recipe_of


def records(num: int) -> tuple[VideoRecord, ...]:
    return tuple(VideoRecord(f"{n}", Path(f"{n}.mp4"), (n % 2,)) for n in range(num))


VIDEOS = ListedVideos(records(1000), records(100), records(400), ("a", "b"), False, records(9), 1500)
SAMPLE = Sample(records(9), (140,) * 9, (0.1,) * 9, 150.0, 9, ())
ROOMY = Disk(memory=1e12, rate=400e6)


def measured(**changes: Any) -> Measured:
    found = Measured(
        SAMPLE,
        cast(Any, None),
        torch.device("cpu"),
        flow=Kept(Pace(0.01, 0.001, 7), 10_000),
        features=Kept(Pace(2.0, 0.1, 7), 4e6),
        kept_val=Kept(Pace(0.5, 0.1, 7), 1e6),
        training=TrainingPace(Pace(0.5, 0.05, 11), 4, 3.0),
        validation=Pace(0.02, 0.0, 7),
        test=Pace(0.7, 0.0, 7),
    )
    return replace(found, **changes)


def recipe(**train: Any) -> Recipe:
    return recipe_of(
        Path("videos"),
        model=FROZEN,
        cache={"folder": "cache"},
        train={
            "iterations": None,
            "epochs": 32,
            "batch_size": 16,
            "accumulate": 4,
            "checkpoint_every": 500,
            **train,
        },
    )


def test_every_command_of_a_recipe():
    flow, features, train, test = phases_of(recipe(), VIDEOS, measured(), ROOMY)
    assert flow.seconds() == pytest.approx(1500 * 150 * 0.01)
    assert flow.bytes == 1500 * 150 * 10_000
    assert features.seconds() == 1000 * 2.0 + 100 * 0.5
    assert features.bytes == 1000 * 4e6 + 100 * 1e6
    counts = [(term.count, term.unit, term.pace.seconds) for term in train.terms]
    assert counts == [  # 32 epochs of 1,000 videos, 16 at a time; a validation every 500 iterations
        (2000, "iterations of 16 videos", 2.0),
        (400, "videos validated, 4 times", 0.02),
        (4, "checkpoints", 3.0),
    ]
    assert train.notes == ()
    assert test.seconds() == pytest.approx(280)


def test_each_command_has_a_start_that_machines_do_not_share():
    phases = phases_of(recipe(), VIDEOS, measured(), ROOMY, Starts(walking=5.0, training=8.0))
    assert [(of.name, of.terms[0].unit, of.terms[0].seconds(4)) for of in phases] == [
        ("extract flow", "start", 5.0),
        ("features", "start", 5.0),
        ("train", "start", 8.0),
        ("test", "start", 5.0),
    ]


def test_imports_are_timed_where_they_are_the_first():
    code = (
        "import time; from attcell.forecast.starts import timed_imports; "
        "print(*timed_imports(time.perf_counter()), *timed_imports(0))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    walking, training, *again = map(float, found.stdout.split())
    assert 0 < walking < training
    assert again == [0, 0]


def test_features_larger_than_the_memory_are_read_from_the_disk():
    *_, train, _ = phases_of(recipe(), VIDEOS, measured(), Disk(memory=1e9, rate=400e6))
    read = 16 * 4e6 / 4  # of four kept views one is read of each segment
    assert train.terms[0].pace.seconds == pytest.approx(2.0 + read / 400e6)
    assert train.notes == ("features do not fit into memory: 16 MB an iteration from the disk",)


def test_devices_and_machines_share_a_batch():
    shared = recipe(devices=2, num_nodes=2, accumulate=2)
    *_, train, _ = phases_of(shared, VIDEOS, measured(), ROOMY)
    assert train.terms[0].pace.seconds == 1.0  # on one machine of two devices
    assert train.terms[0].seconds(2) == 1000.0
    assert train.terms[2].seconds(2) == train.terms[2].seconds()


def test_a_part_that_was_too_large_is_said():
    slow = measured(training=TrainingPace(Pace(9.0, 0.1, 4), 1, 3.0))
    *_, train, _ = phases_of(recipe(), VIDEOS, slow, ROOMY)
    assert train.terms[0].pace.seconds == 144.0
    assert train.notes == ("measured with 1 of a part's 4 videos at a time, and multiplied",)


def test_a_measured_recipe_writes_into_its_folder_and_loads_nothing(tmp_path):
    of = measured_recipe(recipe(devices=2, num_nodes=2), tmp_path)
    assert of.cache.folder == tmp_path / "features"
    assert of.flow.store is None
    assert (of.train.devices, of.train.num_nodes, of.model.streams["frame"].weights) == (1, 1, "none")
    assert of.data.test is None


def test_random_weights_give_maps_that_16_bits_hold():
    stream = {"backbone": "googlenet", "weights": "none", "train_from": "none"}
    network = build_network(
        recipe_of(Path("videos"), model={"streams": {"frame": stream}}), 2, load_weights=False
    )
    inputs = {"frame": torch.randint(256, (1, 3, 3, 64, 64), dtype=torch.uint8)}
    network.eval()
    assert part_maps(network, inputs)["frame"].abs().max() < 1e-3  # by batch norms of no figures
    make_whole(network, inputs)
    assert 0.1 < part_maps(network, inputs)["frame"].abs().max() < 1000
    assert not any(module.training for module in network.modules())
