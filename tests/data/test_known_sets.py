"""Known data sets: what is trained and tested on, found on disk under the official names."""

from __future__ import annotations

import errno
import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from attcell.data.check_set import check_set
from attcell.data.known_sets import KNOWN_SETS, find_videos, read_known_set, set_listing, stem_of
from attcell.errors import CallError, DataError
from tests.miniatures import MINIATURES


def lists_of(name: str, folder: Path) -> Path | None:
    return folder / "lists" if (folder / "lists").is_dir() else None


def test_every_known_set_has_a_miniature():
    assert set(KNOWN_SETS) == set(MINIATURES)


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [
        ("ucf101", 12, 4),
        ("hmdb51", 6, 2),
        ("ccv", 6, 6),
        ("thumos14", 19, 3),
        ("thumos14_detection", 5, 5),
        ("sports1m", 5, 5),
        ("kinetics", 4, 4),
        ("activitynet", 3, 3),
        ("weizmann", 16, 2),
        ("ut_interaction", 18, 2),
    ],
)
def test_the_parts_of_the_protocol(miniature, name, train, test):
    folder = miniature(name)
    for split in range(1, KNOWN_SETS[name].splits + 1):
        listings = [
            set_listing(name, folder / "videos", lists_of(name, folder), split, part)
            for part in ("train", "test")
        ]
        assert [len(listing.records) for listing in listings] == [train, test]
        assert listings[0].labels == listings[1].labels
        ids = [{record.id for record in listing.records} for listing in listings]
        assert not ids[0] & ids[1]
        missing = [record.id for of in listings for record in of.records if not record.path.is_file()]
        assert len(missing) == (2 if name == "sports1m" else 0)
        assert listings[0].multi_label == (
            name in ("ccv", "thumos14", "thumos14_detection", "sports1m", "activitynet")
        )


def test_groups_keep_what_belongs_together(miniature):
    for name in ("ucf101", "weizmann", "ut_interaction"):
        folder = miniature(name)
        records = [
            set_listing(name, folder / "videos", lists_of(name, folder), 2, part).records
            for part in ("train", "test")
        ]
        groups = [{record.group for record in of} for of in records]
        assert "" not in groups[0] | groups[1]
        assert not groups[0] & groups[1]


def test_classes_count_from_0_and_a_video_may_have_none(miniature):
    folder = miniature("ccv")
    listing = set_listing("ccv", folder / "videos", folder / "lists", 1, "train")
    assert listing.labels == ("Baseball", "Cat", "Beach")
    assert [record.labels for record in listing.records] == [(0,), (1,), (2,), (0, 1), (), (1, 2)]


def test_missing_videos_are_left_out_only_when_that_is_asked_for(miniature, capsys):
    folder = miniature("sports1m")
    listing = set_listing("sports1m", folder / "videos", folder / "lists", 1, "test", leave_out_missing=True)
    assert len(listing.records) == 4
    assert f"sports1m: 1 of 5 test videos are not below {folder / 'videos'}" in capsys.readouterr().err


def test_what_cannot_be_is_named(miniature, tmp_path):
    folder = miniature("ucf101")
    with pytest.raises(CallError, match="ucf101 has no split 4; allowed: 1 to 3"):
        read_known_set("ucf101", folder / "lists", 4)
    with pytest.raises(CallError, match="no data set is called 'ucf'; known are ucf101, hmdb51"):
        read_known_set("ucf", folder, 1)
    with pytest.raises(CallError, match="no such folder; give the one with the official files of ccv"):
        read_known_set("ccv", tmp_path / "none", 1)
    with pytest.raises(CallError, match="ccv has no split 2; allowed: 1 alone"):
        read_known_set("ccv", miniature("ccv") / "lists", 2)
    with pytest.raises(
        DataError, match="the classes of ucf101 are not the model's: 2, first 'ApplyEyeMakeup'"
    ):
        set_listing("ucf101", folder / "videos", folder / "lists", 1, "test", labels=["a", "b", "c"])
    with pytest.raises(CallError, match="no such folder; give the one below which the videos of ucf101 lie"):
        set_listing("ucf101", tmp_path / "none", folder / "lists", 1, "test")


