"""torchvision's networks for clips as backbones; C3D is :mod:`attcell.nn.backbones.c3d`."""

from __future__ import annotations

from functools import partial

from torch import nn

from attcell.nn.backbones.image import layers_until
from attcell.nn.backbones.registry import BackboneEntry, Built

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
)
