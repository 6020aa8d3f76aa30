"""What suites measure of attention: when, and where if the network looks at frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attcell.inference.predict import NO_PICTURES
from attcell.research.measures import _attention
from attcell.synth.truth import Truth, VideoTruth
from attcell.types import Hearing, Prediction, Size
from tests.inference.test_localization import track

VIDEO = "test/wave_red/000.mp4"
WHEN = {"net: temporal ROC area": 75.0}
WHERE = {"net: peak on the actor, frame": 50.0, "peak on the actor by chance": 25.0}


def truth() -> Truth:
    """An action in the second and third of 4 s, in the upper right quarter."""
    action = np.repeat([False, True, True, False], 10)
    boxes = np.where(action[:, None], [50.0, 0.0, 100.0, 50.0], np.nan)
    video = VideoTruth("wave_red", 40, ((1.0, 3.0),), boxes, action)
    return Truth("untrimmed", 0, Size(100, 100), 10.0, ("wave_red",), {VIDEO: video})


@pytest.mark.parametrize(
    ("streams", "found"), [("frame audio", WHERE | WHEN), ("frame", WHERE | WHEN), ("audio", WHEN)]
)
def test_of_sound_there_is_a_when_and_no_where(streams, found):
    said = track([(0, 0), (0, 1), (1, 1), (0, 1)], [0.0, 3.0, 1.0, 2.0])
    maps = {"frame": said.spatial_attention["frame"], "audio": np.full((4, 3, 8), 1 / 24)}
    said = replace(
        said,
        spatial_attention={name: maps[name] for name in streams.split()},
        hearing={"audio": Hearing(1.0, (50.0, 8000.0))} if "audio" in streams else {},
    )
    prediction = Prediction(VIDEO, ("wave_red",), np.ones(1), 4.0, said, NO_PICTURES, track=said)
    assert _attention("net", {VIDEO: prediction}, truth()) == pytest.approx(found)
