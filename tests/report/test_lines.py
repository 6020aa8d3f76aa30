"""The lines that commands print."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from attcell.config.beside import PublishedSection
from attcell.inference.evaluate import Evaluation
from attcell.report.lines import evaluation_lines, prediction_line
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
