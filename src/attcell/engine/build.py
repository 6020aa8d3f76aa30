"""From a recipe's sections to networks and plans: the one place where configuration meets code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import nn

from attcell.arguments import shown, whole_number
from attcell.config import Recipe
from attcell.data.dataset import ViewPlan
from attcell.engine.fc6_weights import load_fc6_weights
from attcell.engine.weights import load_all_but_classifiers, load_backbone_weights, load_stream
from attcell.errors import CallError
from attcell.model_section import ModelSection, StreamSection
from attcell.nn import (
    STAN,
    TAN,
    AttCell,
    Backbone,
    Branch,
    LateFusion,
    LinearSVM,
    Network,
    Normalise,
    Pooled,
    PooledStream,
    Stream,
    SVMNetwork,
    UniformAttention,
    branch_selection,
    build_backbone,
    build_pooling,
    cnn,
    fc_fusion,
    san,
    soft_attention,
    spatial_attention,
    two_stream,
)
from attcell.nn.stan import TemporalAttention
from attcell.sections import InputSection
from attcell.video.flow_codes import NO_MOTION, FlowSpec
from attcell.video.modalities import InputSpec
from attcell.video.views import FrameSpec


def build_network(recipe: Recipe, num_classes: int, *, load_weights: bool) -> Network:
    """Build the network of a recipe, with random or with pre-trained backbones, and an SVM that knows nothing
    yet where the recipe wants one.

    Raises:
        CallError: an unknown backbone, tap or layer, or a backbone that does not take what a stream gives.
        ModelError: weights that do not fit.
    """
    sections = {str(name): section for name, section in recipe.model.streams.items()}
    if recipe.model.kind == "pooled":
        pooled = _build_pooled(sections, recipe, load_weights=load_weights)
        return SVMNetwork(pooled, LinearSVM(pooled.dim, num_classes))
    if recipe.model.has_branches:
        branches = {name: _build_branch(name, section, recipe) for name, section in sections.items()}
        network = _join_branches(branches, recipe.model, num_classes)
        parts: Mapping[str, Stream | Branch] = branches
    else:
        streams = {name: _build_stream(name, section, recipe) for name, section in sections.items()}
        network = _join_streams(streams, recipe.model, num_classes)
        parts = streams
    if load_weights and recipe.model.begin_with is not None:
        load_all_but_classifiers(network, recipe.model.begin_with)
    elif load_weights:
        _load_weights(parts, recipe)
    if recipe.model.classifier == "svm":
        assert isinstance(network, STAN), "the recipe was checked"
        return SVMNetwork(network, LinearSVM(network.dim, num_classes))
    return network


def _build_pooled(sections: Mapping[str, StreamSection], recipe: Recipe, *, load_weights: bool) -> Pooled:
    """Streams without attention; VLAD's centres come later, from the training videos."""
    model, streams = recipe.model, {}
    for name, section in sections.items():
        backbone = _build_backbone(name, section, recipe)
        pooling = build_pooling(
            model.pooling,
            backbone,
            recipe.input.size,
            frames=recipe.clip.frames,
            dims=model.vlad_size,
            centres=model.vlad_centres,
        )
        streams[name] = PooledStream(backbone, pooling, normalise=_normalise(name, recipe))
        if load_weights:
            load_backbone_weights(backbone, section.weights, name)
        if load_weights and model.pooling == "fc6":
            load_fc6_weights(streams[name], section.weights, name)
    return Pooled(streams)


def input_spec(recipe: Recipe) -> InputSpec:
    """What each stream gets of a segment."""
    flow = recipe.flow
    return InputSpec(
        tuple(recipe.model.streams),
        FrameSpec(recipe.input.size, recipe.input.resize, recipe.input.short_side),
        FlowSpec(flow.fields, flow.method, flow.bound, flow.store, flow.short_side, flow.form),
        recipe.clip.frames,
    )


def training_plan(recipe: Recipe) -> ViewPlan:
    """The views whose features are kept for training."""
    return ViewPlan(
        num_segments=recipe.segments.train,
        short=recipe.segments.short,
        num_positions=recipe.cache.positions,
        mirrored=recipe.cache.mirrored,
    )


