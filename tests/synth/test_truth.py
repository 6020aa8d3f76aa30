"""Reading the truth of a generated set."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from attcell.errors import CallError, DataError
from attcell.synth.truth import Truth, VideoTruth, read_truth, write_truth
from attcell.types import ActionInstance, Size

NAME = "test/wave_red/000.mp4"


def small() -> Truth:
    boxes = np.array([[1.0, 2.0, 3.5, 4.25], [np.nan] * 4])
    video = VideoTruth("wave_red", 2, ((0.0, 0.5),), boxes, np.array([True, False]))
    return Truth("untrimmed", 4, Size(112, 112), 12.0, ("wave_red",), {NAME: video})


def test_round_trip(tmp_path: Path) -> None:
    write_truth(small(), tmp_path / "truth.json")
    for path in (tmp_path, tmp_path / "truth.json", str(tmp_path)):
        back = read_truth(path)
        assert (back.kind, back.seed, back.size, back.fps) == ("untrimmed", 4, Size(112, 112), 12.0)
        assert back.labels == ("wave_red",)
        video = back.videos[NAME]
        assert (video.label, video.num_frames, video.intervals) == ("wave_red", 2, ((0.0, 0.5),))
        np.testing.assert_array_equal(video.boxes, small().videos[NAME].boxes)
        np.testing.assert_array_equal(video.action, [True, False])
        assert back.actions() == [ActionInstance(NAME, "wave_red", 0.0, 0.5)]


@pytest.mark.parametrize("value", [5, None])
def test_what_is_no_path_is_refused(value):
    with pytest.raises(CallError, match=f'path is {value}; give one path as text or Path, such as "videos"'):
        read_truth(value)


def test_json_has_null_where_the_actor_is_not_there(tmp_path: Path) -> None:
    write_truth(small(), tmp_path / "truth.json")
    entry = json.loads((tmp_path / "truth.json").read_text())["videos"][NAME]
    assert entry["boxes"] == [[1.0, 2.0, 3.5, 4.25], None]
    assert entry["action"] == [1, 0]


def test_missing_truth(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"truth\.json does not exist; .*attcell synth"):
        read_truth(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "has format None; this version reads format 1"),
        ('{"format": 2}', "has format 2; this version reads format 1"),
        ('{"format": 1}', "'kind' is missing"),
    ],
)
def test_bad_truth(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "truth.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_truth(tmp_path)


def test_counts_that_disagree(tmp_path: Path) -> None:
    write_truth(small(), tmp_path / "truth.json")
    content = json.loads((tmp_path / "truth.json").read_text())
    content["videos"][NAME]["boxes"].pop()
    (tmp_path / "truth.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"{NAME} has 2 frames but 1 boxes and 2 action marks"):
        read_truth(tmp_path)


@pytest.mark.parametrize("key", ["num_frames", "seed"])
def test_numbers_that_none_can_hold(tmp_path: Path, key: str) -> None:
    write_truth(small(), tmp_path / "truth.json")
    text = (tmp_path / "truth.json").read_text()
    (tmp_path / "truth.json").write_text(re.sub(rf'"{key}": \d+', f'"{key}": Infinity', text))
    with pytest.raises(DataError, match="is not the truth of a generated set: cannot convert float infinity"):
        read_truth(tmp_path)
