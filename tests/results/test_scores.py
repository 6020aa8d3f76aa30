"""Files of scores: written and read alike, and what is wrong in them is named."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attcell.errors import CallError, DataError
from attcell.results import _score_files
from attcell.results.scores import SUFFIXES, Scores, read_scores, write_scores
from tests.results.some_scores import assert_same, names, some


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read(tmp_path: Path, suffix: str) -> None:
    for number, found in enumerate([some(), some(truth=(None, None))]):
        path = tmp_path / f"{number}{suffix}"
        write_scores(path, found, {})
        assert_same(read_scores(path), found)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_unread_video_is_not_a_number(tmp_path: Path, suffix: str) -> None:
    found = some(scores=np.array([[np.nan] * 3, [0.7, 0.1, 0.2]]))
    write_scores(tmp_path / f"s{suffix}", found, {"unread": {"a b.avi": "torn"}})
    read = read_scores(tmp_path / f"s{suffix}")
    assert dict(zip(read.videos, read.truth, strict=True)) == {"a b.avi": ("wave",), "ü.mp4": ("run",)}
    assert np.isnan(read.scores[read.videos.index("a b.avi")]).all()


@given(st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_names_and_numbers_survive(tmp_path: Path, data: st.DataObject) -> None:
    labels = tuple(data.draw(st.lists(names, min_size=1, max_size=4, unique=True)))
    videos = tuple(data.draw(st.lists(names, min_size=1, max_size=4, unique=True)))
    shape = (len(videos), len(labels))
    scores = data.draw(arrays(float, shape, elements=st.floats(-1e6, 1e6)))
    truth = tuple((data.draw(st.sampled_from(labels)),) for _ in videos)
    for suffix in (".json", ".csv"):
        write_scores(tmp_path / f"s{suffix}", Scores("x", labels, videos, scores, truth), {})
        assert_same(read_scores(tmp_path / f"s{suffix}"), Scores("x", labels, videos, scores, truth))


def test_a_csv_without_classes_of_the_videos(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("\ufeffvideo,run,wave\r\na,0.25,0.75\r\n\r\n", encoding="utf-8")
    found = read_scores(tmp_path / "s.csv")
    assert (found.labels, found.videos, found.truth) == (("run", "wave"), ("a",), (None,))
    with pytest.raises(DataError, match=r"s\.csv does not say the class of a; add it"):
        found.true_classes()


LARGE = f'{{"labels": ["a"], "videos": {{"v": {{"scores": [{10**400}]}}}}}}'


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("s.json", "{", r"s\.json is not JSON"),
        ("s.json", "[]", r"s\.json is no scores\.json .*: it needs labels"),
        ("s.json", '{"format": 9}', "has scores format 9, and this attcell reads 1"),
        ("s.json", '{"labels": ["a"], "videos": {"v": {"scores": [1, 2]}}}', "v has 2 scores, and"),
        ("s.json", '{"labels": ["a"], "videos": {"v": {"scores": ["x"]}}}', r"s\.json is no scores\.json"),
        ("s.json", '{"labels": ["a"], "videos": {}}', "holds no scores"),
        ("s.json", '{"labels": ["a"], "videos": {"v": {"scores": [1], "label": "b"}}}', "v is of class 'b'"),
        ("s.json", '{"labels": ["a"], "videos": {"v": {"scores": [Infinity]}}}', "v has a score without end"),
        ("s.json", '{"labels": ["a", "b"], "videos": {"v": {"scores": [1, null]}}}', "v lacks some"),
        ("s.json", '{"labels": "ab", "videos": {"v": {"scores": [1, 2]}}}', "the labels are no list"),
        ("s.json", '{"labels": [1], "videos": {"v": {"scores": [1]}}}', "the labels are no list of names"),
        ("s.json", '{"labels": ["a"], "videos": {"v": {"scores": [1]}, "v": {}}}', "v is there"),
        ("s.json", '{"labels": ["a"], "videos": {"v": {"scores": [1]}}, "unread": ["v"]}', "v is unread and"),
        ("s.json", '{"labels": ["a"], "videos": {"\\ud800": {"scores": [1]}}}', "is no text that can be"),
        pytest.param("s.json", LARGE, r"OverflowError\(.int too large", id="large"),
        pytest.param("s.json", "[" * 10**5, r"s\.json is not JSON", id="deep"),
        ("s.json", '{"labels": ["a"], "videos": {"v": {"scores": [1], "labels": ["b"]}}}', "v is of class"),
        ("s.json", '{"labels": ["a"], "videos": {"v": {"scores": [1], "labels": ["a", "a"]}}}', "'a' twice"),
        ("s.json", '{"labels": ["a"], "videos": {"v": {"scores": [1], "labels": "a", "label": "a"}}}', "kee"),
        ("s.json", '{"labels": ["a"], "videos": {"v": {"scores": [1], "labels": [0]}}}', r"v is of \[0\],"),
        ("s.json", '{"labels": ["a"], "videos": {"v": {"scores": [1], "label": 0}}}', "v is of 0, neither a"),
        ("s.csv", "video,labels,a,b\nv,a|c,1,2\n", "v is of class 'c', none of the 2 labels"),
        ("s.csv", "video,labels,a,b\nv,a||b,1,2\n", "v is of class '', none of the 2 labels"),
        ("s.csv", "video,labels,a,b\nv,b|b,1,2\n", "v is of class 'b' twice; leave one of them out"),
        ("s.csv", "video,labels,a|b,c\nv,c,1,2\n", r"s\.csv:1: the class 'a\|b' cannot stand in a CSV's"),
        ("s.csv", "video,labels\nv,a\n", r"s\.csv:1: the header must be"),
        ("s.csv", "video,a,b\nv,1,\n", "v lacks some of its scores; give all of them, or none for a video"),
        ("s.csv", "name,a\n", r"s\.csv:1: the header must be video,label,CLASS,CLASS,… and is name,a"),
        ("s.csv", "", r"s\.csv:1: the header must be"),
        ("s.csv", "video,a,b\nv,1\n", r"s\.csv:2: 2 columns, and the header has 3"),
        ("s.csv", "video,a\nv,1\nv,2\n", r"s\.csv:3: v was there before"),
        ("s.csv", "video,a\nv,one\n", r"s\.csv:2: .* 'one'; scores are numbers"),
        ("s.csv", "video,a,a\nv,1,2\n", "two labels are alike"),
        ("s.npz", "no zip", r"s\.npz is no \.npz of scores"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_scores(tmp_path / name)


def test_a_csv_of_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_bytes("video,label,ü\nv,ü,1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"s\.csv is not CSV in UTF-8 \(.*\); save it anew"):
        read_scores(tmp_path / "s.csv")


def test_numpy_is_not_unpickled(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "s.npz", scores=np.array([[object()]]), videos=np.array(["v"]), labels=np.array(["a"])
    )
    with pytest.raises(DataError, match="without pickled objects"):
        read_scores(tmp_path / "s.npz")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scores": np.array([[1 + 2j]])}, "scores are complex128, not real numbers"),
        ({"videos": np.array([7])}, r"names are int64 \(1,\), not a row of text"),
        ({"labels": np.array("a")}, r"names are <U1 \(\), not a row of text"),
        ({"labels": np.array([b"\xff"])}, "utf-8"),
        ({"truth": np.array([[1, 0]])}, r"truth is \(1, 2\), for 1 labels"),
        ({"truth": np.array([[2]])}, r"truth is int64 \(1, 1\), and not of 0 and 1"),
        ({"truth": np.array([["a"]])}, r"truth is <U1 \(1, 1\), and not of 0 and 1"),
        ({"truth": np.array([0])}, r"names are int64 \(1,\), not a row of text"),
    ],
)
def test_numpy_of_other_types(tmp_path: Path, changed: dict[str, np.ndarray], message: str) -> None:
    content = {"scores": np.array([[0.5]]), "videos": np.array(["v"]), "labels": np.array(["a"])}
    np.savez(tmp_path / "s.npz", **{**content, **changed})
    with pytest.raises(DataError, match=message):
        read_scores(tmp_path / "s.npz")


def test_names_in_bytes_are_text(tmp_path: Path) -> None:
    names = np.array(["ü".encode(), b"w"])
    np.savez(tmp_path / "s.npz", scores=np.eye(2, dtype=np.float32), videos=names, labels=names, truth=names)
    found = read_scores(tmp_path / "s.npz")
    assert found.videos == found.labels == ("ü", "w")
    assert found.truth == (("ü",), ("w",))


def test_numpy_of_other_shapes(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", scores=np.ones((2, 3)), videos=np.array(["v"]), labels=np.array(["a"]))
    with pytest.raises(DataError, match=r"scores are \(2, 3\) and truth 1, for 1 videos and 1 labels"):
        read_scores(tmp_path / "s.npz")
    np.savez(tmp_path / "s.npz", scores=np.ones((2, 1)), videos=np.array(["v", "v"]), labels=np.array(["a"]))
    with pytest.raises(DataError, match="v is there twice"):
        read_scores(tmp_path / "s.npz")


def test_other_endings_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"s\.txt: scores are read from \.json, \.csv, \.npz; give one"):
        read_scores(tmp_path / "s.txt")
    with pytest.raises(CallError, match=r"no scores at .*s\.csv"):
        read_scores(tmp_path / "s.csv")
    with pytest.raises(CallError, match=r"s\.npy: scores are written to"):
        write_scores(tmp_path / "s.npy", some(), {})


def test_json_says_more(tmp_path: Path) -> None:
    write_scores(tmp_path / "s.json", some(), {"protocol": {"crops": 10}})
    assert json.loads((tmp_path / "s.json").read_text())["protocol"] == {"crops": 10}


# Files of strangers


def array_of(shape: tuple[int, ...], descr: str = "<f8", data: bytes = b"") -> bytes:
    """A file of NumPy whose header may lie."""
    head = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


def zipped(path: Path, scores: bytes, names: bytes | None = None) -> Path:
    known = io.BytesIO()
    np.save(known, np.array(["a", "b"]))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("scores", scores), ("videos", known.getvalue()), ("labels", names)):
            archive.writestr(f"{name}.npy", known.getvalue() if content is None else content)
    return path


@pytest.mark.parametrize(
    "scores",
    [
        array_of((10**13, 2)),
        array_of((5 * 10**8, 2)),
        array_of((-1, 2)),
        array_of((2**62, 8)),
        array_of((1, 1), "<f8", b"1"),
        array_of((2, 2), "|V99999999"),
        b"\x93NUMPY\x01\x00\xff\xff" + b"-" * 65_535,
        b"\x93NUMPY\x01\x00\x28\x23" + b"-" * 9000,
        b"\x93NUMPY\x01\x00\x28\x23" + b"(" * 9000,
    ],
    ids=["10 TB", "8 GB", "negative", "overflow", "short", "void", "long header", "minuses", "brackets"],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, scores: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.npz is no \.npz of scores"):
        read_scores(zipped(tmp_path / "a.npz", scores))


def test_what_unpacks_to_very_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_score_files, "_MOST_BYTES", 1 << 20)
    path = zipped(tmp_path / "a.npz", array_of((2, 1 << 18), data=bytes(8 << 19)))
    with pytest.raises(DataError, match=r"scores\.npy unpacks to 4 MiB, far more than it holds"):
        read_scores(path)


class Evil:
    """What a pickle of it does when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("evil"),)


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    labels = io.BytesIO()
    np.save(labels, np.array([Evil(), "b"], dtype=object), allow_pickle=True)
    path = zipped(tmp_path / "a.npz", array_of((2, 2), data=bytes(32)), labels.getvalue())
    plain = tmp_path / "b.npz"
    plain.write_bytes(pickle.dumps(Evil()))
    for of in (path, plain):
        with pytest.raises(DataError, match=r"\.npz is no \.npz of scores"):
            read_scores(of)
    assert sorted(tmp_path.iterdir()) == [path, plain]


def test_a_video_whose_name_is_no_utf_8_is_read_as_it_was_written(tmp_path):
    name = os.fsdecode(b"run/caf\xe9.mp4")
    written = Scores("", ("run", "sit"), (name,), np.array([[0.75, 0.25]]), (("run",),))
    write_scores(tmp_path / "s.json", written, {})
    assert read_scores(tmp_path / "s.json").videos == (name,)


def test_what_numpy_does_not_know_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name in ("labels", "videos", "scores"):
            archive.writestr(name, b"no array")
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("labels.npy", b"packed by LZMA")
    damaged = (tmp_path / "b.npz").read_bytes().replace(b"]\0\0\x80\0", b"\xff\0\0\x80\0")
    (tmp_path / "b.npz").write_bytes(damaged)
    for name in ("a", "b"):
        with pytest.raises(DataError, match=rf"{name}\.npz is no \.npz of scores"):
            read_scores(tmp_path / f"{name}.npz")
