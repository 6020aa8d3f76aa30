"""What the frame stream gets, cut by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from attcell.types import Size
from attcell.video.transforms import FrameSpec, centre_crop, centre_size, crop_source_size, resized, ten_crops


def centre_view(images: Sequence[np.ndarray], spec: FrameSpec) -> torch.Tensor:
    """(T, 3, S, S) uint8."""
    size = centre_size(Size.of_image(images[0]), spec)
    return centre_crop(size, spec).cut(resized(images, size), spec.size)


def ten_views(images: Sequence[np.ndarray], spec: FrameSpec) -> torch.Tensor:
    """(10, T, 3, S, S) uint8."""
    size = crop_source_size(Size.of_image(images[0]), spec)
    pictures = resized(images, size)
    views = [(crop, crop.cut(pictures, spec.size)) for crop in ten_crops(size, spec)]
    return torch.stack([view.flip(-1) if crop.mirrored else view for crop, view in views])
