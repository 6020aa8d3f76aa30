"""Pictures as text that a page can hold in itself."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from attcell.report.overlay import heat_levels


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
