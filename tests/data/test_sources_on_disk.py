"""Videos are found by the names of an annotation, wherever and under whatever suffix they lie."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from attcell.data.sources import find_videos, stem_of


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
