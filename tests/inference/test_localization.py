"""Attention against the truth of generated videos."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attcell.data.truth import BoxedVideo
from attcell.inference.localization import action_boxes, attention_metrics, streams_of, temporal_metrics
from attcell.types import AttentionTrack, Hearing


def track(peaks: list[tuple[int, int]], scores: list[float]) -> AttentionTrack:
    """T = 4 segments of 1 s, 2×2 regions, with the strongest region of each."""
    maps = np.full((4, 2, 2), 0.1)
    for segment, (row, column) in enumerate(peaks):
        maps[segment, row, column] = 0.7
    return AttentionTrack(
        seconds=np.array([[t, t + 1.0] for t in range(4)]),
        frame_seconds=np.arange(4) + 0.5,
        temporal_scores=np.array(scores),
        temporal_attention=np.full(4, 0.25),
        spatial_attention={"frame": maps},
        attended_area=(0.0, 0.0, 1.0, 1.0),
    )


def truth(action: list[bool]) -> BoxedVideo:
    """40 frames at 10 a second; the actor stands in the upper right quarter while it acts."""
    frames = np.repeat(action, 10)
    boxes = np.where(frames[:, None], [0.5, 0.0, 1.0, 0.5], np.nan)
    return BoxedVideo(10.0, boxes[:, None], frames)


def test_hits_chance_and_ranking():
    found = track([(0, 0), (0, 1), (1, 1), (0, 1)], [0.0, 3.0, 1.0, 2.0])
    figures = attention_metrics([(found, truth([False, True, True, False]))])
    assert figures.num_segments == 2
    assert figures.pointing == 0.5
    assert figures.pointing_chance == 0.25
    assert figures.auc == 0.75
    assert figures.num_videos == 1


def test_maps_of_sound_are_not_compared_with_boxes():
    found = track([(0, 0), (0, 1), (1, 1), (0, 1)], [0.0, 3.0, 1.0, 2.0])
    maps = {**found.spatial_attention, "audio": np.full((4, 3, 8), 1 / 24)}
    heard = replace(found, spatial_attention=maps, hearing={"audio": Hearing(1.0, (50.0, 8000.0))})
    video = truth([False, True, True, False])
    assert streams_of([(heard, video)]) == ["frame"]
    assert attention_metrics([(heard, video)], "mean") == attention_metrics([(found, video)], "mean")
    alone = replace(heard, spatial_attention={"audio": maps["audio"]})
    assert streams_of([(alone, video)]) == []
    assert temporal_metrics([(alone, video)]) == (0.75, 1)


def test_a_video_that_is_all_action_ranks_nothing_and_still_points():
    found = track([(0, 1)] * 4, [0.0] * 4)
    figures = attention_metrics([(found, truth([True] * 4)), (found, truth([False] * 4))])
    assert (figures.pointing, figures.num_segments) == (1.0, 4)
    assert np.isnan(figures.auc)
    assert figures.num_videos == 0


def test_a_frame_past_the_last_is_the_last():
    found = track([(0, 1)] * 4, [0.0, 0.0, 0.0, 1.0])
    late = BoxedVideo(10.0, truth([False, False, False, True]).boxes[:35], np.arange(35) >= 30)
    assert attention_metrics([(found, late)]).auc == pytest.approx(1.0)


def test_mass_of_each_stream_and_of_their_mean():
    found = track([(0, 1)] * 4, [0.0] * 4)
    maps = found.spatial_attention["frame"]
    found = replace(found, spatial_attention={"frame": maps, "flow": np.full((4, 2, 2), 0.25)})
    pairs = [(found, truth([True] * 4))]
    assert streams_of(pairs) == ["frame", "flow", "mean"]
    masses = [attention_metrics(pairs, name).mass for name in streams_of(pairs)]
    assert masses == pytest.approx([0.7, 0.25, 0.475])
    assert attention_metrics(pairs, "flow").mass_chance == pytest.approx(0.25)


def test_times_count_from_the_videos_own_start():
    found = track([(0, 1)] * 4, [0.0] * 4)
    late = replace(found, seconds=found.seconds + 100, frame_seconds=found.frame_seconds + 100)
    boxes = action_boxes(late, truth([False, True, True, False]))[:, 0]
    acting = [0.5, 0.0, 1.0, 0.5]
    np.testing.assert_array_equal(boxes, [[np.nan] * 4, acting, acting, [np.nan] * 4])
