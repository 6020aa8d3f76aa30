"""The linear SVM is scikit-learn's, chosen inside the training videos; and what is left out together then."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from attcell.data.folds import make_folds
from attcell.errors import CallError, ModelError
from attcell.training.svm_fit import (
    CHOICES,
    InnerFigure,
    SVMChoice,
    _with_room,
    best_sharpness,
    choose_and_fit,
    fit_svm,
)
from attcell.training.svm_solver import solve

LONG_AND_SHORT = [SVMChoice(False, 0.01), SVMChoice(False, 1.0), SVMChoice(True, 10.0)]


def videos(num=30, dim=8, num_classes=3, spread=1.0, seed=0):
    """Representations of very different scales, some of them of no use, and their classes in turn."""
    generator = np.random.default_rng(seed)
    labels = np.arange(num) % num_classes
    rows = generator.normal(size=(num_classes, dim))[labels] + spread * generator.normal(size=(num, dim))
    rows *= generator.uniform(0.1, 10, dim)
    rows[:, 0] = 3.0
    return rows.astype(np.float32), labels


def one_hot(labels, num_classes=None):
    return np.eye(num_classes or max(labels) + 1, dtype=bool)[labels]


def pipeline(choice):
    """scikit-learn's own, in all dimensions."""
    length = [Normalizer()] if choice.unit_length else []
    svm = LinearSVC(C=choice.c, dual=False, tol=1e-9, max_iter=100_000)
    return make_pipeline(StandardScaler(), *length, OneVsRestClassifier(svm))


def margins_of(svm, rows):
    return svm(torch.from_numpy(rows)).numpy()


@pytest.mark.parametrize("dim", [8, 200], ids=["fewer numbers than videos", "more"])
@pytest.mark.parametrize("choice", LONG_AND_SHORT)
def test_margins_are_scikit_learns_in_all_dimensions(dim, choice):
    rows, labels = videos(dim=dim)
    others, _ = videos(seed=1, dim=dim)
    expected = pipeline(choice).fit(rows.astype(float), labels).decision_function(others.astype(float))
    svm = fit_svm(rows, one_hot(labels), choice)
    np.testing.assert_allclose(margins_of(svm, others), expected, rtol=1e-3, atol=1e-3)
    assert svm.unit_length.item() == choice.unit_length


def test_videos_of_several_classes():
    rows, labels = videos(num=40, dim=100, num_classes=4)
    truth = one_hot(labels)
    truth[labels == 1, 2] = True  # the videos of 1 are of 2 as well
    choice = SVMChoice(False, 0.1)
    expected = pipeline(choice).fit(rows.astype(float), truth.astype(int)).decision_function(rows)
    np.testing.assert_allclose(margins_of(fit_svm(rows, truth, choice), rows), expected, rtol=1e-3, atol=1e-3)


def test_a_class_of_no_video_and_one_of_all_have_constant_margins():
    rows, labels = videos(num_classes=2)
    truth = np.column_stack([labels == 0, np.zeros(30, bool), labels == 1, np.ones(30, bool)])
    _, svm, figure = choose_and_fit(rows, truth, (), 0)
    found = margins_of(svm, videos(seed=1)[0])
    assert (found[:, 1] == -1).all()
    assert (found[:, 3] == 1).all()
    assert found[:, 0].std() > 0
    assert figure.measure == "mAP"


def expected_figures(rows, truth, folds, measure):
    """Each choice's figure, by scikit-learn's own pipelines in all dimensions and a plain loop."""
    figures = {}
    for choice in CHOICES:
        margins = np.zeros(truth.shape)
        for fold in folds.left_out:
            kept = [place for place in range(len(rows)) if place not in fold]
            fitted = pipeline(choice).fit(rows[kept].astype(float), truth[kept].astype(int))
            margins[fold] = fitted.decision_function(rows[fold].astype(float))
        if measure == "accuracy":
            figures[choice] = np.mean(margins.argmax(1) == truth.argmax(1))
        else:
            figures[choice] = np.mean(
                [average_precision_score(t, m) for t, m in zip(truth.T, margins.T, strict=True) if t.any()]
            )
    return figures


