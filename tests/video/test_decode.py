"""Decoding: the right frames, the true count, honest notes, one clear error."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from attcell.types import Size
from attcell.video import _passes as passes
from attcell.video.decode import count_frames, read_frames
from tests.damage import jpegs_with_exif, write_mjpeg

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
    assert decoded.info.size == (width, height)
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
    read = read_frames(
        path, lambda num_frames: np.array([3, 7]), size=lambda shown: Size(shown.width // 2, 10)
    )
    assert [image.shape for image in read.images] == [(10, 32, 3)] * 2
    assert read.info.size == (64, 48)
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
    assert decoded.info.size == Size.of_image(turned)
    np.testing.assert_array_equal(decoded.images[0], turned)
    halved = read_frames(
        path, lambda num_frames: np.array([0]), size=lambda shown: Size(shown.width // 2, shown.height // 2)
    )
    assert halved.images[0].shape == (turned.shape[0] // 2, turned.shape[1] // 2, 3)
    assert np.abs(halved.images[0].astype(float) - turned[::2, ::2]).mean() < 8


@pytest.mark.parametrize("suffix", ["avi", "mov"])
@pytest.mark.parametrize("orientation", [None, 3, 5, 6, 8])
def test_frames_that_carry_exif(tmp_path, suffix, orientation):
    pictures = jpegs_with_exif(12, orientation)
    path = write_mjpeg(tmp_path / f"exif.{suffix}", pictures)
    decoded = read_frames(path, np.arange)
    upright = [np.array(ImageOps.exif_transpose(Image.open(BytesIO(picture)))) for picture in pictures]
    assert decoded.info.num_frames == count_frames(path).num_frames == 12
    assert decoded.info.size == ((60, 80) if orientation in (5, 6, 8) else (80, 60))
    assert decoded.info.notes == ()
    for image, expected in zip(decoded.images, upright, strict=True):
        assert np.abs(image.astype(int) - expected).mean() < 3
