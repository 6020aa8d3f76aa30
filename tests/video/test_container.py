"""A video file is that file alone: nothing that it names is opened."""

from __future__ import annotations

import shutil
import socket
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from attcell.errors import VideoError
from attcell.video._container import open_container
from attcell.video.decode import count_frames, promised_frames, read_frames
from tests.video.conftest import write_video

SDP = (
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 45454 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n"
)
MPD = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period>'
    '<AdaptationSet mimeType="video/mp4"><Representation><BaseURL>good.mp4</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>"
)


def playlist(address: str) -> str:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n"


def look_into(path: Path) -> None:
    with open_container(path):
        pass


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write_video(tmp_path / "good.mp4", 5)


@pytest.mark.parametrize("name", ["a.m3u8", "a.mp4", "a.ts"])
def test_a_playlist_of_files_is_refused(good: Path, name: str) -> None:
    path = good.with_name(name)
    path.write_text(playlist(good.as_uri()))
    with pytest.raises(VideoError, match="a list of other files or addresses, such as a playlist"):
        look_into(path)


def test_no_address_is_asked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        for suffix in (".m3u8", ".mp4"):
            path = tmp_path / f"a{suffix}"
            path.write_text(playlist(address))
            with pytest.raises(VideoError, match="and these are not opened; give the videos themselves"):
                look_into(path)
        (tmp_path / "a.svg").write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="{address}"/></svg>'
        )
        with pytest.raises((VideoError, av.FFmpegError, AttributeError)):  # there is no decoder for it
            count_frames(tmp_path / "a.svg")
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("name", ["a.mp4", "a.ffconcat", "a.txt"])
def test_a_concat_file_is_refused(good: Path, name: str) -> None:
    path = good.with_name(name)
    path.write_text(f"ffconcat version 1.0\nfile {good.name}\n")
    with pytest.raises(VideoError, match="a list of other files or addresses"):
        look_into(path)


@pytest.mark.parametrize(("name", "text"), [("a.sdp", SDP), ("a.mp4", SDP), ("a.mpd", MPD)])
def test_descriptions_of_streams_are_refused(good: Path, name: str, text: str) -> None:
    path = good.with_name(name)
    path.write_text(text)
    with pytest.raises(VideoError, match=r"other files or addresses|not a video that FFmpeg can read"):
        look_into(path)


def test_a_name_that_is_a_pattern_opens_no_others(tmp_path: Path) -> None:
    for name in ("n1.png", "n2.png", "n%d.png", "n*.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    for name in ("n%d.png", "n*.png"):
        with pytest.raises(VideoError, match="not a video that FFmpeg can read"):
            look_into(tmp_path / name)
    video = write_video(tmp_path / "v%d*.mp4", 5)
    assert count_frames(video).num_frames == 5


@pytest.mark.parametrize(
    "name", ["http:a.mp4", "concat:good.mp4|good.mp4", "data:,x.mp4", "subfile,,start,0,end,9,,:a.mp4"]
)
def test_a_name_that_is_an_address_is_a_name(good: Path, name: str) -> None:
    shutil.copy(good, good.with_name(name))
    assert count_frames(good.with_name(name)).num_frames == 5


def test_attachments_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        container.add_attachment("../../evil.sh", "application/x-sh", b"#!/bin/sh\ntouch /tmp/evil\n")
        container.add_attachment("font.ttf", "font/ttf", bytes(2000))
        for number in range(4):
            frame = av.VideoFrame(32, 32, "yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert count_frames(path).num_frames == 4
    assert list(tmp_path.iterdir()) == [path]


STYLES = (
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname\nStyle: Default,Arial\n\n"
    b"[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)
PAGE = bytes.fromhex("000600040000ffff")  # of a DVD's pictures: nothing is drawn
SEGMENT = bytes.fromhex("20000f10000100020000ff")  # of DVB's


def with_subtitles(path: Path, codec: str, subtitles: dict[str, bytes], *, are_first: bool, end: int) -> Path:
    """A video of 10 grey frames in 0.4 s; each track's text or picture at 0, and 1 s before the end."""
    with av.open(str(path), "w") as container:

        def add_tracks() -> None:
            tracks.update({container.add_stream(name): content for name, content in subtitles.items()})

        tracks: dict[av.Stream, bytes] = {}
        if are_first:
            add_tracks()
        video = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        if not are_first:
            add_tracks()
        for track in tracks:
            track.codec_context.subtitle_header = STYLES
        for track, content in tracks.items():
            for milliseconds in (0, end - 1000):
                packet = av.Packet(content)
                packet.stream, packet.time_base = track, Fraction(1, 1000)
                packet.pts = packet.dts = milliseconds
                packet.duration = 1000
                container.mux(packet)
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32), 20 * number, np.uint8), "gray")
            frame.pts = number
            container.mux(video.encode(frame.reformat(format="yuv420p")))
        container.mux(video.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "subtitles"),
    [
        ("srt.mkv", "ffv1", {"srt": b"<b>hello</b> {\\an8}"}),
        ("ass.mkv", "ffv1", {"ass": b"0,0,Default,,0,0,0,,hello"}),
        ("webvtt.webm", "libvpx", {"webvtt": b"hello"}),
        ("mov_text.mp4", "mpeg4", {"mov_text": b"\0\x05hello"}),
        ("mov_text.mov", "mpeg4", {"mov_text": b"\0\x05hello"}),
        ("pictures.mkv", "ffv1", {"dvdsub": PAGE, "dvbsub": SEGMENT}),
        ("pictures.mp4", "mpeg4", {"dvdsub": PAGE}),
        ("pictures.ts", "mpeg2video", {"dvbsub": SEGMENT}),
        ("damaged.mkv", "ffv1", {"ass": b"\xff\0", "dvdsub": b"\xff" * 9, "dvbsub": bytes(40)}),
    ],
)
@pytest.mark.parametrize(
    ("are_first", "end"), [(True, 100_000), (False, 1000)], ids=["first and outlasting", "last"]
)
def test_subtitles_are_passed_over(
    tmp_path: Path, name: str, codec: str, subtitles: dict[str, bytes], are_first: bool, end: int
) -> None:
    """Frames, times and notes are those of the same video without subtitles, wherever their track stands and
    however long they go on.
    """
    plain = with_subtitles(tmp_path / f"plain-{name}", codec, {}, are_first=are_first, end=end)
    path = with_subtitles(tmp_path / name, codec, subtitles, are_first=are_first, end=end)
    with av.open(str(path)) as container:
        assert {track.type for track in container.streams} == {"video", "subtitle"}
    found, wanted = (read_frames(of, np.arange) for of in (path, plain))
    np.testing.assert_array_equal(found.images, wanted.images)
    np.testing.assert_allclose(found.info.frame_seconds, wanted.info.frame_seconds, atol=1e-9)
    assert (len(found.images), found.info.notes, found.info.is_damaged) == (10, (), False)
    assert found.info.end_seconds == pytest.approx(wanted.info.end_seconds) == pytest.approx(0.4, abs=0.05)
    assert promised_frames(path) == 10
