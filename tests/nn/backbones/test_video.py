"""torchvision's networks for clips, and the small one, as backbones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from attcell.errors import CallError
from attcell.nn import Normalise, Stream, build_backbone

IMAGENET = Normalise(
    [255 * value for value in (0.485, 0.456, 0.406)], [255 * value for value in (0.229, 0.224, 0.225)]
)


@pytest.mark.parametrize(
    ("name", "tap", "side", "shape"),
    [
        ("r3d_18", None, 112, (512, 7, 7)),
        ("r3d_18", "layer3", 112, (256, 14, 14)),
        ("mc3_18", None, 112, (512, 7, 7)),
        ("mc3_18", "layer3", 112, (256, 14, 14)),
        ("r2plus1d_18", None, 112, (512, 7, 7)),
        ("r2plus1d_18", "layer3", 112, (256, 14, 14)),
        ("s3d", None, 224, (1024, 7, 7)),
        ("small3d", None, 112, (128, 7, 7)),
    ],
)
def test_feature_maps(name: str, tap: str | None, side: int, shape: tuple[int, int, int]) -> None:
    with torch.device("meta"):  # shapes, and no arithmetic
        backbone = build_backbone(name, tap).eval()
        assert backbone(torch.empty(2, 3, 16, side, side)).shape == (2, *shape)
    assert backbone.out_channels == shape[0]
    assert backbone.takes == "clip"


def _published(network: nn.Module, layers: list[str], clips: Tensor) -> Tensor:
    """The mean over time of what the published network's own layers make of prepared clips."""
    for layer in layers:
        clips = network.get_submodule(layer)(clips)
    return clips.mean(dim=2)


@pytest.mark.parametrize(
    ("name", "tap", "layers"),
    [
        ("r3d_18", "layer4", ["stem", "layer1", "layer2", "layer3", "layer4"]),
        ("mc3_18", "layer3", ["stem", "layer1", "layer2", "layer3"]),
        ("r2plus1d_18", "layer3", ["stem", "layer1", "layer2", "layer3"]),
        ("s3d", "features", ["features"]),
    ],
)
def test_they_are_torchvisions_and_see_clips_as_for_kinetics(name: str, tap: str, layers: list[str]) -> None:
    network = get_model(name, weights=None).eval()
    backbone = build_backbone(name, tap).eval()
    assert backbone.weight_keys == set(network.state_dict())
    backbone.body.load_state_dict({key: network.state_dict()[key] for key in backbone.body.state_dict()})
    prepared = get_model_weights(name)["KINETICS400_V1"].transforms()
    mean, deviation = (torch.tensor(values).view(3, 1, 1, 1) for values in (prepared.mean, prepared.std))
    side = 64 if name == "s3d" else 32
    clips = torch.randint(0, 256, (1, 1, 3, 8, side, side), dtype=torch.uint8)
    with torch.inference_mode():
        found = Stream(backbone, 4, normalise=IMAGENET).eval().feature_maps(clips)[0]
        expected = _published(network, layers, (clips[0] / 255 - mean) / deviation)
    assert expected.std() > 0
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_small3d_takes_any_number_of_frames() -> None:
    backbone = build_backbone("small3d").eval()
    with torch.inference_mode():
        for frames in (1, 3, 8, 16):
            assert backbone(torch.randn(1, 3, frames, 112, 112)).shape == (1, 128, 7, 7)


def test_a_result_does_not_depend_on_the_batch() -> None:
    backbone = build_backbone("small3d").train()
    clips = torch.randn(3, 3, 8, 32, 32)
    torch.testing.assert_close(backbone(clips)[1:2], backbone(clips[1:2]))


@pytest.mark.parametrize(
    ("name", "tap", "channels", "message"),
    [
        ("c3d", None, 20, "backbone c3d looks at clips of 3 channels, not of 20"),
        ("r3d_18", "layer1", 3, "backbone r3d_18 has no tap 'layer1'; allowed: layer4, layer3"),
        ("c3d", "fc6", 3, "backbone c3d has no tap 'fc6'; allowed: pool5"),
        ("r3d18", None, 3, "unknown backbone 'r3d18'; did you mean 'r3d_18'? Allowed: vgg16, "),
    ],
)
def test_what_is_not_there_is_named(name: str, tap: str | None, channels: int, message: str) -> None:
    with pytest.raises(CallError) as caught:
        build_backbone(name, tap, channels)
    assert str(caught.value).startswith(message)


def test_a_part_of_a_clip_network_can_be_frozen() -> None:
    backbone = build_backbone("r3d_18")
    backbone.train_from("layer4")
    trained = {key for key, parameter in backbone.body.named_parameters() if parameter.requires_grad}
    assert trained
    assert all(key.startswith("layer4.") for key in trained)
    with pytest.raises(
        CallError, match="backbone c3d has no layer 'conv6a' to train from; use all, none, or"
    ):
        build_backbone("c3d").train_from("conv6a")
