"""Rows that begin with other rows' models: one command trains what comes first and what begins with it."""

from __future__ import annotations

import csv
from pathlib import Path

from attcell.models.folder import read_recipe
from tests.end_to_end.conftest import Run

TINY = (
    "model.streams.frame.backbone=small",
    "model.streams.flow.backbone=small",
    "model.weights=none",
    "model.lstm_hidden=8",
    "flow.method=dis",
    "flow.store=none",
    "input.size=32",
    "input.short_side=36",
    "segments.train=2",
    "segments.test=2",
    "segments.crops=1",
    "data.workers=0",
    "train.accelerator=cpu",
    "train.iterations=2",
    "train.batch_size=2",
    "train.accumulate=1",
)
ROWS = ("ucf101-cnn-stage", "ucf101-cnn-on-target", "hmdb51-tan-on-ucf101")


def places(folder: Path, pattern: str = "") -> tuple[str, str]:
    """Where a miniature's videos and lists lie, for the rows that fit a pattern."""
    return f"{pattern}data.root={folder / 'videos'}", f"{pattern}data.annotations={folder / 'lists'}"


def model_of(folder: Path, row: str) -> Path:
    """The model that a row's run gives."""
    return folder / "runs" / f"tan-table-1-{row}" / "split1-seed0" / "model"


def runs_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["kind"] == "run"]


def test_three_stages_of_two_data_sets_in_one_command(attcell: Run, miniature, tmp_path):
    words = (
        *("protocol", "tan-table-1", "--rows", ROWS[-1], *TINY, *places(miniature("hmdb51"))),
        *(*places(miniature("ucf101"), "ucf101-*:"), "--out", "runs"),
    )
    done = attcell(*words)
    rows = runs_of(tmp_path / "runs" / "table.csv")
    assert [row["run"] for row in rows] == [f"tan-table-1-{name}" for name in ROWS]
    assert [row["dataset"] for row in rows] == ["ucf101", "ucf101", "hmdb51"]
    cnn, tan, last = (model_of(tmp_path, name) for name in ROWS)
    begun = read_recipe(tan)
    assert {stream.weights for stream in begun.model.streams.values()} == {str(cnn)}
    assert read_recipe(last).model.init_from == tan
    assert "| TAN, TAN on UCF101 (published) | hmdb51 |" in done.stdout
    assert "run 3 of 3" in done.stderr
    assert "3 of 3 runs are done already" in attcell(*words).stderr


def test_what_a_stage_of_another_data_set_lacks_is_told_before_any_work(attcell: Run, miniature, tmp_path):
    words = ("protocol", "tan-table-1", "--rows", ROWS[-1], *TINY, *places(miniature("hmdb51")))
    said = attcell(*words, "--out", "runs", status=2).stderr
    assert said.startswith("attcell: 2 of 3 rows leave something open (???):\n")
    assert (
        "  tan-table-1, row ucf101-cnn-on-target (what tan-table-1, row hmdb51-tan-on-ucf101 begins with): "
        "data.annotations, data.root\n" in said
    )
    assert "ucf101-cnn-stage:data.annotations=VALUE' for those of this name" in said
    assert not (tmp_path / "runs").exists()


def test_one_run_alone_says_what_comes_first(attcell: Run, miniature, tmp_path):
    words = ("train", "tan-table-1", "--row", "ucf101-cnn-on-target", *TINY, *places(miniature("ucf101")))
    said = attcell(*words, status=2).stderr
    assert "begins with what another row gives: model.streams.frame.weights is tan-table-1#ucf101-cnn" in said
    assert "attcell train tan-table-1 --row ucf101-cnn-stage" in said
    assert list(tmp_path.iterdir()) == []


def test_a_row_that_is_not_there_is_answered_with_close_ones_and_how_to_list_all(attcell: Run):
    said = attcell("protocol", "stan-table-1", "--rows", "ucf101-frame-tan", status=2).stderr
    assert said.startswith("attcell: no row is called ucf101-frame-tan; did you mean 'ucf101-frame-stan' or ")
    assert said.rstrip().endswith("… (54 rows; attcell protocol stan-table-1 --list names them all)")
