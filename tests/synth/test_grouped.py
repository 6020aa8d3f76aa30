"""Generated clips in groups, each with a scene of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from attcell.data.groups import with_groups
from attcell.data.sources import read_source
from attcell.errors import CallError
from attcell.synth.grouped import CLASSES, plan_groups, write_grouped
from attcell.synth.truth import read_truth
from attcell.video import read_frames


def test_whole_groups_are_tested_and_each_leans_to_one_class():
    planned = plan_groups(0)
    assert [group.number for group in planned] == list(range(1, 45))
    assert sum(len(group.labels) for group in planned) == 300
    assert sum(group.split == "test" for group in planned) == 11
    leans = [round(np.mean(group.labels)) for group in planned]
    assert 20 <= sum(leans) <= 24
    assert all(abs(np.mean(group.labels) - 0.5) >= 0.1 for group in planned)
    assert plan_groups(0) == planned != plan_groups(1)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return write_grouped(tmp_path_factory.mktemp("grouped") / "set", seed=3, groups=4, clips=13)


def test_a_folder_per_class_whose_names_tell_the_group(written):
    truth = read_truth(written)
    assert truth.labels == CLASSES
    assert len(truth.videos) == 13
    groups = {}
    for part in ("train", "test"):
        listing = read_source(written / part)
        groups[part] = {record.group for record in with_groups(listing.records, "/(g[0-9]+)_")}
        assert all(truth.videos[f"{part}/{record.id}"].num_frames >= 24 for record in listing.records)
    assert len(groups["test"]) == 1
    assert len(groups["train"]) == 3
    assert not groups["train"] & groups["test"]


def test_clips_of_one_group_share_a_scene(written):
    """A corner that nobody stands in differs less between clips of a group than between groups."""
    records = with_groups(read_source(written / "train").records, "(g[0-9]+)_")
    corners: dict[str, list[np.ndarray]] = {}
    for record in records:
        frame = read_frames(record.path, lambda n: np.array([n // 2])).images[0]
        corners.setdefault(record.group, []).append(frame[:10].mean(axis=(0, 1)))
    within = max(np.abs(of - np.mean(group, axis=0)).max() for group in corners.values() for of in group)
    means = [np.mean(group, axis=0) for group in corners.values()]
    between = min(np.abs(one - other).max() for i, one in enumerate(means) for other in means[:i])
    assert within < between


def test_the_same_call_writes_the_same_and_goes_on(written, tmp_path):
    before = {path.relative_to(written): path.read_bytes() for path in written.rglob("*.*")}
    seen = []
    again = write_grouped(
        tmp_path / "set", seed=3, groups=4, clips=13, progress=lambda done, all_: seen.append((done, all_))
    )
    assert {path.relative_to(again): path.read_bytes() for path in again.rglob("*.*")} == before
    assert seen[-1] == (13, 13)
    assert write_grouped(again, seed=3, groups=4, clips=13) == again
    with pytest.raises(CallError, match=r"holds another generated set \(.*seed 3"):
        write_grouped(again, seed=4, groups=4, clips=13)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"groups": 3}, "groups is 3; give a whole number, at least 4"),
        ({"groups": 10, "clips": 29}, "clips is 29; give a whole number, at least 30"),
    ],
)
def test_values_that_are_not_allowed(tmp_path, values, message):
    with pytest.raises(CallError, match=message):
        write_grouped(tmp_path / "set", **values)
