"""A data set's official files against the disk: what is counted, and what is a fault."""

from __future__ import annotations

import json

import pytest

from attcell.data.check_set import PartCount, check_set
from attcell.errors import CallError, DataError
from tests.miniatures import MINIATURES


@pytest.fixture
def folder(tmp_path):
    """UCF101 in miniature."""
    MINIATURES["ucf101"](tmp_path)
    return tmp_path


def test_counts_by_split_part_and_class(folder):
    report = check_set("ucf101", folder / "videos", folder / "lists")
    assert report.ok
    assert report.counts[:2] == (PartCount(1, "train", 12, 12), PartCount(1, "test", 4, 4))
    assert [(of.split, of.part) for of in report.counts[2:]] == [
        (split, part) for split in (2, 3) for part in ("train", "test")
    ]
    assert report.num_per_class == report.found_per_class == (8, 8)
    assert report.lines()[-1] == "all videos are there and whole"
    assert json.loads(json.dumps(report.to_dict()))["ok"] is True


def test_what_is_missing_unreadable_and_surplus_is_named(folder):
    videos = folder / "videos"
    gone = videos / "ApplyEyeMakeup" / "v_ApplyEyeMakeup_g01_c01.avi"
    broken = videos / "HandstandPushups" / "v_HandStandPushups_g02_c01.avi"
    gone.unlink()
    broken.write_bytes(b"no video")
    more = videos / "holiday.mp4"
    more.touch()
    seen = []
    report = check_set(
        "ucf101", videos, folder / "lists", progress=lambda items: seen.append(len(items)) or items
    )
    assert seen == [15]
    assert not report.ok
    assert report.missing == ("ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi",)
    assert report.surplus == (str(more),)
    assert report.found_per_class == (7, 8)
    assert report.counts[1] == PartCount(1, "test", 4, 3)
    found = report.to_dict()
    assert list(found["unreadable"]) == ["HandstandPushups/v_HandStandPushups_g02_c01.avi"]
    text = "\n".join(report.lines())
    assert "missing: 1\n  ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi" in text
    assert f"videos there that the official files do not name: 1\n  {more}" in text
    assert text.endswith("something is wrong: see above")


def test_names_for_two_files_and_other_classes_folders_are_all_listed(folder):
    videos = folder / "videos"
    moved = videos / "ApplyEyeMakeup" / "v_HandStandPushups_g01_c01.avi"
    (videos / "HandstandPushups" / moved.name).rename(moved)
    twice = videos / "HandstandPushups" / "v_HandStandPushups_g02_c01.avi"
    places = [videos / name / twice.name for name in ("one", "two")]
    for place in places:
        place.parent.mkdir()
        place.write_bytes(twice.read_bytes())
    twice.unlink()
    report = check_set("ucf101", videos, folder / "lists", decode=False)
    assert report.misplaced == {f"HandstandPushups/{moved.name}": str(moved)}
    assert report.ambiguous == {f"HandstandPushups/{twice.name}": tuple(map(str, places))}
    assert report.missing == (f"HandstandPushups/{twice.name}",)
    text = "\n".join(report.lines())
    assert f"in the folder of another class: 1\n  HandstandPushups/{moved.name}: {moved}" in text
    assert f"could be several: 1\n  HandstandPushups/{twice.name}: {places[0]}, {places[1]}" in text
    assert report.to_dict()["ambiguous"] == {f"HandstandPushups/{twice.name}": [str(of) for of in places]}


def test_without_decoding_a_broken_file_is_there(folder):
    (folder / "videos" / "ApplyEyeMakeup" / "v_ApplyEyeMakeup_g01_c01.avi").write_bytes(b"no video")
    report = check_set("ucf101", folder / "videos", folder / "lists", decode=False)
    assert report.ok
    assert report.videos == ()
    assert report.lines()[-1] == "all videos are there (none was decoded)"


def test_what_is_odd_in_the_official_files_is_noted(tmp_path):
    MINIATURES["sports1m"](tmp_path)
    lists = tmp_path / "lists"
    first = (lists / "train_partition.txt").read_text().splitlines()[0]
    with (lists / "test_partition.txt").open("a") as file:
        file.write(first + "\n")
    report = check_set("sports1m", tmp_path / "videos", lists)
    (note,) = report.notes
    assert note == (
        "1 video is in training and in test, as the README says that videos may (first train-0xYzA)"
    )


def test_what_cannot_be_checked_is_named(folder, tmp_path):
    with pytest.raises(CallError, match="no such folder; give the one below which the videos of ucf101 lie"):
        check_set("ucf101", tmp_path / "none")
    with pytest.raises(DataError, match=r"lacks classInd.txt, trainlist01.txt, testlist01.txt"):
        check_set("ucf101", folder / "videos")
