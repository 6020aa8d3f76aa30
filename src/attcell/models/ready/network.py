"""What a ready model is: a network for clips, its classes, and what it wants to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from attcell.choices import ClipCrops
from attcell.nn.evidence import Evidence
from attcell.types import Size


@dataclass(frozen=True)
class Preprocessing:
    """From a frame to what a network is shown, with torchvision's own functions.

    Attributes:
        resize: (short side,), or (height, width) whatever the frame's shape is.
        crop: (height, width), cut from the middle.
        mean, deviation: of values from 0 to 1.
        interpolation: torchvision's InterpolationMode.
        antialias: whether making a frame smaller averages what falls together. It is then resized as
            transformers does, by torchvision's second kind of transforms, whose bytes differ by one here and
            there from the first kind's.
    """

    resize: tuple[int, ...]
    crop: tuple[int, int]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    interpolation: Any = None
    antialias: bool = False

    def prepare(self, image: UInt8[np.ndarray, "H W 3"]) -> UInt8[Tensor, "3 H2 W2"]:
        """A frame at the size that views are cut from."""
        from torchvision.transforms import InterpolationMode, functional
        from torchvision.transforms.v2 import functional as second

        frame = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
        mode = InterpolationMode.BILINEAR if self.interpolation is None else self.interpolation
        size = list(self.resize)
        resize = second.resize if self.antialias else functional.resize
        resized: Tensor = resize(frame, size, interpolation=mode, antialias=self.antialias)
        return resized

    def views(
        self, frames: Sequence[UInt8[Tensor, "3 H2 W2"]], crops: ClipCrops
    ) -> Float[Tensor, "V 3 L H W"]:
        """The clip's views as the network takes them: the middle first, then both ends of the longer side."""
        from torchvision.transforms import functional as F

        clip = torch.stack(list(frames))
        cuts = [F.center_crop(clip, list(self.crop))]
        if crops == 3:
            cuts += [
                clip[..., top : top + height, left : left + width]
                for top, left, height, width in self._ends(clip)
            ]
        mean, deviation = (torch.tensor(of).view(3, 1, 1) for of in (self.mean, self.deviation))
        views = torch.stack(cuts).float() * (1 / 255)
        return ((views - mean) / deviation).transpose(1, 2)

    def attended_area(self, shown: Size) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of what the middle view shows, as fractions of a frame's sides."""
        width, height = self._resized(shown)
        across, down = (
            min(1.0, of / whole) for of, whole in zip(self.crop[::-1], (width, height), strict=True)
        )
        return (1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2

    def _resized(self, shown: Size) -> Size:
        if len(self.resize) == 2:
            return Size(self.resize[1], self.resize[0])
        scale = self.resize[0] / min(shown)
        return Size(int(shown.width * scale), int(shown.height * scale))

    def _ends(self, clip: Tensor) -> list[tuple[int, int, int, int]]:
        """Top, left, height and width of the squares at both ends of the longer side."""
        rows, columns = clip.shape[-2:]
        height, width = self.crop
        top, left = max(rows - height, 0), max(columns - width, 0)
        ends = [(0, left // 2), (top, left // 2)] if top > left else [(top // 2, 0), (top // 2, left)]
        return [(*end, height, width) for end in ends]


@dataclass(frozen=True)
class ClipProtocol:
    """How a network was tested by those who published it.

    Attributes:
        num_frames: L, of a clip.
        rate: frames a second of a clip.
        num_clips: of a video.
        origin: where these three come from, in words.
    """

    num_frames: int
    rate: float
    num_clips: int
    origin: str


@dataclass(frozen=True, eq=False)
class ReadyNetwork:
    """A network that others trained.

    Attributes:
        name: such as ``kinetics/r3d_18``.
        network: in test mode; (N, 3, L, H, W) to logits (N, A).
        labels: the A classes.
        preprocessing: from frames to its input.
        clip: what it is shown of a video.
        evidence: how its evidence for a class is found.
    """

    name: str
    network: nn.Module
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    clip: ClipProtocol
    evidence: Evidence
