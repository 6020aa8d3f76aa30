"""TAN+ in miniature: a row of TAN with the scores of another tool runs to the fused metric by one command."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.conftest import Run
from tests.end_to_end.test_stages import TINY, places

ROW = "hmdb51-cnn-on-imagenet"
RUN = Path("runs") / f"tan-table-1-{ROW}"
TESTED = [  # of each split, as attcell calls them
    [f"{label}/Some Film_{label}_u_nm_np1_ba_goo_{split}.avi" for label in ("brush_hair", "wave")]
    for split in (1, 2, 3)
]


@pytest.fixture
def words(miniature) -> tuple[str, ...]:
    return (
        *("protocol", "tan-table-1", "--rows", ROW, *TINY, *places(miniature("hmdb51"))),
        *("--out", "runs"),
    )


def write_scores(path: Path, rows: dict[str, list[float]], labels: str = "brush_hair,wave") -> str:
    """Another tool's file, and the override that names it."""
    lines = [f"{video},{','.join(map(str, row))}" for video, row in rows.items()]
    path.write_text("\n".join([f"video,{labels}", *lines, ""]))
    return f"fuse.scores={path.name}"


def row_of(path: Path) -> dict[str, str]:
    with path.open(newline="") as file:
        return next(csv.DictReader(file))


def test_the_fused_metric_stands_beside_the_networks(attcell: Run, words, tmp_path):
    right = {TESTED[0][0]: [0.9, 0.1], TESTED[0][1]: [0.1, 0.9]}
    given = write_scores(tmp_path / "mifs.csv", right)
    done = attcell(*words, given, "fuse.weights=[0.0,1.0]")
    row = row_of(tmp_path / "runs" / "table.csv")
    assert float(row["top1_fused_mean"]) == 100.0
    assert row["protocol_fused"] == "with mifs.csv, weights 0.00 and 1.00 (given)"
    assert "| TAN+, CNN on ImageNet (published) |" in done.stdout
    tested = tmp_path / RUN / "split1-seed0" / "test-test"
    model = tested.parent / "model" / "model.safetensors"
    trained = model.stat().st_mtime_ns

    # Both alike by default, as attcell score fuse has it; and nothing is trained again.
    done = attcell(*words, given)
    assert "run 1 of 1" in done.stderr
    assert model.stat().st_mtime_ns == trained
    row = row_of(tmp_path / "runs" / "table.csv")
    assert row["protocol_fused"] == "with mifs.csv, weights 0.50 and 0.50 (all alike)"
    fused = attcell("score", "fuse", tested / "scores.json", "mifs.csv", "--out", "by-hand.json").stdout
    assert f"top1 {float(row['top1_fused_mean']):.2f} %" in fused.splitlines()[2]
    ours, by_hand = (
        {video: of["scores"] for video, of in json.loads(path.read_text())["videos"].items()}
        for path in (tested / "fused.json", tmp_path / "by-hand.json")
    )
    assert {video: pytest.approx(row) for video, row in by_hand.items()} == ours

    # Other scores under the same name are another question; and without any, the network's own stand alone.
    write_scores(tmp_path / "mifs.csv", {video: row[::-1] for video, row in right.items()})
    attcell(*words, given, "fuse.weights=[0.0,1.0]")
    assert float(row_of(tmp_path / "runs" / "table.csv")["top1_fused_mean"]) == 0.0
    assert "run 1 of 1" in attcell(*words).stderr
    row = row_of(tmp_path / "runs" / "table.csv")
    assert [key for key in row if "fused" in key and row[key]] == []
    assert not (tested / "fused.json").exists()
    assert model.stat().st_mtime_ns == trained
    assert "1 of 1 runs are done already" in attcell(*words).stderr


def test_each_split_has_its_own_file_and_weights_are_tuned_on_held_out_videos(
    attcell: Run, words, miniature, tmp_path
):
    held_out = (*words, "data.val_fraction=0.34", "segments.crops=1", "--splits", "1,3")
    for split in (1, 3):
        write_scores(tmp_path / f"mifs{split}.csv", {video: [0.5, 0.5] for video in TESTED[split - 1]})
    said = attcell(*held_out, "fuse.scores=mifs{split}.csv", "fuse.tune=val{split}.csv", status=2).stderr
    assert said.startswith("attcell: no scores at val1.csv")
    attcell(*held_out)  # the network's own, to know which videos were held out
    for split in (1, 3):
        model = RUN / f"split{split}-seed0" / "model"
        attcell("test", model, "--split", "val", "--out", "val")
        videos = json.loads((tmp_path / "val" / "scores.json").read_text())["videos"]
        write_scores(
            tmp_path / f"val{split}.csv",
            {video: [0.9, 0.1] if video.startswith("brush") else [0.1, 0.9] for video in videos},
        )
    attcell(*held_out, "fuse.scores=mifs{split}.csv", "fuse.tune=val{split}.csv")
    row = row_of(tmp_path / "runs" / "table.csv")
    assert row["splits"] == "1 3"
    assert "(tuned on 2 validation videos)" in row["protocol_fused"]
    for split in (1, 3):
        fused = json.loads((tmp_path / RUN / f"split{split}-seed0" / "test-test" / "fused.json").read_text())
        assert list(fused["videos"]) == TESTED[split - 1]
        assert f"with mifs{split}.csv, weights " in fused["protocol"]["fused"]


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        (
            {TESTED[0][0]: [0.9, 0.1], "wave/other.avi": [0.1, 0.9]},
            "brush_hair,wave",
            "the video wave/Some Film_wave_u_nm_np1_ba_goo_1.avi is in the test videos and not in mifs.csv",
        ),
        (
            {TESTED[0][0]: [0.9, 0.1], TESTED[0][1]: [0.1, 0.9]},
            "brush_hair,waves",
            "the class wave is in the test videos and not in mifs.csv (and 1 more differ)",
        ),
        (
            {TESTED[0][0]: [0.9, 0.1], TESTED[0][1]: [np.nan, np.nan]},
            "brush_hair,wave",
            "mifs.csv",
        ),
        (
            {TESTED[0][0]: [0.9, 0.1], TESTED[0][1]: ["", ""]},
            "brush_hair,wave",
            f"mifs.csv has no scores of {TESTED[0][1]} (empty or NaN; 1 such videos)",
        ),
        (
            {TESTED[0][0]: [9, 1], TESTED[0][1]: [1, 9]},
            "brush_hair,wave",
            "mifs.csv holds no probabilities",
        ),
    ],
)
def test_a_file_that_cannot_be_fused_is_told_before_any_training(
    attcell: Run, words, tmp_path, rows, labels, message
):
    given = write_scores(tmp_path / "mifs.csv", rows, labels)
    assert message in attcell(*words, given, status=1).stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("fuse.scores=none.csv",), "no scores at none.csv; give a file such as attcell test writes"),
        (("fuse.softmax=true",), "fuse.scores: Field required"),
        (("fuse.scores=a.csv", "fuse.weights=[0.0,0.0]"), "fuse: weights are both 0; give what the network"),
        (("fuse.scores=a.csv", "fuse.weights=[1.0]"), "fuse.weights"),
        (("fuse.scores=a.csv", "fuse.tune=b.csv"), "fuse.tune needs validation videos; give data.val or"),
        (
            ("fuse.scores=a.csv", "fuse.tune=b.csv", "fuse.weights=[1.0,1.0]"),
            "fuse: weights and tune exclude each other; keep one",
        ),
    ],
)
def test_a_question_that_is_none_is_named(attcell: Run, words, given, message):
    assert message in attcell(*words, *given, status=2).stderr
