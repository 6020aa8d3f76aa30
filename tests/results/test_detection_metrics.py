"""Detections matched with true actions."""

from __future__ import annotations

from attcell.data.truth import DetectionTruth
from attcell.results.detection_metrics import matched
from attcell.results.detections import DetectionFile
from attcell.types import ActionInstance, Detection

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
