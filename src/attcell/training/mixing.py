"""MixUp and CutMix over videos, of pictures and of kept feature maps alike, and their soft targets.

The videos at positions 2k and 2k + 1 are mixed with each other, by draws from (seed, k). So any split of a
batch into parts of even size gives the same videos. The formulas are those of torchvision's transforms, which
draw one share for a whole batch from the global generator, and mix each video with the one before it in the
batch: that would be another one in each split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

MIXING_DRAW = 2  # keeps the draws of this module apart from others that start from the same seed


@dataclass(frozen=True)
class Mixing:
    """How much videos are mixed.

    Attributes:
        mixup: α of MixUp, λ·x + (1 − λ)·y with λ from Beta(α, α); 0 without.
        cutmix: α of CutMix: a box of 1 − λ of the picture, or of the map's regions, is the other video's, at
            the same place in all frames and streams; 0 without. With both, a coin decides for each pair.
        seed: of the training.
    """

    mixup: float
    cutmix: float
    seed: int

    def mix(
        self, inputs: Mapping[str, Tensor], positions: Tensor
    ) -> tuple[dict[str, Tensor], Float[Tensor, " B"]]:
        """The mixed inputs (B, T, ...) of B videos, an even number from an even position on, and which share
        of each is the video's own, on average over the streams.

        Pictures and 16-bit feature maps become numbers of single precision.
        """
        pairs = [_Pair.draw(self, int(position) // 2) for position in positions[::2].tolist()]
        mixed: dict[str, Tensor] = {}
        shares: list[Tensor] = []
        for name, of in inputs.items():
            height, width = of.shape[-2:]
            # Maps of some steps of time lie below each other, all squares.
            steps = 1 if height % width else height // width
            own = torch.stack([pair.own(height // steps, width).repeat(steps, 1) for pair in pairs])
            own = own.to(of.device).repeat_interleave(2, dim=0)
            shares.append(own.mean(dim=(1, 2)))
            values = of.float()
            weight = own.reshape(len(own), *[1] * (of.ndim - 3), *own.shape[1:])
            mixed[name] = torch.lerp(_neighbours(values), values, weight)
        return mixed, torch.stack(shares).mean(dim=0)


def mixed_targets(targets: Float[Tensor, "B A"], shares: Float[Tensor, " B"]) -> Float[Tensor, "B A"]:
    """The targets of mixed videos: each one's own and its partner's, by their shares."""
    return torch.lerp(_neighbours(targets), targets, shares[:, None].to(targets))


def _neighbours(values: Tensor) -> Tensor:
    """Each one's partner: the first and second, the third and fourth, … change places."""
    return values.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


@dataclass(frozen=True)
class _Pair:
    """What was drawn for two videos.

    Attributes:
        share: λ.
        centre: of the box, down and to the right, as a part of the picture; None for MixUp.
    """

    share: float
    centre: tuple[float, float] | None

    @staticmethod
    def draw(mixing: Mixing, number: int) -> _Pair:
        rng = np.random.default_rng([mixing.seed, MIXING_DRAW, number])
        is_cut = bool(mixing.cutmix) and (not mixing.mixup or rng.random() < 0.5)
        alpha = mixing.cutmix if is_cut else mixing.mixup
        share = float(rng.beta(alpha, alpha))
        return _Pair(share, (float(rng.random()), float(rng.random())) if is_cut else None)

    def own(self, height: int, width: int) -> Float[Tensor, "H W"]:
        """Which part of each pixel or region is a video's own."""
        if self.centre is None:
            return torch.full((height, width), self.share)
        half = 0.5 * (1 - self.share) ** 0.5
        rows, columns = (
            slice(*(round(min(max(edge, 0.0), 1.0) * length) for edge in (place - half, place + half)))
            for place, length in zip(self.centre, (height, width), strict=True)
        )
        own = torch.ones(height, width)
        own[rows, columns] = 0
        return own
