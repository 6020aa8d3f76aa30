"""What is wrong with a file of predictions; tests/end_to_end reads back what the commands write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from attcell.errors import CallError, DataError
from attcell.results.predictions import read_predictions
from attcell.types import Hearing

MAP = [[0.25, 0.25], [0.25, 0.25]]
VIDEO = {
    "video": "a.mp4",
    "segments_seconds": [[0, 1], [1, 2]],
    "frame_seconds": [0.5, 1.5],
    "temporal_scores": [0.0, 1.0],
    "temporal_attention": [0.25, 0.75],
    "spatial_attention": {"frame": [MAP, MAP]},
    "attended_area": [0, 0, 1, 1],
    "hearing": {},
}


def written(folder: Path, *videos: dict[str, Any]) -> Path:
    path = folder / "found.json"
    path.write_text(json.dumps({"predictions": videos, "failed": {"b.mp4": "empty"}}), encoding="utf-8")
    return path


def test_videos_are_read_and_what_could_not_be_is_kept(tmp_path: Path) -> None:
    ((name, track),), failed = read_predictions(written(tmp_path, VIDEO))
    assert (name, len(track), failed) == ("a.mp4", 2, {"b.mp4": "empty"})
    assert track.spatial_attention["frame"].tolist() == [MAP, MAP]


def test_what_hears_sound_is_known_again(tmp_path: Path) -> None:
    maps = {"frame": [MAP, MAP], "audio": [[[0.5, 0.25, 0.25]]] * 2}
    heard = {"audio": {"window_seconds": 1.01, "hertz": [50, 8000]}}
    ((_, track),), _ = read_predictions(
        written(tmp_path, VIDEO | {"spatial_attention": maps, "hearing": heard})
    )
    assert track.hearing == {"audio": Hearing(1.01, (50.0, 8000.0))}
    assert track.over_sound["audio"].shape == (2, 1, 3)
    assert list(track.over_frames) == ["frame"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"frame_seconds": [0.5]}, r"a\.mp4: \d segments do not fit its times and scores"),
        ({"segments_seconds": [0, 1]}, r"a\.mp4: 2 segments do not fit its times and scores"),
        ({"spatial_attention": {"frame": [MAP]}}, r"a\.mp4: its maps do not fit 2 segments"),
        (
            {"spatial_attention": {"frame": [MAP, [[0.5, float("nan")]] * 2]}},
            "its maps do not fit 2 segments",
        ),
        ({"temporal_scores": [0, 10**400]}, "int too large to convert to float"),
        ({"attended_area": [0, 1]}, "not enough values to unpack"),
        ({"hearing": {"audio": {"window_seconds": 1.0, "hertz": [50]}}}, "not enough values to unpack"),
    ],
)
def test_parts_that_do_not_fit_are_told(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(
        DataError, match=rf"is not what attcell predict --json writes \(.*{said}.*write it anew"
    ):
        read_predictions(written(tmp_path, {**VIDEO, **change}))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"none\.json: no such file; give what attcell predict --json wrote"):
        read_predictions(tmp_path / "none.json")
