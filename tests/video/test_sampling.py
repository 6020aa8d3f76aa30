"""Even segments by frame index."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attcell.errors import CallError, VideoError
from attcell.types import Size
from attcell.video.info import VideoInfo
from attcell.video.sampling import centre_frames, fixed_frames, random_frames, segment_edges, segment_seconds

NUM_FRAMES = st.integers(1, 5000)
NUM_SEGMENTS = st.integers(1, 80)


def test_known_segments():
    assert segment_edges(10, 4).tolist() == [0, 2.5, 5, 7.5, 10]
    assert centre_frames(10, 4).tolist() == [1, 3, 6, 8]
    assert centre_frames(10, 1).tolist() == [5]
    assert fixed_frames(10, 5, 0.0).tolist() == [0, 2, 4, 6, 8]


def test_short_videos_follow_the_named_policy():
    assert centre_frames(3, 6, "repeat").tolist() == [0, 0, 1, 1, 2, 2]
    with pytest.raises(VideoError, match="the video has 3 frames, fewer than the 7 segments asked for"):
        centre_frames(3, 7, "refuse")
    for short in ("repeat", "refuse"):
        assert centre_frames(7, 7, short).tolist() == list(range(7))


@given(NUM_FRAMES, NUM_SEGMENTS, st.integers(0, 2**32))
def test_every_frame_lies_in_its_segment(num_frames, num_segments, seed):
    edges = segment_edges(num_frames, num_segments)
    rng = np.random.default_rng(seed)
    assert edges.shape == (num_segments + 1,)
    for frames in (centre_frames(num_frames, num_segments), random_frames(num_frames, num_segments, rng)):
        assert frames.shape == (num_segments,)
        assert frames.dtype == np.int64
        assert (frames >= 0).all()
        assert (frames < num_frames).all()
        assert (frames + 1 > edges[:-1]).all()
        assert (frames <= edges[1:]).all()
        assert (np.diff(frames) >= 0).all()
        if num_frames >= num_segments:
            assert (np.diff(frames) >= 0).all()
            assert len(set(centre_frames(num_frames, num_segments).tolist())) == num_segments


def test_random_frames_are_even_and_seeded():
    drawn = [random_frames(12, 3, np.random.default_rng(7)) for _ in range(2)]
    assert drawn[0].tolist() == drawn[1].tolist()
    rng = np.random.default_rng(0)
    counts = np.bincount(np.concatenate([random_frames(12, 3, rng) for _ in range(4000)]), minlength=12)
    np.testing.assert_allclose(counts / 4000, 0.25, atol=0.03)


@given(st.lists(st.floats(0.001, 2), min_size=1, max_size=40), NUM_SEGMENTS, st.floats(-5, 5))
def test_segments_touch_and_cover_the_video(steps, num_segments, start):
    times = start + np.cumsum([0.0, *steps])
    info = VideoInfo(len(steps), times[:-1], float(times[-1]), Size(64, 48))
    seconds = segment_seconds(info, num_segments)
    assert seconds.shape == (num_segments, 2)
    assert seconds[0, 0] == info.frame_seconds[0]
    assert seconds[-1, 1] == info.end_seconds
    assert (seconds[1:, 0] == seconds[:-1, 1]).all()
    assert (seconds[:, 1] > seconds[:, 0]).all()


def test_bad_calls_say_what_is_allowed():
    with pytest.raises(CallError, match="num_segments is 0; at least 1"):
        centre_frames(10, 0)
    with pytest.raises(VideoError, match="the video has 0 frames"):
        centre_frames(0, 5)
    with pytest.raises(CallError, match=r"position is 1\.0; allowed: from 0"):
        fixed_frames(10, 5, 1.0)
    with pytest.raises(CallError, match="short is 'mirror'; allowed: 'repeat', 'refuse'"):
        centre_frames(10, 5, "mirror")