@pytest.mark.parametrize(("dim", "spread"), [(8, 3.0), (80, 6.0)])
@pytest.mark.parametrize("measure", ["accuracy", "mAP"])
@pytest.mark.parametrize("num_groups", [0, 3, 12])
def test_the_choice_is_that_of_a_plain_cross_validation(dim, spread, measure, num_groups):
    rows, labels = videos(num=48, dim=dim, spread=spread)
    truth = one_hot(labels)
    if measure == "mAP":
        truth[:, 0] |= np.arange(48) % 5 == 0
    groups = [str(place // 4 % num_groups) for place in range(48)] if num_groups else []
    folds = make_folds(truth, groups, 5)
    figures = expected_figures(rows, truth, folds, measure)
    choice, svm, figure = choose_and_fit(rows, truth, groups, 5)
    assert figure.value == pytest.approx(max(figures.values()), abs=1e-9)
    assert figures[choice] == pytest.approx(max(figures.values()), abs=1e-9)
    assert (figure.measure, figure.validation) == (measure, folds.described)
    again = fit_svm(rows, truth, choice)
    for key, value in svm.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])
    assert 0.3 < figure.value < 1, "there was something to choose"


def test_of_equal_choices_the_first_is_taken():
    rows, labels = videos(spread=0.01)
    choice, _, figure = choose_and_fit(rows, one_hot(labels), (), 0)
    assert (choice, figure.value) == (CHOICES[0], 1.0)


def test_what_is_left_out_has_no_part_in_its_own_fold():
    """Labels that groups alone give away: a leak would be seen as accuracy above chance."""
    generator = np.random.default_rng(3)
    groups = np.repeat(np.arange(8), 6)
    rows = (generator.normal(size=(8, 60)) * 10)[groups] + generator.normal(size=(48, 60))
    truth = one_hot(groups % 2)
    known = choose_and_fit(rows.astype(np.float32), truth, [str(group) for group in groups], 0)[2]
    unknown = choose_and_fit(rows.astype(np.float32), truth, (), 0)[2]
    assert unknown.value == 1, "other videos of the group give the class away"
    assert known.value < 0.8


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        (["a"] * 3, "all training videos are of one group, a, and none is left to validate by"),
        ([], "no class has two training videos to validate by"),
    ],
)
def test_without_validation_the_first_choice_is_taken_and_said(capsys, groups, reason):
    rows, labels = videos(num=3)
    choice, svm, figure = choose_and_fit(rows, one_hot(labels), groups, 0)
    assert choice == CHOICES[0]
    assert figure == InnerFigure(None, "accuracy", reason)
    assert f"linear SVM: {reason}, so its C is 0.001 by default" in capsys.readouterr().err
    assert (margins_of(svm, rows).argmax(1) == labels).all()


def test_one_video_is_enough():
    _, svm, figure = choose_and_fit(np.ones((1, 4), np.float32), np.array([[True, False]]), (), 0)
    assert figure.value is None
    assert margins_of(svm, np.ones((2, 4), np.float32)).tolist() == [[1, -1], [1, -1]]


@pytest.mark.parametrize(("num", "rows", "num_groups"), [(0, 0, 0), (3, 2, 0), (3, 3, 2), (3, 3, 4)])
def test_other_numbers_of_rows_are_refused(num, rows, num_groups):
    with pytest.raises(CallError) as caught:
        choose_and_fit(np.ones((num, 2), np.float32), np.ones((rows, 2), bool), ["a"] * num_groups, 0)
    assert str(caught.value) == (
        f"{num} representations, {rows} rows of truth and {num_groups} groups; give at least one "
        "representation, and for each a row of truth and a group, or no groups at all"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_broken_representations_are_refused(value):
    rows, labels = videos()
    rows[4, 2] = value
    with pytest.raises(ModelError) as caught:
        choose_and_fit(rows, one_hot(labels), (), 0)
    assert str(caught.value) == (
        "1 of 30 representations are not finite numbers, first that at place 4: the network's weights are "
        "broken; load others"
    )


def test_the_solver_sees_no_more_dimensions_than_videos(monkeypatch):
    seen = []

    def looked_at(videos, *arguments):
        seen.append(tuple(videos.gram.shape))
        return solve(videos, *arguments)

    monkeypatch.setattr("attcell.training.svm_fit.solve", looked_at)
    rows, labels = videos(num=27, dim=32_768)
    choose_and_fit(rows, one_hot(labels), [str(place % 3) for place in range(27)], 0)
    assert set(seen) == {(18, 18), (27, 27)}


def test_videos_that_can_be_told_apart_without_a_mistake_come_to_an_end(capsys):
    rows, labels = videos(num=80, dim=3000, num_classes=8)
    for choice in CHOICES:
        margins = margins_of(fit_svm(rows, one_hot(labels), choice), rows)
        assert (margins.argmax(1) == labels).all()
    assert capsys.readouterr().err == ""


def test_a_solver_that_was_stopped_is_named(monkeypatch, capsys):
    monkeypatch.setattr("attcell.training.svm_solver.MOST_STEPS", 0)
    rows, labels = videos(spread=3.0)
    truth = np.column_stack([one_hot(labels), np.zeros(30, bool)])
    fit_svm(rows, truth, CHOICES[3])
    assert "linear SVM: 3 of 4 classes are not at their end after 0 steps" in capsys.readouterr().err


def test_so_are_those_of_the_validation(monkeypatch, capsys):
    monkeypatch.setattr("attcell.training.svm_solver.MOST_STEPS", 0)
    rows, labels = videos(spread=3.0)
    choose_and_fit(rows, one_hot(labels), (), 0)
    said = capsys.readouterr().err
    assert "linear SVM: 105 of 105 classes of the validation are not at their end after 0 steps" in said
    assert "linear SVM: 3 of 3 classes are not at their end after 0 steps" in said


def test_a_gpu_without_room_is_left_alone(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2**30, 2**34))
    gpu = torch.device("cuda")
    assert _with_room(gpu, 7_000) == gpu
    assert capsys.readouterr().err == ""
    assert _with_room(gpu, 9_537) == torch.device("cpu")
    assert capsys.readouterr().err == (
        "linear SVM: 1.7 GiB for the products of 9537 videos, and the GPU has 1.0 GiB free; "
        "the CPU computes\n"
    )


