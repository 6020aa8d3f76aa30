"""Where people act: generated truth, UCF101-24's file, and a JSON of one's own."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from attcell.data.truth import generated_boxes, read_boxes, read_detection_truth, video_named
from attcell.errors import CallError, DataError
from attcell.synth.truth import Truth, VideoTruth, write_truth
from attcell.types import ActionInstance, Size

MINE = {
    "format": 1,
    "size": [100, 50],
    "fps": 10,
    "videos": {
        "a": {
            "num_frames": 4,
            "tubes": [
                {"first_frame": 1, "boxes": [[10, 5, 50, 25], None, [20, 5, 60, 25]]},
                {"first_frame": 3, "boxes": [[0, 0, 100, 50], [0, 0, 1, 1]]},
            ],
        }
    },
}


def test_tubes_of_a_json(tmp_path):
    (tmp_path / "b.json").write_text(json.dumps(MINE))
    video = read_boxes(tmp_path / "b.json")["a"]
    nowhere = [np.nan] * 4
    np.testing.assert_allclose(
        video.boxes,
        [
            [nowhere, nowhere],
            [[0.1, 0.1, 0.5, 0.5], nowhere],
            [nowhere, nowhere],
            [[0.2, 0.1, 0.6, 0.5], [0, 0, 1, 1]],
        ],
    )
    assert video.action.tolist() == [False, True, False, True]
    assert video.frames_at(np.array([0.0, 0.12, 0.3, 9.0])).tolist() == [0, 1, 3, 3]


def test_ucf101_24(tmp_path):
    tube = {"sf": 2, "ef": 3, "class": 4, "boxes": np.array([[32.0, 24.0, 64.0, 48.0], [0, 0, 320, 240]])}
    annot = np.array(
        [
            {"name": "Basketball/v_Basketball_g01_c01", "num_imgs": 4, "tubes": [tube, tube]},
            {"name": "Diving/v_Diving_g01_c01", "num_imgs": 3, "tubes": [tube]},
        ]
    )
    savemat(tmp_path / "finalAnnots.mat", {"annot": annot})
    found = read_boxes(tmp_path / "finalAnnots.mat")
    assert list(found) == ["Basketball/v_Basketball_g01_c01", "Diving/v_Diving_g01_c01"]
    video = found["Basketball/v_Basketball_g01_c01"]
    assert (video.fps, video.boxes.shape) == (25.0, (4, 2, 4))
    np.testing.assert_allclose(video.boxes[1, 0], [0.1, 0.1, 0.3, 0.3])
    assert video.action.tolist() == [False, True, True, False]
    assert found["Diving/v_Diving_g01_c01"].action.tolist() == [False, True, True]
    assert read_boxes(tmp_path / "finalAnnots.mat", 30.0)["Diving/v_Diving_g01_c01"].fps == 30.0


def test_generated_boxes_are_those_of_the_action(tmp_path):
    boxes = np.tile([50.0, 0.0, 100.0, 25.0], (4, 1))
    video = VideoTruth("a", 4, (), boxes, np.array([False, True, True, False]))
    truth = Truth("untrimmed", 0, Size(100, 50), 10.0, ("a",), {"test/a/000.mp4": video})
    found = generated_boxes(truth)["test/a/000.mp4"]
    np.testing.assert_allclose(found.boxes[1], [[0.5, 0, 1, 0.5]])
    assert np.isnan(found.boxes[[0, 3]]).all()
    write_truth(truth, tmp_path / "truth.json")
    for source in (tmp_path, tmp_path / "truth.json"):
        assert list(read_boxes(source)) == ["test/a/000.mp4"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, r"has format 2; this version reads 1"),
        ({"videos": {"a": {"num_frames": 2}}}, r"is no file of boxes \(KeyError\('tubes'\)\)"),
        (
            {"videos": {"a": {"num_frames": 2, "tubes": [{"first_frame": -1, "boxes": [[0, 0, 1, 1]]}]}}},
            r"a tube from frame -1",
        ),
        ({"size": "large"}, r"is no file of boxes"),
        ({"size": [0, 50]}, r"size \(0\.0, 50\.0\), fps 10 and num_frames must be above 0"),
        ({"videos": {"a": {"num_frames": 0, "tubes": []}}}, r"num_frames must be above 0"),
    ],
)
def test_a_json_that_is_none_is_told(tmp_path, change, said):
    (tmp_path / "b.json").write_text(json.dumps({**MINE, **change}))
    with pytest.raises(DataError, match=said):
        read_boxes(tmp_path / "b.json")


@pytest.mark.parametrize(
    ("num_frames", "said"),
    [
        (
            "10000000000",
            r"b\.json tells of 20000000000 frames with a box, more than the 33554432 that are read",
        ),
        ("Infinity", r"is no file of boxes \(OverflowError"),
        ("-1", "num_frames must be above 0"),
    ],
)
def test_no_memory_is_taken_for_frames_without_end(tmp_path, num_frames, said):
    (tmp_path / "b.json").write_text(
        json.dumps(MINE).replace('"num_frames": 4', f'"num_frames": {num_frames}')
    )
    with pytest.raises(DataError, match=said):
        read_boxes(tmp_path / "b.json")


@pytest.mark.parametrize(
    ("num_frames", "first", "said"),
    [(-1.0, 2.0, "-1 frames"), (np.inf, 2.0, "OverflowError"), (1e12, 2.0, "tells of 1000000000000 frames")],
)
def test_ucf101_24_with_other_numbers(tmp_path, num_frames, first, said):
    tube = {"sf": first, "ef": 3.0, "boxes": np.ones((20, 4))}
    savemat(
        tmp_path / "a.mat", {"annot": np.array([{"name": "a", "num_imgs": num_frames, "tubes": [tube]}] * 2)}
    )
    with pytest.raises(DataError, match=said):
        read_boxes(tmp_path / "a.mat")


def test_a_tube_behind_the_videos_end_is_nowhere(tmp_path):
    tube = {"first_frame": 10, "boxes": [[0, 0, 100, 50]] * 20}
    (tmp_path / "b.json").write_text(json.dumps(MINE | {"videos": {"a": {"num_frames": 4, "tubes": [tube]}}}))
    assert np.isnan(read_boxes(tmp_path / "b.json")["a"].boxes).all()


def test_what_is_missing_is_told(tmp_path):
    with pytest.raises(CallError, match=r"none\.json: no such file; give a generated set, finalAnnots\.mat"):
        read_boxes(tmp_path / "none.json")
    (tmp_path / "b.json").write_text(json.dumps({key: of for key, of in MINE.items() if key != "fps"}))
    with pytest.raises(CallError, match=r"does not tell the frames a second; give --fps"):
        read_boxes(tmp_path / "b.json")
    assert read_boxes(tmp_path / "b.json", 25.0)["a"].fps == 25.0
    (tmp_path / "a.mat").write_bytes(b"x" * 200)
    with pytest.raises(DataError, match=r"a\.mat is no MATLAB file"):
        read_boxes(tmp_path / "a.mat")
    savemat(tmp_path / "b.mat", {"annot": np.array([{"name": "x"}, {"name": "y"}])})
    with pytest.raises(DataError, match=r"annot\(1\) is no entry of UCF101-24 \(KeyError\('tubes'\)\)"):
        read_boxes(tmp_path / "b.mat")


@pytest.mark.parametrize(
    ("video", "expected"),
    [
        ("/x/test/a/000.mp4", "test/a/000.mp4"),
        ("test\\a\\000.mp4", "test/a/000.mp4"),
        ("/y/Basketball/v_B_g01.avi", "Basketball/v_B_g01"),
        ("v_B_g01.avi", None),
        ("a/000.mp4", None),
        ("x.mp4", None),
    ],
)
def test_a_video_is_found_by_the_end_of_its_path(video, expected):
    assert video_named(video, ["test/a/000.mp4", "Basketball/v_B_g01"]) == expected


def test_a_video_is_named_in_the_other_unicode_form_too():
    one, other = (unicodedata.normalize(form, "café/é.mp4") for form in ("NFC", "NFD"))
    for video, name in ((one, other), (other, one)):
        assert video_named(f"set/{video}", [name]) == name
        assert video_named(f"set/{video.replace('mp4', 'npy')}", [name]) == name
        assert video_named(f"set/{video}", {name: None, video: None}) == video, "letter by letter first"
        assert video_named(f"set/{video}", ["cafe/e.mp4"]) is None


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