def evaluation_plan(
    recipe: Recipe, num_segments: int | None = None, num_crops: Literal[1, 10] | None = None
) -> ViewPlan:
    """The views that are looked at in validation and test; T and the crops are free at test.

    By default it is the recipe's T, or one segment every so many frames, and one crop.

    Raises:
        CallError: less than one segment, or other crops than 1 or 10.
    """
    every = recipe.segments.test_every if num_segments is None else None
    if num_segments is None:
        num_segments = recipe.segments.test
    num_segments = whole_number(num_segments, "segments", least=1)
    num_crops = 1 if num_crops is None else num_crops
    if isinstance(num_crops, bool) or num_crops not in (1, 10):
        raise CallError(f"num_crops is {shown(num_crops)}; allowed: 1 or 10")
    return ViewPlan(num_segments, every, recipe.segments.short, num_crops)


def _join_branches(branches: dict[str, Branch], model: ModelSection, num_classes: int) -> Network:
    if model.kind in ("tan", "own_gates"):
        asks: Literal["own", "other"] = "own" if model.kind == "own_gates" else "other"
        return TAN(branches["frame"], branches["flow"], num_classes, dropout=model.dropout, asks=asks)
    rival = {
        "cnn": cnn,
        "two_stream": two_stream,
        "fc": fc_fusion,
        "branch_selection": branch_selection,
        "spatial_attention": spatial_attention,
        "soft_attention": soft_attention,
    }[model.kind]
    return rival(branches, num_classes, dropout=model.dropout)


def _join_streams(streams: dict[str, Stream], model: ModelSection, num_classes: int) -> Network:
    if model.fusion == "early":
        return _join(streams, model, num_classes)
    return LateFusion({name: _join({name: stream}, model, num_classes) for name, stream in streams.items()})


def _join(streams: dict[str, Stream], model: ModelSection, num_classes: int) -> STAN:
    """One network over some streams."""
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


def _load_weights(streams: Mapping[str, Stream | Branch], recipe: Recipe) -> None:
    for name, section in recipe.model.streams.items():
        if section.begin_with is None:
            load_backbone_weights(streams[name].backbone, section.weights, name)
        else:
            load_stream(streams[name], section.begin_with, name)


def _build_branch(name: str, section: StreamSection, recipe: Recipe) -> Branch:
    model = recipe.model
    return Branch(
        _build_backbone(name, section, recipe),
        model.lstm_hidden,
        cell="none" if model.kind == "cnn" else model.cell,
        layers=model.lstm_layers,
        standardise=section.standardise,
        normalise=_normalise(name, recipe),
    )


def _build_backbone(name: str, section: StreamSection, recipe: Recipe) -> Backbone:
    channels = recipe.flow.channels if name == "flow" else 3
    backbone = build_backbone(section.backbone, section.tap, in_channels=channels)
    _check_input(name, backbone, recipe.input)
    backbone.train_from(section.train_from)
    return backbone


def _build_stream(name: str, section: StreamSection, recipe: Recipe) -> Stream:
    model = recipe.model
    attention: nn.Module = AttCell(section.conv6_channels, uniform_start=model.uniform_start)
    return Stream(
        _build_backbone(name, section, recipe),
        section.conv6_channels,
        conv6_relu=section.conv6_relu,
        standardise=section.standardise,
        attention=UniformAttention() if model.kind == "average" else attention,
        normalise=_normalise(name, recipe),
    )


def _normalise(name: str, recipe: Recipe) -> Normalise:
    if name == "flow" and recipe.flow.form == "stack":
        channels = recipe.flow.channels
        return Normalise([float(NO_MOTION)] * channels, [recipe.flow.deviation] * channels)
    mean, deviation = recipe.input.mean, recipe.input.std
    return Normalise([255 * value for value in mean], [255 * value for value in deviation])


def _check_input(name: str, backbone: Backbone, pictures: InputSection) -> None:
    wanted = "clip" if name == "clip" else "picture"
    if backbone.takes != wanted:
        raise CallError(
            f"the {name} stream's backbone is {backbone.name}, which takes a {backbone.takes}, not a "
            f"{wanted}; for clips choose one such as c3d or r3d_18, for the others one such as vgg16"
        )
    usual = InputSection()
    if backbone.expects_imagenet and (pictures.mean, pictures.std) != (usual.mean, usual.std):
        raise CallError(
            f"input.mean {list(pictures.mean)} and input.std {list(pictures.std)} are not ImageNet's, from "
            f"which {backbone.name} brings colours to the figures of its own weights; leave both out"
        )