def test_what_is_fitted_to_videos_is_fitted_anew_without_those_left_out():
    """A representation that knows whether it was fitted to a video: its own class, if it was."""
    rows, labels = videos(num=40, num_classes=2, spread=5.0)
    truth, asked = one_hot(labels), []

    def refitted(places):
        asked.append(tuple(places))
        known = np.isin(np.arange(40), places)
        return np.column_stack([rows, np.where(known, labels * 10, 5)]).astype(np.float32)

    everything = refitted(np.arange(40))
    folds = make_folds(truth, (), 0)
    asked.clear()
    choice, svm, honest = choose_and_fit(everything, truth, (), 0, refitted=refitted)
    assert asked == [tuple(np.setdiff1d(np.arange(40), fold)) for fold in folds.left_out]
    assert honest.value < 0.8, "the number that gives the class away is not there for those left out"
    assert choose_and_fit(everything, truth, (), 0)[2].value == 1
    expected = fit_svm(everything, truth, choice).state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in svm.state_dict().items())


def test_large_seeds_are_taken():
    rows, labels = videos()
    assert choose_and_fit(rows, one_hot(labels), (), 2**63 - 1)[2].value is not None


def test_a_single_class_that_is_open():
    rows, labels = videos(num_classes=2)
    truth = np.column_stack([np.ones(30, bool), labels == 0])
    svm = fit_svm(rows, truth, SVMChoice(False, 1.0))
    margins = margins_of(svm, rows)
    assert (margins[:, 0] == 1).all()
    assert ((margins[:, 1] > 0) == truth[:, 1]).mean() > 0.8


def test_a_class_that_a_fold_lacks_has_a_constant_margin_there():
    """Two groups of one class each: without one group the other's class is all there is, or is not there."""
    rows, labels = videos(num=30, num_classes=2)
    _, svm, figure = choose_and_fit(rows, one_hot(labels), [f"actor {label}" for label in labels], 0)
    assert figure.value == 0, "the class of the videos that are left out was never seen"
    assert (margins_of(svm, rows).argmax(1) == labels).mean() > 0.8


@pytest.mark.parametrize(("numbers_at_once", "videos_at_once"), [(1, 200), (7, 5), (200, 12)])
def test_how_much_is_taken_at_once_is_of_no_account(monkeypatch, numbers_at_once, videos_at_once):
    rows, labels = videos(num=48, dim=60, spread=4.0)
    choice, svm, figure = choose_and_fit(rows, one_hot(labels), (), 0)
    monkeypatch.setattr("attcell.training.svm_fit.NUMBERS_AT_ONCE", numbers_at_once)
    monkeypatch.setattr("attcell.training.svm_fit.VIDEOS_AT_ONCE", videos_at_once)
    again = choose_and_fit(rows, one_hot(labels), (), 0)
    assert (again[0], again[2]) == (choice, figure)
    np.testing.assert_allclose(margins_of(again[1], rows), margins_of(svm, rows), atol=1e-4)


def test_the_sharpness_is_the_likeliest_one():
    generator = np.random.default_rng(0)
    true, margins = 2.5, generator.normal(size=(4000, 3))
    chances = np.exp(true * margins) / np.exp(true * margins).sum(axis=1, keepdims=True)
    labels = (chances.cumsum(axis=1) < generator.random((4000, 1))).sum(axis=1)
    assert best_sharpness(margins, one_hot(labels, 3)) == pytest.approx(true, rel=0.1)
    assert best_sharpness(-margins, one_hot(labels, 3)) == pytest.approx(0.01, rel=0.1)
