"""Videos that flash white and click at the same moments."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from attcell.video.decode import read_frames
from attcell.video.sound.reading import SoundBlocks

MOMENTS = (0.6, 1.4, 2.6)  # seconds after the first frame
CLICK_SECONDS, FLASH_SECONDS, PITCH_HZ = 0.03, 0.12, 1500
FRAME_RATE, SOUND_RATE = 25, 48_000
CODECS = {  # of the picture and of the sound, for each ending
    ".mp4": ("libx264", "aac"),
    ".mkv": ("libx264", "libopus"),
    ".webm": ("libvpx", "libopus"),
    ".avi": ("mpeg4", "libmp3lame"),
    ".mov": ("libx264", "pcm_s16le"),
}


def write_clicks(
    path: Path, seconds: float = 4.0, *, start: float = 0.0, sound: tuple[float, float] = (0.0, 4.0)
) -> Path:
    """A video in the codecs of its ending: the first frame is shown at ``start``, and the sound goes from one
    time to another, counted from there.
    """
    picture_codec, sound_codec = CODECS[path.suffix]
    with av.open(str(path), "w") as container:
        pictures = container.add_stream(picture_codec, rate=FRAME_RATE)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        pictures.codec_context.time_base = Fraction(1, 1000)
        if picture_codec == "libx264":
            pictures.options = {"bf": "0"}
        sounds = container.add_stream(sound_codec, rate=SOUND_RATE, layout="stereo")
        following = _sound(start, *sound)
        frame = next(following, None)
        for number in range(round(seconds * FRAME_RATE)):
            at = number / FRAME_RATE
            container.mux(pictures.encode(_picture(at, start)))
            while frame is not None and frame.time <= start + at:
                container.mux(sounds.encode(frame))
                frame = next(following, None)
        container.mux(pictures.encode(None))
        while frame is not None:
            container.mux(sounds.encode(frame))
            frame = next(following, None)
        container.mux(sounds.encode(None))
    return path


def _picture(at: float, start: float) -> av.VideoFrame:
    is_white = any(moment <= at + 1e-9 < moment + FLASH_SECONDS for moment in MOMENTS)
    frame = av.VideoFrame.from_ndarray(
        np.full((48, 64, 3), 250 if is_white else 20, np.uint8), format="rgb24"
    )
    frame.pts, frame.time_base = round(1000 * (start + at)), Fraction(1, 1000)
    return frame


def _sound(start: float, first: float, end: float) -> Iterator[av.AudioFrame]:
    at = first + np.arange(round((end - first) * SOUND_RATE)) / SOUND_RATE
    wave = np.zeros(len(at), np.float32)
    for moment in MOMENTS:
        inside = (at >= moment) & (at < moment + CLICK_SECONDS)
        wave[inside] = 0.8 * np.sin(2 * np.pi * PITCH_HZ * (at[inside] - moment))
    for place in range(0, len(wave), SOUND_RATE // 50):
        some = np.tile(wave[place : place + SOUND_RATE // 50], (2, 1))
        frame = av.AudioFrame.from_ndarray(some, format="fltp", layout="stereo")
        frame.sample_rate, frame.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
        frame.pts = round((start + first) * SOUND_RATE) + place
        yield frame


def flashes(path: Path) -> np.ndarray:
    """When it turns white, on the clock of its frames."""
    found = read_frames(path, np.arange)
    is_white = np.array([image.mean() > 128 for image in found.images])
    return found.info.frame_seconds[np.flatnonzero(np.diff(is_white, prepend=False) & is_white)]


def clicks(path: Path) -> np.ndarray:
    """When it clicks, on the same clock."""
    loud = [
        block.first + np.flatnonzero(np.abs(block.samples) > 0.2) for block in SoundBlocks(path, SOUND_RATE)
    ]
    at = np.concatenate([*loud, np.empty(0)]) / SOUND_RATE
    return at[np.diff(at, prepend=-1) > 0.2]
