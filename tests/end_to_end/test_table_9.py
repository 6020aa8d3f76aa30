"""STAN's Table IX in miniature: from lists of videos to the mAP of found actions, by one command."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Run

TINY = (
    "model.streams.frame.backbone=small",
    "model.streams.frame.tap=null",
    "model.streams.frame.weights=none",
    "model.streams.frame.conv6_channels=4",
    "model.streams.flow.backbone=small",
    "model.streams.flow.tap=null",
    "model.streams.flow.weights=none",
    "model.streams.flow.conv6_channels=4",
    "model.streams.clip.backbone=small3d",
    "model.streams.clip.weights=none",
    "model.streams.clip.conv6_channels=4",
    "model.lstm_hidden=8",
    "flow.method=dis",
    "flow.fields=2",
    "flow.store=none",
    "clip.frames=4",
    "input.size=32",
    "input.short_side=36",
    "segments.train=2",
    "data.workers=0",
    "train.accelerator=cpu",
    "train.iterations=2",
    "train.batch_size=2",
    "train.accumulate=1",
)
BARS = ("0.1", "0.2", "0.3", "0.4", "0.5")
TESTED = Path("runs") / "stan-table-9-thumos14-three" / "split1-seed0" / "test-test"


@pytest.fixture(scope="module")
def words(miniature) -> tuple[str, ...]:
    folder = miniature("thumos14_detection")
    places = f"data.root={folder / 'videos'}", f"data.annotations={folder / 'lists'}"
    return ("protocol", "stan-table-9", *places, *TINY, "--out", "runs")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_command_from_the_videos_to_the_table(attcell: Run, words, miniature, tmp_path):
    done = attcell(*words)
    ours, stan, *rivals = rows_of(tmp_path / "runs" / "table.csv")
    assert (ours["run"], ours["dataset"], ours["videos"]) == (
        "stan-table-9-thumos14-three",
        "thumos14_detection",
        "5",
    )
    assert all(0 <= float(ours[f"map@{bar}_mean"]) <= 100 for bar in (*BARS,))
    both = [ours[f"map{of}@{bar}_mean"] for of in ("", "_annotated") for bar in BARS]
    assert both[:5] == both[5:]  # but for the excluded videos all have an action
    assert 0 <= float(ours["mAP_mean"]) <= 100
    assert (stan["kind"], stan["source"]) == ("published", "STAN paper (IEEE TMM 2019), Table IX")
    assert [rival["run"] for rival in rivals][:2] == ["UntrimmedNets", "STPN on UntrimmedNets' features"]
    assert [float(rivals[0][f"map_annotated@{bar}_mean"]) for bar in BARS] == [44.4, 37.7, 28.2, 21.1, 13.7]
    assert {rival[f"map@{bar}_mean"] for rival in rivals for bar in BARS} == {""}, "of other videos"
    assert all("on the annotated test videos alone" in rival["notes"] for rival in rivals)
    assert "1 of 5 videos are of none of the classes, and left out: a softmax has nothing to" in done.stderr
    assert "| lost | lost | lost | lost | lost |" in done.stdout
    scores = json.loads((tmp_path / TESTED / "scores.json").read_text())
    assert (
        "paper: k above 0.01 and the segment classifier's score above 0.4" in scores["protocol"]["detection"]
    )
    assert (
        "excluded video_test_0000270, video_test_0001292, video_test_0001496"
        in (scores["protocol"]["detection"])
    )
    judged_alike(attcell, miniature, tmp_path, ours)

    # Another rule is another question to the same network: neither trained nor gone through again.
    model = tmp_path / TESTED.parent / "model" / "model.safetensors"
    trained = model.stat().st_mtime_ns
    kept = sorted((tmp_path / TESTED / "kept").rglob("*.npz"))
    again = attcell(*words, "detection.rule=relative")
    assert "run 1 of 1" in again.stderr
    assert model.stat().st_mtime_ns == trained
    assert sorted((tmp_path / TESTED / "kept").rglob("*.npz")) == kept
    (relative, *_) = rows_of(tmp_path / "runs" / "table.csv")
    assert "relative: relative attention × class score above" in relative["protocol_detection"]
    judged_alike(attcell, miniature, tmp_path, relative)
    assert "1 of 1 runs are done already" in attcell(*words, "detection.rule=relative").stderr


def judged_alike(attcell: Run, miniature, tmp_path: Path, row: dict[str, str]) -> None:
    """The table's metrics are those that the file of detections comes to by itself."""
    lists = miniature("thumos14_detection") / "lists"
    faulty = [word for number in (270, 1292, 1496) for word in ("--exclude", f"video_test_{number:07d}")]
    attcell(
        *("score", "detection", TESTED / "detections.json", "--truth", lists, "--protocol", "thumos"),
        *(*faulty, "--thresholds", ",".join(BARS), "--json", "judged.json"),
    )
    (judged,) = json.loads((tmp_path / "judged.json").read_text())["files"]
    found = [100 * value for value in judged["protocols"][0]["mAP"]]
    assert [float(row[f"map@{bar}_mean"]) for bar in BARS] == pytest.approx(found, abs=1e-4)


@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        ("detection.exclude=[video_test_9]", 2, "detection.exclude video_test_9: "),
        ("detection.truth=nowhere", 2, "nowhere"),
        ("detection.rule=mine", 2, "detection.rule: Input should be 'relative', 'paper'"),
        (
            "detection.rules=paper",
            2,
            "detection.rules: unknown key; did you mean 'rule'? allowed: rule, every",
        ),
        ("detection.thresholds=[0.0]", 2, "detection.thresholds.0: Input should be greater than 0"),
        ("model.classifier=svm", 2, "detection needs a network that scores each segment by itself"),
    ],
)
def test_what_cannot_be_asked_is_told_before_any_work(attcell: Run, words, tmp_path, given, status, message):
    assert message in attcell(*words, given, status=status).stderr
    assert not (tmp_path / "runs").exists()


def test_ones_own_videos_with_known_times(attcell: Run, recipe, videos, tmp_path):
    """Of generated videos the set itself is the truth."""
    words = ("protocol", recipe, f"detection.truth={videos}", "train.iterations=2", "--out", "runs")
    attcell(
        *words,
        "detection.every=20",
        "detection.rule=stpn",
        "detection.protocol=activitynet",
        "detection.thresholds=[0.5]",
    )
    (row,) = rows_of(tmp_path / "runs" / "table.csv")
    assert 0 <= float(row["map@0.5_mean"]) <= 100
    assert f"test of {videos}: 8 videos" in row["protocol_detection"]
    assert "protocol: activitynet, IoU at least the threshold" in row["protocol_detection"]
