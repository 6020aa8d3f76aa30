"""GoogLeNet without batch norm, and torchvision's weights in it."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import googlenet

from attcell.models.weights import load_backbone_weights
from attcell.nn import build_backbone
from attcell.nn.backbones.googlenet import googlenet_layers, without_batch_norm

pytestmark = pytest.mark.filterwarnings("ignore:The default weight initialization:FutureWarning")


@pytest.fixture(scope="module")
def published() -> nn.Module:
    """torchvision's, with batch norms that have seen something."""
    torch.manual_seed(0)
    network = googlenet(weights=None, aux_logits=True, init_weights=False)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.weight.data.uniform_(0.5, 1.5)
            part.bias.data.normal_(0, 0.1)
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2)
    return network.eval()


def test_it_has_no_batch_norm_and_the_published_sizes() -> None:
    layers = nn.Sequential(googlenet_layers(3))
    assert not [part for part in layers.modules() if isinstance(part, nn.BatchNorm2d)]
    sizes = [part.kernel_size for name, part in layers.named_modules() if "branch3.1.conv" in name]
    assert sizes == [(5, 5)] * 9
    classifier = 1000 * 1024 + 1000
    assert sum(p.numel() for p in layers.parameters()) + classifier == 6_998_552  # as Caffe's GoogLeNet


def test_torchvisions_weights_give_torchvisions_maps(published: nn.Module) -> None:
    """Batch norms at test are a scale and a shift; but for the local response norm and one pooling."""
    layers = googlenet_layers(3)
    layers["norm1"] = layers["norm2"] = nn.Identity()
    layers["maxpool4"] = published.maxpool4
    plain = nn.Sequential(layers).eval()
    state = without_batch_norm(published.state_dict())
    plain.load_state_dict({key: state[key] for key in plain.state_dict()})
    pictures = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        expected = pictures
        for name, part in published.named_children():
            expected = expected if name.startswith("aux") else part(expected)
            if name == "inception5b":
                break
        torch.testing.assert_close(plain(pictures), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("in_channels", [3, 20])
def test_both_kinds_of_weights_load(tmp_path, published: nn.Module, in_channels: int) -> None:
    save_file(dict(published.state_dict()), tmp_path / "norms.safetensors")
    backbone = build_backbone("googlenet_v1", in_channels=in_channels)
    load_backbone_weights(backbone, str(tmp_path / "norms.safetensors"))
    folded = without_batch_norm(published.state_dict())
    found = backbone.named_as_published.state_dict()
    torch.testing.assert_close(
        found["inception4e.branch3.1.conv.weight"], folded["inception4e.branch3.1.conv.weight"]
    )

    own = build_backbone("googlenet_v1").named_as_published.state_dict()
    save_file({key: value.contiguous() for key, value in own.items()}, tmp_path / "plain.safetensors")
    load_backbone_weights(backbone, str(tmp_path / "plain.safetensors"))
    found = backbone.named_as_published.state_dict()
    assert all(torch.equal(found[key], own[key]) for key in own if key != "conv1.conv.weight")
    assert found["conv1.conv.weight"].shape[1] == in_channels
