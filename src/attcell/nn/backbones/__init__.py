"""CNNs that turn a picture or a clip into a feature map: one registry, and the networks that it knows."""

from attcell.nn.backbones.registry import Backbone, backbone_names, backbone_taps, build_backbone

__all__ = ["Backbone", "backbone_names", "backbone_taps", "build_backbone"]
