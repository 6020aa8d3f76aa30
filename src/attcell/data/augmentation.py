"""How training pictures are changed, by draws that follow from (seed, position) alone.

One draw is for a whole view of a video: all its frames are changed alike, and those of a clip stream as those
of a frame stream. Only the colours that a camera saw are changed (``Modality.is_colour``): flow was computed
from the video as it is, and its codes are no colours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from attcell.data.mirroring import EACH_ITS_OWN, Mirroring

COLOUR_DRAW = 4  # keeps these draws apart from others that start from the same seed
NUM_CHANGES = 2  # of RandAugment, as in its paper and in torchvision


@dataclass(frozen=True)
class Augmentation:
    """What is done to the pictures of a training view, after it was cut.

    Attributes:
        mirroring: whether half of the views are mirror images, and which classes these show.
        randaugment: the magnitude of torchvision's RandAugment, 1 to 30; None without.
        colour_jitter: s: brightness, contrast and saturation by a factor of 1 - s to 1 + s, hue by up to
            s / 4 of the circle; 0 without.
    """

    mirroring: Mirroring = EACH_ITS_OWN
    randaugment: int | None = None
    colour_jitter: float = 0.0

    def of_colours(self, seed: int, position: int) -> Callable[[Tensor], Tensor] | None:
        """What changes the pictures (P, 3, S, S) uint8 of the view at a position; None for nothing."""
        if self.randaugment is None and not self.colour_jitter:
            return None
        drawn = np.random.default_rng([seed, COLOUR_DRAW, position]).integers(2**63)
        return partial(self._change, torch_seed=int(drawn))

    def _change(self, pictures: Tensor, torch_seed: int) -> Tensor:
        from torchvision.transforms import v2  # takes a second

        with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
            torch.manual_seed(torch_seed)
            if self.randaugment is not None:
                pictures = v2.RandAugment(NUM_CHANGES, self.randaugment)(pictures)
            if self.colour_jitter:
                s = self.colour_jitter
                pictures = v2.ColorJitter(s, s, s, s / 4)(pictures)
        return pictures


AS_THEY_ARE = Augmentation()
