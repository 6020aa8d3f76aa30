"""``attcell score recognition`` as a user calls it, and fusing files of several classes a video."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Run

SINGLE = "video,label,run,sit,wave\na,run,0.6,0.4,0\nb,sit,0.5,0.3,0.2\nc,sit,0.1,0.9,0\n"
SEVERAL = "video,labels,run,sit,wave\na,run|sit,0.6,0.4,0\nb,wave,0.5,0.3,0.2\nc,sit,0.1,0.9,0\n"
TOOL = "video,wave,sit,run\nc,0,0.9,0.1\na,0,0.4,0.6\nb,0.2,0.3,0.5\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, text in (("single", SINGLE), ("several", SEVERAL), ("tool", TOOL)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def test_every_file_by_itself(attcell: Run, files: Path) -> None:
    done = attcell("score", "recognition", "single.csv", "several.csv", "--csv", "ap.csv", "--json", "f.json")
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "single.csv: top1 66.67 %, mean class accuracy 75.00 %, mAP 91.67 %",
        "run  AP 100.00 % of 1 positives",
        "sit  AP  83.33 % of 2 positives",
        "protocol: 3 videos, unread 0, one class a video, "
        "accuracy: unread videos are wrong, of tied classes the first comes first, "
        "AP not interpolated, ties count together, unread videos last, "
        "mean over 2 of 3 classes with positives",
        "",
        "several.csv: mAP 100.00 %, top1 66.67 %",
        "run  AP 100.00 % of 1 positives",
        "sit  AP 100.00 % of 2 positives",
        "wave AP 100.00 % of 1 positives",
        "protocol: 3 videos, unread 0, any number of classes a video, "
        "AP not interpolated, ties count together, unread videos last, "
        "mean over 3 of 3 classes with positives, "
        "top k: any true class among the k best, unread videos are wrong",
        "written: ap.csv, f.json",
    ]
    with (files / "ap.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["run", "sit", "wave"] * 2
    content = json.loads((files / "f.json").read_text())
    assert [one["file"] for one in content["files"]] == ["single.csv", "several.csv"]
    assert content["files"][1]["figures"]["mAP"] == 100


def test_json_on_stdout_is_json_alone(attcell: Run, files: Path) -> None:
    done = attcell("score", "recognition", "single.csv", "--json", "-", "--csv", "ap.csv")
    assert list(json.loads(done.stdout)["files"][0]["figures"]) == ["top1", "mean_class_accuracy", "mAP"]
    assert (files / "ap.csv").is_file()


@pytest.mark.parametrize("name", ["single", "several"])
def test_another_tools_scores_take_the_classes_from_a_file(attcell: Run, files: Path, name: str) -> None:
    own = attcell("score", "recognition", f"{name}.csv").stdout.splitlines()
    done = attcell("score", "recognition", "tool.csv", "--truth", f"{name}.csv").stdout.splitlines()
    assert [own[0], own[-1]] == [done[0].replace("tool", name), done[-1]]
    assert sorted(own) == sorted(line.replace("tool", name) for line in done)


def test_a_truth_without_scores_is_enough(attcell: Run, files: Path) -> None:
    (files / "truth.csv").write_text("video,labels,run,sit,wave\na,run|sit,,,\nb,wave,,,\nc,|,,,\n")
    done = attcell("score", "recognition", "tool.csv", "--truth", "truth.csv")
    assert done.stdout.startswith("tool.csv: mAP 83.33 %\n")
    assert "no top k, because 1 videos are of none of the classes" in done.stdout
    assert done.stderr == ""


def test_other_videos_than_the_truths_are_named(attcell: Run, files: Path) -> None:
    (files / "tool.csv").write_text(TOOL.replace("\nb,", "\nz,"))
    done = attcell("score", "recognition", "tool.csv", "--truth", "single.csv", status=1)
    assert done.stdout == ""
    assert done.stderr.startswith("attcell: tool.csv lacks b, and single.csv lacks z; figures are of all")


def test_without_the_classes_there_are_no_figures(attcell: Run, files: Path) -> None:
    done = attcell("score", "recognition", "single.csv", "tool.csv", status=1)
    assert done.stdout == ""
    assert done.stderr.startswith("attcell: tool.csv does not say the class of c; add it, or give another")


def test_unread_videos_are_named_and_end_with_1(attcell: Run, files: Path) -> None:
    (files / "single.csv").write_text(SINGLE + "d,run,,,\n")
    done = attcell("score", "recognition", "several.csv", "single.csv", "--json", "f.json", status=1)
    assert done.stderr == "attcell: d is unread in single.csv, and counts as wrong and ranks last\n"
    assert "single.csv: top1 50.00 %, mean class accuracy 50.00 %, mAP 79.17 %" in done.stdout
    assert json.loads((files / "f.json").read_text())["files"][1]["unread"] == ["d"]


@pytest.mark.parametrize("words", [("--csv", "single.csv"), ("--json", "single.csv")])
def test_nothing_is_written_over_what_is_read(attcell: Run, files: Path, words: tuple[str, str]) -> None:
    done = attcell("score", "recognition", "tool.csv", "--truth", "single.csv", *words, status=2)
    assert done.stderr.startswith("attcell: single.csv is named twice, and would be written over")
    assert (files / "single.csv").read_text() == SINGLE


def test_help_has_an_example(attcell: Run) -> None:
    assert "Example: attcell score recognition" in attcell("score", "recognition", "--help").stdout


def test_files_of_several_classes_are_fused_by_map(attcell: Run, files: Path) -> None:
    words = ("several.csv", "tool.csv", "--softmax", "--out", "fused.csv")
    done = attcell("score", "fuse", *words)
    assert done.stdout.splitlines() == [
        "several.csv: mAP 100.00 % over 3 of 3 classes, weight 0.50",
        "tool.csv: mAP 100.00 % over 3 of 3 classes, weight 0.50",
        "fused: mAP 100.00 % over 3 of 3 classes",
        "protocol: 2 files, weights all alike, 3 videos, unread 0, "
        "AP not interpolated, ties count together, unread videos last",
        "written: fused.csv",
    ]
    assert (files / "fused.csv").read_text().startswith("video,labels,run,sit,wave\na,run|sit,")


def test_accuracy_by_class_is_of_one_class_each(attcell: Run, files: Path) -> None:
    done = attcell("score", "classes", "several.csv", status=1)
    assert done.stderr == (
        "attcell: several.csv: a is of 2 classes (run, sit), and accuracy is of videos with one class each; "
        "attcell score recognition gives mAP of such a file\n"
    )


def test_fusing_videos_of_no_class(attcell: Run, files: Path) -> None:
    text = SEVERAL.replace("run|sit", "|").replace("b,wave", "b,|").replace("c,sit", "c,|")
    (files / "several.csv").write_text(text)
    done = attcell("score", "fuse", "several.csv", "tool.csv", "--softmax")
    assert "fused: no mAP, because no video is of any of the 3 classes" in done.stdout.splitlines()
