"""A sample every few frames, as they come, is what reading them at once gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attcell.errors import VideoError
from attcell.video.decode import count_frames
from attcell.video.flow_source import FlowSpec
from attcell.video.modalities import DenseSampling, InputSpec, read_sampled_frames
from attcell.video.transforms import FrameSpec
from tests.damage import damage
from tests.video.conftest import write_video


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return {num: write_video(folder / f"{num}.mp4", num) for num in (1, 2, 7, 24, 41)}


def _spec(*streams, fields=4, clip=6):
    frame = FrameSpec(size=24, short_side=24)
    return InputSpec(streams, frame, FlowSpec(fields=fields), clip_frames=clip)


@settings(max_examples=60, deadline=None)
@example(num_frames=2, every=2, at_once=1, streams=("flow",), fields=1, clip=1)
@given(
    num_frames=st.sampled_from([1, 2, 7, 24, 41]),
    every=st.integers(1, 9),
    at_once=st.integers(1, 6),
    streams=st.sampled_from([("frame",), ("flow",), ("frame", "flow", "clip"), ("clip", "frame")]),
    fields=st.integers(1, 11),
    clip=st.integers(1, 16),
)
def test_parts_are_what_reading_at_once_gives(videos, num_frames, every, at_once, streams, fields, clip):
    spec = _spec(*streams, fields=fields, clip=clip)
    whole, info = read_sampled_frames(videos[num_frames], spec, lambda num: np.arange(0, num, every))
    sampled_frames = DenseSampling(videos[num_frames], spec, every, at_once)
    parts = list(sampled_frames)
    frame_indices = np.concatenate([part.frame_indices for part in parts])
    np.testing.assert_array_equal(frame_indices, whole.frame_indices)
    assert max(len(part.frame_indices) for part in parts) <= at_once
    seen = {index for part in parts for index in part.images}
    assert seen == set(whole.images)
    for part in parts:
        for index, image in part.images.items():
            np.testing.assert_array_equal(image, whole.images[index])
    np.testing.assert_array_equal(sampled_frames.info.frame_seconds, info.frame_seconds)


@pytest.mark.parametrize("streams", [("frame",), ("flow", "clip")])
def test_each_part_holds_the_frames_around_its_samples(videos, streams):
    spec = _spec(*streams)
    for part in DenseSampling(videos[41], spec, 5, 2):
        again, _ = read_sampled_frames(videos[41], spec, lambda num, of=part: of.frame_indices)
        assert sorted(part.images) == sorted(again.images)


def test_a_long_video_holds_a_bounded_number_of_frames(videos):
    parts = list(DenseSampling(videos[41], _spec("clip", clip=4), 5, 2))
    assert max(len(part.images) for part in parts) <= 2 * 4


def test_damage_is_noted_and_what_decodes_is_taken(tmp_path):
    options = {"g": "5", "bf": "0", "sc_threshold": "0"}
    path = damage(write_video(tmp_path / "a.mp4", 20, options=options))
    sampled_frames = DenseSampling(path, _spec("frame"), 3, 4)
    taken = np.concatenate([part.frame_indices for part in sampled_frames])
    assert sampled_frames.info.is_damaged
    assert taken.tolist() == list(range(0, count_frames(path).num_frames, 3))


def test_a_file_that_is_no_video_is_told(tmp_path):
    with pytest.raises(VideoError, match="there is no such file"):
        list(DenseSampling(tmp_path / "none.mp4", _spec("frame"), 5, 2))
