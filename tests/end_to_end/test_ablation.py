"""``attcell ablate``: one thing of a recipe changed, each variant trained and tested, one table."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from tests.end_to_end.conftest import Run, recipe_values


@pytest.fixture
def written(videos: Path, tmp_path: Path):
    """Write a recipe that trains for a second, with changes to its model."""

    def write(**model: object) -> Path:
        values = recipe_values(videos)
        values["model"] |= model
        values["train"] |= {"iterations": 2, "checkpoint_every": 2}
        values["segments"] = {"train": 2, "test": 2}
        values["flow"] = {"method": "dis", "fields": 2}
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        return path

    return write


def names_in(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [row["run"] for row in csv.DictReader(file)]


SMALL = {"backbone": "small", "weights": "none", "conv6_channels": 4}
ONE_TAP = (
    "model.streams.frame=null",
    "model.streams.clip.backbone=small3d",
    "model.streams.clip.weights=none",
)


def test_every_set_of_streams(attcell: Run, written, tmp_path):
    attcell("ablate", "modalities", written(streams={"frame": SMALL, "flow": SMALL}))
    assert names_in(tmp_path / "runs" / "mine-modalities" / "table.csv") == [
        "mine-frame",
        "mine-flow",
        "mine-frame-flow",
    ]


def test_san_and_stan_by_both_fusions(attcell: Run, written, tmp_path):
    attcell("ablate", "fusion", written(streams={"frame": SMALL, "flow": SMALL}), "--out", "here")
    assert names_in(tmp_path / "here" / "table.csv") == [
        "mine-san-early",
        "mine-san-late",
        "mine-stan-early",
        "mine-stan-late",
    ]


def test_every_tap_of_a_backbone(attcell: Run, written, tmp_path):
    squeezenet = {"backbone": "squeezenet", "weights": "none", "conv6_channels": 4}
    attcell("ablate", "tap", written(streams={"frame": squeezenet}))
    assert names_in(tmp_path / "runs" / "mine-tap" / "table.csv") == ["mine-fire9_pool", "mine-fire9"]


def test_the_number_of_segments_with_its_picture(attcell: Run, written, tmp_path):
    done = attcell("ablate", "segments", written(), "--counts", "2,1,4", "--seeds", "2", "--out", "here")
    assert done.stdout.endswith("written: here/segments.csv, here/segments.png\n")
    with (tmp_path / "here" / "segments.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["segments"] for row in rows] == ["1", "2", "4"]
    for row in rows:
        runs = [float(row["top1_run1"]), float(row["top1_run2"])]
        assert float(row["top1_mean"]) == pytest.approx(sum(runs) / 2, abs=1e-3)
    with (tmp_path / "here" / "table.csv").open(newline="") as file:
        (tested,) = csv.DictReader(file)
    assert float(rows[1]["top1_mean"]) == pytest.approx(float(tested["top1_mean"]), abs=1e-3)
    assert (tmp_path / "here" / "segments.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("subject", "more", "message"),
    [
        ("tap", ONE_TAP, "recipe mine has nothing to compare by tap: tap wants backbones of several taps"),
        ("fusion", (), "recipe mine has nothing to compare by fusion"),
        ("modalities", ("--counts", "5"), "--counts are numbers of segments; leave them out"),
        ("segments", ("--counts", "0"), "--counts 0: at least 1 segment is needed"),
        ("segments", ("--counts", "x"), "--counts x are not whole numbers; give such as 1,3"),
    ],
)
def test_what_cannot_be_compared_is_named(attcell: Run, written, subject, more, message):
    assert message in attcell("ablate", subject, written(), *more, status=2).stderr