def test_a_name_that_stands_for_two_files_is_refused(tmp_path):
    MINIATURES["ccv"](tmp_path)
    first = tmp_path / "videos" / "train-_0AbC.mp4"
    for folder in ("a", "b"):
        (tmp_path / "videos" / folder).mkdir()
    second = first.rename(tmp_path / "videos" / "a" / first.name)
    (tmp_path / "videos" / "b" / "train-_0AbC.webm").write_bytes(second.read_bytes())
    with pytest.raises(DataError, match=r"train-_0AbC could be .*a/.*mp4 or .*b/.*webm \(1 such videos\)"):
        set_listing("ccv", tmp_path / "videos", tmp_path / "lists", 1, "train")


def test_thumos_without_its_classes_says_what_to_put_there(miniature, tmp_path):
    ucf = miniature("ucf101")
    with pytest.raises(
        DataError, match=r"lacks the classes of the validation videos; put validation_set.mat"
    ):
        read_known_set("thumos14", ucf / "lists", 1)


def test_activitynet_wants_one_file(miniature, tmp_path):
    with pytest.raises(DataError, match="must hold one JSON file of the truth, and holds none"):
        read_known_set("activitynet", tmp_path, 1)


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_by_place_then_by_name_then_by_capitals(tmp_path):
    touch(tmp_path, "A/v_A_g01.avi", "elsewhere/v_B_g01.mp4", "C/v_c_g01.avi", "more.mkv", "A/notes.txt")
    found = find_videos(tmp_path, ["A/v_A_g01.avi", "B/v_B_g01.avi", "C/v_C_g01.avi", "D/v_D.avi"])
    assert {id: path.relative_to(tmp_path).as_posix() for id, path in found.paths.items()} == {
        "A/v_A_g01.avi": "A/v_A_g01.avi",
        "B/v_B_g01.avi": "elsewhere/v_B_g01.mp4",
        "C/v_C_g01.avi": "C/v_c_g01.avi",
    }
    assert found.missing == ("D/v_D.avi",)
    assert found.renamed == ("C/v_C_g01.avi",)
    assert found.surplus == (tmp_path / "more.mkv",)


def test_ids_without_a_suffix_and_with_dots(tmp_path):
    touch(tmp_path, "3-_.x.webm", "v_QOlSCBRmfWY.mp4")
    found = find_videos(tmp_path, ["3-_.x", "QOlSCBRmfWY"])
    assert found.paths == {"3-_.x": tmp_path / "3-_.x.webm", "QOlSCBRmfWY": tmp_path / "v_QOlSCBRmfWY.mp4"}
    assert [stem_of(name) for name in ("a.b.MP4", "a.b", "mp4")] == ["a.b", "a.b", "mp4"]


def test_capitals_count_where_both_are_there(tmp_path):
    touch(tmp_path, "aBc.mp4", "AbC.mp4")
    assert find_videos(tmp_path, ["AbC", "aBc"]).renamed == ()
    found = find_videos(tmp_path, ["abc"])
    assert found.ambiguous == {"abc": (tmp_path / "AbC.mp4", tmp_path / "aBc.mp4")}
    assert (found.paths, found.missing, found.surplus) == ({}, ("abc",), ())


def test_a_file_comes_before_a_folder_of_its_frames(tmp_path):
    (tmp_path / "frames" / "v_1").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "frames" / "v_1" / "img_00001.jpg")
    assert find_videos(tmp_path, ["v_1.avi"]).paths == {"v_1.avi": tmp_path / "frames" / "v_1"}
    touch(tmp_path, "videos/v_1.avi")
    assert find_videos(tmp_path, ["v_1.avi"]).paths == {"v_1.avi": tmp_path / "videos" / "v_1.avi"}


