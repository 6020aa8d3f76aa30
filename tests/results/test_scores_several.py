"""Files of scores of videos of several classes, of none, and of classes that nobody knows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attcell.errors import DataError
from attcell.results.scores import SUFFIXES, Scores, read_scores, write_scores
from tests.results.some_scores import assert_same, names, some

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
