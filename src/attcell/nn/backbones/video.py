"""torchvision's networks for clips as backbones; C3D is :mod:`attcell.nn.backbones.c3d`.

Their sizes, means, deviations and numbers of frames are those of their published weights, which the tests
compare with torchvision's own.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from attcell.errors import CallError
from attcell.nn.backbones.entry import BackboneEntry, Built
from attcell.nn.backbones.image import layers_until

# Kinetics' mean and deviation, which torchvision's video weights expect
_MEAN = (0.43216, 0.394666, 0.37645)
_DEVIATION = (0.22803, 0.22145, 0.216989)


def _resnet_18(name: str, tap: str, in_channels: int) -> Built:
    """``r3d_18``, ``mc3_18`` or ``r2plus1d_18``: 16 frames of 112² to 7×7 at layer4, 14×14 at layer3."""
    from torchvision.models import video

    network = getattr(video, name)()
    channels = {"layer4": 512, "layer3": 256}[tap]
    return Built(nn.Sequential(layers_until(network, tap)), channels, frozenset(network.state_dict()))


def _s3d(tap: str, in_channels: int) -> Built:
    """16 frames of 224² to 7×7."""
    from torchvision.models.video import s3d

    network = s3d()
    return Built(nn.Sequential(layers_until(network, tap)), 1024, frozenset(network.state_dict()))


class MViTMaps(nn.Module):
    """A multiscale vision transformer's last map, without its class token: 16 frames of 224² to 8×7×7."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Float[Tensor, "N 3 L H W"]) -> Float[Tensor, "N F _ K K"]:
        network = self.network
        tokens = network.pos_encoding(network.conv_proj(clips).flatten(2).transpose(1, 2))
        regions = (network.pos_encoding.temporal_size, *network.pos_encoding.spatial_size)
        for block in network.blocks:
            tokens, regions = block(tokens, regions)
        return network.norm(tokens)[:, 1:].transpose(1, 2).unflatten(2, regions)


class SwinMaps(nn.Module):
    """The last map of a video Swin transformer: 16 frames of 224² to 8×7×7."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Float[Tensor, "N 3 L H W"]) -> Float[Tensor, "N F _ K K"]:
        network = self.network
        maps = network.norm(network.features(network.pos_drop(network.patch_embed(clips))))
        return maps.permute(0, 4, 1, 2, 3)


def _transformer(name: str, maps: type[MViTMaps | SwinMaps], tap: str, in_channels: int) -> Built:
    from torchvision.models import video

    network = getattr(video, name)()
    keys = frozenset(network.state_dict())
    network.head = nn.Identity()
    return Built(maps(network), network.norm.normalized_shape[0], keys, published_as="network")


def _only(name: str, size: int, asked: int) -> BackboneEntry:
    raise CallError(
        f"{name} looks at pictures of {size}×{size}, not of {asked}×{asked}, because its weights hold the "
        f"places of its patches; set input.size to {size}, or leave it out"
    )


def _mvit_entry(name: str, weights: str) -> BackboneEntry:
    return BackboneEntry(
        name=name,
        taps=("norm",),
        build=partial(_transformer, name, MViTMaps),
        takes="clip",
        gives="regions x time",
        in_channels=3,
        fixed_frames=True,
        at_size=partial(_only, name, 224),
        mean=(0.45, 0.45, 0.45),
        deviation=(0.225, 0.225, 0.225),
        weights=f"torchvision:{weights}.KINETICS400_V1",
    )


def _swin_entry(name: str, weights: str) -> BackboneEntry:
    return BackboneEntry(
        name=name,
        taps=("norm",),
        build=partial(_transformer, name, SwinMaps),
        takes="clip",
        gives="regions x time",
        in_channels=3,
        weights=f"torchvision:{weights}",
    )


def _resnet_entry(name: str, weights: str) -> BackboneEntry:
    return BackboneEntry(
        name=name,
        taps=("layer4", "layer3"),
        build=partial(_resnet_18, name),
        takes="clip",
        gives="regions x time",
        in_channels=3,
        size=112,
        mean=_MEAN,
        deviation=_DEVIATION,
        weights=f"torchvision:{weights}.KINETICS400_V1",
    )


ENTRIES = (
    _resnet_entry("r3d_18", "R3D_18_Weights"),
    _resnet_entry("mc3_18", "MC3_18_Weights"),
    _resnet_entry("r2plus1d_18", "R2Plus1D_18_Weights"),
    BackboneEntry(
        name="s3d",
        taps=("features",),
        build=_s3d,
        takes="clip",
        gives="regions x time",
        in_channels=3,
        mean=_MEAN,
        deviation=_DEVIATION,
        weights="torchvision:S3D_Weights.KINETICS400_V1",
    ),
    _mvit_entry("mvit_v1_b", "MViT_V1_B_Weights"),
    _mvit_entry("mvit_v2_s", "MViT_V2_S_Weights"),
    _swin_entry("swin3d_t", "Swin3D_T_Weights.KINETICS400_V1"),
    _swin_entry("swin3d_s", "Swin3D_S_Weights.KINETICS400_V1"),
    _swin_entry("swin3d_b", "Swin3D_B_Weights.KINETICS400_IMAGENET22K_V1"),
)
