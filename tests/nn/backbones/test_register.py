"""A backbone of the user's own: one call makes it as good as those that are there."""

from __future__ import annotations

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
    assert build_pooling("fc6", build_backbone("made_up"), 32).dim == 7
    with pytest.raises(CallError, match=r"fc6 of made_up looks at 16×16 .* take 32² for this stream"):
        build_pooling("fc6", build_backbone("made_up"), 64)


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
