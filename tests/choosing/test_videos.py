"""A folder of one's own: which videos are learnt from and which tested, and what is wrong with it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from attcell.choosing.call import _how_to_group
from attcell.choosing.videos import own_videos, write_lists
from attcell.data.groups import read_groups
from attcell.data.listing import read_list
from attcell.errors import CallError, DataError
from attcell.models.listings import read_listings
from tests.miniatures import clips
from tests.small_models import recipe_of


def empty(folder: Path, names) -> Path:
    """Files that are not opened here."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def grouped(folder: Path, groups=6, per_group=2) -> Path:
    names = [
        f"{label}/{label}_g{group:02d}_{number}.mp4"
        for label in ("sit", "wave")
        for group in range(groups)
        for number in range(per_group)
    ]
    return empty(folder, names)


def test_train_val_and_test_are_used_where_they_are(tmp_path):
    inside = [f"{label}/{n}.mp4" for label in "ab" for n in "12"]
    folder = empty(tmp_path, [f"{part}/{name}" for part in ("train", "val", "test") for name in inside])
    found = own_videos(folder, None, None, 0)
    assert [record.id for record in found.train[:2]] == ["train/a/1.mp4", "train/a/2.mp4"]
    assert len(found.train) == 8, "what lies in val is learnt from"
    assert [record.id for record in found.test] == [f"test/{name}" for name in inside]
    assert found.labels == ("a", "b")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a/x\ny.mp4", "which no line of a list can; rename it, or its folder"),
        ("a/x\ry.mp4", "which no line of a list can"),
        ("a/x\\y.mp4", "which no line of a list can"),
        ("a /1.mp4", "a class whose name begins or ends with a space"),
        (
            os.fsdecode(b"caf\xe9/1.mp4"),
            "or is no text in UTF-8, which no list of classes can hold; rename its",
        ),
    ],
)
def test_what_no_list_can_hold_is_refused_before_anything(tmp_path, name, message):
    folder = grouped(tmp_path)
    empty(folder, [name])
    with pytest.raises(DataError, match=re.escape(message)):
        own_videos(folder, None, None, 0)


def test_names_of_bytes_are_read_as_they_were_listed(tmp_path):
    folder = grouped(tmp_path / "videos")
    empty(folder, [os.fsdecode(b"sit/caf\xe9_g09_1.mp4"), "sit/a\u2028b\x85_g09_2.mp4"])
    found = own_videos(folder, None, r"_(g\d+)_", 0)
    write_lists(found, found.folds(0), tmp_path)
    listings = [read_list(tmp_path / f"{part}.txt", found.root, None) for part in ("train", "test")]
    assert [of.records for of in listings] != []
    assert [[(one.id, one.labels) for one in of.records] for of in listings] == [
        [(one.id, one.labels) for one in of] for of in (found.train, found.test)
    ]
    groups = read_groups(tmp_path / "groups.csv")
    assert [groups.group(one) for one in found.train] == [one.group for one in found.train]


def test_else_a_fifth_is_held_out_and_no_group_is_parted(tmp_path):
    found = own_videos(grouped(tmp_path), None, r"_(g\d+)_", 0)
    assert 4 <= len(found.test) <= 8
    assert {record.group for record in found.train}.isdisjoint(record.group for record in found.test)
    assert {record.label for record in found.test} == {0, 1}
    again, other = own_videos(tmp_path, None, r"_(g\d+)_", 0), own_videos(tmp_path, None, r"_(g\d+)_", 1)
    assert again == found
    assert {record.id for record in other.test} != {record.id for record in found.test}
    folds = found.folds(0)
    assert sorted(place for fold in folds.left_out for place in fold) == list(range(len(found.train)))
    for fold in folds.left_out:
        inside = {found.train[place].group for place in fold}
        assert inside.isdisjoint(
            record.group for place, record in enumerate(found.train) if place not in set(fold.tolist())
        )


