"""Backbones of a user's own, that recipes name by their Python path: ``tests.own_backbones:small_mvit``."""

from __future__ import annotations

from torch import nn
from torchvision.models.video.mvit import MSBlockConfig, MViT

from attcell.nn.backbones import BackboneEntry, Built
from attcell.nn.backbones.video import MViTMaps


def network() -> MViT:
    """A small MViT v2 of 4 frames of 32×32, to 2 × 4 × 4 regions: pooled keys and queries, a class token."""
    blocks = [
        MSBlockConfig(1, 8, 8, [3, 3, 3], [3, 3, 3], [1, 1, 1], [1, 2, 2]),
        MSBlockConfig(2, 8, 16, [3, 3, 3], [3, 3, 3], [1, 2, 2], [1, 1, 1]),
        MSBlockConfig(2, 16, 16, [3, 3, 3], [3, 3, 3], [1, 1, 1], [1, 1, 1]),
    ]
    return MViT(
        (32, 32), 4, blocks, residual_pool=True, residual_with_cls_embed=False, rel_pos_embed=True,
        proj_after_attn=True, num_classes=5,
    )  # fmt: skip


def _small_mvit(tap: str, in_channels: int) -> Built:
    whole = network()
    keys = frozenset(whole.state_dict())
    whole.head = nn.Identity()  # type: ignore[assignment]
    return Built(MViTMaps(whole), 16, keys, published_as="network")


small_mvit = BackboneEntry(
    name="small_mvit",
    taps=("norm",),
    build=_small_mvit,
    takes="clip",
    gives="regions x time",
    in_channels=3,
    size=32,
    frames=4,
    fixed_frames=True,
    mean=(0.45, 0.45, 0.45),
    deviation=(0.225, 0.225, 0.225),
)


def patches(tap: str, in_channels: int) -> Built:
    """16 filters on patches of 16×16 pixels of a picture."""
    return Built(nn.Sequential(nn.Conv2d(in_channels, 16, 16, stride=16), nn.ReLU()), 16)


def says_nothing(tap, in_channels):
    """Nobody may call this: a recipe may come from a stranger."""
    raise SystemExit("it was called")


number = 7
