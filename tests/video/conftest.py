"""Small generated videos whose frames tell their own number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.moving import noisy_frames, write_pictures


def grey(index: int) -> int:
    """The grey of frame ``index`` (it repeats after 28): 8 levels apart, more than coding can blur."""
    return 20 + 8 * (index % 28)


def numbers(images: Sequence[np.ndarray]) -> list[int]:
    """Which frames these are, read from their pixels."""
    return [round((float(image.mean()) - 20) / 8) for image in images]


def write_video(
    path: Path,
    num_frames: int = 20,
    *,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    ticks: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    options: dict[str, str] | None = None,
) -> Path:
    """A video at 25 frames a second, or with frame i presented at ticks[i] * time_base."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = time_base
        for index in range(num_frames):
            image = np.full((size[1], size[0], 3), grey(index), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pix_fmt)
            frame.pts = index if ticks is None else ticks[index]
            frame.time_base = time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """``make_video("name.mp4", ...)``: as ``write_video``, in the test's own folder."""
    return lambda name, *args, **options: write_video(tmp_path / name, *args, **options)


@pytest.fixture
def numbers_of() -> Callable[[Sequence[np.ndarray]], list[int]]:
    return numbers


FRAMES = noisy_frames(12)


@pytest.fixture
def folder(tmp_path) -> Path:
    """12 frames, img_00001.png to img_00012.png."""
    return write_pictures(tmp_path / "clip", FRAMES)


def break_picture(path: Path) -> None:
    """Its header stays whole, its pixels do not."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
