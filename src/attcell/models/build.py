"""From a recipe's sections to networks and plans: the one place where configuration meets code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import nn

from attcell._checks import shown, whole_number
from attcell.choices import NumCrops
from attcell.config.backbones import stream_entry
from attcell.config.recipe import Recipe
from attcell.config.schema import AudioSection, InputSection, ModelSection, StreamSection
from attcell.data.mirroring import EACH_ITS_OWN, Mirroring, find_mirroring
from attcell.errors import CallError
from attcell.models.weights import (
    load_all_but_classifiers,
    load_backbone_weights,
    load_fc6_weights,
    load_stream,
)
from attcell.nn import (
    STAN,
    TAN,
    AttCell,
    Backbone,
    BackboneEntry,
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
from attcell.nn.temporal import EncoderDecoder, SelfAttention, TemporalAttention
from attcell.video.features import FeaturesInput
from attcell.video.flow_source import FlowInput
from attcell.video.input_spec import InputSpec
from attcell.video.modalities import modality
from attcell.video.optical_flow import FlowSpec
from attcell.video.sampling import ViewPlan
from attcell.video.sound.log_mel import LogMel
from attcell.video.sound.source import AudioInput
from attcell.video.transforms import FrameSpec


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
    if load_weights and recipe.model.init_from is not None:
        load_all_but_classifiers(network, recipe.model.init_from)
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
            modality(name).shape(input_spec(recipe)),
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
    flow, pictures = recipe.flow, recipe.input
    return InputSpec(
        tuple(recipe.model.streams),
        FrameSpec(pictures.size, pictures.resize, pictures.short_side),
        FlowInput(
            FlowSpec(flow.method, flow.bound, flow.short_side, flow.camera),
            flow.fields,
            flow.form,
            flow.store,
            flow.deviation,
            flow.quadratic_mean,
        ),
        recipe.clip.frames,
        FeaturesInput(**recipe.features.model_dump()),
        pictures.mean,
        pictures.std,
        recipe.clip.stride,
        audio_input(recipe.audio),
    )


def audio_input(audio: AudioSection) -> AudioInput:
    """What the audio stream gets of a segment."""
    log_mel = LogMel(audio.form or "vggish", audio.bands, audio.window_ms, audio.hop_ms, audio.seconds)
    return AudioInput(log_mel, audio.missing)


def mirroring_of(recipe: Recipe, labels: Sequence[str]) -> Mirroring:
    """Whether videos of these classes are mirrored; without a stream of pictures there is nothing to mirror.

    Raises:
        CallError: ``train.flip_pairs`` names what is none of the classes.
    """
    if not input_spec(recipe).sees_pictures:
        return Mirroring(wanted=False)
    return find_mirroring(labels, recipe.train.flip, recipe.train.flip_pairs)


def training_plan(recipe: Recipe, mirroring: Mirroring = EACH_ITS_OWN) -> ViewPlan:
    """The views whose features are kept for training."""
    return ViewPlan(
        num_segments=recipe.segments.train,
        short=recipe.segments.short,
        num_positions=recipe.cache.positions,
        mirrored=recipe.cache.mirrored and mirroring.wanted and input_spec(recipe).sees_pictures,
    )


def kept_plan(recipe: Recipe, labels: Sequence[str]) -> ViewPlan:
    """The views whose features are kept of training videos of these classes: what averages a video's views
    has no use for mirror images that show another class.
    """
    mirroring = mirroring_of(recipe, labels)
    return training_plan(recipe, mirroring.averaged if recipe.model.kind == "pooled" else mirroring)


def evaluation_plan(
    recipe: Recipe,
    num_segments: int | None = None,
    num_crops: NumCrops | None = None,
    mirroring: Mirroring = EACH_ITS_OWN,
) -> ViewPlan:
    """The views that are looked at in validation and test; T and the crops are free at test.

    By default it is the recipe's T, or one segment every so many frames, and one crop. Of ten crops five are
    left where nothing is mirrored.

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
    crops: Literal[1, 5, 10] = 5 if num_crops == 10 and not mirroring.wanted else num_crops
    return ViewPlan(num_segments, every, recipe.segments.short, crops)


