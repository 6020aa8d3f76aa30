"""What lies inside a page: videos as bytes that every browser plays, pictures as ``data:`` addresses, and the
attention over time as small numbers for the player.
"""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from attcell._log import track
from attcell.errors import VideoError
from attcell.report.colours import RAMP, SHADE
from attcell.report.overlay import Layer, heat_levels
from attcell.types import Prediction, Size
from attcell.video._container import opened
from attcell.video._passes import EveryFrame
from attcell.video.decode import count_frames
from attcell.video.info import VideoInfo

LARGEST_AS_IT_IS = 12 * 2**20  # bytes of a file that is taken as it is
LARGEST = 40 * 2**20  # bytes that the videos of a page should take together, at most
SMALLEST = 2**18  # bytes that each may take however many there are
LONGEST_SIDE = 480  # pixels
_LONG_SECONDS = 600  # from here on, pictures are smaller and fewer
_LONG_SIDE, _LONG_RATE = 320, 12.5  # pixels, and frames a second
_MOST_BITS = 400_000  # a second
_TICKS = 90_000  # a second: 25, 29.97 and 60 frames a second all fall on whole ones, or nearly
RAMPS = {"colour": RAMP.tolist(), "shade": SHADE.tolist()}  # for the player
_PLAYED = {
    "mov,mp4,m4a,3gp,3g2,mj2": ("video/mp4", {"h264"}),
    "matroska,webm": ("video/webm", {"vp8", "vp9"}),
}


@dataclass(frozen=True)
class Playable:
    """A video's bytes with their kind; its time 0 is the presentation of the first frame."""

    mime: str
    content: bytes


def playable(path: Path, most: int = LARGEST) -> Playable | None:
    """The video as it is, if it is small and browsers play it, else encoded to a small H.264; None if it
    cannot be read.

    Encoded, its long side is at most 480 pixels; of a video of over ten minutes 320, with at most 12.5 frames
    a second, and with so few bits that it takes about ``most`` bytes whatever its length. Nothing but the
    finished bytes is held in memory.
    """
    try:
        info = count_frames(path)
        kind = None if path.is_dir() or info.is_damaged else _kind_as_it_is(path, most)
        return _encoded(path, info, most) if kind is None else Playable(kind, path.read_bytes())
    except (VideoError, OSError):
        return None


def share_of(num_videos: int) -> int:
    """How many bytes one of so many videos of a page may take."""
    return max(SMALLEST, LARGEST // num_videos)


def _kind_as_it_is(path: Path, most: int) -> str | None:
    """The kind of a file that can be taken as it is."""
    if path.stat().st_size > min(LARGEST_AS_IT_IS, most):
        return None
    with opened(path, None) as (container, video):
        mime, codecs = _PLAYED.get(container.format.name, ("", set()))
        first = next(container.decode(video), None)
        plain = first is not None and not first.side_data.get("DISPLAYMATRIX") and first.pts == 0
        is_played = video.codec_context.name in codecs and video.codec_context.pix_fmt == "yuv420p"
        alone = len(container.streams.video) == 1 and not container.start_time
        return mime if plain and is_played and alone else None


def _encoded(path: Path, info: VideoInfo, most: int) -> Playable:
    is_long = info.duration_seconds > _LONG_SECONDS
    rate = info.num_frames / max(info.duration_seconds, 1e-3)
    step = max(1, round(rate / _LONG_RATE)) if is_long else 1
    bits = min(_MOST_BITS, int(8 * most / max(info.duration_seconds, 1)))
    size = _even_size(info.size, _LONG_SIDE if is_long else LONGEST_SIDE)
    ticks = np.round((info.frame_seconds - info.frame_seconds[0]) * _TICKS).astype(np.int64)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "video.mp4"
        frames = enumerate(EveryFrame(path, lambda shown: size))
        with av.open(str(file), "w", options={"movflags": "faststart"}) as container:
            stream = container.add_stream(
                "libx264",
                rate=Fraction(rate / step).limit_denominator(1000),
                options={
                    "crf": "30",
                    "preset": "veryfast",
                    "maxrate": str(bits),
                    "bufsize": str(2 * bits),
                    "bf": "0",  # so that the first frame is shown at 0
                },
            )
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = Fraction(1, _TICKS)
            stream.codec_context.gop_size = max(1, round(2 * rate / step))  # to be found again within 2 s
            for index, image in track(frames, info.num_frames, f"encoding {path.name}"):
                if index % step or index >= len(ticks):
                    continue
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = int(ticks[index]), Fraction(1, _TICKS)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return Playable("video/mp4", file.read_bytes())


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
    """A ``data:`` address that holds ``attention`` (K, K) in the colours of ``ramp``, as a small PNG."""
    picture = Image.fromarray(heat_levels(attention, peak))
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
        layers: what is drawn of each stream; they give the scales.
        sampled_frames: the layers' maps over time, each (T, K, K).
    """
    seconds = prediction.segments_seconds if prediction.track is None else prediction.track.seconds
    first = float(seconds[0, 0])
    weights = prediction.temporal_attention
    opens = float(prediction.frame_seconds[weights.argmax()]) - first if np.ptp(weights) > 0 else 0.0
    return {
        "opens": round(opens, 3),  # the moment of most weight is what a page shows first
        "duration": round(float(seconds[-1, 1]) - first, 3),
        "first": round(first, 3),
        "starts": [round(float(start) - first, 3) for start in seconds[:, 0]],
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
