"""Opening a file, and all of its frames, one after another."""

from __future__ import annotations

import gc
import multiprocessing

import numpy as np
import pytest

from attcell.errors import VideoError
from attcell.types import Size
from attcell.video._container import opened
from attcell.video._passes import EveryFrame
from attcell.video.decode import count_frames, read_frames
from tests.damage import damage


def test_every_frame_is_what_reading_gives(make_video, numbers_of):
    path = make_video("a.mp4", 20)
    frames = EveryFrame(path)
    images = list(frames)
    assert numbers_of(images) == list(range(20))
    np.testing.assert_array_equal(np.stack(images), np.stack(read_frames(path, np.arange).images))
    assert frames.info.num_frames == 20
    np.testing.assert_array_equal(frames.info.frame_seconds, count_frames(path).frame_seconds)


def test_frames_come_at_the_size_asked_for(make_video):
    frames = EveryFrame(make_video("a.mp4", 3), lambda shown: Size(shown.width // 2, shown.height // 2))
    assert [frame.shape for frame in frames] == [(24, 32, 3)] * 3
    assert frames.info.size == (64, 48)


def test_damage_is_noted(make_video):
    path = damage(make_video("a.mp4", 20, options={"g": "5", "bf": "0", "sc_threshold": "0"}))
    frames = EveryFrame(path)
    images = list(frames)
    assert len(images) == frames.info.num_frames == count_frames(path).num_frames
    assert frames.info.is_damaged
    assert frames.info.notes == count_frames(path).notes


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(VideoError, match="there is no such file"):
        list(EveryFrame(tmp_path / "none.mp4"))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_fork_does_not_free_the_decoders_of_its_parent(make_video):
    """Freed in the fork, a decoder with threads waits for ever for threads that only the parent has."""
    with opened(make_video("a.mp4", 30), None) as (container, video):
        video.thread_type, video.codec_context.thread_count = "FRAME", 4
        next(container.decode(video))
        cycle = [video, container]
        cycle.append(cycle)
        del container, video
    gc.disable()
    try:
        del cycle
        child = multiprocessing.get_context("fork").Process(target=gc.collect)
        child.start()
        child.join(timeout=60)
        has_ended = child.exitcode == 0
        child.kill()
    finally:
        gc.enable()
    assert has_ended, "the fork hangs"
