"""THUMOS14's recognition task, from text and from generated MATLAB files."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from attcell.data.annotations import thumos14
from attcell.data.annotations.reading import AnnotatedVideo, Annotation
from attcell.errors import CallError, DataError
from tests.data.annotations import writers

UCF = Annotation(
    ("A", "B", "C", "D"),
    {"train": (AnnotatedVideo("A/a.avi", (0,), "A_g01"),), "test": (AnnotatedVideo("B/b.avi", (1,)),)},
)
TRAIN = (*UCF.parts["train"], *UCF.parts["test"])
TEXT = "v1 3 1\r\nv2\r\n\r\nv3 4 4\r\n"
VIDEOS = (AnnotatedVideo("v1", (0, 2)), AnnotatedVideo("v2", ()), AnnotatedVideo("v3", (3,)))


def told(name: str, background: str = "NO", primary: Any = 1, secondary: Any = ()) -> dict[str, Any]:
    return {
        "video_name": name,
        "background_video": background,
        "primary_action_index": primary,
        "secondary_actions_indices": np.array(secondary, dtype=float),
        "frame_rate_FPS": 29.97,
    }


def struct_array(*entries: dict[str, Any]) -> np.ndarray:
    """(1, N) as MATLAB has it; N may be 0."""
    kinds = [(field, object) for field in (entries or (told("v1"),))[0]]
    return np.array([[tuple(entry.values()) for entry in entries]], dtype=kinds)


def read_test(file):
    return thumos14.read_recognition({"test": file}, UCF)


def test_text(files, tmp_path):
    folder = files({"v.txt": TEXT, "t.txt": "t1 2\n"})
    found = thumos14.read_recognition({"validation": folder / "v.txt", "test": folder / "t.txt"}, UCF)
    test = (AnnotatedVideo("t1", (1,)),)
    parts = {"train": TRAIN, "validation": VIDEOS, "test": test}
    assert found == Annotation(UCF.labels, parts, multi_label=True)
    written = writers.write_thumos14_recognition(found, tmp_path / "again")
    assert {part: file.read_text() for part, file in written.items()} == {
        "validation": "v1 1 3\nv2\nv3 4\n", "test": "t1 2\n",
    }  # fmt: skip
    assert thumos14.read_recognition(written, UCF) == found


@pytest.mark.parametrize("part", ["validation", "test"])
def test_the_official_layout(tmp_path, part):
    content = struct_array(
        told("v1", primary=3.0, secondary=[1]),
        told("v2", "YES", primary=[]),
        told("v3", primary=4, secondary=[4.0]),
        told("v4", secondary=[[2], [3]]),
    )
    savemat(tmp_path / "m.mat", {f"{part}_videos": content, "other": 1}, do_compression=True)
    found = thumos14.read_recognition({part: tmp_path / "m.mat"}, UCF)
    assert found.parts == {"train": TRAIN, part: (*VIDEOS, AnnotatedVideo("v4", (0, 1, 2)))}


def test_a_single_video(tmp_path):
    savemat(tmp_path / "m.mat", {"test_videos": struct_array(told("v1"))})
    assert read_test(tmp_path / "m.mat").parts["test"] == (AnnotatedVideo("v1", (0,)),)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([told("v1", primary=5)], "(1): v1 has class 5; expected numbers from 1 to 4"),
        ([told("v1"), told("v2", primary=0)], "(2): v2 has class 0; expected numbers from 1 to 4"),
        ([told("v1", secondary=[1.5])], "(1): v1 has class 1.5; expected numbers from 1 to 4"),
        ([told("v1", secondary=[np.nan])], "(1): v1 has class nan; expected numbers from 1 to 4"),
        ([told("v1", primary="two")], "(1): 'two' is no class number; get the official file"),
        ([told("v1", "no")], "(1): background_video is 'no'; expected YES or NO"),
        ([told("v1"), told("v1")], "(2): v1 stands at m.mat: test_videos(1) too; leave one of them out"),
        ([{"video_name": "v1", "background_video": "NO"}],
         "(1) lacks primary_action_index, secondary_actions_indices; get the official file"),
    ],
)  # fmt: skip
def test_structs_that_are_wrong(tmp_path, refused, entries, message):
    savemat(tmp_path / "m.mat", {"test_videos": struct_array(*entries)})
    said = refused(tmp_path, lambda folder: read_test(folder / "m.mat"))
    assert said == f"m.mat: test_videos{message}"


@pytest.mark.parametrize(
    "content",
    [{"other": 1}, {"test_videos": np.eye(2)}, {"test_videos": "text"}, {"test_videos": struct_array()}],
)
def test_files_without_the_structs(tmp_path, refused, content):
    savemat(tmp_path / "m.mat", content)
    said = refused(tmp_path, lambda folder: read_test(folder / "m.mat"))
    assert said == "m.mat has no struct array test_videos; get the official file"


@pytest.mark.parametrize(
    "start",
    [
        b"\x89HDF\r\n\x1a\n",
        b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM",
        b"no MATLAB file",
        b"",
    ],
)
def test_files_that_matlab_wrote_otherwise(tmp_path, start):
    (tmp_path / "m.mat").write_bytes(start.ljust(600 if start else 0, b"\x00"))
    message = (
        r"m\.mat is no MATLAB file of a version before 7\.3 \(.*\); save it in MATLAB with -v7, or give a "
    )
    with pytest.raises(DataError, match=message + r"text file with lines 'VIDEO 12 57'"):
        read_test(tmp_path / "m.mat")


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_ends_in_no_other_error(tmp_path, data):
    file = tmp_path / "m.mat"
    is_compressed = data.draw(st.booleans())
    content = struct_array(told("v1"), told("v2", secondary=[3]))
    savemat(file, {"test_videos": content}, do_compression=is_compressed)
    whole = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    if is_compressed and data.draw(st.booleans()):  # else SciPy 1.17.1 may crash: only these have a checksum
        whole[place] ^= data.draw(st.integers(1, 255))
    else:
        whole = whole[:place]
    file.write_bytes(whole)
    with suppress(DataError):  # where the damage shows, and nothing else
        read_test(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v1 1\nv1 2\n", "t.txt:2: v1 stands at t.txt:1 too; leave one of them out"),
        ("v1 0\n", "t.txt:1: v1 has class 0; expected numbers from 1 to 4"),
        ("\nv1 1,2\n", "t.txt:2: v1 has class 1,2; expected numbers from 1 to 4"),
        ("", "t.txt lists no video; get the official file anew"),
    ],
)
def test_text_that_is_wrong(files, refused, text, message):
    assert refused(files({"t.txt": text}), lambda folder: read_test(folder / "t.txt")) == message


def test_wrong_calls(tmp_path):
    with pytest.raises(CallError, match=r"files has the part 'train'; give files of validation and test"):
        thumos14.read_recognition({"train": tmp_path / "x.txt"}, UCF)
    for name in ("x.txt", "x.mat"):
        with pytest.raises(CallError, match=rf"{name}: no such file; give an annotation file"):
            read_test(tmp_path / name)
    with pytest.raises(
        CallError, match=r"the annotation has the part 'more'; the task has train, validation"
    ):
        writers.write_thumos14_recognition(Annotation(("A",), {"more": ()}), tmp_path)
