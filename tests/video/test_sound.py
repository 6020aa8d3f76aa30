"""Sound of files: when it is, what of it is there, and every kind of it."""

from __future__ import annotations

import av
import numpy as np
import pytest

from attcell.errors import VideoError
from attcell.video.decode import read_frames
from attcell.video.sound import RATE, Sound, SoundReader, read_sound
from tests.video.conftest import write_video
from tests.video.sounding import Track, damaged_copy, with_default, write_sounding

EVENTS = (0.4, 1.0, 1.52)


def loud_moments(sound: Sound, level: float = 0.3) -> list[float]:
    """When the sound gets loud after it was not for 50 ms."""
    loud = np.flatnonzero(np.abs(sound.samples) > level)
    begins = loud[np.diff(loud, prepend=-RATE) > 0.05 * RATE]
    return (sound.start_seconds + begins / RATE).tolist()


def flashes(path) -> list[float]:
    read = read_frames(path, np.arange)
    light = [image.mean() > 120 for image in read.images]
    return read.info.frame_seconds[light].tolist()


def tone_at(sound: Sound, seconds: float) -> float:
    """The strongest frequency around a moment, in Hz."""
    (window,) = sound.around(np.array([seconds]), RATE // 4)
    spectrum = np.abs(np.fft.rfft(window * np.hanning(len(window))))
    return float(np.argmax(spectrum)) * RATE / len(window)


# Times.


@pytest.mark.parametrize(
    ("name", "codec", "track"),
    [
        ("a.mp4", "libx264", Track("aac")),
        ("a.mov", "libx264", Track("aac", 48_000, "mono")),
        ("b.mov", "libx264", Track("pcm_s24le", 48_000)),
        ("a.mkv", "libx264", Track("aac")),
        ("b.mkv", "libx264", Track("libopus", 48_000)),
        ("a.webm", "libvpx", Track("libopus", 48_000)),
        ("a.avi", "mpeg4", Track("pcm_s16le")),
        ("b.mp4", "libx264", Track("libmp3lame")),
        ("c.mp4", "libx264", Track("libopus", 48_000)),
    ],
    ids=str,
)
def test_a_click_is_heard_when_its_flash_is_seen(tmp_path, name, codec, track):
    path = write_sounding(tmp_path / name, track, events=EVENTS, codec=codec)
    assert loud_moments(read_sound(path)) == pytest.approx(flashes(path), abs=0.01)
    reader = SoundReader(path)
    for flash in flashes(path):
        (window,) = reader.around(np.array([flash]), RATE // 10)
        assert np.flatnonzero(np.abs(window) > 0.3)[0] / RATE == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("name", ["late.mp4", "late.mov", "late.mkv"])
def test_sound_may_start_later_and_end_earlier_than_the_picture(tmp_path, name):
    track = Track("aac", seconds=0.9, starts=0.5)
    path = write_sounding(tmp_path / name, track, events=EVENTS)
    sound = read_sound(path)
    assert loud_moments(sound) == pytest.approx(flashes(path)[1:2], abs=0.01)
    assert (sound.start_seconds, sound.end_seconds) == pytest.approx((0.5, 1.4), abs=0.03)
    before, inside, after = sound.around(np.array([0.2, 1.0, 1.8]), RATE // 5)
    assert not before.any()
    assert not after.any()
    assert inside.any()


def test_pictures_may_start_later_than_sound(tmp_path):
    whole = write_sounding(tmp_path / "whole.mp4", Track(), events=EVENTS)
    path = tmp_path / "early.mp4"
    with av.open(str(whole)) as old, av.open(str(path), "w") as new:
        streams = {of.index: new.add_stream_from_template(of) for of in old.streams}
        for packet in old.demux():
            later = round(0.2 / packet.time_base) if packet.stream.type == "video" else 0
            if packet.size:
                packet.pts, packet.dts = packet.pts + later, packet.dts + later
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    assert loud_moments(read_sound(path)) == pytest.approx([at - 0.2 for at in flashes(path)], abs=0.01)


def test_a_gap_in_the_stamps_is_silence(tmp_path):
    whole = write_sounding(tmp_path / "whole.mkv", Track("pcm_s16le", tone=440.0))
    path = tmp_path / "gap.mkv"
    with av.open(str(whole)) as old, av.open(str(path), "w") as new:
        streams = {of.index: new.add_stream_from_template(of) for of in old.streams}
        for packet in old.demux():
            is_lost = (
                packet.stream.type == "audio" and packet.size and 0.8 <= packet.pts * packet.time_base < 1.2
            )
            if packet.size and not is_lost:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    sound = read_sound(path)
    assert sound.end_seconds == pytest.approx(2.0, abs=0.01)
    gap, after = sound.around(np.array([1.0, 1.6]), RATE // 5)
    assert not gap.any()
    assert np.abs(after).max() == pytest.approx(0.2, abs=0.02)


# A reader goes forward, and holds little.


def test_a_reader_gives_what_the_whole_sound_gives(tmp_path):
    path = write_sounding(tmp_path / "a.mkv", Track(tone=300.0, seconds=4.0), events=EVENTS, seconds=4.0)
    sound, reader = read_sound(path), SoundReader(path)
    for seconds in ([0.1, 0.5], [0.3, 0.7, 1.1], [1.0, 3.9, 6.0], [0.2]):  # the last one goes back
        at = np.array(seconds)
        assert np.array_equal(reader.around(at, 4_000), sound.around(at, 4_000))
    assert (reader.num_windows, reader.num_silent) == (1, 0)  # since it went back


def test_a_reader_passes_over_what_nobody_asks_for(tmp_path, monkeypatch):
    monkeypatch.setattr("attcell.video.sound.reading._FAR", RATE)
    monkeypatch.setattr("attcell.video.sound.reading._RUN_UP", 0.3)
    track = Track("pcm_s16le", RATE, "mono", tone=300.0, seconds=12.0)
    path = write_sounding(tmp_path / "a.mov", track, seconds=12.0)
    sound, reader = read_sound(path), SoundReader(path)
    at = np.array([0.5, 5.0, 10.0])
    assert np.array_equal(reader.around(at, 4_000), sound.around(at, 4_000))
    assert reader.around(np.array([11.0]), 4_000).any()


def test_what_is_held_is_little(tmp_path):
    path = write_sounding(tmp_path / "a.mp4", Track(tone=300.0, seconds=30.0), seconds=1.0)
    reader = SoundReader(path)
    for at in np.arange(0, 30, 0.5):
        reader.around(np.array([at, at + 0.2]), RATE)
        assert sum(len(block.samples) for block in reader._held) < 4 * RATE


def test_windows_that_lie_in_no_sound_are_counted(tmp_path):
    path = write_sounding(tmp_path / "a.mp4", Track(seconds=0.1, tone=300.0))
    reader = SoundReader(path)
    windows = reader.around(np.array([0.0, 0.05, 1.0, 1.5]), RATE // 5)
    assert windows.any(axis=1).tolist() == [True, True, False, False]
    assert (reader.num_windows, reader.num_silent, reader.has_sound) == (4, 2, True)


# Every kind of sound.


@pytest.mark.parametrize(
    ("name", "track", "loudest"),
    [
        ("a.mkv", Track("pcm_s16le", 8_000, "mono", tone=500.0), 0.2),
        ("b.mkv", Track("pcm_f32le", 192_000, tone=500.0), 0.2),
        ("c.mkv", Track("flac", 96_000, "mono", tone=500.0), 0.2),
        ("d.mkv", Track("pcm_s24le", 48_000, "7.1", tone=500.0), 0.2),
        ("e.mkv", Track("pcm_f64le", 11_025, "5.1", tone=500.0), 0.2),
        ("f.mp4", Track("aac", 32_000, "5.1", tone=500.0), 0.2 * 5 / 6),  # AAC's sixth channel is low alone
    ],
    ids=str,
)
def test_any_layout_rate_and_codec_becomes_mono(tmp_path, name, track, loudest):
    sound = read_sound(write_sounding(tmp_path / name, track))
    assert sound.samples.dtype == np.float32
    assert len(sound.samples) / RATE == pytest.approx(2.0, abs=0.1)
    assert tone_at(sound, 1.0) == pytest.approx(500, abs=5)
    middle = sound.samples[RATE // 2 : RATE]
    assert np.abs(middle).max() == pytest.approx(loudest, abs=0.01)
    assert sound.notes == ()


def test_floats_beyond_one_are_clipped(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.video.sounding.waveform", lambda track, events: np.full(8_000, 3, np.float32))
    sound = read_sound(write_sounding(tmp_path / "a.mkv", Track("pcm_f32le", 16_000, "mono")))
    assert sound.samples.max() == 1


def test_damaged_packets_are_silence_and_said(tmp_path):
    whole = write_sounding(tmp_path / "whole.mp4", Track(tone=440.0, seconds=3.0), seconds=3.0)
    path = damaged_copy(whole, tmp_path / "damaged.mkv", between=(1.0, 2.0))
    sound = read_sound(path)
    assert "damaged packets of sound: " in sound.notes[0]
    assert "silence" in sound.notes[0]
    assert sound.end_seconds == pytest.approx(3.0, abs=0.05)
    for seconds in (0.5, 2.5):
        assert tone_at(sound, seconds) == pytest.approx(440, abs=5)
    assert read_frames(path, np.arange).info.notes == ()


def test_of_several_streams_one_is_heard_and_said(tmp_path):
    tracks = Track(tone=500.0, language="eng"), Track(tone=1_500.0, language="deu")
    sound = read_sound(write_sounding(tmp_path / "a.mkv", *tracks))
    assert tone_at(sound, 1.0) == pytest.approx(500, abs=5)
    assert sound.notes == ("2 streams of sound: the one that FFmpeg takes is heard, stream 1, eng",)


@pytest.mark.parametrize("name", ["b.mkv", "b.mp4", "b.mov"])
@pytest.mark.parametrize(("number", "tone"), [(0, 500), (1, 1_500), (2, 2_500)])
def test_of_several_streams_the_default_one_is_heard_wherever_it_is(tmp_path, name, number, tone):
    tracks = [Track(tone=hz, seconds=0.5) for hz in (500.0, 1_500.0, 2_500.0)]
    several = write_sounding(tmp_path / "a.mkv", *tracks, seconds=0.5)
    sound = read_sound(with_default(several, tmp_path / name, number=number))
    assert tone_at(sound, 0.25) == pytest.approx(tone, abs=5)
    assert sound.notes == (f"3 streams of sound: the default one is heard, stream {number + 1}",)


def test_what_has_no_sound_gives_none(tmp_path):
    assert read_sound(write_video(tmp_path / "a.mp4", 3)) is None
    assert read_sound(tmp_path) is None
    reader = SoundReader(tmp_path / "a.mp4")
    assert not reader.around(np.array([0.0]), 100).any()
    assert not reader.has_sound


def test_sound_alone_is_heard_and_is_no_video(tmp_path):
    path = write_sounding(tmp_path / "a.m4a", Track(tone=500.0), codec="")
    assert tone_at(read_sound(path), 1.0) == pytest.approx(500, abs=5)
    with pytest.raises(VideoError, match="a file with sound alone, and a video is wanted"):
        read_frames(path, np.arange)


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_text("nothing")
    for reads in (read_sound, lambda path: SoundReader(path).around(np.zeros(1), 10)):
        with pytest.raises(VideoError, match="not a video that FFmpeg can read"):
            reads(tmp_path / "a.mp4")
