"""Lines of list files: several labels, folders of frames and their parts, paths with spaces and numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from attcell.data.listing import read_list
from attcell.data.sources import read_source
from attcell.errors import DataError


def frames(folder: Path, count: int) -> Path:
    """A folder of empty pictures: a list is read by names alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        (folder / f"img_{number:05d}.jpg").touch()
    return folder


def listed(root: Path, *lines: str) -> Path:
    path = root / "list.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def records(root: Path, *lines: str):
    """Id, path below the root, labels and frames of each line."""
    found = read_list(listed(root, *lines), root, None).records
    return [(r.id, r.path.relative_to(root).as_posix(), r.labels, r.frames) for r in found]


def problem(root: Path, line: str, labels: list[str] | None = None) -> str:
    """What the error says of a single bad line."""
    path = listed(root, line)
    with pytest.raises(DataError) as caught:
        read_list(path, root, labels)
    first, second = str(caught.value).split("\n")
    assert first.startswith(
        f"{path}: 1 bad line; expected 'path label', or 'folder frames label' for a folder"
    )
    assert second.startswith(f"  {path}:1: ")
    assert second.endswith(f": {line.strip()!r}")
    return second.removeprefix(f"  {path}:1: ").removesuffix(f": {line.strip()!r}")


def test_several_labels_of_a_video_that_need_not_be_there(tmp_path):
    listing = read_list(listed(tmp_path, "some/000.mp4 3 1", "b.avi 0"), tmp_path, None)
    assert [(record.id, record.labels) for record in listing.records] == [
        ("some/000.mp4", (1, 3)),
        ("b.avi", (0,)),
    ]
    assert listing.labels == ("0", "1", "2", "3")
    assert listing.multi_label
    assert not read_list(listed(tmp_path, "b.avi 0"), tmp_path, None).multi_label


def test_folders_of_frames(tmp_path):
    frames(tmp_path / "some" / "dir", 163)
    assert records(tmp_path, "some/dir 163 1") == [("some/dir", "some/dir", (1,), None)]
    assert records(tmp_path, "some/dir 163 1 3 5") == [("some/dir", "some/dir", (1, 3, 5), None)]
    assert records(tmp_path, "some/dir 12 100 3") == [("some/dir 12 100", "some/dir", (3,), range(12, 112))]
    assert records(tmp_path, "some/dir 12 151 3 0") == [
        ("some/dir 12 151", "some/dir", (0, 3), range(12, 163))
    ]
    assert records(tmp_path, "some/dir 0 163 3") == [("some/dir", "some/dir", (3,), None)]
    assert records(tmp_path, "some\\dir\t163  1\r") == [("some/dir", "some/dir", (1,), None)]


def test_parts_of_one_folder_are_videos_of_their_own(tmp_path):
    frames(tmp_path / "long", 20)
    found = records(tmp_path, "long 0 5 0", "long 5 5 1", "long 0 20 2")
    assert [(name, part) for name, _, _, part in found] == [
        ("long 0 5", range(5)), ("long 5 5", range(5, 10)), ("long", None),
    ]  # fmt: skip
    message = r"list.txt:2: this video is on line 1 already: 'long 3 5 1'"
    with pytest.raises(DataError, match=message):
        records(tmp_path, "long 3 5 0", "long 3 5 1")


def test_flow_beside_the_frames_is_not_counted(tmp_path):
    frames(tmp_path / "a", 3)
    for number in (1, 2):
        (tmp_path / "a" / f"flow_x_{number:05d}.jpg").touch()
    assert records(tmp_path, "a 3 0") == [("a", "a", (0,), None)]


