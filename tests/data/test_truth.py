"""Where people act: generated truth, UCF101-24's file, and a JSON of one's own."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.io import savemat

from attcell.data.truth import generated_boxes, read_boxes, video_named
from attcell.errors import CallError, DataError
from attcell.synth.truth import Truth, VideoTruth, write_truth
from attcell.types import Size

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
