"""Made-up predictions for the report's tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from attcell.types import AttentionTrack, Hearing, Prediction, SoundTrack


def _softmax(values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    powers = np.exp(values - values.max(axis=axes, keepdims=True))
    return powers / powers.sum(axis=axes, keepdims=True)


def fake_prediction(
    num_segments: int = 4,
    num_regions: int = 7,
    size: tuple[int, int] = (36, 64),
    labels: tuple[str, ...] = ("bend", "jack", "jump", "run", "skip", "walk", "wave"),
    streams: tuple[str, ...] = ("frame",),
    **changes: Any,
) -> Prediction:
    """A prediction of a 10-second video that starts at 2 s; frames are smooth with a little noise."""
    rng = np.random.default_rng(7)
    edges = np.linspace(2.0, 12.0, num_segments + 1)
    rows, columns = np.mgrid[: size[0], : size[1]]
    base = np.stack([rows * 3 % 256, columns * 2 % 256, (rows + columns) % 256], axis=-1)
    noise = rng.integers(0, 24, (num_segments, *size, 3))
    scores = rng.normal(size=num_segments)
    fields: dict[str, Any] = {
        "video": "clips/some video.mp4",
        "labels": labels,
        "scores": _softmax(rng.normal(size=len(labels)), (0,)),
        "duration_seconds": 10.0,
        "segments_seconds": np.stack([edges[:-1], edges[1:]], axis=1),
        "frame_seconds": (edges[:-1] + edges[1:]) / 2,
        "temporal_scores": scores,
        "temporal_attention": _softmax(scores, (0,)),
        "spatial_attention": {
            name: _softmax(2 * rng.normal(size=(num_segments, num_regions, num_regions)), (1, 2))
            for name in streams
        },
        "attended_area": (0.2, 0.0, 0.8, 1.0),
        "frames": np.clip(base + noise, 0, 255).astype(np.uint8),
    }
    fields |= changes
    seconds = fields.pop("segments_seconds")
    of_segments = [name for name in fields if name in AttentionTrack.__dataclass_fields__]
    segments = AttentionTrack(seconds, **{name: fields.pop(name) for name in of_segments})
    return Prediction(**fields, segments=segments)


@pytest.fixture(scope="session")
def make_prediction() -> Callable[..., Prediction]:
    return fake_prediction


HEARD = Hearing(2.0, (125.0, 7500.0))
ROWS, BANDS = 24, 16  # of the log-mel pictures


def hearing_prediction(streams: tuple[str, ...] = ("frame",), **changes: Any) -> Prediction:
    """The same, whose audio stream hears 2 s around each segment's frame: a tone that rises all the time."""
    prediction = fake_prediction(streams=streams, **changes)
    count = len(prediction.segments)
    maps = np.full((count, 6, 4), 0.01, dtype=np.float32)
    maps[:, 4, 1] = 0.77  # two thirds of a second after the frame, rather low
    segments = replace(
        prediction.segments,
        spatial_attention={**prediction.spatial_attention, "audio": maps},
        hearing={"audio": HEARD},
    )
    at = np.linspace(0, 1, 200)[:, None]
    loudness = np.exp(-((np.linspace(0, 1, BANDS) - at) ** 2) / 0.01).astype(np.float32)
    sound = SoundTrack(
        (2.0, 12.0),
        np.stack([-at[:, 0], at[:, 0] / 2], axis=1).astype(np.float32),
        loudness,
        {"audio": loudness[:ROWS][None].repeat(count, axis=0)},
    )
    return replace(prediction, segments=segments, sound=sound)


@pytest.fixture(scope="session")
def make_hearing() -> Callable[..., Prediction]:
    return hearing_prediction
