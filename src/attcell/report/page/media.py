"""What lies inside a page: videos with their sound as bytes that every browser plays, pictures as ``data:``
addresses, and the attention over time as small numbers for the player.
"""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from PIL import Image

from attcell._log import track
from attcell._walls import the_videos_own
from attcell.errors import VideoError
from attcell.report.colours import RAMP, SHADE
from attcell.report.overlay import Layer, heat_levels
from attcell.types import Prediction, Size
from attcell.video._container import opened
from attcell.video._passes import EveryFrame
from attcell.video.decode import count_frames
from attcell.video.info import VideoInfo
from attcell.video.sound.reading import SoundBlocks

LARGEST_AS_IT_IS = 12 * 2**20  # bytes of a file that is taken as it is
LARGEST = 40 * 2**20  # bytes that the videos of a page should take together, at most
SMALLEST = 2**18  # bytes that each may take however many there are
LONGEST_SIDE = 480  # pixels
_LONG_SECONDS = 600  # from here on, pictures are smaller and fewer
_LONG_SIDE, _LONG_RATE = 320, 12.5  # pixels, and frames a second
_MOST_BITS = 400_000  # a second
_MOST_SOUND_BITS, _LEAST_SOUND_BITS = 64_000, 12_000  # a second; with fewer it is not worth hearing
_FULL_RATE, _LOW_RATE, _FULL_RATE_BITS = 48_000, 16_000, 40_000  # samples a second, and bits for the former
_TICKS = 90_000  # a second: 25, 29.97 and 60 frames a second all fall on whole ones, or nearly
RAMPS = {"colour": RAMP.tolist(), "shade": SHADE.tolist()}  # for the player
_PLAYED = {  # kind, and what of video and of sound every browser plays in it
    "mov,mp4,m4a,3gp,3g2,mj2": ("video/mp4", {"h264"}, {"aac", "mp3"}),
    "matroska,webm": ("video/webm", {"vp8", "vp9"}, {"opus", "vorbis"}),
}


@dataclass(frozen=True)
class Playable:
    """A video's bytes with their kind; its time 0 is the presentation of the first frame.

    ``silent_because`` says why the sound that the video has was left out; else it is empty.
    """

    mime: str
    content: bytes
    has_sound: bool = False
    silent_because: str = ""


def playable(path: Path, most: int = LARGEST) -> Playable | None:
    """The video as it is, if it is small and browsers play it, else encoded to a small H.264; None if it
    cannot be read.

    Encoded, its long side is at most 480 pixels; of a video of over ten minutes 320, with at most 12.5 frames
    a second, and with so few bits that it takes about ``most`` bytes whatever its length. Its sound is kept,
    in step with the frames, as mono AAC; it is left out where so few bytes would be nothing to listen to.
    Nothing but the finished bytes is held in memory.
    """
    try:
        with the_videos_own(path):
            info = count_frames(path)
            found = None if path.is_dir() or info.is_damaged else _as_it_is(path, most)
            return _encoded(path, info, most) if found is None else found
    except VideoError:
        return None


