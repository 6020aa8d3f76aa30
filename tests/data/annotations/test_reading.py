"""Lines, names of classes, and intervals, as all formats read them."""

from __future__ import annotations

import os
import re
import sys
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from attcell.data.annotations import reading
from attcell.data.annotations.reading import (
    AnnotatedVideo,
    Annotation,
    Seen,
    case_notes,
    checked_interval,
    class_names,
    folder_of,
    interval_notes,
    names_of_file,
    number_in,
    numbered_lines,
    some_videos,
    split_of,
    struct_array,
    text_of,
)
from attcell.errors import CallError, DataError
from attcell.types import ActionInstance


def test_lines_keep_their_numbers_without_marks_blanks_and_line_ends(tmp_path):
    file = tmp_path / "a b.txt"
    file.write_bytes(b"\xef\xbb\xbfone \r\n\r\n  two words\t\r\n \nthree")
    assert list(numbered_lines(file)) == [(1, "one"), (3, "two words"), (5, "three")]


def test_files_that_are_no_text(tmp_path):
    (tmp_path / "x.txt").write_bytes(b"a\x00b")
    with pytest.raises(DataError, match=r"x\.txt is no text in UTF-8 \(a zero byte\); get it anew"):
        list(numbered_lines(tmp_path / "x.txt"))
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"x\.txt is no text in UTF-8 \(invalid start byte\); get it anew"):
        text_of(tmp_path / "x.txt")
    with pytest.raises(CallError, match=r"y\.txt: no such file; give an annotation file"):
        text_of(tmp_path / "y.txt")


def test_folders(tmp_path):
    (tmp_path / "b").touch()
    assert folder_of(str(tmp_path), ["b"]) == tmp_path
    with pytest.raises(
        DataError, match=f"^{re.escape(str(tmp_path))} lacks a, c; put the official files there"
    ):
        folder_of(tmp_path, ["a", "b", "c"])
    with pytest.raises(CallError, match="gone: no such folder; give the one that holds the annotation files"):
        folder_of(tmp_path / "gone", [])
    with pytest.raises(CallError, match="folder is 5; give one path"):
        folder_of(5, [])


@pytest.mark.parametrize(
    ("split", "message"),
    [(0, "split is 0; give a whole"), (4, "split is 4; give 1, 2 or 3"), ("1", "split is '1'")],
)
def test_splits(split, message):
    assert [split_of(number) for number in (1, 2, 3)] == [1, 2, 3]
    with pytest.raises(CallError, match=message):
        split_of(split)


def test_names_of_classes(tmp_path):
    assert class_names(tmp_path, [("p:1", "b"), ("p:2", "a")]) == ("b", "a")
    with pytest.raises(
        DataError, match=r"^p:2: class 'a' is there already \(p:1\); classes need different names"
    ):
        class_names(tmp_path, [("p:1", "a"), ("p:2", "a")])
    with pytest.raises(DataError, match=r"^p:2: class 'jumP' differs only in case from 'Jump' \(p:1\)"):
        class_names(tmp_path, [("p:1", "Jump"), ("p:2", "jumP")])
    with pytest.raises(DataError, match=r"^p:1: the name of a class is needed here, and there is none"):
        class_names(tmp_path, [("p:1", "")])
    with pytest.raises(DataError, match="names no class; get the official files anew"):
        class_names(tmp_path, [])


def test_a_blank_line_between_names_would_move_the_rest(tmp_path):
    file = tmp_path / "labels.txt"
    file.write_text("kyūdō\npétanque \n\n\n", encoding="utf-8")
    assert names_of_file(file) == ("kyūdō", "pétanque")
    file.write_text("a\n\nb\n")
    with pytest.raises(DataError, match=r"labels\.txt:2: the name of a class is needed here"):
        names_of_file(file)


@given(st.integers(-5, 200))
def test_numbers_in_a_range(number):
    assert number_in(str(number), 1, 101) == (number if 1 <= number <= 101 else None)


@pytest.mark.parametrize("word", ["", "1.0", "+1", "¹", "١", "9" * 5000, "one"])
def test_words_that_are_no_numbers(word):
    assert number_in(word, 0, 10**9) is None


def test_a_video_that_stands_twice_is_told_with_both_places():
    seen = Seen()
    seen.add("v", "a.txt:1")
    seen.add("w", "a.txt:2")
    with pytest.raises(DataError, match=r"^b\.txt:7: v stands at a\.txt:1 too; leave one of them out$"):
        seen.add("v", "b.txt:7")


def test_a_list_without_videos():
    with pytest.raises(DataError, match=r"^x\.txt lists no video; get the official file anew"):
        some_videos("x.txt", [])


def test_file_names_that_differ_in_case():
    videos = [AnnotatedVideo(name, (0,)) for name in ("a/X.avi", "a/y.avi", "a/x.avi")]
    assert case_notes([videos[:1], videos[1:]]) == (
        "a/X.avi and a/x.avi differ only in case, and are one file where the disk does not tell case",
    )


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (nan, 1.0, "^p: the interval is nan to 1.0; both must be numbers of seconds$"),
        (0.0, inf, "^p: the interval is 0.0 to inf; both"),
        (2.5, 1.0, "^p: the interval ends at 1.0 s, before its start at 2.5 s; swap them$"),
    ],
)
def test_intervals_that_are_none(start, end, message):
    with pytest.raises(DataError, match=message):
        checked_interval("p", start, end)


def test_notes_on_intervals():
    def video(length, *intervals):
        instances = tuple(ActionInstance("v", "run", *interval) for interval in intervals)
        return AnnotatedVideo("v", (0,), instances=instances, duration_seconds=length)

    assert list(interval_notes([video(5.0, (0.0, 5.0)), video(None, (0.0, 9e9))])) == []
    assert list(interval_notes([video(5.0, (0.0, 1.0), (4.0, 5.5), (-1.0, 2.0))])) == [
        "v lasts 5 s, and 2 of its 3 intervals go beyond, first 4 to 5.5 s (run)"
    ]
    assert list(interval_notes([video(5.0, (2.0, 2.0))])) == ["v has an interval of no length at 2 s (run)"]


def test_notes_make_no_difference():
    assert Annotation(("a",), {}, notes=("odd",)) == Annotation(("a",), {})
    assert Annotation(("a",), {}) != Annotation(("b",), {})


def test_a_matlab_file_that_unpacks_to_very_much_is_refused(tmp_path, monkeypatch):
    savemat(tmp_path / "a.mat", {"x": np.zeros(1 << 20)}, do_compression=True)
    assert (tmp_path / "a.mat").stat().st_size < 1 << 14
    with pytest.raises(DataError, match="has no struct array x"):
        struct_array(tmp_path / "a.mat", "x")
    monkeypatch.setattr(reading, "_MOST_UNPACKED", 1 << 22)
    with pytest.raises(DataError, match="unpacks to more than 4 MiB"):
        struct_array(tmp_path / "a.mat", "x")


@pytest.mark.skipif(sys.platform != "linux", reason="no fork there")
def test_a_matlab_file_that_crashes_scipy_is_refused(tmp_path, monkeypatch):
    savemat(tmp_path / "a.mat", {"x": np.zeros(2)})
    monkeypatch.setattr(reading, "_loaded", lambda file, name: os.abort())
    with pytest.raises(DataError, match=r"a\.mat is no MATLAB file .*it crashes the process \(SIGABRT\)"):
        struct_array(tmp_path / "a.mat", "x")
