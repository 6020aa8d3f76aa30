"""True actions of three kinds of sources, and detections matched with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from attcell.data.truth import DetectionTruth, read_detection_truth
from attcell.errors import CallError, DataError
from attcell.results.detections import DetectionFile, matched
from attcell.synth.truth import Truth, VideoTruth, write_truth
from attcell.types import ActionInstance, Detection, Size


@pytest.fixture
def thumos(tmp_path: Path) -> Path:
    folder = tmp_path / "thumos14"
    lists = folder / "temporal_annotations_test"
    lists.mkdir(parents=True)
    (lists / "Diving_test.txt").write_text("video_test_0000324  1.0 2.0\nvideo_test_0000270  4.0 5.0\n")
    (lists / "Ambiguous_test.txt").write_text("video_test_0000324  7.0 8.0\n")
    (folder / "test_durations.txt").write_text("video_test_0000324.mp4\n20.5\n")
    return folder


def test_thumos14(thumos):
    truth = read_detection_truth(thumos)
    assert (truth.subset, truth.labels) == ("test", ("Diving",))
    assert truth.actions == (
        ActionInstance("video_test_0000270", "Diving", 4.0, 5.0),
        ActionInstance("video_test_0000324", "Diving", 1.0, 2.0),
    )
    assert truth.ambiguous == (ActionInstance("video_test_0000324", "Ambiguous", 7.0, 8.0),)
    assert truth.durations == {"video_test_0000270": None, "video_test_0000324": 20.5}
    less = truth.without(["video_test_0000270"])
    assert [of.video_id for of in less.actions] == ["video_test_0000324"]
    assert less.excluded == ("video_test_0000270",)
    with pytest.raises(CallError, match=r"--exclude x: .* has no such video in test"):
        truth.without(["x"])
    with pytest.raises(CallError, match=r"has no subset 'validation'; it has test"):
        read_detection_truth(thumos, "validation")


def test_activitynet(tmp_path):
    database = {
        "a": {
            "subset": "validation",
            "duration": 9.5,
            "annotations": [{"segment": [1, 2], "label": "Surfing"}],
        },
        "b": {"subset": "testing", "duration": 9.5, "annotations": []},
    }
    (tmp_path / "t.json").write_text(json.dumps({"database": database}))
    truth = read_detection_truth(tmp_path / "t.json")
    assert (truth.subset, truth.durations) == ("validation", {"a": 9.5})
    with pytest.raises(CallError, match=r"has no subset 'test'; it has validation, testing"):
        read_detection_truth(tmp_path / "t.json", "test")
    with pytest.raises(DataError, match=r"no video of testing has an action; there is nothing to judge by"):
        read_detection_truth(tmp_path / "t.json", "testing")


def test_a_generated_set(tmp_path):
    video = VideoTruth("run", 24, ((0.5, 1.0),), np.full((24, 4), np.nan), np.zeros(24, bool))
    names = ("test/run/000.mp4", "train/run/000.mp4")
    write_truth(
        Truth("joined", 0, Size(8, 8), 12.0, ("run",), dict.fromkeys(names, video)), tmp_path / "truth.json"
    )
    for source in (tmp_path, tmp_path / "truth.json"):
        truth = read_detection_truth(source)
        assert truth.actions == (ActionInstance("test/run/000.mp4", "run", 0.5, 1.0),)
        assert truth.durations == {"test/run/000.mp4": 2.0}
    with pytest.raises(CallError, match=r"has no subset 'val'; it has test, train"):
        read_detection_truth(tmp_path, "val")


TRUTH = DetectionTruth(
    "truth",
    "test",
    ("run",),
    (ActionInstance("test/run/000.mp4", "run", 0, 1),),
    (),
    {"test/run/000.mp4": 10.0},
)


def found(*rows: tuple[str, str, float, float], **more: object) -> DetectionFile:
    detections = tuple(Detection(label, start, end, 0.5, video) for video, label, start, end in rows)
    places = tuple(f"f:{n}" for n in range(1, len(rows) + 1))
    videos = tuple(dict.fromkeys(video for video, *_ in rows))
    return DetectionFile("f", detections, places, videos, **more)  # type: ignore[arg-type]


def test_a_path_is_the_video_whose_name_it_ends_with():
    kept, said = matched(found(("/data/set/test/run/000.mp4", "run", 1, 2)), TRUTH)
    assert said == []
    assert [of.video_id for of in kept] == ["test/run/000.mp4"]


def test_what_is_odd_is_named_with_its_place_and_counted():
    rows = [
        ("test/run/000.mp4", "fly", 1, 2),
        ("test/run/000.mp4", "run", 9, 11),
        ("test/run/000.mp4", "run", -1, 2),
        ("elsewhere.mp4", "run", 1, 2),
    ]
    kept, said = matched(found(*rows, failed={"bad.mp4": "empty"}), TRUTH)
    assert len(kept) == 3
    assert said == [
        "1 detections of classes that truth does not have; they do not count:\n  f:1: fly",
        "2 detections reach outside of their video; they count as they are:\n"
        "  f:2: 9 to 11 s in a video of 10 s\n  f:3: -1 to 2 s in a video of 10 s",
        "1 videos that truth does not have in test; what was found there counts as wrong:\n"
        "  f:4: elsewhere.mp4",
        "1 videos could not be read; nothing was found there:\n  bad.mp4: empty",
    ]


def test_of_excluded_videos_nothing_stays_and_nothing_is_said():
    less = TRUTH.without(["test/run/000.mp4"])
    assert matched(found(("test/run/000.mp4", "run", 1, 2)), less) == ([], [])
