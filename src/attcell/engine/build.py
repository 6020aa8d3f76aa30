"""From a recipe's sections to networks and plans: the one place where configuration meets code."""

from __future__ import annotations

from typing import Literal

from torch import nn

from attcell.arguments import shown, whole_number
from attcell.config import InputSection, ModelSection, Recipe, StreamSection
from attcell.data.dataset import ViewPlan
from attcell.engine.weights import load_backbone_weights
from attcell.errors import CallError
from attcell.nn import STAN, AttCell, Stream, UniformAttention, build_backbone, san
from attcell.nn.stan import TemporalAttention
from attcell.video.views import FrameSpec


def build_network(model: ModelSection, num_classes: int, *, load_weights: bool) -> STAN:
    """Build the network of a recipe, with random or with pre-trained backbones.

    Raises:
        CallError: an unknown backbone, tap or layer.
        ModelError: weights that do not fit.
    """
    streams: dict[str, Stream] = {
        name: _build_stream(section, model) for name, section in model.streams.items()
    }
    if load_weights:
        for name, section in model.streams.items():
            load_backbone_weights(streams[name].backbone, section.weights)
    if model.kind != "stan":
        return san(streams, num_classes, dropout=model.dropout)
    temporal = TemporalAttention(
        sum(stream.out_channels for stream in streams.values()),
        model.lstm_hidden,
        layers=model.lstm_layers,
        bidirectional=model.lstm_bidirectional,
        uniform_start=model.uniform_start,
    )
    return STAN(streams, num_classes, dropout=model.dropout, temporal=temporal)


def frame_spec(section: InputSection) -> FrameSpec:
    """How frames become input."""
    return FrameSpec(**section.model_dump())


def training_plan(recipe: Recipe) -> ViewPlan:
    """The views whose features are kept for training."""
    return ViewPlan(
        num_segments=recipe.segments.train,
        short=recipe.segments.short,
        num_positions=recipe.cache.positions,
        mirrored=recipe.cache.mirrored,
    )


def evaluation_plan(
    recipe: Recipe, num_segments: int | None = None, num_crops: Literal[1, 10] = 1
) -> ViewPlan:
    """The views that are looked at in validation and test; T is free at test.

    Raises:
        CallError: less than one segment, or other crops than 1 or 10.
    """
    if num_segments is None:
        num_segments = recipe.segments.test
    num_segments = whole_number(num_segments, "segments", least=1)
    if isinstance(num_crops, bool) or num_crops not in (1, 10):
        raise CallError(f"num_crops is {shown(num_crops)}; allowed: 1 or 10")
    return ViewPlan(num_segments=num_segments, short=recipe.segments.short, num_crops=num_crops)


def _build_stream(section: StreamSection, model: ModelSection) -> Stream:
    backbone = build_backbone(section.backbone, section.tap)
    backbone.train_from(section.train_from)
    attention: nn.Module = AttCell(section.conv6_channels, uniform_start=model.uniform_start)
    return Stream(
        backbone,
        section.conv6_channels,
        conv6_relu=section.conv6_relu,
        standardise=section.standardise,
        attention=UniformAttention() if model.kind == "average" else attention,
    )
