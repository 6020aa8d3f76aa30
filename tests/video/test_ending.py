"""Files that were cut off are damaged wherever their container shows it, and whole files are not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from attcell.errors import VideoError
from attcell.video._ending import cut_off
from attcell.video.decode import count_frames

# Suffix, video codec, sound codec, options of the container, and how many of the 40 cuts may not show: those
# at the end of a packet, box or tag where the container tells no more.
CONTAINERS = [
    ("mp4", "libx264", "aac", {}, 0),
    ("mp4", "libx264", "aac", {"movflags": "faststart"}, 0),
    ("mp4", "libx264", None, {"movflags": "frag_keyframe+empty_moov"}, 2),
    ("mov", "mjpeg", "pcm_s16le", {"movflags": "faststart"}, 0),
    ("3gp", "mpeg4", "aac", {}, 0),
    ("mkv", "libx264", None, {}, 0),
    ("webm", "libvpx", "libopus", {}, 0),
    ("avi", "mpeg4", "pcm_s16le", {}, 0),
    ("flv", "libx264", "aac", {}, 0),
    ("ts", "mpeg2video", "mp2", {}, 2),
    ("m2ts", "libx264", None, {}, 10),
    ("mpg", "mpeg1video", "mp2", {}, 2),
    ("vob", "mpeg2video", None, {}, 2),
    ("asf", "wmv2", "mp2", {}, 0),
    ("ogv", "libvpx", "libopus", {}, 1),
    ("mxf", "mpeg2video", None, {}, 0),
    ("gif", "gif", None, {}, 1),
    ("mjpeg", "mjpeg", None, {}, 1),
]


def _write(path: Path, codec: str, sound: str | None, options: dict[str, str]) -> Path:
    """50 frames with a tone beside them."""
    with av.open(str(path), "w", options=options) as container:
        video = container.add_stream(codec, rate=25, options={"g": "12"} if codec != "gif" else {})
        video.width, video.height = 64, 48
        video.pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
        tone = container.add_stream(sound, rate=48000) if sound else None
        noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(np.roll(noise, index, 1), format="rgb24").reformat(
                format=video.pix_fmt
            )
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(video.encode(frame))
            if tone is not None:
                heard = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), format="s16", layout="mono")
                heard.sample_rate, heard.pts = 48000, index * 1920
                container.mux(tone.encode(heard))
        container.mux(video.encode(None))
        if tone is not None:
            container.mux(tone.encode(None))
    return path


@pytest.mark.parametrize(("suffix", "codec", "sound", "options", "unseen"), CONTAINERS)
def test_each_container_shows_that_a_file_was_cut_off(
    tmp_path: Path, suffix: str, codec: str, sound: str | None, options: dict[str, str], unseen: int
) -> None:
    path = _write(tmp_path / f"whole.{suffix}", codec, sound, options)
    with av.open(str(path)) as container:
        name = container.format.name
    assert cut_off(path, name) == ""
    whole = path.read_bytes()
    missed = 0
    for number in range(1, 41):
        path.write_bytes(whole[: len(whole) * number // 41])
        missed += number > 4 and not cut_off(path, name)  # before that not even the header is whole
    assert missed <= unseen


def test_whole_frames_of_y4m(tmp_path: Path) -> None:
    path, frame = tmp_path / "a.y4m", b"FRAME\n" + bytes(16 * 8 * 3 // 2)
    path.write_bytes(b"YUV4MPEG2 W16 H8 F25:1 Ip A1:1 C420jpeg\n" + 3 * frame)
    assert count_frames(path).notes == ()
    path.write_bytes(path.read_bytes()[:-1])
    assert count_frames(path).notes[-1] == (
        "the file is cut off or damaged: its last frame has 197 of 198 bytes"
    )


def test_a_file_that_was_cut_off_is_damaged_though_all_that_is_left_decodes(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.mkv", "ffv1", "pcm_s16le", {})
    assert (count_frames(path).is_damaged, count_frames(path).notes) == (False, ())
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-100])  # of the index at the end
    info = count_frames(path)
    assert info.num_frames == 50
    assert info.is_damaged
    assert info.notes == (
        f"the file is cut off or damaged: its segment ends at byte {size}, the file at {size - 100}",
    )


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_transport_streams_that_were_joined_are_whole(tmp_path: Path, codec: str) -> None:
    path = _write(tmp_path / "a.ts", codec, None, {})
    once = path.read_bytes()
    path.write_bytes(2 * once)
    info = count_frames(path)
    assert (info.num_frames, info.is_damaged) == (100, False)
    assert info.notes == ("presentation times are missing or run backwards; frame times are estimated",)
    places = range(len(once) // 188 // 2 * 188, len(once), 188)
    lost = next(place for place in places if once[place + 1 : place + 3] == b"\x01\x00")  # within a picture
    path.write_bytes(once[:lost] + once[lost + 188 :])
    assert count_frames(path).is_damaged


def test_a_codec_that_ffmpeg_does_not_know_is_named(tmp_path: Path) -> None:
    known = {"mp4": ("libx264", b"avc1", b"xy12", "xy12"), "avi": ("mjpeg", b"MJPG", b"XY12", "XY12"),
             "mkv": ("libx264", b"V_MPEG4/ISO/AVC", b"V_MPEG9/ISO/XYZ", "V_MPEG9/ISO/XYZ")}  # fmt: skip
    for suffix, (codec, name, other, told) in known.items():
        path = _write(tmp_path / f"a.{suffix}", codec, None, {})
        path.write_bytes(path.read_bytes().replace(name, other))
        for stream in (None, 0):
            with pytest.raises(
                VideoError, match=f"no decoder for the codec of its video, {told}; bring it to"
            ):
                count_frames(path, stream=stream)
    path = _write(tmp_path / "b.mp4", "libx264", None, {"movflags": "frag_keyframe+empty_moov"})
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(
        VideoError, match="nothing of it decodes, for it was cut off: its box moov ends at byte"
    ):
        count_frames(path)
