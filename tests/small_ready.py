"""A small ready model, that tells how bright a clip is and sees where; and frames to show it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from attcell.inference.ready import ReadyModel
from attcell.models.ready.network import ClipProtocol, Preprocessing, ReadyNetwork
from attcell.nn.evidence import GradCAM

LABELS = ("dark", "left", "right")


class Brightness(nn.Module):
    """Logits of dark, of a bright left half and of a bright right half, from 4×4 regions."""

    def __init__(self) -> None:
        super().__init__()
        self.regions = nn.AvgPool3d((1, 8, 8))
        self.weight = nn.Parameter(torch.tensor(16.0))

    def forward(self, clips: Tensor) -> Tensor:
        maps = self.regions(clips.mean(dim=1, keepdim=True))
        left, right = (maps[..., part].mean(dim=(1, 2, 3, 4)) for part in (slice(0, 2), slice(2, 4)))
        return self.weight * torch.stack([torch.full_like(left, 0.25), left, right], dim=1)


def model(**changes: object) -> ReadyModel:
    given = {
        "name": "kinetics/bright",
        "network": Brightness().eval(),
        "labels": LABELS,
        "preprocessing": Preprocessing((32,), (32, 32), (0.0,) * 3, (1.0,) * 3),
        "clip": ClipProtocol(4, 12.5, 5, "as it was tested"),
        "evidence": GradCAM("regions", lambda maps: maps, "Grad-CAM at regions"),
    }
    return ReadyModel(ReadyNetwork(**{**given, **changes}))


def frame(side: str, width: int = 64) -> np.ndarray:
    picture = np.zeros((32, width, 3), np.uint8)
    middle = width // 2
    halves = {"left": slice(middle - 16, middle), "right": slice(middle, middle + 16), "dark": slice(0, 0)}
    picture[:, halves[side]] = 255
    return picture