def test_without_groups_the_names_are_asked_for_some(tmp_path):
    assert "--groups '" in _how_to_group(own_videos(grouped(tmp_path), None, None, 0))


def test_a_recipe_reads_the_lists_as_they_were_dealt(tmp_path):
    clips(tmp_path / "in", [f"{label}/{label} {n}.mp4" for label in ("sit down", "wave") for n in range(4)])
    found = own_videos(tmp_path / "in", None, r"(\d)\.mp4", 0)
    folds = found.folds(0)
    lists = tmp_path / "lists"
    write_lists(found, folds, lists)
    kept = [record for place, record in enumerate(found.train) if place not in folds.left_out[0]]
    for part, records in (("", found.train), ("1-", kept)):
        groups = lists / ("train-groups.csv" if part else "groups.csv")
        data = {"train": lists / f"{part}train.txt", "root": found.root, "groups": groups}
        listing = read_listings(recipe_of(lists, data=data))
        assert listing.labels == ("sit down", "wave")
        assert list(listing.train) == list(records)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a.mp4", "b.mp4"], "holds 2 videos and no folder per class: put those of each class into a folder"),
        (["a/1.mp4", "a/2.mp4"], "has one class, a; at least 2 are needed"),
        (
            ["a/1.mp4", "a/2.mp4", "a/3.mp4", "b/1.mp4"],
            "class b has 1 video, and no test part leaves 2",
        ),
        (["train/a/1.mp4", "train/b/1.mp4"], "has train, and no test beside it: give its test videos with"),
        (
            ["train/a/1.mp4", "train/b/2.mp4", "test/c/1.mp4"],
            "class c is in the test alone, and nothing",
        ),
        (["a/notes.txt"], "no videos found"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(tmp_path, names, words):
    with pytest.raises(DataError) as caught:
        own_videos(empty(tmp_path / "videos", names), None, None, 0)
    assert words in str(caught.value)


def test_too_few_groups_are_told(tmp_path):
    folder = grouped(tmp_path / "two", groups=2)
    with pytest.raises(DataError, match="class sit has 2 groups, and no test part leaves 2 of each class"):
        own_videos(folder, None, r"_(g\d+)_", 0)
    test = empty(tmp_path / "test", ["sit/x_g07_1.mp4", "wave/x_g07_2.mp4"])
    assert len(own_videos(folder, test, r"_(g\d+)_", 0).folds(0).left_out) == 2
    one = grouped(tmp_path / "one", groups=1)
    with pytest.raises(DataError, match="class sit has fewer than 2 training groups"):
        own_videos(one, test, r"_(g\d+)_", 0).folds(0)


def test_a_group_on_both_sides_is_refused(tmp_path):
    test = empty(tmp_path / "test", ["sit/x_g01_1.mp4", "wave/x_g07_2.mp4"])
    with pytest.raises(DataError, match="1 group of the training videos with test videos too, first g01"):
        own_videos(grouped(tmp_path / "videos"), test, r"_(g\d+)_", 0)


def test_wrong_groups_are_told(tmp_path):
    grouped(tmp_path)
    with pytest.raises(CallError, match="finds nothing in the names"):
        own_videos(tmp_path, None, "person", 0)
    with pytest.raises(CallError, match="--groups"):
        own_videos(tmp_path, None, "(", 0)
    with pytest.raises(CallError, match="no such folder"):
        own_videos(tmp_path / "none", None, None, 0)


def test_a_class_without_test_videos_is_named(tmp_path, capsys):
    empty(tmp_path, ["train/a/1.mp4", "train/a/2.mp4", "train/b/1.mp4", "train/b/2.mp4", "test/a/3.mp4"])
    own_videos(tmp_path, None, None, 0)
    assert "no test video of b" in capsys.readouterr().err


def test_an_expression_that_is_none_is_told_as_the_option(tmp_path):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "0.mp4").touch()
    with pytest.raises(CallError, match=r"^--groups \(\[: no regular expression: unterminated"):
        own_videos(tmp_path, None, "([", 0)
