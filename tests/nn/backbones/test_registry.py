"""Backbones: feature maps, taps, freezing; and one of the user's own, registered in one call."""

from __future__ import annotations

import sys
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from attcell.errors import CallError
from attcell.models.weights import load_backbone_weights, state_digest
from attcell.nn import Stream, build_backbone, build_pooling
from attcell.nn.backbones import (
    BackboneEntry,
    Built,
    FC6Entry,
    backbone_entry,
    backbone_names,
    backbone_taps,
    register,
    registry,
)


@pytest.mark.parametrize(
    ("name", "tap", "shape"),
    [
        ("vgg16", None, (512, 7, 7)),
        ("vgg16", "conv5_3", (512, 14, 14)),
        ("vgg16", "pool4", (512, 14, 14)),
        ("vgg16", "pool3", (256, 28, 28)),
        ("resnet152", None, (2048, 7, 7)),
        ("googlenet", None, (1024, 7, 7)),
        ("googlenet", "inception4e", (832, 14, 14)),
        ("googlenet_v1", None, (1024, 7, 7)),
        ("googlenet_v1", "inception4e", (832, 14, 14)),
        ("squeezenet", None, (512, 7, 7)),
        ("squeezenet", "fire9", (512, 13, 13)),
        ("timm/resnet18", None, (512, 7, 7)),
        ("timm/mobilenetv3_small_100", None, (576, 7, 7)),
        ("timm/vit_tiny_patch16_224", None, (192, 14, 14)),
        ("timm/resnet18", "-2", (256, 14, 14)),
    ],
)
def test_feature_maps(name: str, tap: str | None, shape: tuple[int, int, int]) -> None:
    backbone = build_backbone(name, tap).eval()
    with torch.inference_mode():
        maps = backbone(torch.randn(1, 3, 224, 224))
    assert maps.shape == (1, *shape)
    assert backbone.out_channels == shape[0]


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("vgg16", 512),
        ("resnet152", 2048),
        ("googlenet", 1024),
        ("googlenet_v1", 1024),
        ("squeezenet", 512),
        ("timm/resnet18", 512),
        ("timm/mobilenetv3_small_100", 576),
    ],
)
def test_25_segments_give_pool5_and_conv6(name: str, channels: int) -> None:
    with torch.inference_mode(), torch.device("meta"):  # shapes alone, for 25 pictures take long
        stream = Stream(build_backbone(name)).eval()
        maps = stream.feature_maps(torch.zeros(1, 25, 3, 224, 224))
        assert maps.shape == (1, 25, channels, 7, 7)
        assert stream.descriptors(maps).shape == (1, 25, 1024, 7, 7)


def test_pool5_is_the_pooled_conv5_3() -> None:
    torch.manual_seed(0)
    pool5 = build_backbone("vgg16").eval()
    conv5_3 = build_backbone("vgg16", "conv5_3").eval()
    conv5_3.load_state_dict(pool5.state_dict())
    pictures = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(
            pool5(pictures), torch.nn.functional.max_pool2d(conv5_3(pictures), kernel_size=2)
        )


@pytest.mark.parametrize(
    ("name", "tap", "message"),
    [
        ("vgg61", None, "unknown backbone 'vgg61'; did you mean 'vgg16'?"),
        ("vgg16", "pool9", "backbone vgg16 has no tap 'pool9'; allowed: pool5, conv5_3, pool4, pool3"),
        ("timm/resnet17", None, "timm has no model 'resnet17'"),
        ("timm/resnet18", "9", "timm/resnet18 has no tap '9'; it is a stage from -5 to 4"),
    ],
)
def test_what_is_not_there_is_named(name: str, tap: str | None, message: str) -> None:
    with pytest.raises(CallError) as caught:
        build_backbone(name, tap)
    assert message in str(caught.value)


def test_partly_frozen() -> None:
    backbone = build_backbone("timm/resnet18")
    backbone.train_from("layer4")
    trained = {
        key for key, parameter in backbone.named_as_published.named_parameters() if parameter.requires_grad
    }
    assert trained
    assert all(key.startswith("layer4.") for key in trained)
    backbone.train()
    norms = {name: module.training for name, module in backbone.body.named_modules() if "bn" in name}
    assert not norms["network.bn1"]
    assert norms["network.layer4.1.bn2"]


