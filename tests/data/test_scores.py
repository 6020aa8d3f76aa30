"""Files of scores: written and read alike, and what is wrong in them is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attcell.data.scores import SUFFIXES, Scores, read_scores, write_scores
from attcell.errors import CallError, DataError

LABELS = ("run", "sit, down", "wave")


def some(**changes) -> Scores:
    values = {
        "source": "x",
        "labels": LABELS,
        "videos": ("a b.avi", "ü.mp4"),
        "scores": np.array([[0.2, 0.3, 0.5], [0.7, 0.1, 0.2]]),
        "truth": (("wave",), ("run",)),
    }
    return Scores(**{**values, **changes})


def assert_same(one: Scores, other: Scores) -> None:
    assert (one.labels, one.videos, one.truth) == (other.labels, other.videos, other.truth)
    np.testing.assert_array_equal(one.scores, other.scores)


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


names = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n"), min_size=1, max_size=8)


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


MANY = (("sit, down", "wave"), ())


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("truth", [MANY, ((), ()), (("run", "wave"), ("run",)), (("run",), ())])
def test_several_classes_and_none_are_read_as_written(tmp_path: Path, suffix: str, truth) -> None:
    write_scores(tmp_path / f"s{suffix}", some(truth=truth), {})
    assert_same(read_scores(tmp_path / f"s{suffix}"), some(truth=truth))


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_what_is_not_known_is_told_from_none(tmp_path: Path, suffix: str) -> None:
    for number, truth in enumerate([(None, ()), (MANY[0], None), ((), None)]):
        path = tmp_path / f"{number}{suffix}"
        write_scores(path, some(truth=truth), {})
        assert_same(read_scores(path), some(truth=truth))


def test_several_classes_of_unread_videos(tmp_path: Path) -> None:
    scores = np.full((2, 3), np.nan)
    write_scores(tmp_path / "s.json", some(scores=scores, truth=MANY), {})
    assert read_scores(tmp_path / "s.json").truth == MANY
    content = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert content["unread_labels"] == {"a b.avi": ["sit, down", "wave"], "ü.mp4": []}


@given(st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_number_of_classes_survives(tmp_path: Path, data: st.DataObject) -> None:
    labels = tuple(data.draw(st.lists(names, min_size=1, max_size=4, unique=True)))
    has = data.draw(arrays(bool, (3, len(labels))))
    truth = tuple(
        tuple(name for name, true in zip(labels, row, strict=True) if true)
        if data.draw(st.booleans())
        else None
        for row in has
    )
    found = Scores("x", labels, ("1", "2", "3"), np.ones(has.shape), truth)
    write_scores(tmp_path / "s.json", found, {})
    assert_same(read_scores(tmp_path / "s.json"), found)
    is_single = all(known is None or len(known) == 1 for known in truth)
    if is_single or not any("|" in name for name in labels):
        write_scores(tmp_path / "s.csv", found, {})
        assert_same(read_scores(tmp_path / "s.csv"), found)
    else:
        with pytest.raises(DataError, match="cannot stand in a CSV's column labels"):
            write_scores(tmp_path / "s.csv", found, {})


def test_what_is_written_of_one_class_each_is_as_it_was(tmp_path: Path) -> None:
    write_scores(tmp_path / "s.csv", some(), {})
    assert (tmp_path / "s.csv").read_text(encoding="utf-8") == (
        'video,label,run,"sit, down",wave\na b.avi,wave,0.2,0.3,0.5\nü.mp4,run,0.7,0.1,0.2\n'
    )
    write_scores(tmp_path / "s.json", some(), {})
    content = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert content["videos"]["a b.avi"] == {"label": "wave", "scores": [0.2, 0.3, 0.5]}
    write_scores(tmp_path / "s.npz", some(), {})
    with np.load(tmp_path / "s.npz") as arrays_of:
        assert arrays_of["truth"].tolist() == ["wave", "run"]


def test_the_forms_of_several_classes(tmp_path: Path) -> None:
    write_scores(tmp_path / "s.csv", some(truth=MANY), {})
    assert (tmp_path / "s.csv").read_text(encoding="utf-8") == (
        'video,labels,run,"sit, down",wave\na b.avi,"sit, down|wave",0.2,0.3,0.5\nü.mp4,|,0.7,0.1,0.2\n'
    )
    write_scores(tmp_path / "s.json", some(truth=MANY), {})
    content = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert content["videos"]["a b.avi"]["labels"] == ["sit, down", "wave"]
    assert content["videos"]["ü.mp4"]["labels"] == []
    write_scores(tmp_path / "s.npz", some(truth=MANY), {})
    with np.load(tmp_path / "s.npz") as arrays_of:
        assert arrays_of["truth"].tolist() == [[0, 1, 1], [0, 0, 0]]


def test_a_class_that_cannot_stand_in_a_cell_is_refused_there_alone(tmp_path: Path) -> None:
    found = some(labels=("run|jump", "sit", "wave"), truth=(("run|jump",), ("sit",)))
    write_scores(tmp_path / "s.csv", found, {})
    assert_same(read_scores(tmp_path / "s.csv"), found)
    found = some(labels=("run|jump", "sit", "wave"), truth=(("run|jump", "wave"), ("sit",)))
    (tmp_path / "s.csv").unlink()
    with pytest.raises(
        DataError, match=r"x: the class 'run\|jump' cannot stand .*; rename it, or use \.json"
    ):
        write_scores(tmp_path / "s.csv", found, {})
    assert not (tmp_path / "s.csv").exists()
    write_scores(tmp_path / "s.npz", found, {})
    assert_same(read_scores(tmp_path / "s.npz"), found)


@pytest.mark.parametrize("kind", [bool, float, np.uint8])
def test_numpy_truth_of_any_kind_of_number(tmp_path: Path, kind: type) -> None:
    truth = np.array([[1, 0], [1, 1]], dtype=kind)
    ab = np.array(["a", "b"])
    np.savez(tmp_path / "s.npz", scores=np.eye(2), videos=ab, labels=ab, truth=truth)
    assert read_scores(tmp_path / "s.npz").truth == (("a",), ("a", "b"))


def test_the_classes_come_in_the_labels_order(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("video,labels,a,b\nv,b|a,1,2\n")
    assert read_scores(tmp_path / "s.csv").truth == (("a", "b"),)


def test_columns_of_one_class_and_of_several() -> None:
    assert some().has_one_class_each
    assert some().true_classes().tolist() == [2, 0]
    assert some().truth_matrix().tolist() == [[False, False, True], [True, False, False]]
    found = some(truth=MANY)
    assert not found.has_one_class_each
    assert found.truth_matrix().tolist() == [[False, True, True], [False, False, False]]
    assert not some(truth=(("run",), None)).has_one_class_each


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        (MANY, "x: a b.avi is of 2 classes (sit, down, wave), and accuracy is of videos with one class each"),
        (((), ("run",)), "x: a b.avi is of none of the classes, and accuracy is of videos with one class"),
        ((("run",), None), "x does not say the class of ü.mp4; add it"),
    ],
)
def test_no_column_for_each_video(truth, said: str) -> None:
    with pytest.raises(DataError) as caught:
        some(truth=truth).true_classes()
    assert str(caught.value).startswith(said)


def test_no_matrix_where_something_is_not_known() -> None:
    with pytest.raises(DataError, match=r"x does not say the class of ü\.mp4; add it, or give another file"):
        some(truth=(("run",), None)).truth_matrix()
