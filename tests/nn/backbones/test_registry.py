"""Backbones: feature maps, taps, freezing."""

from __future__ import annotations

import pytest
import torch

from attcell.errors import CallError
from attcell.nn import Stream, build_backbone


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
    stream = Stream(build_backbone(name)).eval()
    with torch.inference_mode():
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
