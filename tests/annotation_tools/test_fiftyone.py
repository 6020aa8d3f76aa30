"""A data set of FiftyOne: frames, heatmaps, and which field is read."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from attcell.annotation_tools.records import LabelledVideo, Wanted
from attcell.annotation_tools.registry import read_labels, write_labels
from attcell.annotation_tools.videos import Videos
from attcell.errors import CallError, DataError
from attcell.types import AttentionTrack, Detection


def track(area=(0.0, 0.0, 1.0, 1.0)) -> AttentionTrack:
    maps = np.zeros((2, 2, 2))
    maps[0, 0, 1], maps[1, 1, 0] = 0.8, 0.4
    return AttentionTrack(
        seconds=np.array([[1.0, 2.0], [2.0, 3.0]]),
        frame_seconds=np.array([1.5, 2.5]),
        temporal_scores=np.zeros(2),
        temporal_attention=np.full(2, 0.5),
        spatial_attention={"frame": maps},
        attended_area=area,
    )


def test_attention_is_a_heatmap_of_its_frame(tmp_path):
    video = LabelledVideo("a.mp4", (Detection("wave", 0.0, 2.0, 0.9),), 10.0, track=track())
    write_labels(tmp_path / "fo", "fiftyone", Wanted((video,), ("wave",)))
    (sample,) = json.loads((tmp_path / "fo/samples.json").read_text())["samples"]
    assert sample["detections"]["detections"][0]["support"] == [1, 20]
    frames = json.loads((tmp_path / "fo" / sample["frames"]).read_text())["frames"]
    assert list(frames) == ["6", "16"]  # half a second after the first frame is the sixth
    first, second = (
        np.asarray(Image.open(frames[number]["attention_frame"]["map_path"])) for number in ("6", "16")
    )
    assert first.shape == (16, 16)
    assert (first[:8, 8:] == 255).all()
    assert first.sum() == 64 * 255
    assert (second[8:, :8] == 128).all()


def test_what_the_network_does_not_see_is_black(tmp_path):
    video = LabelledVideo("a.mp4", (), 10.0, track=track((0.25, 0.0, 0.75, 1.0)))
    write_labels(tmp_path / "fo", "fiftyone", Wanted((video,), ()))
    picture = np.asarray(Image.open(tmp_path / "fo/heatmaps/000000/frame-000006.png"))
    assert picture.shape == (16, 32)
    assert np.argwhere(picture).min(axis=0).tolist() == [0, 16]
    assert np.argwhere(picture).max(axis=0).tolist() == [7, 23]


def test_corrected_actions_come_first(tmp_path):
    def field(label: str, support: object = (1, 5)) -> dict[str, object]:
        found = {"_cls": "TemporalDetection", "label": label, "support": support}
        return {"_cls": "TemporalDetections", "detections": [found]}

    path = tmp_path / "samples.json"

    def read(**fields: object) -> list[str]:
        path.write_text(json.dumps({"samples": [{"filepath": "/v/a.mp4", **fields}]}))
        return [of.label for of in read_labels(tmp_path, None, Videos(fps=10)).videos[0].actions]

    assert read(other=field("o"), detections=field("d"), ground_truth=field("g")) == ["g"]
    assert read(other=field("o"), detections=field("d")) == ["d"]
    assert read(other=field("o")) == ["o"]
    assert read() == []
    with pytest.raises(DataError, match=re.escape("sample 1: support is '[1]'; expected a number")):
        read(detections=field("d", [1]))
    with pytest.raises(CallError, match="is a folder; name a folder that is new"):
        write_labels(tmp_path / "a.json", "fiftyone", Wanted((), ()))
