"""Which videos belong together, as a recipe tells it."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

from attcell.data.groups import read_groups, units_by_class, with_groups
from attcell.data.listing import read_list
from attcell.data.sources import read_source
from attcell.errors import CallError, DataError
from attcell.types import VideoRecord


def records_of(*names: str) -> list[VideoRecord]:
    return [VideoRecord(name, Path("videos") / name, (0,)) for name in names]


def groups_of(names: tuple[str, ...], groups: str | Path) -> list[str]:
    return [record.group for record in with_groups(records_of(*names), groups)]


UCF = ("Biking/v_Biking_g01_c02.avi", "Biking/v_Biking_g12_c01.avi", "Diving/v_Diving_g01_c01.avi")


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        (r"_(g\d+)_", ["g01", "g12", "g01"]),
        (r"_g\d+", ["_g01", "_g12", "_g01"]),
        (r"(v_\w+_g\d+)_c", ["v_Biking_g01", "v_Biking_g12", "v_Diving_g01"]),
        (r"^([^/]+)/", ["Biking", "Biking", "Diving"]),
        (r"none(.)|_(g\d+)_", ["g01", "g12", "g01"]),
    ],
)
def test_an_expression_is_looked_for_in_a_videos_path(expression, found):
    assert groups_of(UCF, expression) == found


def test_an_expression_that_finds_nothing():
    with pytest.raises(CallError) as caught:
        groups_of(UCF, "person([0-9]+)")
    assert "groups 'person([0-9]+)' finds nothing in the names of 3 videos, such as Biking/v_B" in str(
        caught.value
    )
    assert "whose first brackets match a video's group" in str(caught.value)


def test_videos_of_no_group_are_counted_and_named():
    message = (
        "'_g([0-9]*)' tells no group of 2 of 5 videos: Diving/other.avi, Diving/_g.avi; let the expression"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        groups_of((*UCF, "Diving/other.avi", "Diving/_g.avi"), "_g([0-9]*)")


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "groups.csv"
    path.write_text(text)
    return path


def test_a_csv_names_videos_below_their_source_or_below_itself(tmp_path):
    path = csv(
        tmp_path, "video,note,group\nwave/a.mp4,x,ann\n./train/wave/b.mp4,,bob\ntest\\wave\\b.mp4,,cid\n"
    )
    records = [
        VideoRecord(name, tmp_path / part / name, (0,))
        for part, name in [("train", "wave/a.mp4"), ("train", "wave/b.mp4"), ("test", "wave/b.mp4")]
    ]
    assert [record.group for record in with_groups(records, path)] == ["ann", "bob", "cid"]
    assert read_groups(path).unknown(records[:2]) == ["test/wave/b.mp4"]


def test_a_csv_in_the_other_unicode_form_names_the_videos_all_the_same(tmp_path):
    stored = [unicodedata.normalize("NFD", f"wave/é{number}.mp4") for number in (1, 2)]
    names = [
        unicodedata.normalize("NFC", stored[0]),
        *map(unicodedata.normalize, ("NFC", "NFD"), stored[1:] * 2),
    ]
    path = csv(tmp_path, "video,group\n" + "".join(f"{name},{place}\n" for place, name in enumerate(names)))
    records = records_of(*stored)
    assert [record.group for record in with_groups(records, path)] == ["0", "2"], "letter by letter first"
    assert read_groups(path).unknown(records) == []


def test_parts_of_a_folder_of_frames_have_groups_too(tmp_path):
    path = csv(tmp_path, "video,group\nwave/a 0 10,ann\nwave/a 10 10,bob\n")
    whole = VideoRecord("wave/a", tmp_path / "wave" / "a", (0,))
    parts = [whole.part(range(10)), whole.part(range(10, 20))]
    assert [record.group for record in with_groups(parts, path)] == ["ann", "bob"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line is 'empty'; it must name the columns video,group"),
        ("a.mp4,ann\n", "the first line is 'a.mp4,ann'; it must name the columns video,group"),
        ("video,group\na.mp4,\n", "groups.csv:2: a video and its group are needed: a.mp4,"),
        ("video,group\na.mp4\n", "groups.csv:2: a video and its group are needed: a.mp4,"),
        ("video,group\na.mp4,x\na.mp4,y\n", "groups.csv:3: a.mp4 is in group x, and here in y"),
        (
            "video,group\nb.mp4,x\n",
            "tells no group of 1 of 1 videos: a.mp4; add a line 'video,group' for each",
        ),
    ],
)
def test_a_csv_that_is_not_right(tmp_path, text, message):
    with pytest.raises(DataError) as caught:
        with_groups(records_of("a.mp4"), csv(tmp_path, text))
    assert message in str(caught.value)


def test_a_csv_that_is_not_there_or_no_text(tmp_path):
    with pytest.raises(CallError, match=r"gone\.csv: no such file; give a CSV with the columns video,group"):
        with_groups(records_of("a.mp4"), tmp_path / "gone.csv")
    (tmp_path / "odd.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"odd\.csv is no CSV file in UTF-8"):
        read_groups(tmp_path / "odd.csv")


def test_a_column_of_a_list(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a b.mp4 1 g01\nc.mp4 0 1 7\n")
    records = read_list(path, tmp_path, None, with_groups=True).records
    assert [(r.id, r.labels, r.group) for r in records] == [("a b.mp4", (1,), "g01"), ("c.mp4", (0, 1), "7")]
    assert read_source(path, group_column=True).records == records
    path.write_text("a.mp4 1\n")
    with pytest.raises(
        DataError, match=r"'path label'.*, and the group as the last word:\n.*:1: a path, a lab"
    ):
        read_list(path, tmp_path, None, with_groups=True)


def test_a_column_that_nobody_asked_for(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a.mp4 1 g01\n")
    with pytest.raises(
        DataError, match=r"'g01' is not a whole number from 0; is it a group\? \(data.groups="
    ):
        read_list(path, tmp_path, None)


def test_a_folder_has_no_column(folder):
    with pytest.raises(CallError, match=r"data\.groups=column is for list files"):
        read_source(folder, group_column=True)


def test_units_of_a_class_are_its_groups_and_the_videos_that_are_in_none():
    records = [
        VideoRecord("a", Path("a"), (0,), group="one"),
        VideoRecord("b", Path("b"), (0, 1), group="one"),
        VideoRecord("c", Path("c"), (0,)),
        VideoRecord("d", Path("d"), (0,)),
    ]
    assert units_by_class(records, 3) == [3, 1, 0]
