"""Decoding: the right frames, the true count, honest notes, one clear error."""

from __future__ import annotations

import json
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from attcell.errors import VideoError
from attcell.video import passes
from attcell.video.decode import count_frames, read_frames

FORMATS = [
    ("h264.mp4", {"options": {"bf": "2"}}),
    ("h264.mkv", {}),
    ("mpeg4.avi", {"codec": "mpeg4"}),
    ("mpeg2.ts", {"codec": "mpeg2video"}),
    ("vp9.webm", {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}}),
    ("bits10.mkv", {"codec": "ffv1", "pix_fmt": "yuv420p10le"}),
    ("alpha.mkv", {"codec": "ffv1", "pix_fmt": "yuva420p"}),
    ("alpha.mov", {"codec": "qtrle", "pix_fmt": "argb"}),
    ("odd.mkv", {"codec": "ffv1", "size": (61, 33)}),
    ("full.mkv", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    ("grey.mkv", {"codec": "ffv1", "pix_fmt": "gray"}),
]


@pytest.mark.parametrize(("name", "options"), FORMATS, ids=[name for name, _ in FORMATS])
def test_the_wanted_frames_come_in_the_order_asked(make_video, numbers_of, name, options):
    path = make_video(name, **options)
    wanted = np.array([19, 3, 3, 0, 11])
    decoded = read_frames(path, lambda num_frames: wanted)
    width, height = options.get("size", (64, 48))
    assert decoded.info.num_frames == 20
    assert (decoded.info.width, decoded.info.height) == (width, height)
    assert decoded.info.notes == ()
    assert not decoded.info.is_damaged
    assert decoded.indices.tolist() == wanted.tolist()
    assert numbers_of(decoded.images) == wanted.tolist()
    assert decoded.images[1] is decoded.images[2]
    for image in decoded.images:
        assert image.shape == (height, width, 3)
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
        assert image.flags.writeable
    np.testing.assert_allclose(np.diff(decoded.info.frame_seconds), 0.04, atol=1e-9)
    assert decoded.info.duration_seconds == pytest.approx(0.8, abs=2e-3)


def test_only_wanted_frames_are_converted(make_video, monkeypatch):
    converted = []
    real = passes.to_rgb
    monkeypatch.setattr(passes, "to_rgb", lambda *args: converted.append(1) or real(*args))
    read_frames(make_video("a.mp4"), lambda num_frames: np.array([2, 2, 5, 2]))
    assert len(converted) == 2


