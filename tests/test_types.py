"""What a prediction says."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from attcell.errors import CallError
from attcell.types import AttentionTrack, Detection, Hearing, Prediction, SoundTrack, VideoRecord


@pytest.fixture
def prediction() -> Prediction:
    """Three classes, two segments, 2×2 regions."""
    return Prediction(
        video="a.mp4",
        labels=("run", "sit", "wave"),
        scores=np.array([0.25, 0.25, 0.5], dtype=np.float32),
        duration_seconds=2.0,
        segments=AttentionTrack(
            seconds=np.array([[0.0, 1.0], [1.0, 2.0]]),
            frame_seconds=np.array([0.5, 1.5]),
            temporal_scores=np.array([0.0, 1.0], dtype=np.float32),
            temporal_attention=np.array([0.25, 0.75], dtype=np.float32),
            spatial_attention={"frame": np.full((2, 2, 2), 0.25, dtype=np.float32)},
            attended_area=(0.1, 0.0, 0.9, 1.0),
        ),
        frames=np.zeros((2, 8, 8, 3), dtype=np.uint8),
        notes=("damaged",),
    )


def test_top_is_best_first_and_ties_keep_the_classes_order(prediction):
    assert prediction.top(2) == [("wave", 0.5), ("run", 0.25)]
    assert prediction.top() == [("wave", 0.5), ("run", 0.25), ("sit", 0.25)]
    assert prediction.top(0) == []


def test_to_dict_is_plain_json_without_pictures(prediction):
    content = prediction.to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert "frames" not in content
    assert content["top"][0] == {"label": "wave", "score": 0.5}
    assert content["spatial_attention"] == {"frame": [[[0.25, 0.25]] * 2] * 2}
    assert content["attended_area"] == [0.1, 0.0, 0.9, 1.0]
    assert content["notes"] == ["damaged"]


def test_to_dict_has_every_streams_attention(prediction):
    halves = np.array([0.5, 0.5], dtype=np.float32)
    late = replace(
        prediction,
        segments=replace(
            prediction.segments,
            spatial_attention={name: np.full((2, 2, 2), 0.25, np.float32) for name in ("flow", "clip")},
        ),
        temporal_attention_by_stream={"flow": halves, "clip": prediction.temporal_attention},
        flow=np.zeros((2, 2, 8, 8), np.float32),
    )
    content = late.to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["temporal_attention_by_stream"] == {"flow": [0.5, 0.5], "clip": [0.25, 0.75]}
    assert list(content["spatial_attention"]) == ["flow", "clip"]
    assert "flow" not in content, "it is a picture"
    assert prediction.to_dict()["temporal_attention_by_stream"] == {}
    weighed = replace(late, stream_weights={"flow": 0.75, "clip": 0.25}).to_dict()
    assert weighed["stream_weights"] == {"flow": 0.75, "clip": 0.25}


def test_to_dict_has_all_but_the_pictures(prediction):
    whole = {field.name for field in fields(prediction)}
    names = whole - {"frames", "flow", "of_features", "segments", "track", "detections", "sound", "evidence"}
    of_segments = {field.name for field in fields(prediction.segments)}
    names |= of_segments - {"seconds", "class_scores", "separate_scores", "class_evidence"}
    names -= {"temporal_scores_by_class"}
    assert set(prediction.to_dict()) == {*names, "segments_seconds", "top"}


def test_what_sees_pictures_and_what_hears_sound_is_told_apart(prediction):
    heard = np.full((2, 3, 4), 1 / 12, dtype=np.float32)
    segments = replace(
        prediction.segments,
        spatial_attention={**prediction.spatial_attention, "audio": heard},
        hearing={"audio": Hearing(0.96, (125.0, 7500.0))},
    )
    assert list(segments.over_frames) == ["frame"]
    assert segments.over_sound["audio"] is heard
    content = replace(prediction, segments=segments).to_dict()
    assert content["hearing"] == {"audio": {"window_seconds": 0.96, "hertz": [125.0, 7500.0]}}
    assert np.shape(content["spatial_attention"]["audio"]) == (2, 3, 4)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert prediction.to_dict()["hearing"] == prediction.segments.over_sound == {}


def test_the_repr_of_sound_is_short():
    sound = SoundTrack((0.5, 2.0), np.zeros((150, 2)), windows={"audio": np.zeros((2, 96, 64))})
    assert repr(sound) == "SoundTrack(0.50 to 2.00 s, 150 parts; heard by audio)"
    assert repr(replace(sound, windows={})) == "SoundTrack(0.50 to 2.00 s, 150 parts)"


def test_pictures_are_kept_out_of_the_repr(prediction):
    assert "frames" not in repr(prediction)
    assert "flow" not in repr(prediction)


def test_the_repr_is_short(prediction):
    assert repr(prediction) == "Prediction('a.mp4': wave 0.500, run 0.250, sit 0.250; 2 segments)"
    found = replace(prediction, detections=(Detection("run", 0.0, 1.0, 0.5),))
    assert repr(found).endswith("; 2 segments, detections: 1)")
    track = "AttentionTrack(2 segments, 0.00 to 2.00 s; spatial attention of frame)"
    assert repr(prediction.segments) == track
    assert "spatial" not in repr(replace(prediction.segments, spatial_attention={}))


@pytest.mark.parametrize(("count", "said"), [(-1, "-1"), (2.5, "2.5"), ("3", "'3'")])
def test_a_count_that_cannot_be_is_refused(prediction, count, said):
    with pytest.raises(CallError, match=f"count is {said}; give a whole number, at least 0"):
        prediction.top(count)


def test_a_part_of_a_folder_of_frames_and_the_whole_again():
    whole = VideoRecord("wave/alice 12 5", Path("x"), (1, 2), "g")
    part = whole.part(range(12, 17))
    assert part == VideoRecord("wave/alice 12 5 12 5", Path("x"), (1, 2), "g", range(12, 17))
    assert part.whole() == whole
    assert whole.whole() is whole
