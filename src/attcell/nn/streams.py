"""One modality: its backbone, with what goes before and behind it, and STAN's stream (Eq. 3-5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from attcell.choices import Conv6Kernel
from attcell.nn.attention import AttCell, attended_sum
from attcell.nn.backbones.backbone import Backbone
from attcell.nn.class_evidence import region_scores


@dataclass(frozen=True)
class StreamOutput:
    """What a stream computes for each segment.

    Attributes:
        scores: s of Eq. 4.
        attention: α of Eq. 4; each map sums to 1.
        segments: the attended descriptor of Eq. 5.
        region_scores: what each region adds to each class; None where nobody asked.
    """

    scores: Float[Tensor, "B T R K"]
    attention: Float[Tensor, "B T R K"]
    segments: Float[Tensor, "B T D"]
    region_scores: Float[Tensor, "B T A R K"] | None = None


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

    def forward(self, maps: Float[Tensor, "*batch C R K"]) -> Float[Tensor, "*batch C R K"]:
        """Return (maps − mean) / deviation, channel by channel."""
        return (maps - self.mean[:, None, None]) / self.deviation[:, None, None]


class Normalise(nn.Module):
    """(values − mean) / deviation, channel by channel, in the units of the input: 0 to 255 for pictures.

    The figures belong to the recipe and not to the weights, so they are not in the state dict.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation, dtype=torch.float32), persistent=False)

    def figures(self) -> dict[str, list[float]]:
        """Mean and deviation, in plain types."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    def forward(self, pictures: Shaped[Tensor, "N C *L H W"]) -> Float[Tensor, "N C *L H W"]:
        """Pictures or clips, whole numbers too: one multiplication and one subtraction."""
        shape = (-1, *[1] * (pictures.ndim - 2))
        scale = (1 / self.deviation).view(shape)
        offset = (self.mean / self.deviation).view(shape)
        return (pictures * scale).sub_(offset)


class BackboneStream(nn.Module):
    """One modality's backbone, with what its input and its feature maps go through.

    Streams of STAN, branches of TAN and pooled streams build on it.

    Args:
        backbone: pictures (N, C, H, W), or clips (N, C, L, H, W), to a feature map
            (N, backbone.out_channels, K, K).
        standardise: put a :class:`Standardise` behind the backbone.
        normalise: what the backbone's input goes through first; by default nothing.
    """

    def __init__(
        self, backbone: Backbone, *, standardise: bool = False, normalise: Normalise | None = None
    ) -> None:
        super().__init__()
        self.normalise = normalise
        self.backbone = backbone
        self.standardise = Standardise(backbone.out_channels) if standardise else nn.Identity()

    def feature_maps(self, inputs: Shaped[Tensor, "B T C *L H W"]) -> Float[Tensor, "B T F R K"]:
        """The backbone's feature map of every segment's picture (C, H, W) or clip (C, L, H, W): R is K, or
        of a backbone that keeps time so many times K as it has steps."""
        flat = inputs.flatten(0, 1)
        maps: Tensor = self.backbone(flat if self.normalise is None else self.normalise(flat))
        return maps.unflatten(0, inputs.shape[:2])


def steps_of_time(maps: Float[Tensor, "*batch R K"]) -> Float[Tensor, "*batch L K K"]:
    """The K×K maps of L steps that lie below each other, each by itself."""
    return maps.unflatten(-2, (-1, maps.shape[-1]))


class Stream(BackboneStream):
    """A stream of STAN: local descriptors of one modality, and the attention over them.

    Args:
        backbone: pictures (N, C, H, W), or clips (N, C, L, H, W), to a feature map
            (N, backbone.out_channels, K, K).
        conv6_channels: filters of conv6, the D of the descriptors (the paper's 1,024).
        conv6_kernel: the side of its filters: 3 is the paper's, 1 sees a region without its neighbours.
        conv6_relu: put a ReLU behind conv6.
        standardise: put a :class:`Standardise` between the backbone and conv6.
        attention: what weights the K² descriptors, shared over segments; by default an AttCell.
        normalise: what the backbone's input goes through first; by default nothing.

    *Reading* ``conv6_relu``: a ReLU follows conv6. It pads by 1, since the paper's K is 7 before and after.
    *Reading* ``conv6_kernel`` 1: where a backbone's regions see little beyond themselves, attention then lies
    on what it looks at and not on a neighbour. Of features that were computed elsewhere, which have one
    region, conv6 is 1×1.

    Where a backbone keeps time, conv6 looks at each step by itself, and attention is over the regions of all
    steps. What is told of a region is summed over the steps.
    """

    def __init__(
        self,
        backbone: Backbone,
        conv6_channels: int = 1024,
        *,
        conv6_kernel: Conv6Kernel = 3,
        conv6_relu: bool = True,
        standardise: bool = False,
        attention: nn.Module | None = None,
        normalise: Normalise | None = None,
    ) -> None:
        super().__init__(backbone, standardise=standardise, normalise=normalise)
        size = 1 if backbone.takes == "features" else conv6_kernel
        self.conv6 = nn.Conv2d(backbone.out_channels, conv6_channels, size, padding=size // 2)
        nn.init.kaiming_normal_(self.conv6.weight, nonlinearity="relu")
        nn.init.zeros_(self.conv6.bias)  # type: ignore[arg-type]
        self.attention = AttCell(conv6_channels) if attention is None else attention
        self.out_channels = conv6_channels
        self.activation = nn.ReLU() if conv6_relu else nn.Identity()

    def descriptors(self, maps: Float[Tensor, "B T F R K"]) -> Float[Tensor, "B T D R K"]:
        """conv6's feature map: the K² local descriptors f of every segment (Eq. 3), or those of its steps."""
        standardised = self.standardise(maps).flatten(0, 1)
        if self.backbone.keeps_time:
            steps = steps_of_time(standardised).transpose(1, 2)  # (B·T, L, F, K, K)
            local = (
                self.conv6(steps.flatten(0, 1)).unflatten(0, steps.shape[:2]).transpose(1, 2).flatten(2, 3)
            )
        else:
            local = self.conv6(standardised)
        return self.activation(local).unflatten(0, maps.shape[:2])

    def attend(self, maps: Float[Tensor, "B T F R K"]) -> StreamOutput:
        """Attention and attended descriptors of the backbone's feature maps: conv6, then Eq. 4 and Eq. 5."""
        return self.attention_pool(self.descriptors(maps))

    def attention_pool(
        self, local: Float[Tensor, "B T D R K"], classifier: Float[Tensor, "A D"] | None = None
    ) -> StreamOutput:
        """Attention over conv6's local descriptors, and their sum weighted by it (Eq. 4 and Eq. 5).

        Args:
            local: of :meth:`descriptors`.
            classifier: the weights of classes, where what each region adds to them is wanted.
        """
        rows = local.flatten(3).transpose(2, 3)  # (B, T, R·K, D)
        scores, attention = self.attention(rows)
        segments = attended_sum(attention, rows)
        added = None if classifier is None else region_scores(attention, rows, classifier)
        scores, attention = (of.unflatten(-1, local.shape[-2:]) for of in (scores, attention))
        added = None if added is None else added.unflatten(-1, local.shape[-2:])
        if self.backbone.keeps_time:  # scores whose softmax is the attention's sum
            scores = steps_of_time(scores).logsumexp(dim=-3)
            attention = steps_of_time(attention).sum(dim=-3)
            added = None if added is None else steps_of_time(added).sum(dim=-3)
        return StreamOutput(scores, attention, segments, added)

    def forward(self, inputs: Shaped[Tensor, "B T C *L H W"]) -> StreamOutput:
        """Attention and attended descriptors of every segment's picture or clip."""
        return self.attend(self.feature_maps(inputs))


BACKBONE_BATCH = 32  # pictures, or frames of clips, that a backbone sees at once
GPU_BATCH = 4 * BACKBONE_BATCH


@torch.inference_mode()
def feature_maps(stream: BackboneStream, views: Tensor, device: torch.device) -> Tensor:
    """(V, T, ...) views to (V, T, F, K, K) feature maps, a bounded number of pictures at a time."""
    frames_each = views.shape[3] if stream.backbone.takes == "clip" else 1
    most = max(2, (GPU_BATCH if device.type == "cuda" else BACKBONE_BATCH) // frames_each)
    flat = views.flatten(0, 1)
    parts = list(flat.split(most))
    if (
        len(parts) > 1 and len(parts[-1]) == 1
    ):  # PyTorch takes another way for one alone, and rounds otherwise
        parts[-2:] = [flat[-most - 1 :]]
    maps = [stream.feature_maps(part[None].to(device))[0] for part in parts]
    return torch.cat(maps).contiguous().unflatten(0, views.shape[:2])


def channel_figures(batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each channel over feature maps (..., F, K, K), in double precision inside."""
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for maps in batches:
        rows = maps.flatten(end_dim=-4).double()
        count += rows.shape[0] * rows.shape[-1] * rows.shape[-2]
        total = total + rows.sum(dim=(0, 2, 3))
        squares = squares + rows.square().sum(dim=(0, 2, 3))
    mean = total / count
    return mean.float(), (squares / count - mean.square()).clamp_min(0).sqrt().float()
