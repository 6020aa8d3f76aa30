"""Small good videos: every pair of container and codec that FFmpeg can write here, some with sound."""

from __future__ import annotations

import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

WIDTH, HEIGHT, FRAMES, FPS = 64, 48, 16, 25
_CODECS = {  # name: pixel format and options
    "libx264": ("yuv420p", {"g": "6", "preset": "veryfast"}),
    "libx265": ("yuv420p", {"g": "6", "preset": "ultrafast", "x265-params": "log-level=none"}),
    "libsvtav1": ("yuv420p", {"g": "6", "preset": "12"}),
    "libvpx": ("yuv420p", {"g": "6", "deadline": "realtime"}),
    "libvpx-vp9": ("yuv420p", {"g": "6", "deadline": "realtime", "cpu-used": "8"}),
    "mpeg4": ("yuv420p", {"g": "6"}),
    "mpeg2video": ("yuv420p", {"g": "6"}),
    "mpeg1video": ("yuv420p", {"g": "6"}),
    "mjpeg": ("yuvj420p", {}),
    "flv1": ("yuv420p", {"g": "6"}),
    "wmv2": ("yuv420p", {"g": "6"}),
    "h263p": ("yuv420p", {}),
    "prores_ks": ("yuv422p10le", {}),
    "ffv1": ("yuv420p", {}),
    "huffyuv": ("yuv422p", {}),
    "png": ("rgb24", {}),
    "rawvideo": ("yuv420p", {}),
    "gif": ("rgb8", {}),
    "apng": ("rgb24", {}),
    "libwebp_anim": ("yuv420p", {}),
    "dvvideo": ("yuv420p", {}),
}
_CONTAINERS = {  # suffix: codecs, codec of sound
    "mp4": ("libx264 libx265 libsvtav1 mpeg4 mjpeg", "aac"),
    "mov": ("libx264 prores_ks mjpeg png rawvideo", "pcm_s16le"),
    "m4v": ("mpeg4", ""),
    "3gp": ("libx264", "aac"),
    "mkv": ("libx264 libx265 libvpx-vp9 ffv1 mpeg2video", "libopus"),
    "webm": ("libvpx libvpx-vp9 libsvtav1", "libopus"),
    "avi": ("mpeg4 mjpeg huffyuv rawvideo libx264", "mp3"),
    "mpg": ("mpeg1video mpeg2video", "mp2"),
    "ts": ("libx264 mpeg2video libx265", "aac"),
    "flv": ("flv1 libx264", "aac"),
    "wmv": ("wmv2", ""),
    "asf": ("wmv2 mpeg4", ""),
    "gif": ("gif", ""),
    "mxf": ("mpeg2video", ""),
}  # fmt: skip


def write_originals(folder: Path) -> list[Path]:
    """The files, in the order of their names; those that are there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("SVT_LOG", "0")  # else the encoder of AV1 talks
    for suffix, (codecs, sound) in _CONTAINERS.items():
        for codec in codecs.split():
            for heard in dict.fromkeys((sound, "")):
                path = folder / f"{codec}{'-' + heard if heard else ''}.{suffix}"
                if not path.exists():
                    with suppress(av.FFmpegError, ValueError, LookupError):  # not in this FFmpeg
                        _write(path, codec, heard)
    return sorted(path for path in folder.iterdir() if path.stat().st_size)


def _write(path: Path, codec: str, heard: str) -> None:
    pixels, options = _CODECS[codec]
    av.codec.Codec(codec, "w")
    temporary = path.with_name("." + path.name)
    try:
        with av.open(str(temporary), "w") as container:
            stream: Any = container.add_stream(codec, rate=FPS, options=dict(options))
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
            stream.time_base = Fraction(1, FPS)
            audio: Any = container.add_stream(heard, rate=48_000, layout="mono") if heard else None
            for number in range(FRAMES):
                container.mux(stream.encode(_frame(number, pixels)))
                if audio is not None:
                    container.mux(audio.encode(_samples(number, audio)))
            container.mux(stream.encode(None))
            if audio is not None:
                container.mux(audio.encode(None))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _frame(number: int, pixels: str) -> av.VideoFrame:
    """A square that goes over a texture."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    texture = 96 + 64 * np.sin(rows / 3) * np.cos(columns / 5)
    picture = np.stack([texture, texture[::-1], 255 - texture], axis=-1).astype(np.uint8)
    picture[10:26, 2 + 3 * number : 14 + 3 * number] = (230, 40, 60)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
    frame.pts = number
    return frame


def _samples(number: int, audio: av.AudioStream) -> av.AudioFrame:
    length = 48_000 // FPS
    tone = 0.3 * np.sin(2 * np.pi * 440 * (number * length + np.arange(length)) / 48_000)
    wanted = audio.codec_context.format.name
    frame = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), format="fltp", layout="mono")
    frame.sample_rate, frame.pts = 48_000, number * length
    if wanted == "fltp":
        return frame
    resampler = av.AudioResampler(format=wanted, layout="mono", rate=48_000)
    (made,) = resampler.resample(frame)
    made.pts = number * length
    return made
