"""The figures of a file of scores, and the rules that are said beside them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from attcell.errors import DataError
from attcell.report.lines import recognition_lines
from attcell.results.recognition_metrics import recognition_csv, recognition_result
from attcell.results.scores import Scores

NAN = float("nan")
SINGLE = Scores(
    "single.csv",
    ("run", "sit", "wave"),
    ("a", "b", "c", "d"),
    np.array([[0.6, 0.4, 0.0], [0.5, 0.3, 0.2], [0.1, 0.9, 0.0], [NAN, NAN, NAN]]),
    (("run",), ("sit",), ("sit",), ("run",)),
)
# run: a (0.6), b, c, unread d: 1/1 at a, 2/4 at d. sit: c (0.9) 1/1, a, b 2/3. Right: a, c of 4.
SEVERAL = replace(SINGLE, source="several.csv", truth=(("run", "sit"), ("wave",), ("sit",), ("run",)))
# run as above; sit: c, a are its two, so 1; wave: b (0.2) is its one, so 1. Hits at 1: a, c.


def test_one_class_each() -> None:
    result = recognition_result(SINGLE)
    run, sit = (1 + 2 / 4) / 2, (1 + 2 / 3) / 2
    assert result.figures == pytest.approx(
        {"top1": 50, "mean_class_accuracy": 50, "mAP": 100 * (run + sit) / 2}
    )
    assert recognition_lines(result) == [
        "single.csv: top1 50.00 %, mean class accuracy 50.00 %, mAP 79.17 %",
        "sit  AP  83.33 % of 2 positives",
        "run  AP  75.00 % of 2 positives",
        "protocol: 4 videos, unread 1, one class a video, "
        "accuracy: unread videos are wrong, of tied classes the first comes first, "
        "AP not interpolated, ties count together, unread videos last, "
        "mean over 2 of 3 classes with positives",
    ]


def test_several_classes() -> None:
    result = recognition_result(SEVERAL)
    assert result.figures == pytest.approx({"mAP": 100 * (0.75 + 1 + 1) / 3, "top1": 50})
    assert recognition_lines(result) == [
        "several.csv: mAP 91.67 %, top1 50.00 %",
        "sit  AP 100.00 % of 2 positives",
        "wave AP 100.00 % of 1 positives",
        "run  AP  75.00 % of 2 positives",
        "protocol: 4 videos, unread 1, any number of classes a video, "
        "AP not interpolated, ties count together, unread videos last, "
        "mean over 3 of 3 classes with positives, "
        "top k: any true class among the k best, unread videos are wrong",
    ]


def test_no_hit_where_a_video_has_no_class() -> None:
    result = recognition_result(replace(SEVERAL, truth=(("run", "sit"), (), (), ("run",))))
    assert list(result.figures) == ["mAP"]
    assert recognition_lines(result)[-1].endswith(
        "mean over 2 of 3 classes with positives, no top k, because 2 videos are of none of the classes"
    )


@pytest.mark.parametrize(("num_classes", "more"), [(5, []), (6, ["5"])])
def test_five_best_of_six_classes(num_classes: int, more: list[str]) -> None:
    labels = tuple("abcdef"[:num_classes])
    found = Scores("x", labels, ("1", "2"), np.eye(num_classes)[:2], (("a",), ("b",)))
    assert list(recognition_result(found).figures) == [
        "top1", *(f"top{k}" for k in more), "mean_class_accuracy", "mAP",
    ]  # fmt: skip
    found = replace(found, truth=(("a",), ("a", "b")))
    assert list(recognition_result(found).figures) == ["mAP", "top1", *(f"top{k}" for k in more)]


def test_what_cannot_be_is_an_error() -> None:
    with pytest.raises(DataError, match=r"^single\.csv does not say the class of b; add it"):
        recognition_result(replace(SINGLE, truth=(("run",), None, ("sit",), ("run",))))
    with pytest.raises(
        DataError, match=r"^single\.csv: no video is of any of the 3 classes, so there is no f"
    ):
        recognition_result(replace(SINGLE, truth=((),) * 4))


def test_the_same_in_plain_types() -> None:
    content = json.loads(json.dumps(recognition_result(SINGLE).to_dict(), allow_nan=False))
    assert content["file"] == "single.csv"
    assert (content["videos"], content["unread"]) == (4, ["d"])
    assert content["figures"]["top1"] == 50
    assert content["classes"] == [
        {"class": "run", "positives": 2, "ap": 75.0},
        {"class": "sit", "positives": 2, "ap": pytest.approx(83.3333, abs=1e-4)},
        {"class": "wave", "positives": 0, "ap": None},
    ]
    assert content["protocol"]["ap"].endswith("mean over 2 of 3 classes with positives")


def test_a_table_of_every_class_of_every_file() -> None:
    assert recognition_csv([recognition_result(SINGLE), recognition_result(SEVERAL)]) == (
        "file,class,positives,ap\n"
        "single.csv,sit,2,83.3333\n"
        "single.csv,run,2,75.0000\n"
        "single.csv,wave,0,\n"
        "several.csv,sit,2,100.0000\n"
        "several.csv,wave,1,100.0000\n"
        "several.csv,run,2,75.0000\n"
    )