def test_frozen_statistics_do_not_drift() -> None:
    backbone = build_backbone("timm/resnet18")
    backbone.train_from("none")
    backbone.train()
    assert backbone.frozen
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    backbone(torch.randn(2, 3, 64, 64))
    assert all(torch.equal(before[key], value) for key, value in backbone.state_dict().items())


def test_an_unknown_layer_to_train_from_is_named() -> None:
    with pytest.raises(CallError, match="backbone small has no layer 'block9' to train from"):
        build_backbone("small").train_from("block9")


def two_layers(tap: str, in_channels: int) -> Built:
    layers = OrderedDict[str, nn.Module](
        first=nn.Conv2d(in_channels, 4, 3, stride=2, padding=1), second=nn.Conv2d(4, 6, 3, padding=1)
    )
    keys = frozenset(nn.Sequential(layers).state_dict()) | {"third.weight", "third.bias"}
    if tap == "first":
        del layers["second"]
    return Built(nn.Sequential(layers), 4 if tap == "first" else 6, keys)


def over_time(tap: str, in_channels: int) -> Built:
    return Built(nn.Conv3d(in_channels, 5, 1), 5)


def without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix("theirs."): value for key, value in state.items()}


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> BackboneEntry:
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    entry = BackboneEntry(
        name="made_up",
        taps=("second", "first"),
        build=two_layers,
        size=32,
        mean=(0.5, 0.5, 0.5),
        deviation=(0.25, 0.5, 1.0),
        key_map=without_prefix,
        key_names="the made-up",
        fc6=FC6Entry("third", ("second",), 7, regions=16),
    )
    register(entry)
    return entry


def test_it_is_built_by_its_name(made_up: BackboneEntry) -> None:
    assert backbone_names()[-1] == "made_up"
    assert backbone_entry("made_up") is made_up
    assert backbone_taps("made_up") == ("second", "first")
    backbone = build_backbone("made_up").eval()
    assert (backbone.tap, backbone.out_channels, backbone.takes) == ("second", 6, "picture")
    assert backbone(torch.zeros(2, 3, 32, 32)).shape == (2, 6, 16, 16)
    assert build_backbone("made_up", "first", 20)(torch.zeros(1, 20, 32, 32)).shape == (1, 4, 16, 16)
    with pytest.raises(CallError, match="backbone made_up has no tap 'third'; allowed: second, first"):
        build_backbone("made_up", "third")


