"""One modality: backbone → conv6 → spatial attention (STAN Eq. 3-5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attcell.nn.attention import AttCell, attended_sum
from attcell.nn.backbones import Backbone


@dataclass(frozen=True)
class StreamOutput:
    """What one stream says of each segment: raw scores s, attention α and the attended descriptor."""

    scores: Float[Tensor, "B T K K"]
    attention: Float[Tensor, "B T K K"]
    segments: Float[Tensor, "B T D"]


class Standardise(nn.Module):
    """Give each channel of a feature map mean 0 and deviation 1, by figures measured on training data.

    This is not in the paper; it helps a small head on top of a frozen backbone. It changes nothing until
    :meth:`fit` is called.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))

    def fit(self, mean: Float[Tensor, " C"], deviation: Float[Tensor, " C"]) -> None:
        """Set the figures. A channel that never varies keeps its scale."""
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(deviation > 0, deviation, torch.ones_like(deviation)))

    def forward(self, maps: Float[Tensor, "*batch C K K"]) -> Float[Tensor, "*batch C K K"]:
        """Return (maps − mean) / deviation, channel by channel."""
        return (maps - self.mean[:, None, None]) / self.deviation[:, None, None]


class Stream(nn.Module):
    """Local descriptors of one modality, and where to look among them.

    Args:
        backbone: pictures (N, C, H, W) to a feature map (N, backbone.out_channels, K, K).
        conv6_channels: filters of conv6, the D of the descriptors (the paper's 1,024).
        conv6_relu: put a ReLU behind conv6.
        standardise: put a :class:`Standardise` between the backbone and conv6.
        attention: what looks at the K² descriptors, shared over segments; by default an AttCell.

    *Reading* ``conv6_relu``: a ReLU follows conv6. It pads by 1, for the paper's K is 7 before and after it.
    """

    def __init__(
        self,
        backbone: Backbone,
        conv6_channels: int = 1024,
        *,
        conv6_relu: bool = True,
        standardise: bool = False,
        attention: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.standardise = Standardise(backbone.out_channels) if standardise else nn.Identity()
        self.conv6 = nn.Conv2d(backbone.out_channels, conv6_channels, kernel_size=3, padding=1)
        nn.init.kaiming_normal_(self.conv6.weight, nonlinearity="relu")
        nn.init.zeros_(self.conv6.bias)  # type: ignore[arg-type]
        self.attention = AttCell(conv6_channels) if attention is None else attention
        self.out_channels = conv6_channels
        self.activation = nn.ReLU() if conv6_relu else nn.Identity()

    def feature_maps(self, pictures: Float[Tensor, "B T C H W"]) -> Float[Tensor, "B T F K K"]:
        """The backbone's feature map of every segment."""
        return self.backbone(pictures.flatten(0, 1)).unflatten(0, pictures.shape[:2])

    def descriptors(self, maps: Float[Tensor, "B T F K K"]) -> Float[Tensor, "B T D K K"]:
        """conv6's feature map: the K² local descriptors f of every segment (Eq. 3)."""
        standardised = self.standardise(maps).flatten(0, 1)
        return self.activation(self.conv6(standardised)).unflatten(0, maps.shape[:2])

    def attend(self, maps: Float[Tensor, "B T F K K"]) -> StreamOutput:
        """Look at the backbone's feature maps: conv6, then Eq. 4 and Eq. 5."""
        local = self.descriptors(maps)
        rows = local.flatten(3).transpose(2, 3)  # (B, T, K², D)
        scores, attention = self.attention(rows)
        regions = local.shape[-2:]
        return StreamOutput(
            scores=scores.unflatten(-1, regions),
            attention=attention.unflatten(-1, regions),
            segments=attended_sum(attention, rows),
        )

    def forward(self, pictures: Float[Tensor, "B T C H W"]) -> StreamOutput:
        """Pictures of every segment to attention and attended descriptors."""
        return self.attend(self.feature_maps(pictures))