class TestWhereALineCanBeReadInMoreThanOneWay:
    def test_what_is_there_decides_between_a_video_and_a_folder(self, tmp_path):
        frames(tmp_path / "dir", 163)
        (tmp_path / "file").touch()
        assert records(tmp_path, "dir 163 1") == [("dir", "dir", (1,), None)]
        assert records(tmp_path, "file 163 1") == [("file", "file", (1, 163), None)]

    def test_the_longest_path_counts(self, tmp_path):
        frames(tmp_path / "dir", 4)
        (tmp_path / "dir 4").touch()
        assert records(tmp_path, "dir 4 1") == [("dir 4", "dir 4", (1,), None)]
        frames(tmp_path / "dir 4 2", 1)
        assert records(tmp_path, "dir 4 2 1 0") == [("dir 4 2", "dir 4 2", (0,), None)]
        assert records(tmp_path, "dir 4 2 1") == [("dir 4", "dir 4", (1, 2), None)]

    def test_a_longer_folder_needs_its_number_of_frames(self, tmp_path):
        frames(tmp_path / "dir", 4)
        frames(tmp_path / "dir 4", 9)
        assert records(tmp_path, "dir 4 1") == [("dir", "dir", (1,), None)]

    def test_a_suffix_decides_where_nothing_is(self, tmp_path):
        assert records(tmp_path, "take 2.mp4 7 1") == [("take 2.mp4", "take 2.mp4", (1, 7), None)]

    def test_a_folder_with_a_video_s_suffix(self, tmp_path):
        frames(tmp_path / "a.mp4", 4)
        assert records(tmp_path, "a.mp4 4 1") == [("a.mp4", "a.mp4", (1,), None)]

    def test_a_file_without_a_known_suffix(self, tmp_path):
        (tmp_path / "clip 12").touch()
        assert records(tmp_path, "clip 12 0") == [("clip 12", "clip 12", (0,), None)]


def test_a_single_video_s_line_does_not_ask_the_disk(tmp_path, monkeypatch):
    path = listed(tmp_path, "a b.mp4 1")
    real = os.stat

    def refused(place, *args, **options):
        assert "a b" not in str(place)
        return real(place, *args, **options)

    monkeypatch.setattr(os, "stat", refused)
    assert read_list(path, tmp_path, ["x", "y"]).records[0].id == "a b.mp4"


class TestBadLines:
    def test_a_line_of_numbers_without_end_is_told_at_once(self, tmp_path):
        path = listed(tmp_path, "a.mp4" + " 1" * 10**5)
        with pytest.raises(DataError, match=r"list\.txt:1: more than 1000 numbers behind a path"):
            read_list(path, tmp_path, None)

    def test_another_number_of_frames(self, tmp_path):
        frames(tmp_path / "dir", 163)
        assert problem(tmp_path, "dir 162 1") == "the line says 162 frames, and the folder has 163"

    def test_a_wrong_number_of_frames_does_not_pass_for_a_part(self, tmp_path):
        """Alone, the line would be the last of 163 frames; among lines with numbers of frames it is wrong."""
        for name in ("a", "b"):
            frames(tmp_path / name, 163)
        assert records(tmp_path, "b 162 1 3")[0][3] == range(162, 163)
        message = (
            r"list.txt:3: line 1 is 'folder frames labels', and this one would be "
            r"'folder frames-before frames labels'; is a number of frames wrong\?: 'b 162 1 3'$"
        )
        with pytest.raises(DataError, match=message):
            records(tmp_path, "a 163 1 3", "v.mp4 1 3", "b 162 1 3")

    def test_a_part_that_is_not_inside(self, tmp_path):
        frames(tmp_path / "dir", 163)
        for line, first, count in (("dir 100 64 1", 100, 64), ("dir 5 0 1", 5, 0), ("dir 164 1 3", 164, 1)):
            assert problem(tmp_path, line) == (
                f"the folder has 163 frames; that is neither {first}, nor are there {count} of them "
                f"behind the first {first}"
            )

    def test_nothing_there(self, tmp_path):
        assert problem(tmp_path, "some/dir 163 1") == (
            f"there is no {tmp_path}/some/dir 163 nor {tmp_path}/some/dir, "
            "and no path that ends as a video does"
        )

    def test_a_folder_without_a_number_of_frames(self, tmp_path):
        frames(tmp_path / "dir", 3)
        assert problem(tmp_path, "dir 1") == (
            f"{tmp_path}/dir is a folder: how many frames it has is needed before the label"
        )

    def test_labels_that_are_not_right(self, tmp_path):
        frames(tmp_path / "dir", 3)
        assert problem(tmp_path, "dir 3 2 2") == "label 2 is there twice"
        assert problem(tmp_path, "a.mp4 0 1 0") == "label 0 is there twice"
        assert problem(tmp_path, "a.mp4 0 2", ["x", "y"]) == (
            "label 2 is too high, 2 classes count from 0 to 1"
        )
        assert problem(tmp_path, "dir 3 x") == (
            "the label 'x' is not a whole number from 0; is it a group? (data.groups=column)"
        )
        assert problem(tmp_path, "dir 3 ١") == "the label '١' is not a whole number from 0"
        assert problem(tmp_path, "dir") == "a path and a label are needed"

    def test_a_folder_with_a_gap_is_refused_where_its_number_of_frames_decides(self, tmp_path):
        (frames(tmp_path / "dir", 5) / "img_00002.jpg").unlink()
        assert records(tmp_path, "dir 5 1") == [("dir", "dir", (1,), None)]
        assert "img_00002.jpg is missing, the first of 1" in problem(tmp_path, "dir 5 1 3")


