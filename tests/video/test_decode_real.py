"""Real files of odd kinds: frames, or one clear error; the known times and counts."""

from __future__ import annotations

import json
from fractions import Fraction

import av
import numpy as np
import pytest

from attcell.errors import VideoError
from attcell.video.decode import count_frames, read_frames

REAL = {
    "odd/av1_video.mkv": (125, 640, 360),
    "odd/bt2020_10bit.mp4": (60, 320, 240),
    "odd/corrupted.mp4": (28, 1280, 720),
    "odd/discard_first_keyframe.mp4": (25, 64, 64),
    "odd/flipping_a_pancake.mkv": (310, 426, 240),
    "odd/gradient.gif": (1, 1280, 720),
    "odd/h265_10bits.mp4": (30, 200, 200),
    "odd/nasa_13013.mp4": (390, 480, 270),
    "odd/nasa_13013_rotated.mp4": (17, 270, 480),
    "odd/sine_stereo_mp2.mpg": (100, 128, 128),
    "odd/test_non_zero_start.mp4": (12, 200, 112),
    "odd/testsrc2_mpeg4.avi": (30, 1280, 720),
    "odd/testsrc2_odd_height_and_width_vp9.mp4": (25, 321, 241),
    "odd/testsrc2_odd_width_mpeg2.mp4": (10, 121, 80),
    "odd/testsrc2_vp8.webm": (30, 1280, 720),
    "clips/juggle_720p.mp4": (247, 1280, 720),
    "clips/v_BaseballPitch_g01_c01.avi": (107, 320, 240),
    "clips/v_BasketballDunk_g17_c03.avi": (74, 320, 240),
    "clips/v_GGSY1Qvo990.mp4": (355, 320, 240),
}


@pytest.mark.real
def test_every_odd_file_gives_frames_or_one_clear_error(real_data, capfd):
    for folder in ("odd", "clips"):
        for path in sorted((real_data / folder).iterdir()):
            name = f"{folder}/{path.name}"
            if path.suffix == ".json":
                with pytest.raises(VideoError, match="there is no video"):
                    count_frames(path)
                continue
            decoded = read_frames(path, lambda num_frames: np.array([0, num_frames // 2, num_frames - 1]))
            info = decoded.info
            assert (info.num_frames, info.size.width, info.size.height) == REAL[name], name
            assert all(image.shape == (*info.size.turned, 3) for image in decoded.images), name
            assert (np.diff(info.frame_seconds) > 0).all(), name
            assert info.is_damaged == (name == "odd/corrupted.mp4"), name
    assert capfd.readouterr() == ("", "")


@pytest.mark.real
def test_damage_reads_the_same_every_time(real_data):
    info = count_frames(real_data / "odd" / "corrupted.mp4")
    assert info.notes == ("28 of 50 frames decode; the rest is damaged or missing",)
    assert info.end_seconds == pytest.approx(2.8)


@pytest.mark.real
def test_presentation_times_equal_the_known_ones(real_data):
    path = real_data / "odd" / "nasa_13013.mp4"
    known = json.loads(path.with_name("nasa_13013.mp4.stream3.all_frames_info.json").read_text())
    info = count_frames(path, stream=3)
    assert [f"{seconds:.6f}" for seconds in info.frame_seconds] == [frame["pts_time"] for frame in known]
    assert info.frame_seconds.tolist() == [float(Fraction(1001 * i, 30000)) for i in range(390)]
    assert info.end_seconds == float(Fraction(1001 * 390, 30000))


@pytest.mark.real
@pytest.mark.parametrize("folder", ["weizmann", "ut_interaction_set1"])
def test_frame_counts_equal_plain_decoding(real_data, folder):
    paths = sorted((real_data / folder).rglob("*.avi"))
    assert len(paths) == {"weizmann": 90, "ut_interaction_set1": 60}[folder]
    for path in paths:
        with av.open(str(path)) as container:
            plain = sum(1 for _ in container.decode(video=0))
        decoded = read_frames(path, lambda num_frames: np.array([num_frames - 1]))
        assert decoded.info.num_frames == count_frames(path).num_frames == plain
        np.testing.assert_allclose(
            np.diff(decoded.info.frame_seconds), np.diff(decoded.info.frame_seconds)[0]
        )