def _join_branches(branches: dict[str, Branch], model: ModelSection, num_classes: int) -> Network:
    if model.kind in ("tan", "self_gates"):
        asks: Literal["own", "other"] = "own" if model.kind == "self_gates" else "other"
        (first, one), (second, other) = branches.items()
        return TAN(one, other, num_classes, dropout=model.dropout, asks=asks, names=(first, second))
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
    dim = sum(stream.out_channels for stream in streams.values())
    return STAN(
        streams, num_classes, dropout=model.dropout, temporal=_build_temporal(dim, model, num_classes)
    )


def _build_temporal(dim: int, model: ModelSection, num_classes: int) -> nn.Module:
    """What weights the segments of a STAN."""
    cell: dict[str, Any] = {"form": model.attention, "uniform_start": model.uniform_start}
    if model.temporal == "attcell":
        return AttCell(dim, **cell)
    if model.temporal == "self_attention":
        return SelfAttention(dim, model.lstm_hidden, **cell)
    recurrent: dict[str, Any] = {"layers": model.lstm_layers, "bidirectional": model.lstm_bidirectional}
    if model.temporal == "lstm":
        return TemporalAttention(dim, model.lstm_hidden, **recurrent, **cell)
    return EncoderDecoder(
        dim,
        model.lstm_hidden,
        **recurrent,
        score=model.decoder_score,
        num_classes=num_classes if model.decoder_steps == "classes" else None,
        uniform_start=model.uniform_start,
    )


def _load_weights(streams: Mapping[str, Stream | Branch], recipe: Recipe) -> None:
    for name, section in recipe.model.streams.items():
        if section.init_from is None:
            load_backbone_weights(streams[name].backbone, section.weights, name)
        else:
            load_stream(streams[name], section.init_from, name)


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
    channels = modality(name).channels(input_spec(recipe))
    keeps_time = section.time == "keep"
    try:
        entry = stream_entry(section.backbone, section.files)
        _check_input(name, entry, recipe)
        size = recipe.input.size if modality(name).looks_at == "frames" else None
        if entry.at_rows is not None:
            entry = entry.at_rows(modality(name).shape(input_spec(recipe))[0])
        backbone = build_backbone(entry, section.tap, channels, size, keeps_time=keeps_time)
    except CallError as error:
        raise CallError(f"model.streams.{name}: {error}") from error
    usual, pictures = InputSection(), recipe.input
    if backbone.expects_imagenet and (pictures.mean, pictures.std) != (usual.mean, usual.std):
        raise CallError(
            f"input.mean {list(pictures.mean)} and input.std {list(pictures.std)} are not ImageNet's, from "
            f"which {backbone.name} brings colours to the figures of its own weights; leave both out"
        )
    backbone.train_from(section.train_from)
    return backbone


def _build_stream(name: str, section: StreamSection, recipe: Recipe) -> Stream:
    model = recipe.model
    attention: nn.Module = AttCell(
        section.conv6_channels, form=model.attention, uniform_start=model.uniform_start
    )
    backbone = _build_backbone(name, section, recipe)
    has_one_region = backbone.takes == "features"
    return Stream(
        backbone,
        section.conv6_channels,
        conv6_kernel=section.conv6_kernel,
        conv6_relu=section.conv6_relu,
        standardise=section.standardise,
        attention=UniformAttention() if model.kind == "average" or has_one_region else attention,
        normalise=_normalise(name, recipe),
    )


def _normalise(name: str, recipe: Recipe) -> Normalise:
    mean, deviation = modality(name).figures(input_spec(recipe))
    return Normalise(list(mean), list(deviation))


def _check_input(name: str, entry: BackboneEntry, recipe: Recipe) -> None:
    wanted = modality(name).takes
    if entry.takes != wanted:
        words = {"picture": "a picture", "clip": "a clip", "features": "given features"}
        raise CallError(
            f"the {name} stream's backbone is {entry.name}, which takes {words[entry.takes]}, not "
            f"{words[wanted]}; for clips choose one such as c3d or r3d_18, for features given, for the "
            "others one such as vgg16"
        )
    if entry.sound is not None and modality(name).looks_at != "sound":
        raise CallError(
            f"the {name} stream's backbone is {entry.name}, which hears; it is for an audio stream, and for "
            "this one choose one such as vgg16"
        )
    if entry.fixed_frames and recipe.clip.frames != entry.frames:
        raise CallError(
            f"backbone {entry.name} looks at clips of {entry.frames} frames, not of {recipe.clip.frames}; "
            f"set clip.frames to {entry.frames}, or leave it out"
        )