WORDS = st.text("ab7 ._", min_size=1, max_size=6).filter(
    lambda word: word.strip() and word.strip(".") == word
)
NAMES = st.lists(st.one_of(WORDS.map(str.strip), st.integers(0, 99).map(str)), min_size=1, max_size=3).map(
    " ".join
)


@settings(max_examples=60, deadline=None)
@given(
    name=NAMES.map(lambda name: " ".join(name.split())),
    count=st.integers(1, 9),
    part=st.none() | st.tuples(st.integers(0, 8), st.integers(1, 9)),
    labels=st.sets(st.integers(0, 9), min_size=1, max_size=3),
)
def test_whatever_the_path_a_folder_s_line_is_read_as_it_was_written(
    tmp_path_factory, name, count, part, labels
):
    """The folder is alone there, so that no other reading fits what is on disk."""
    assume(part is None or part[0] != count)  # else the first number says that these are all frames
    root = tmp_path_factory.mktemp("root")
    frames(root / name, count)
    words = " ".join(map(str, sorted(labels)))
    expected = tuple(sorted(labels))
    if part is None:
        assert records(root, f"{name} {count} {words}") == [(name, name, expected, None)]
    elif sum(part) > count:
        assert "neither" in problem(root, f"{name} {part[0]} {part[1]} {words}")
    else:
        (found,) = records(root, f"{name} {part[0]} {part[1]} {words}")
        assert found[1:3] == (name, expected)
        assert (found[3] or range(count)) == range(part[0], sum(part))


@settings(max_examples=60, deadline=None)
@given(name=NAMES, labels=st.sets(st.integers(0, 9), min_size=1, max_size=3), is_there=st.booleans())
def test_whatever_the_path_a_video_s_line_is_read_as_it_was_written(tmp_path_factory, name, labels, is_there):
    root = tmp_path_factory.mktemp("root")
    path = f"{name}.mp4"
    if is_there:
        (root / path).touch()
    (found,) = records(root, f" {path}  {' '.join(map(str, sorted(labels)))} ")
    assert found == (path, path, tuple(sorted(labels)), None)


def test_a_label_that_leaves_very_many_unused_is_no_label(tmp_path):
    (tmp_path / "l.txt").write_text("a.mp4 0\nb.mp4 1000000000\n")
    with pytest.raises(
        DataError, match=r"l.txt: the label 1000000000 of b.mp4 is too high for a list of 2 diff"
    ):
        read_list(tmp_path / "l.txt", tmp_path, None)
    (tmp_path / "l.txt").write_text("a.mp4 0\nb.mp4 1019\n")
    assert len(read_list(tmp_path / "l.txt", tmp_path, None).labels) == 1020
    (tmp_path / "l.txt").write_text("a.mp4 0\nb.mp4 " + "9" * 5000 + "\n")
    with pytest.raises(DataError, match="is not a whole number from 0"):
        read_list(tmp_path / "l.txt", tmp_path, None)


def test_a_source_gives_the_same(tmp_path):
    frames(tmp_path / "root" / "a", 3)
    listing = read_source(listed(tmp_path, "a 3 1 0"), tmp_path / "root")
    assert listing.records[0].path == tmp_path / "root" / "a"
    assert listing.multi_label


def test_a_url_that_is_none_is_told_with_its_line_and_without_its_password(tmp_path):
    (tmp_path / "list.txt").write_text("a.mp4 0\nhttps://me:s3cret@host/b.mp4 1\nftp://host/c.mp4 1\n")
    with pytest.raises(DataError) as refused:
        read_list(tmp_path / "list.txt", tmp_path, None)
    told = str(refused.value)
    assert "list.txt:2: https://…@host: a password in a URL would stand" in told
    assert "list.txt:3: ftp:// is not read; give a local path" in told
    assert "s3cret" not in told
