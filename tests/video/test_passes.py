"""Opening a file, and all of its frames, one after another."""

from __future__ import annotations

import gc
import multiprocessing
from io import BytesIO

import numpy as np
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from attcell.errors import VideoError
from attcell.types import Size
from attcell.video._container import opened
from attcell.video._passes import EveryFrame
from attcell.video.decode import count_frames, read_frames
from tests.damage import damage, write_mjpeg


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


@pytest.fixture
def no_collector():
    """What is let go must be free without the garbage collector."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
def test_frames_do_not_wait_for_the_garbage_collector(make_video, no_collector, name):
    path = make_video(name, 30, **({"codec": "mjpeg", "pix_fmt": "yuvj420p"} if name == "a.avi" else {}))
    most = 0
    for _ in EveryFrame(path):
        most = max(most, sum(type(held) is VideoFrame for held in gc.get_objects()))
    assert most <= 5  # of 30, and as many in RGB: the one that is shown, its neighbour, the decoder's own


def test_what_a_damaged_picture_does_not_fill_is_the_same_in_every_run(tmp_path, no_collector):
    """A decoder leaves there what its memory held: an older picture, if that is free again."""
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(12):
        file = BytesIO()
        Image.fromarray(rng.integers(0, 255, (60, 80, 3), np.uint8)).save(file, "JPEG")
        pictures.append(file.getvalue())
    pictures[8] = pictures[8][: len(pictures[8]) // 2] + bytes(400) + pictures[8][-2:]
    path = write_mjpeg(tmp_path / "half.avi", pictures)
    images = list(EveryFrame(path))
    again = []
    for image in EveryFrame(path):
        again.append(image)
        gc.collect()
    np.testing.assert_array_equal(images, again)


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
