"""Which clips of a video are looked at, and that they come as they were planned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torchvision.datasets.video_utils import VideoClips

from attcell.errors import CallError, VideoError
from attcell.video.clips import ClipPlan, Clips, mean_rate
from tests.damage import damage
from tests.video.conftest import grey, write_video


def numbers(clip) -> list[int]:
    """The frames of a clip, told from how bright they are."""
    return [min(range(60), key=lambda index: abs(grey(index) - float(frame.mean()))) for frame in clip.frames]


def read(path: Path, plan: ClipPlan) -> tuple[Clips, list]:
    """The last clips of each number."""
    reading, found = Clips(path, plan, np.asarray, np.asarray), []
    for clip in reading:
        found[clip.number :] = [clip]
    return reading, found


def test_clips_are_spread_from_the_first_frame_to_the_last():
    assert ClipPlan(3, 25, 3).frame_indices(20, 25).tolist() == [[0, 1, 2], [8, 9, 10], [17, 18, 19]]
    assert ClipPlan(3, 12.5, 1).frame_indices(20, 25).tolist() == [[7, 9, 11]]
    assert ClipPlan(3, 25, 9).frame_indices(4, 25).tolist() == [[0, 1, 2], [1, 2, 3]]


def test_a_clip_every_few_frames_ends_with_the_video():
    found = ClipPlan(4, 25, every=6).frame_indices(20, 25)
    assert found[:, 0].tolist() == [0, 6, 12, 16]


def test_a_short_video_gives_one_clip_of_all_of_it():
    plan = ClipPlan(6, 25, 5)
    assert plan.frame_indices(3, 25).tolist() == [[0, 0, 1, 1, 2, 2]]
    assert plan.is_short(5, 25)
    assert not plan.is_short(6, 25)


@pytest.mark.parametrize(("rate", "video_rate"), [(15, 25), (15, 30), (7.5, 29.97), (15, 12)])
def test_frames_are_those_of_torchvisions_reference(rate: float, video_rate: float):
    wanted = VideoClips._resample_video_idx(16, video_rate, rate)
    offsets = np.arange(200)[wanted] if isinstance(wanted, slice) else wanted.numpy()
    found = ClipPlan(16, rate, 1).frame_indices(200, video_rate)[0]
    assert (found - found[0]).tolist() == offsets[:16].tolist()


@given(
    num_frames=st.integers(1, 300), length=st.integers(1, 40), rate=st.floats(1, 60),
    video_rate=st.floats(1, 120), num_clips=st.integers(1, 20), every=st.none() | st.integers(1, 50),
)  # fmt: skip
def test_every_frame_of_a_clip_is_one_of_the_video(num_frames, length, rate, video_rate, num_clips, every):
    found = ClipPlan(length, rate, num_clips, every).frame_indices(num_frames, video_rate)
    assert found.shape[1] == length
    assert found.min() >= 0
    assert found.max() < num_frames
    assert (np.diff(found, axis=1) >= 0).all()
    assert (np.diff(found[:, 0]) > 0).all()


def test_clips_come_with_their_frames_and_the_one_in_the_middle(tmp_path: Path):
    path = write_video(tmp_path / "video.mp4", 20)
    reading, found = read(path, ClipPlan(3, 12.5, 4))
    expected = ClipPlan(3, 12.5, 4).frame_indices(20, 25)
    assert [numbers(clip) for clip in found] == expected.tolist()
    assert [clip.frame_indices.tolist() for clip in found] == expected.tolist()
    assert [numbers(type(clip)(0, clip.frame_indices, [clip.picture], None)) for clip in found] == [
        [indices[1]] for indices in expected.tolist()
    ]
    assert reading.info.num_frames == 20
    assert not reading.are_short
    assert mean_rate(path) == 25


def test_a_damaged_video_begins_again(tmp_path: Path):
    path = damage(write_video(tmp_path / "video.mp4", 40, options={"g": "10", "bf": "0"}))
    reading, found = read(path, ClipPlan(3, 25, 6))
    left = reading.info.num_frames
    assert left < 40
    assert reading.info.notes
    expected = ClipPlan(3, 25, 6).frame_indices(left, 25)
    assert [clip.frame_indices.tolist() for clip in found] == expected.tolist()


def test_what_is_no_video_is_told(tmp_path: Path):
    with pytest.raises(VideoError, match="there is no such file"):
        Clips(tmp_path / "nothing.mp4", ClipPlan(3, 25), np.asarray)
    np.save(tmp_path / "rows.npy", np.zeros((4, 8), np.float32))
    with pytest.raises(
        CallError, match="holds features, and this model looks at frames; give the video itself"
    ):
        Clips(tmp_path / "rows.npy", ClipPlan(3, 25), np.asarray)
