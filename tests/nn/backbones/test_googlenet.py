"""GoogLeNet without batch norm, and torchvision's weights in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import googlenet

from attcell.errors import ModelError
from attcell.models.weights import load_backbone_weights
from attcell.nn import Normalise, build_backbone
from attcell.nn.backbones.googlenet import googlenet_layers, without_batch_norm
from attcell.video.input_spec import InputSpec
from attcell.video.modalities import modality

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


# What Caffe published, bvlc_googlenet, in the names of its ports

_INSIDE = {"branch1": "1x1", "branch2.0": "3x3_reduce", "branch2.1": "3x3", "branch3.0": "5x5_reduce"}
_INSIDE |= {"branch3.1": "5x5", "branch4.1": "pool_proj"}
_FIRST = {"conv1": "conv1/7x7_s2", "conv2": "conv2/3x3_reduce", "conv3": "conv2/3x3"}
_OF_MODULES = {"conv1/7x7_s2": "conv1", "conv2/3x3_reduce": "conv2_reduce", "conv2/3x3": "conv2"}


def caffes(layer: str) -> str:
    """Caffe's name of a layer of ours, such as inception3a.branch2.0.conv."""
    first, _, part = layer.removesuffix(".conv").partition(".")
    return _FIRST.get(first) or f"inception_{first[-2:]}/{_INSIDE[part]}"


def of_modules(layer: str) -> str:
    name = caffes(layer)
    inside = name.replace("/pool_proj", ".pool_proj").replace("/", ".conv_")
    return _OF_MODULES.get(name, inside)


NAMINGS: dict[str, tuple[Callable[[str], str], str]] = {
    "own": (caffes, "Caffe's own names"),
    "underscores": (lambda layer: caffes(layer).replace("/", "_"), "Caffe's names with _ for /"),
    "modules": (of_modules, "names of modules"),
}


@pytest.fixture(scope="module")
def plain() -> nn.Module:
    """The published layers, as Caffe has them."""
    torch.manual_seed(1)
    return nn.Sequential(googlenet_layers(3)).eval()


def in_caffes_names(plain: nn.Module, rename: Callable[[str], str]) -> dict[str, Tensor]:
    named = [(key.rpartition("."), value) for key, value in plain.state_dict().items()]
    state = {f"{rename(layer)}.{part}": value.clone() for (layer, _, part), value in named}
    classifiers = {"loss3/classifier": (1000, 1024), "loss1/conv": (128, 512, 1, 1)}
    for layer, shape in classifiers.items():
        name = layer if rename is caffes else layer.replace("/", "_")
        state |= {f"{name}.weight": torch.zeros(shape), f"{name}.bias": torch.zeros(shape[0])}
    return state


@pytest.mark.parametrize("naming", NAMINGS)
def test_caffes_weights_compute_what_they_computed_there(tmp_path, caplog, plain, naming: str) -> None:
    rename, words = NAMINGS[naming]
    state = in_caffes_names(plain, rename)
    first = next(key for key in state if key.endswith(".bias"))
    state[first] = state[first].view(1, 1, 1, -1)  # as old files hold it
    save_file(state, tmp_path / "caffe.safetensors")
    backbone = build_backbone("googlenet_caffe").eval()
    caplog.set_level("INFO", "attcell")
    load_backbone_weights(backbone, str(tmp_path / "caffe.safetensors"))
    (message,) = caplog.messages
    assert message == (
        f"the frame stream takes 114 tensors of {tmp_path / 'caffe.safetensors'}, by {words}; blue, green, "
        "red of 0 to 255, less 104, 117, 123; not used here: aux1.conv.conv, fc"
    )
    pictures = torch.randint(0, 256, (1, 3, 70, 70), dtype=torch.uint8)
    normalise = Normalise(*modality("frame").figures(InputSpec()))
    with torch.inference_mode():
        expected = plain(pictures.float().flip(1) - torch.tensor([104.0, 117.0, 123.0]).view(3, 1, 1))
        found = backbone(normalise(pictures))
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item())


def test_caffes_weights_are_for_the_backbone_with_their_input(tmp_path, plain, published: nn.Module) -> None:
    save_file(in_caffes_names(plain, caffes), tmp_path / "caffe.safetensors")
    with pytest.raises(
        ModelError, match="which look at blue, green, red of 0 to 255 less 104, 117, 123; take the"
    ):
        load_backbone_weights(build_backbone("googlenet_v1"), str(tmp_path / "caffe.safetensors"))
    save_file(dict(published.state_dict()), tmp_path / "norms.safetensors")
    with pytest.raises(ModelError, match="no layer has one of Caffe's names, such as inception_3a/1x1, "):
        load_backbone_weights(build_backbone("googlenet_caffe"), str(tmp_path / "norms.safetensors"))


def test_what_a_file_of_caffes_lacks_is_listed(tmp_path, plain) -> None:
    state = in_caffes_names(plain, caffes)
    del state["inception_4c/5x5.weight"], state["conv2/3x3.bias"]
    save_file(state, tmp_path / "caffe.safetensors")
    missing = r"; missing are conv3\.conv\.bias, inception4c\.branch3\.1\.conv\.weight\. Give the file"
    with pytest.raises(ModelError, match=missing):
        load_backbone_weights(build_backbone("googlenet_caffe"), str(tmp_path / "caffe.safetensors"))