def test_a_name_for_two_files_is_told_with_both(tmp_path):
    touch(tmp_path, "a/v_1.avi", "b/v_1.mp4", "v_2.mp4")
    found = find_videos(tmp_path, ["v_1", "v_2"])
    assert found.ambiguous == {"v_1": (tmp_path / "a" / "v_1.avi", tmp_path / "b" / "v_1.mp4")}
    assert found.missing == ("v_1",)
    assert found.paths == {"v_2": tmp_path / "v_2.mp4"}


def test_features_are_found_by_the_names_of_the_videos(miniature, tmp_path):
    lists = miniature("thumos14") / "lists"
    ids = [f"video_{part}_{number:07d}" for part in ("validation", "test") for number in range(1, 4)]
    for name in ids:
        (tmp_path / f"{name}.npy").touch()
    listing = set_listing("thumos14", tmp_path, lists, 1, "test")
    assert [record.path for record in listing.records] == [tmp_path / f"{name}.npy" for name in ids[3:]]
    listing = set_listing("thumos14", tmp_path, lists, 1, "train", leave_out_missing=True)
    assert [record.path for record in listing.records] == [tmp_path / f"{name}.npy" for name in ids[:3]]
    (tmp_path / f"{ids[3]}.mp4").touch()
    found = find_videos(tmp_path, ids)
    assert found.paths == {ids[3]: tmp_path / f"{ids[3]}.mp4"}, "where there are videos, features are none"


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Café/v_é_g01.avi") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(("listed", "stored"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_a_name_is_found_in_the_other_unicode_form(tmp_path, listed, stored):
    touch(tmp_path, stored)
    for name in (listed, listed.partition("/")[2], listed.partition("v_")[2]):
        found = find_videos(tmp_path, [name])
        assert found.paths == {name: tmp_path / stored}
        assert (found.missing, found.renamed, found.surplus) == ((), (), ())
    name = listed.replace("v_", "V_")
    found = find_videos(tmp_path, [name])
    assert (found.paths, found.renamed) == ({name: tmp_path / stored}, (name,))


def test_of_both_unicode_forms_each_is_the_one_that_is_written_so(tmp_path):
    touch(tmp_path, COMPOSED, DECOMPOSED)
    found = find_videos(tmp_path, [COMPOSED, DECOMPOSED])
    assert found.paths == {COMPOSED: tmp_path / COMPOSED, DECOMPOSED: tmp_path / DECOMPOSED}
    names = [name.partition("/")[2] for name in (COMPOSED, DECOMPOSED)]
    found = find_videos(tmp_path, names)
    assert found.paths == dict(zip(names, (tmp_path / COMPOSED, tmp_path / DECOMPOSED), strict=True))
    mixed = unicodedata.normalize("NFC", "Café/") + unicodedata.normalize("NFD", "v_é_g01.avi")
    (alike,) = find_videos(tmp_path, [mixed]).ambiguous.values()
    assert set(alike) == {tmp_path / COMPOSED, tmp_path / DECOMPOSED}


def test_a_folder_that_cannot_be_opened_is_told_with_its_reason(miniature, monkeypatch, caplog):
    folder = miniature("ucf101")
    closed, scandir = folder / "videos" / "ApplyEyeMakeup", os.scandir
    folders: list[str] = []

    def refused(path="."):
        if str(path) in folders:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    whole = set_listing("ucf101", folder / "videos", folder / "lists", 1, "test")
    assert caplog.messages == []
    folders.append(str(closed))
    listing = set_listing("ucf101", folder / "videos", folder / "lists", 1, "test")
    assert listing.records == whole.records, "each lies where the lists say, and is opened there"
    said = f"{closed}: cannot be opened: Permission denied. Check the permissions"
    assert caplog.messages == [
        f"ucf101: 2 of 4 test videos are not found, and may lie where nobody can look: {said}"
    ]
    report = check_set("ucf101", folder / "videos", folder / "lists", decode=False)
    assert not report.ok
    assert len(report.missing) == 8
    assert report.surplus == ()
    assert report.to_dict()["cannot_be_opened"] == [f"{closed}: cannot be opened: Permission denied"]
    assert (
        "folders that cannot be opened, where they may lie: 1\n"
        f"  {closed}: cannot be opened: Permission denied"
    ) in "\n".join(report.lines())