def test_colours_are_brought_to_its_own_mean_and_deviation(made_up: BackboneEntry) -> None:
    backbone = build_backbone("made_up").eval()
    colours = torch.rand(2, 3, 8, 8)

    def normalised(mean: tuple[float, ...], deviation: tuple[float, ...]) -> Tensor:
        return (colours - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(deviation).view(3, 1, 1)

    of_imagenet = normalised((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    own = normalised(made_up.mean, made_up.deviation)
    torch.testing.assert_close(backbone(of_imagenet), backbone.body(own))
    assert backbone.expects_imagenet
    flow = build_backbone("made_up", in_channels=2)
    assert not flow.expects_imagenet
    inputs = torch.randn(1, 2, 8, 8)
    assert torch.equal(flow(inputs), flow.body(inputs))


@pytest.mark.parametrize("from_entry", [False, True])
def test_its_weights_come_from_a_file_through_its_key_map(
    made_up: BackboneEntry, tmp_path, monkeypatch: pytest.MonkeyPatch, from_entry: bool
) -> None:
    path = tmp_path / "w.safetensors"
    published = {f"theirs.{key}": value for key, value in build_backbone("made_up").body.state_dict().items()}
    published["theirs.third.weight"] = torch.zeros(7, 6)
    save_file(published, path)
    if from_entry:
        object.__setattr__(made_up, "weights", str(path))
    backbone = build_backbone("made_up", "first")
    before = state_digest(backbone)
    load_backbone_weights(backbone, "pretrained" if from_entry else str(path))
    assert state_digest(backbone) != before
    for key, value in backbone.named_as_published.state_dict().items():
        assert torch.equal(value, published[f"theirs.{key}"])
    save_file({**published, "theirs.fourth": torch.zeros(1)}, path)
    with pytest.raises(Exception, match=r"it has 1 other keys, first fourth.* with the made-up key names"):
        load_backbone_weights(backbone, "pretrained" if from_entry else str(path))


def test_without_weights_pretrained_is_refused(made_up: BackboneEntry) -> None:
    with pytest.raises(CallError, match="backbone made_up has no published weights; use weights: none or a"):
        load_backbone_weights(build_backbone("made_up"), "pretrained")


def test_it_is_frozen_from_a_layer_on(made_up: BackboneEntry) -> None:
    backbone = build_backbone("made_up")
    backbone.train_from("second")
    trained = [key for key, of in backbone.body.named_parameters() if of.requires_grad]
    assert trained == ["second.weight", "second.bias"]
    backbone.train_from("none")
    assert backbone.frozen


def test_it_goes_into_a_stream_and_under_fc6(made_up: BackboneEntry) -> None:
    out = Stream(build_backbone("made_up"), 3)(torch.randn(1, 2, 3, 32, 32))
    assert out.attention.shape == (1, 2, 16, 16)
    assert build_pooling("fc6", build_backbone("made_up"), (32, 32)).dim == 7
    with pytest.raises(CallError, match=r"fc6 of made_up looks at 16×16 .* take 32² for this stream"):
        build_pooling("fc6", build_backbone("made_up"), (64, 64))


def test_regions_and_time_are_averaged_over_time(made_up: BackboneEntry) -> None:
    entry = BackboneEntry(
        name="over_time", taps=("only",), build=over_time, takes="clip", gives="regions x time", in_channels=3
    )
    register(entry)
    backbone, clips = build_backbone("over_time"), torch.randn(2, 3, 4, 5, 5)
    torch.testing.assert_close(backbone(clips), backbone.body(clips).mean(dim=2))
    assert backbone.weight_keys == {"weight", "bias"}
    with pytest.raises(CallError, match="backbone over_time looks at clips of 3 channels, not of 2"):
        build_backbone("over_time", in_channels=2)


def test_names_are_not_taken_twice(made_up: BackboneEntry) -> None:
    register(made_up)  # the same again changes nothing
    for name, message in [
        ("vgg16", "there is a backbone vgg16 already; choose a name that is none of vgg16, resnet152"),
        ("mine/vgg", "the backbone's name 'mine/vgg' has a slash"),
    ]:
        with pytest.raises(CallError, match=message):
            register(BackboneEntry(name=name, taps=("only",), build=two_layers))
    with pytest.raises(CallError, match="backbone no_taps has no taps; name at least one layer"):
        register(BackboneEntry(name="no_taps", taps=(), build=two_layers))


def test_timms_own_mean_and_deviation_hold() -> None:
    entry = backbone_entry("timm/vit_tiny_patch16_224")
    assert (entry.mean, entry.deviation, entry.size) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 224)
    assert build_backbone("timm/vit_tiny_patch16_224").expects_imagenet
    assert not build_backbone("timm/resnet18").expects_imagenet


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import sys; sys.exit(3)", "importing own_part fails (SystemExit: 3); mend it"),
        ("1 / 0", "importing own_part fails (ZeroDivisionError: division by zero); mend it"),
        ("build = 3", "own_part has a int of that name"),
        ("def build(tap, channels) -> 'Built': raise ValueError('no')", "fails (ValueError: no); mend it"),
        ("def build() -> 'Built': ...", "fails (TypeError: build() takes 0 positional"),
        ("def build(tap, channels) -> 'Built': ...", "gives a NoneType; it must give a Built"),
    ],
)
def test_a_backbone_of_ones_own_that_fails(text, said, monkeypatch, tmp_path):
    (tmp_path / "own_part.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_part", raising=False)
    with pytest.raises(CallError) as caught:
        build_backbone("own_part:build")
    assert said in str(caught.value)
    monkeypatch.delitem(sys.modules, "own_part", raising=False)
