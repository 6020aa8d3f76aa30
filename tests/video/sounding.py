"""Small videos with sound: flashes of the picture and clicks of the sound at the same moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FPS = 25
CLICK_SECONDS = 0.002


@dataclass(frozen=True)
class Track:
    """A stream of sound: clicks at some moments, and a tone.

    Attributes:
        codec, rate, layout: of FFmpeg.
        seconds: its length.
        starts: when it begins; what was to be heard before is not there.
        tone: Hz; 0 for none.
        language: for players.
    """

    codec: str = "aac"
    rate: int = 44_100
    layout: str = "stereo"
    seconds: float = 2.0
    starts: float = 0.0
    tone: float = 0.0
    language: str = ""


def waveform(track: Track, events: Sequence[float]) -> np.ndarray:
    """(S,) float32 of a track."""
    times = track.starts + np.arange(round(track.seconds * track.rate)) / track.rate
    samples = 0.2 * np.sin(2 * np.pi * track.tone * times)
    for event in events:
        samples[(times >= event - 1e-9) & (times < event + CLICK_SECONDS)] = 0.9
    return samples.astype(np.float32)


def write_sounding(
    path: Path,
    *tracks: Track,
    events: Sequence[float] = (),
    seconds: float = 2.0,
    codec: str = "libx264",
    size: tuple[int, int] = (32, 32),
) -> Path:
    """A video of ``seconds`` that is light in the frames of the events, with these streams of sound; without
    pictures if ``codec`` is empty."""
    with av.open(str(path), "w") as container:
        video = None
        if codec:
            video = container.add_stream(codec, rate=FPS)
            video.width, video.height = size
            video.pix_fmt = "yuv420p"
        streams = []
        for track in tracks:
            streams.append(container.add_stream(track.codec, rate=track.rate, layout=track.layout))
            if track.language:
                streams[-1].metadata["language"] = track.language
        if video is not None:
            _encode_frames(container, video, events, seconds, size)
        for track, stream in zip(tracks, streams, strict=True):
            _encode_sound(container, stream, track, events)
    return path


def _encode_frames(container, video, events, seconds, size) -> None:
    for index in range(round(seconds * FPS)):
        is_light = any(abs(index / FPS - event) < 0.5 / FPS for event in events)
        picture = np.full((size[1], size[0], 3), 240 if is_light else 20, np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = index
        container.mux(video.encode(frame))
    container.mux(video.encode(None))


def _encode_sound(container, stream, track: Track, events) -> None:
    samples = waveform(track, events)
    num_channels = stream.codec_context.layout.nb_channels
    length = stream.codec_context.frame_size or 1024
    for start in range(0, len(samples), length):
        part = np.repeat(samples[start : start + length], num_channels)[None]
        frame = av.AudioFrame.from_ndarray(part, format="flt", layout=track.layout)
        frame.sample_rate = track.rate
        frame.time_base = Fraction(1, track.rate)
        frame.pts = start + round(track.starts * track.rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def with_default(path: Path, into: Path, *, number: int) -> Path:
    """A copy that names one of its streams of sound, counted from 0, as its default."""
    with av.open(str(path)) as source, av.open(str(into), "w") as target:
        streams = {of.index: target.add_stream_from_template(of) for of in source.streams}
        for place, stream in enumerate(of for of in streams.values() if of.type == "audio"):
            flags = av.stream.Disposition
            stream.disposition = flags.default if place == number else flags(0)
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return into


def damaged_copy(path: Path, into: Path, *, between: tuple[float, float]) -> Path:
    """A copy whose packets of sound in these seconds hold nonsense."""
    rng = np.random.default_rng(0)
    with av.open(str(path)) as source, av.open(str(into), "w") as target:
        streams = {of.index: target.add_stream_from_template(of) for of in source.streams}
        for packet in source.demux():
            if not packet.size:
                continue
            copy = packet
            if packet.stream.type == "audio" and between[0] <= packet.pts * packet.time_base < between[1]:
                copy = av.Packet(rng.integers(0, 256, packet.size, dtype=np.uint8).tobytes())
                copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
                copy.duration = packet.duration
            copy.stream = streams[packet.stream.index]
            target.mux(copy)
    return into