def test_frames_are_kept_at_the_size_asked_for(make_video, numbers_of):
    path = make_video("a.mp4")
    read = read_frames(path, lambda num_frames: np.array([3, 7]), size=lambda width, height: (width // 2, 10))
    assert [image.shape for image in read.images] == [(10, 32, 3)] * 2
    assert (read.info.width, read.info.height) == (64, 48)
    assert numbers_of(read.images) == [3, 7]


def test_counting_agrees_with_reading(make_video):
    path = make_video("a.mp4")
    counted = count_frames(path)
    read = read_frames(str(path), lambda num_frames: np.empty(0, np.int64))
    assert counted.num_frames == read.info.num_frames == 20
    assert counted.frame_seconds.tolist() == read.info.frame_seconds.tolist()
    assert read.images == []


def test_variable_rate_and_a_late_start_keep_exact_times(make_video):
    ticks = [1000, 1001, 1100, 1733, 1734, 2500]
    info = count_frames(make_video("vfr.mkv", 6, codec="ffv1", ticks=ticks, time_base=Fraction(1, 1000)))
    assert info.frame_seconds.tolist() == [tick / 1000 for tick in ticks]
    assert info.end_seconds > 2.5
    assert info.duration_seconds == info.end_seconds - 1.0


def test_a_stream_without_times_goes_on_at_the_rate(make_video, numbers_of):
    decoded = read_frames(make_video("raw.h264"), lambda num_frames: np.array([0, 19]))
    np.testing.assert_allclose(decoded.info.frame_seconds, np.arange(20) / 25)
    assert decoded.info.end_seconds == pytest.approx(0.8)
    assert "times are missing" in decoded.info.notes[0]
    assert numbers_of(decoded.images) == [0, 19]


def test_frames_of_another_size_are_brought_to_the_first(make_video, tmp_path, numbers_of):
    parts = [make_video("a.h264"), make_video("b.h264", size=(96, 64))]
    path = tmp_path / "both.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    decoded = read_frames(path, lambda num_frames: np.array([19, 20, num_frames - 1]))
    assert decoded.info.num_frames == 40
    assert [image.shape for image in decoded.images] == [(48, 64, 3)] * 3
    assert numbers_of(decoded.images) == [19, 0, 19]
    assert "another size (96x64)" in " ".join(decoded.info.notes)
    assert not decoded.info.is_damaged


# Luma and chroma weights of the three matrices, and AVColorSpace's number for them.
@pytest.mark.parametrize(
    ("space", "red", "blue"), [(1, 0.2126, 0.0722), (2, 0.299, 0.114), (5, 0.299, 0.114), (9, 0.2627, 0.0593)]
)
@pytest.mark.parametrize("is_full", [False, True])
def test_colours_follow_the_file_s_matrix_and_range(tmp_path, space, red, blue, is_full):
    path = tmp_path / "colour.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.codec_context.colorspace = space
        stream.codec_context.color_range = 2 if is_full else 1
        frame = av.VideoFrame(32, 32, "yuv420p")
        for plane, value in zip(frame.planes, (120, 90, 200), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.colorspace, frame.color_range, frame.pts = space, 2 if is_full else 1, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    image = read_frames(path, lambda num_frames: np.array([0])).images[0]
    luma, cb, cr = (120 - 16) / 219, (90 - 128) / 224, (200 - 128) / 224
    if is_full:
        luma, cb, cr = 120 / 255, (90 - 128) / 255, (200 - 128) / 255
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    g = (luma - red * r - blue * b) / (1 - red - blue)
    np.testing.assert_allclose(image[16, 16], np.clip([r * 255, g * 255, b * 255], 0, 255), atol=2)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 1), lambda image: image),
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
        ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda image: np.rot90(image.transpose(1, 0, 2), 2)),
    ],
)
def test_rotation_and_mirroring_are_applied(tmp_path, matrix, expected):
    upright = np.zeros((48, 64, 3), np.uint8)
    upright[:16, :32], upright[16:, :16] = 200, 90
    path = tmp_path / "turned.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(upright, format="rgb24")))
        container.mux(stream.encode(None))
    plain = read_frames(path, lambda num_frames: np.array([0])).images[0]
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40  # the nine numbers of the track header's matrix, in rows of three
    for offset, value in zip((0, 4, 12, 16), matrix, strict=True):
        data[place + offset : place + offset + 4] = (value * 65536).to_bytes(4, "big", signed=True)
    path.write_bytes(data)
    decoded = read_frames(path, lambda num_frames: np.array([0]))
    turned = expected(plain)
    assert (decoded.info.height, decoded.info.width) == turned.shape[:2]
    np.testing.assert_array_equal(decoded.images[0], turned)
    halved = read_frames(
        path, lambda num_frames: np.array([0]), size=lambda width, height: (width // 2, height // 2)
    )
    assert halved.images[0].shape == (turned.shape[0] // 2, turned.shape[1] // 2, 3)
    assert np.abs(halved.images[0].astype(float) - turned[::2, ::2]).mean() < 8


def _packet_places(path: Path) -> list[tuple[int, int]]:
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


@pytest.fixture
def damaged(make_video) -> Path:
    """20 frames, a key frame every 5, no B-frames; frame 7's packet is all ones: 7, 8 and 9 are lost."""
    path = make_video("damaged.mp4", options={"g": "5", "bf": "0", "sc_threshold": "0"})
    data = bytearray(path.read_bytes())
    place, size = _packet_places(path)[7]
    data[place : place + size] = b"\xff" * size
    path.write_bytes(data)
    return path


def test_after_damage_frames_are_kept_again_from_the_next_key_frame(damaged, numbers_of):
    asked = []

    def choose(num_frames):
        asked.append(num_frames)
        return np.arange(num_frames)

    decoded = read_frames(damaged, choose)
    assert asked == [20, 17]
    assert numbers_of(decoded.images) == [*range(7), *range(10, 20)]
    assert decoded.info.is_damaged
    assert decoded.info.notes == ("17 of 20 frames decode; the rest is damaged or missing",)
    np.testing.assert_allclose(decoded.info.frame_seconds * 25, [*range(7), *range(10, 20)])
    assert count_frames(damaged).notes == decoded.info.notes


def test_what_choose_refuses_counts_only_for_the_true_number(damaged):
    def choose(allowed):
        def chosen(num_frames):
            if num_frames != allowed:
                raise VideoError(f"{num_frames} frames will not do")
            return np.array([0])

        return chosen

    assert len(read_frames(damaged, choose(17)).images) == 1
    with pytest.raises(VideoError, match="17 frames will not do"):
        read_frames(damaged, choose(20))


def test_a_file_cut_off_keeps_its_beginning_and_says_so(make_video):
    path = make_video("cut.avi", codec="mpeg4", options={"g": "5"})
    place, size = _packet_places(path)[13]
    path.write_bytes(path.read_bytes()[: place + size // 2])
    info = count_frames(path)
    assert 12 <= info.num_frames <= 14
    assert info.is_damaged
    assert f"{info.num_frames} of 20 frames decode" in info.notes[0]


def test_a_cut_off_matroska_file_is_noticed_by_its_header(make_video):
    path = make_video("cut.mkv", 60, codec="ffv1")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "the header promises 2.4 seconds" in " ".join(count_frames(path).notes)


def test_nothing_decodes(make_video):
    path = make_video("zero.mp4", 5)
    data = bytearray(path.read_bytes())
    for place, size in _packet_places(path):
        data[place : place + size] = bytes(size)
    path.write_bytes(data)
    for read in (count_frames, lambda p: read_frames(p, np.arange)):
        with pytest.raises(VideoError, match=r"zero.mp4: none of its 5 video packets decodes.*Get it again"):
            read(path)


def _sound(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("gone.mp4", lambda path: None, "there is no such file"),
        ("folder.mp4", Path.mkdir, "this is a folder"),
        ("empty.mp4", Path.touch, r"empty \(0 bytes\)"),
        ("text.mp4", lambda path: path.write_text("hello\n" * 99), "not a video that FFmpeg can read"),
        ("text.txt", lambda path: path.write_text("hello\n" * 99), "there is no video in this file"),
        (
            "noise.mkv",
            lambda path: path.write_bytes(bytes(range(256)) * 40),
            "not a video that FFmpeg can read",
        ),
        ("sound.wav", _sound, "there is no video in this file, FFmpeg finds only audio"),
    ],
)
def test_what_is_no_video_gives_one_clear_error(tmp_path, capfd, name, write, message):
    path = tmp_path / name
    write(path)
    for read in (count_frames, lambda p: read_frames(p, np.arange)):
        with pytest.raises(VideoError, match=message) as caught:
            read(path)
        assert str(caught.value).startswith(str(path))
    assert capfd.readouterr() == ("", "")


def test_an_mp4_without_its_index(make_video):
    path = make_video("cut.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(VideoError, match="an MP4 file without a readable index"):
        count_frames(path)


def test_a_name_with_a_colon_and_spaces(make_video):
    assert count_frames(make_video("take 2: the end.mp4", 3)).num_frames == 3


def test_an_index_out_of_range(make_video):
    with pytest.raises(VideoError, match="frame 5 was asked for, but the video has 5 frames"):
        read_frames(make_video("a.mp4", 5), lambda num_frames: np.array([0, 5]))


def test_a_stream_that_is_not_there(make_video):
    path = make_video("a.mp4", 3)
    assert count_frames(path, stream=0).num_frames == 3
    with pytest.raises(VideoError, match="stream 4 is not a video stream; video streams: 0"):
        count_frames(path, stream=4)


# Number of frames, width and height of the real files.
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
            assert (info.num_frames, info.width, info.height) == REAL[name], name
            assert all(image.shape == (info.height, info.width, 3) for image in decoded.images), name
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
