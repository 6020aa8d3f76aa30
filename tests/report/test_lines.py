"""The lines that commands print."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from attcell.config.beside import PublishedSection
from attcell.inference.evaluate import Evaluation
from attcell.report.lines import evaluation_lines, prediction_line, training_lines, training_values
from attcell.training.finish import TrainingOutcome
from attcell.training.schedule import ValidationResult
from attcell.training.svm_fit import InnerFigure
from attcell.types import VideoRecord

ATTENTION = np.array([0.1, 0.2, 0.6, 0.1])


def test_the_best_classes_and_the_time_of_most_attention(make_prediction):
    scores = np.array([0.05, 0.125, 0.02, 0.7, 0.0, 0.1, 0.005])
    found = make_prediction(video="a.mp4", scores=scores, temporal_attention=ATTENTION)
    assert prediction_line(found) == (
        "a.mp4: run 70.0 %, jack 12.5 %, walk 10.0 % (most attention at 7.0-9.5 s)"
    )


def test_even_attention_names_no_time(make_prediction):
    found = make_prediction(video="a.mp4", labels=("run",), scores=np.ones(1), temporal_attention=np.ones(4))
    assert prediction_line(found) == "a.mp4: run 100.0 %"


def test_the_figures_come_with_their_protocol():
    records = tuple(VideoRecord(f"{place}.mp4", Path("x"), (place % 2,)) for place in range(4))
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [np.nan, np.nan]])
    evaluation = Evaluation(
        ("run", "sit"), records, scores, {"3.mp4": "damaged"}, (), {"videos": 4, "short_videos": "repeat"}
    )
    assert evaluation_lines(evaluation) == [
        "top1                  75.00 %",
        "mean class accuracy   75.00 %",
        "protocol: videos 4, short videos repeat",
    ]


def test_published_figures_stand_beside_ours():
    records = tuple(VideoRecord(f"{place}.mp4", Path("x"), (place,)) for place in range(2))
    paper = {"source": "a paper, Table 4", "row": "TAN"}
    published = (
        PublishedSection(figure="top1", value=90.0, source="a paper", row="B", note="derived: 91 − 1"),
        PublishedSection(figure="top1", value=92.1, **paper),
        PublishedSection(figure="top1", value=None, **paper),
        PublishedSection(figure="mAP", value=50, **paper),
    )
    evaluation = Evaluation(("run", "sit"), records, np.eye(2), {}, (), {"videos": 2}, published=published)
    assert evaluation_lines(evaluation)[2:6] == [
        "published top1: 90.0 % (a paper, B), ours +10.0 points; derived: 91 − 1",
        "published top1: 92.1 % (a paper, Table 4, TAN), ours +7.9 points",
        "published top1: a number that we do not have (a paper, Table 4, TAN)",
        "published mAP: 50.0 % (a paper, Table 4, TAN)",
    ]


NOTHING = ValidationResult(0)


def outcome_of(best=NOTHING, inside=None, **more):
    return TrainingOutcome(Path("run/model"), best, inside=inside, **{"iterations": 0, **more})


NEXT = ["      attcell predict VIDEO --model run/model --report video.html"]


def test_a_training_ends_with_its_best_metric_and_what_to_do_next():
    best = ValidationResult(300, 0.75, 0.6, (0.6278, 0.8422))
    outcome = outcome_of(best, iterations=1500, num_val=60, epochs=(12.0, 60.0), has_test=True)
    assert training_lines(outcome, 192.4) == [
        "best validation accuracy: 75.0 % of 60 videos (95 % interval 62.8 to 84.2)",
        "kept: iteration 300 of 1500, epoch 12.0 of 60.0",
        "time: 3:12",
        "model: run/model",
        "next: attcell test run/model",
        *NEXT,
    ]
    assert training_values(outcome, 192.4) == {
        "model": "run/model",
        "accuracy": 75.0,
        "interval": [62.78, 84.22],
        "num_videos": 60,
        "iteration": 300,
        "iterations": 1500,
        "epoch": 12.0,
        "epochs": 60.0,
        "svm": None,
        "seconds": 192.4,
    }


def test_a_training_without_validation_says_so():
    lines = training_lines(outcome_of(ValidationResult(8), iterations=8, epochs=(1.0, 1.0)), 5)
    assert lines[0] == "no validation videos: the last network is kept (data.val_fraction=0.2 holds some out)"
    assert lines[4] == "next: attcell test run/model --data TEST_VIDEOS"


def test_an_svm_says_how_it_did_inside():
    inside = InnerFigure(0.8, "accuracy", "9 groups, one left out", (0.7, 0.9), 2.0)
    lines = training_lines(outcome_of(inside=inside), 61)
    assert lines[0] == (
        "SVM, accuracy inside the training videos: 80.0 % (95 % interval 70.0 to 90.0), by 9 groups, one "
        "left out"
    )
    assert lines[1] == "time: 1:01"
    assert training_values(outcome_of(inside=inside), 61)["svm"] == {
        "measure": "accuracy",
        "value": 80.0,
        "interval": [70.0, 90.0],
        "validation": "9 groups, one left out",
    }
