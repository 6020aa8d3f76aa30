"""Videos of any frames, as files and as folders, and frames in which something moves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
from PIL import Image


def moving_frames(num_frames: int, size: tuple[int, int] = (48, 36), seed: int = 0) -> list[np.ndarray]:
    """A smooth texture that goes one pixel to the right and half a pixel up with each frame."""
    width, height = size
    rng = np.random.default_rng(seed)
    waves = rng.uniform(0.1, 0.5, (6, 2)) * rng.choice([-1, 1], (6, 2))
    phases = rng.uniform(0, 2 * np.pi, 6)
    y, x = np.mgrid[:height, :width]
    frames = []
    for number in range(num_frames):
        places = waves[:, :1, None] * (x - number) + waves[:, 1:, None] * (y + number / 2)
        level = np.sin(places + phases[:, None, None]).mean(0)
        frames.append(np.repeat((128 + 110 * level).astype(np.uint8)[..., None], 3, axis=2))
    return frames


def write_frames(path: Path, frames: Iterable[np.ndarray]) -> Path:
    """The frames as they are, bit by bit, at 25 a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = None
        for number, image in enumerate(frames):
            if stream is None:
                stream = container.add_stream("png", rate=25)
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = "rgb24"
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        assert stream is not None, "there is a frame"
        container.mux(stream.encode(None))
    return path


def write_pictures(
    folder: Path, frames: Iterable[np.ndarray], pattern: str = "img_{:05d}.png", first: int = 1
) -> Path:
    """The frames as numbered pictures; as PNG they are kept bit by bit."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(frames, start=first):
        Image.fromarray(image).save(folder / pattern.format(number))
    return folder


def noisy_frames(num_frames: int, size: tuple[int, int] = (48, 36), seed: int = 0) -> list[np.ndarray]:
    """Frames (H, W, 3) uint8 of which no two pixels need be alike."""
    shape = (num_frames, size[1], size[0], 3)
    return list(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))
