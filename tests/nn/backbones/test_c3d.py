"""C3D: its shapes, and the published weights in the naming of each port."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from attcell.errors import ModelError
from attcell.models.weights import load_backbone_weights
from attcell.nn import Backbone, Normalise, Stream, build_backbone
from attcell.nn.backbones.c3d import LAYERS, STAGES, C3DInput, from_published
from attcell.nn.backbones.entry import IMAGENET_DEVIATION, IMAGENET_MEAN

Rename = Callable[[str], str]

FEATURES = dict(zip(LAYERS, (0, 3, 6, 8, 11, 13, 16, 18), strict=True))
CLASSIFIER = {"fc6": 0, "fc7": 3, "fc8": 6}


def _numbered(layer: str) -> str:
    return f"features.{FEATURES[layer]}" if layer in FEATURES else f"classifier.{CLASSIFIER[layer]}"


def _mmaction(layer: str) -> str:
    if layer == "fc8":
        return "cls_head.fc_cls"
    if layer.startswith("fc"):
        return f"backbone.{layer}"
    return f"backbone.{layer if layer[-1] in 'ab' else layer + 'a'}.conv"


PORTS: dict[str, Rename] = {
    "plain": lambda layer: layer,
    "numbered": _numbered,
    "mmaction": lambda layer: layer if layer == "fc8" else _mmaction(layer),
    "mmaction's backbone": lambda layer: (
        layer if layer == "fc8" else _mmaction(layer).removeprefix("backbone.")
    ),
}


def published_c3d(rename: Rename = PORTS["plain"]) -> dict[str, Tensor]:
    """Random weights in a port's naming; the classifier's are small, for nobody looks at them."""
    named = (key.rpartition(".") for key in _plain())
    return {
        f"{rename(layer)}.{part}": value
        for (layer, _, part), value in zip(named, _plain().values(), strict=True)
    }


@functools.cache
def _plain() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    state, channels = {}, 3
    for stage in STAGES:
        for layer, filters in stage:
            weight = torch.randn(filters, channels, 3, 3, 3, generator=generator)
            state[f"{layer}.weight"] = weight * (1 / (27 * channels)) ** 0.5
            state[f"{layer}.bias"] = torch.randn(filters, generator=generator) * 0.1
            channels = filters
    for layer in ("fc6", "fc7", "fc8"):
        state[f"{layer}.weight"], state[f"{layer}.bias"] = torch.zeros(2, 2), torch.zeros(2)
    return state


def as_published(state: dict[str, Tensor], clips: Tensor) -> Tensor:
    """The network that the weights were published for: blue, green, red in 0..255 less their mean."""
    maps = clips.flip(1).to(state["conv1.weight"]) - torch.tensor([90.0, 98.0, 102.0]).view(3, 1, 1, 1)
    for number, stage in enumerate(STAGES):
        for layer, _ in stage:
            maps = F.conv3d(maps, state[f"{layer}.weight"], state[f"{layer}.bias"], padding=1).relu()
        maps = F.max_pool3d(maps, (2 if number else 1, 2, 2), ceil_mode=True)
    return maps


def filled(state: dict[str, Tensor]) -> Backbone:
    backbone = build_backbone("c3d")
    missing, foreign = backbone.body.load_state_dict(from_published(state), strict=False)
    assert missing == []
    assert {key.split(".")[0] for key in foreign} == {"fc6", "fc7", "fc8"}
    assert set(foreign) <= backbone.weight_keys
    return backbone.eval()


@pytest.mark.parametrize(
    ("frames", "side", "time", "regions"),
    [(16, 224, 1, 7), (16, 112, 1, 4), (8, 112, 1, 4), (17, 112, 2, 4), (32, 112, 2, 4)],
)
def test_16_frames_become_one_map(frames: int, side: int, time: int, regions: int) -> None:
    with torch.device("meta"):  # shapes, and no arithmetic
        backbone = build_backbone("c3d")
        clips = torch.empty(2, 3, frames, side, side)
        maps = backbone.body(clips)
        assert maps.shape == (2, 512, time, regions, regions)
        assert backbone(clips).shape == (2, 512, regions, regions)
    assert backbone.out_channels == 512
    assert backbone.takes == "clip"


def test_fc6_would_see_8192_numbers_at_112() -> None:
    with torch.device("meta"):
        assert build_backbone("c3d")(torch.empty(1, 3, 16, 112, 112)).numel() == 8192


def test_the_layers_are_the_papers() -> None:
    kinds = [(name, layer) for name, layer in build_backbone("c3d").body.named_children()]
    convolutions = [layer for _, layer in kinds if isinstance(layer, torch.nn.Conv3d)]
    assert [layer.out_channels for layer in convolutions] == [64, 128, 256, 256, 512, 512, 512, 512]
    assert {(layer.kernel_size, layer.stride, layer.padding) for layer in convolutions} == {
        ((3, 3, 3), (1, 1, 1), (1, 1, 1))
    }
    poolings = [layer for _, layer in kinds if isinstance(layer, torch.nn.MaxPool3d)]
    assert [layer.kernel_size for layer in poolings] == [(1, 2, 2)] + [(2, 2, 2)] * 4
    assert all(layer.stride == layer.kernel_size for layer in poolings)
    assert all(layer.padding == 0 and layer.ceil_mode for layer in poolings)


@pytest.mark.parametrize("port", PORTS)
def test_each_ports_naming_is_known(port: str) -> None:
    plain, named = published_c3d(), published_c3d(PORTS[port])
    found = from_published(named)
    assert found.keys() == plain.keys()
    for key, value in plain.items():
        assert torch.equal(found[key], value * 58 if key == "conv1.weight" else value), key


def test_keys_of_another_network_stay() -> None:
    state = {
        "layer1.0.weight": torch.ones(1),
        "conv1d.weight": torch.ones(1),
        "features.2.bias": torch.ones(1),
    }
    assert from_published(state) == state


def test_it_computes_what_the_published_weights_compute() -> None:
    state = published_c3d()
    normalise = Normalise(
        [255 * value for value in (0.485, 0.456, 0.406)], [255 * value for value in (0.229, 0.224, 0.225)]
    )
    stream = Stream(filled(state), 4, normalise=normalise).eval()
    clips = torch.randint(0, 256, (1, 2, 3, 16, 33, 33), dtype=torch.uint8)
    with torch.inference_mode():
        found = stream.feature_maps(clips)[0]
        expected = as_published(state, clips[0])
    assert expected.shape == (2, 512, 1, 2, 2)
    assert expected.std() > 0.1, "the comparison has something to compare"
    torch.testing.assert_close(found, expected[:, :, 0], rtol=1e-3, atol=1e-3)


def test_what_is_left_of_time_is_averaged() -> None:
    state = published_c3d()
    backbone = filled(state)
    clips = torch.randn(1, 3, 32, 17, 17)
    with torch.inference_mode():
        maps = backbone.body(backbone.input(clips))
        assert maps.shape[2] == 2
        torch.testing.assert_close(backbone(clips), (maps[:, :, 0] + maps[:, :, 1]) / 2)


def test_untrained_layers_get_inputs_of_size_one() -> None:
    shown = build_backbone("c3d").input(torch.randn(2, 3, 4, 20, 20))
    assert 0.5 < shown.square().mean().sqrt() < 2


def test_what_mmaction_trained_further_looks_at_red_first_and_another_mean() -> None:
    plain, named = published_c3d(), published_c3d(_mmaction)
    found = from_published(named)
    assert found.keys() == plain.keys()
    for key, value in plain.items():
        if not key.startswith("conv1."):
            assert torch.equal(found[key], value), key
    colours = torch.randint(0, 256, (1, 3, 4, 9, 9)).float()  # red, green, blue
    mean, deviation = (torch.tensor(of).view(3, 1, 1, 1) for of in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    ours = C3DInput()((colours / 255 - mean) / deviation)
    theirs = colours - torch.tensor([104.0, 117.0, 128.0]).view(3, 1, 1, 1)
    inside = (..., slice(1, -1), slice(1, -1), slice(1, -1))
    expected = F.conv3d(theirs, plain["conv1.weight"], plain["conv1.bias"], padding=1)[inside]
    given = F.conv3d(ours, found["conv1.weight"], found["conv1.bias"], padding=1)[inside]
    torch.testing.assert_close(given, expected, atol=1e-2, rtol=1e-4)


@pytest.mark.parametrize(
    ("rename", "said"),
    [
        (PORTS["plain"], "by the names conv1 to conv5b; blue, green, red of 0 to 255, less their mean"),
        (PORTS["numbered"], "by the names features.0 to features.18; blue, green, red"),
        (PORTS["mmaction's backbone"], "by MMAction's names conv1a.conv to conv5b.conv; blue, green, red"),
        (
            _mmaction,
            "by MMAction's names, trained further by it on red, green, blue of 0 to 255 less 104, 117",
        ),
    ],
)
def test_it_is_told_what_was_matched(tmp_path, caplog, rename: Rename, said: str) -> None:
    save_file(published_c3d(rename), tmp_path / "c3d.safetensors")
    caplog.set_level("INFO", "attcell")
    load_backbone_weights(build_backbone("c3d"), str(tmp_path / "c3d.safetensors"), "clip")
    (message,) = caplog.messages
    assert message.startswith(f"the clip stream takes 16 tensors of {tmp_path / 'c3d.safetensors'}, {said}")
    assert message.endswith("; not used here: fc6, fc7, fc8")


def test_what_a_file_lacks_is_listed(tmp_path) -> None:
    lacking = {
        key: value for key, value in published_c3d().items() if not key.startswith(("conv3b", "conv5a"))
    }
    save_file(lacking, tmp_path / "c3d.safetensors")
    with pytest.raises(ModelError) as caught:
        load_backbone_weights(build_backbone("c3d"), str(tmp_path / "c3d.safetensors"), "clip")
    message = "missing are conv3b.weight, conv3b.bias, conv5a.weight, conv5a.bias. Give the file of the same"
    assert message in str(caught.value)
