"""Files that are damaged, cut off or no videos: what decodes is kept and said, or one clear error."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from attcell.errors import VideoError
from attcell.video._passes import at_its_end, every_frame_decoded
from attcell.video.decode import count_frames, read_frames
from tests.moving import noisy_frames


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


def test_on_many_threads_damage_ends_a_frame(tmp_path):
    """Of a changed frame the decoder tells, on many threads sometimes too late; so there it gives none."""
    path = tmp_path / "noise.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "20", "bf": "0"})
        stream.width, stream.height = 64, 48
        for image in noisy_frames(12, (64, 48)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    place, size = _packet_places(path)[7]
    data[place + size // 2 : place + size // 2 + 40] = bytes(40)
    path.write_bytes(data)

    def passed(threads):
        return at_its_end(every_frame_decoded(path, None, lambda _: (), threads))

    here, there = passed("NONE"), passed("AUTO")
    assert (here.num_refused, here.num_flagged) == (0, 1)
    assert there.num_refused == 1
    decoded = read_frames(path, np.arange)
    assert len(decoded.images) == 12
    assert decoded.info.notes == ("frames that are kept though the decoder calls them damaged: 1",)


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
        ("sound.wav", _sound, "a file with sound alone, and a video is wanted"),
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


def test_a_path_that_cannot_be_looked_at_is_one_message(tmp_path, make_video):
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    for name, said in (
        ("a" * 300 + ".mp4", "File name too long"),
        ("loop.mp4", "Too many levels of symbolic"),
    ):
        with pytest.raises(VideoError, match=rf"{name}: cannot be read \({said}"):
            count_frames(tmp_path / name)
    make_video("cafe\u0301.mp4", 2)
    with pytest.raises(VideoError, match="no such file, but one whose name differs in its Unicode form"):
        count_frames(tmp_path / "caf\u00e9.mp4")
