"""What Python users hand in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from attcell import _checks
from attcell._checks import first_double, path_of, shown, whole_number
from attcell.errors import CallError


@pytest.mark.parametrize("value", ["a/b.mp4", Path("a/b.mp4")])
def test_text_and_paths_are_paths(value):
    assert path_of(value, "video", "clip.mp4") == Path("a/b.mp4")


@pytest.mark.parametrize(
    ("value", "said"),
    [(5, "5"), (None, "None"), (b"a.mp4", "b'a.mp4' (bytes)"), (["a.mp4"], "['a.mp4'] (list)")],
)
def test_anything_else_is_no_path(value, said):
    with pytest.raises(CallError) as caught:
        path_of(value, "video", "clip.mp4")
    assert str(caught.value) == f'video is {said}; give one path as text or Path, such as "clip.mp4"'


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers(value):
    found = whole_number(value, "segments", least=3)
    assert found == 3
    assert type(found) is int


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"), (-1, "-1"), (2.5, "2.5"), (3.0, "3.0"), (float("nan"), "nan"), (True, "True"),
        ("3", "'3'"), (None, "None"), ([3], "[3] (list)"),
    ],
)  # fmt: skip
def test_anything_else_is_no_whole_number(value, said):
    with pytest.raises(CallError) as caught:
        whole_number(value, "segments", least=1)
    assert str(caught.value) == f"segments is {said}; give a whole number, at least 1"


def test_a_long_value_is_cut():
    assert len(shown(np.zeros((100, 100)))) < 60
    assert len(shown("x" * 1000)) < 60


def test_the_first_name_that_comes_again():
    assert first_double([]) is None
    assert first_double(["a", "b"]) is None
    assert first_double(["a", "b", "c", "b", "a"]) == "b"
    assert first_double([*map(str, range(10**5)), "99999"]) == "99999"  # at once


def test_what_lacks_is_told_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr(_checks, "find_spec", lambda name: None if name == "onnx" else object())
    with pytest.raises(CallError) as raised:
        _checks.refuse_without("ONNX files", "export", "onnx", "onnxruntime")
    assert str(raised.value) == (
        "ONNX files need onnx, not installed here; "
        "install: pip install 'attcell[export]', or uv sync --extra export in a clone"
    )
    _checks.refuse_without("ONNX files", "export", "onnxruntime")
