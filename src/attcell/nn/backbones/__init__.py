"""CNNs that turn a picture or a clip into a feature map: one registry, and the networks that it knows."""

from attcell.nn.backbones import c3d, googlenet, image, small, sound, video
from attcell.nn.backbones.backbone import Backbone
from attcell.nn.backbones.entry import BackboneEntry, Built, FC6Entry, SoundFigures
from attcell.nn.backbones.registry import (
    GIVEN,
    backbone_entry,
    backbone_names,
    backbone_taps,
    build_backbone,
    register,
    register_family,
)

for _entry in (
    *(*image.ENTRIES, *googlenet.ENTRIES, c3d.ENTRY, *video.ENTRIES),
    *(*sound.ENTRIES, *small.ENTRIES, GIVEN),
):
    register(_entry)
register_family("timm", image.timm_entry)

__all__ = [
    "Backbone",
    "BackboneEntry",
    "Built",
    "FC6Entry",
    "SoundFigures",
    "backbone_entry",
    "backbone_names",
    "backbone_taps",
    "build_backbone",
    "register",
    "register_family",
]