def share_of(num_videos: int) -> int:
    """How many bytes one of so many videos of a page may take."""
    return max(SMALLEST, LARGEST // num_videos)


def _as_it_is(path: Path, most: int) -> Playable | None:
    """A file that can be taken as it is."""
    if path.stat().st_size > min(LARGEST_AS_IT_IS, most):
        return None
    with opened(path, None) as (container, video):
        mime, codecs, sounds = _PLAYED.get(container.format.name, ("", set(), set()))
        first = next(container.decode(video), None)
        plain = first is not None and not first.side_data.get("DISPLAYMATRIX") and first.pts == 0
        is_played = video.codec_context.name in codecs and video.codec_context.pix_fmt == "yuv420p"
        alone = len(container.streams.video) == 1 and not container.start_time
        heard = [stream.codec_context for stream in container.streams.audio]
        is_heard = len(heard) <= 1 and all(of is not None and of.name in sounds for of in heard)
        if not (plain and is_played and alone and is_heard):
            return None
    return Playable(mime, path.read_bytes(), has_sound=bool(heard))


def _encoded(path: Path, info: VideoInfo, most: int) -> Playable:
    is_long = info.duration_seconds > _LONG_SECONDS
    rate = info.num_frames / max(info.duration_seconds, 1e-3)
    step = max(1, round(rate / _LONG_RATE)) if is_long else 1
    bits = int(8 * most / max(info.duration_seconds, 1))
    size = _even_size(info.size, _LONG_SIDE if is_long else LONGEST_SIDE)
    ticks = np.round((info.frame_seconds - info.frame_seconds[0]) * _TICKS).astype(np.int64)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "video.mp4"
        frames = enumerate(EveryFrame(path, lambda shown: size))
        with (
            av.open(str(file), "w", options={"movflags": "faststart"}) as container,
            closing(_Sounding(path, info, bits)) as sound,
        ):
            video_bits = min(_MOST_BITS, bits - sound.bits)
            stream = container.add_stream(
                "libx264",
                rate=Fraction(rate / step).limit_denominator(1000),
                options={
                    "crf": "30",
                    "preset": "veryfast",
                    "maxrate": str(video_bits),
                    "bufsize": str(2 * video_bits),
                    "bf": "0",  # so that the first frame is shown at 0
                },
            )
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = Fraction(1, _TICKS)
            stream.codec_context.gop_size = max(1, round(2 * rate / step))  # to be found again within 2 s
            sound.begin(container)
            for index, image in track(frames, info.num_frames, f"encoding {path.name}"):
                if index % step or index >= len(ticks):
                    continue
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = int(ticks[index]), Fraction(1, _TICKS)
                container.mux(stream.encode(frame))
                sound.mux(ticks[index] / _TICKS)
            container.mux(stream.encode(None))
            sound.end()
        return Playable("video/mp4", file.read_bytes(), sound.bits > 0, sound.silent_because)


class _Sounding:
    """The sound of a video on its way into the file, from the first frame's presentation to the last's end.

    Args:
        path: the video.
        info: of it.
        bits: a second, of the whole file.

    Attributes:
        bits: a second, of the sound alone; 0 without sound.
        silent_because: why there is none although the video has sound.
    """

    def __init__(self, path: Path, info: VideoInfo, bits: int) -> None:
        self.bits = min(_MOST_SOUND_BITS, max(_LEAST_SOUND_BITS, bits // 4))
        self.rate = _FULL_RATE if self.bits >= _FULL_RATE_BITS else _LOW_RATE
        self._start = round(float(info.frame_seconds[0]) * self.rate)
        self._end = round(info.end_seconds * self.rate) - self._start
        self._blocks = (block for block in SoundBlocks(path, self.rate))
        self._block = next(self._blocks, None)
        self._done = 0  # samples
        self.silent_because = ""
        if self._block is not None and bits < 2 * _LEAST_SOUND_BITS:
            self._block = None
            self.silent_because = "The sound of this video is left out: the page would get too large with it."
        if self._block is None:
            self.bits = 0

    def close(self) -> None:
        """Close the file that is read."""
        self._blocks.close()

    def begin(self, container: OutputContainer) -> None:
        """Add the stream, before anything is written."""
        self._container = container
        if self.bits:
            self._stream = container.add_stream("aac", rate=self.rate, layout="mono")
            self._stream.bit_rate = self.bits

    def mux(self, seconds: float) -> None:
        """Write the sound up to a time of the file, and a little more, so that a browser has it in time."""
        until = min(round((seconds + 0.5) * self.rate), self._end)
        while self.bits and self._done < until:
            block = self._block
            if block is None:
                self._write(np.zeros(until - self._done, dtype=np.float32))
                return
            first = block.first - self._start
            if first > self._done:  # nothing was recorded
                self._write(np.zeros(min(first, until) - self._done, dtype=np.float32))
                continue
            self._write(block.samples[self._done - first : self._end - first])
            self._block = next(self._blocks, None)

    def end(self) -> None:
        """Write what is left."""
        if self.bits:
            self.mux(self._end / self.rate)
            self._container.mux(self._stream.encode(None))

    def _write(self, samples: np.ndarray) -> None:
        for start in range(0, len(samples), self.rate):
            part = samples[None, start : start + self.rate]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = self.rate, self._done, Fraction(1, self.rate)
            self._container.mux(self._stream.encode(frame))
            self._done += part.shape[1]


def _even_size(size: Size, longest: int) -> Size:
    """The size scaled to a long side of at most ``longest``, with even sides, as H.264 wants them."""
    scale = min(1.0, longest / max(size))
    width, height = (max(2, 2 * round(side * scale / 2)) for side in size)
    return Size(width, height)


def fitted(frame: np.ndarray, longest: int) -> Image.Image:
    """The frame (H, W, 3) uint8 as a picture whose longer side is at most ``longest``; never enlarged."""
    picture = Image.fromarray(np.ascontiguousarray(frame))
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return picture


def jpeg_uri(picture: Image.Image, quality: int = 80) -> str:
    """A ``data:`` address that holds the picture as JPEG."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
    return _uri("image/jpeg", buffer)


def heat_uri(attention: np.ndarray, peak: float, ramp: np.ndarray) -> str:
    """A ``data:`` address that holds ``attention`` (R, K) in the colours of ``ramp``, as a small PNG."""
    return levels_uri(heat_levels(attention, peak), ramp)


def levels_uri(levels: np.ndarray, ramp: np.ndarray) -> str:
    """A ``data:`` address that holds rows of ``ramp`` (H, W), as a small PNG."""
    picture = Image.fromarray(levels)
    picture.putpalette(ramp[:, :3].tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True, transparency=ramp[:, 3].tobytes())
    return png_uri(buffer)


def png_uri(buffer: io.BytesIO) -> str:
    """A ``data:`` address that holds a PNG that is in the buffer."""
    return _uri("image/png", buffer)


def _uri(kind: str, buffer: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def player_data(
    prediction: Prediction, layers: Sequence[Layer], sampled_frames: Sequence[np.ndarray]
) -> dict[str, Any]:
    """The attention over time, in plain types.

    Args:
        prediction: with its track, or else its segments.
        layers: what is drawn of each stream that looks at pictures; they give the scales.
        sampled_frames: the layers' maps over time, each (T, K, K).
    """
    seconds = prediction.segments_seconds if prediction.track is None else prediction.track.seconds
    first = float(seconds[0, 0])
    seen = prediction.frame_seconds if prediction.track is None else prediction.track.frame_seconds
    weights = prediction.temporal_attention
    opens = float(prediction.frame_seconds[weights.argmax()]) - first if np.ptp(weights) > 0 else 0.0
    return {
        "opens": round(opens, 3),  # the moment of most weight is what a page shows first
        "duration": round(float(seconds[-1, 1]) - first, 3),
        "first": round(first, 3),
        "starts": [round(float(start) - first, 3) for start in seconds[:, 0]],
        "seen": [round(float(at) - first, 3) for at in seen],
        "streams": [
            {
                "rows": maps.shape[1],
                "columns": maps.shape[2],
                "ramp": "colour" if layer.scale is None else "shade",
                "maps": _bytes(maps, layer.peak),
            }
            for layer, maps in zip(layers, sampled_frames, strict=True)
        ],
    }


def _bytes(maps: np.ndarray, peak: float) -> str:
    """A byte a region, 255 for the weight at the end of the scale."""
    share = np.clip(maps.astype(np.float32) / max(peak, 1e-12), 0, 1)
    return base64.b64encode((255 * share).round().astype(np.uint8).tobytes()).decode("ascii")
