"""Weights of flow and clip streams: from files of pictures' networks, and of C3D's ports."""

from __future__ import annotations

import pytest
import timm
import torch
from safetensors.torch import save_file
from torchvision.models import get_model

from attcell.errors import ModelError
from attcell.models.build import build_network
from attcell.models.weights import load_backbone_weights
from attcell.nn import build_backbone
from attcell.nn.backbones.c3d import from_published
from tests.nn.backbones.test_c3d import PORTS, published_c3d
from tests.nn.backbones.test_image import plain
from tests.small_models import recipe_of

FIRST = {
    "vgg16": "features.0.weight",
    "squeezenet": "features.0.weight",
    "googlenet": "conv1.conv.weight",
    "timm/resnet18": "conv1.weight",
    "timm/mobilenetv3_small_050": "conv_stem.weight",
    "timm/vit_tiny_patch16_224": "patch_embed.proj.weight",
}


def published(name: str) -> dict[str, torch.Tensor]:
    """A network's whole state dict as its publishers name it, with random weights."""
    if name.startswith("timm/"):
        return timm.create_model(name.removeprefix("timm/"), pretrained=False).state_dict()
    if name == "vgg16":  # its classifier is large, and nobody looks at it
        state = build_backbone(name).named_as_published.state_dict()
        return {**state, "classifier.0.weight": torch.zeros(1), "classifier.6.bias": torch.zeros(1)}
    return get_model({"squeezenet": "squeezenet1_0"}.get(name, name), weights=None).state_dict()


@pytest.mark.filterwarnings("ignore:The default weight initialization of GoogleNet:FutureWarning")
@pytest.mark.parametrize("name", FIRST)
def test_a_flow_stream_begins_with_the_weights_of_colour_pictures(tmp_path, name):
    state = published(name)
    save_file(state, tmp_path / "x.safetensors")
    backbone = build_backbone(name, in_channels=20)
    load_backbone_weights(backbone, str(tmp_path / "x.safetensors"), "flow")
    found = backbone.named_as_published.state_dict()
    first = found[FIRST[name]]
    assert first.shape[1] == 20
    torch.testing.assert_close(first.double(), torch.from_numpy(plain(state[FIRST[name]].numpy(), 20)))
    others = [key for key in found if key != FIRST[name]]
    assert others
    assert all(torch.equal(found[key], state[key]) for key in others)


def test_a_recipes_flow_stream_takes_twice_as_many_channels_as_fields(folder, tmp_path):
    save_file(published("squeezenet"), tmp_path / "x.safetensors")
    stream = {"backbone": "squeezenet", "weights": str(tmp_path / "x.safetensors"), "conv6_channels": 8}
    recipe = recipe_of(folder, model={"streams": {"flow": stream}}, flow={"fields": 3})
    backbone = build_network(recipe, 3, load_weights=True).stream("flow").backbone
    assert backbone.in_channels == 6
    assert backbone.named_as_published.get_parameter("features.0.weight").shape == (96, 6, 7, 7)


def clip_recipe(folder, weights):
    return recipe_of(
        folder, model={"streams": {"clip": {"weights": str(weights), "conv6_channels": 8}}, "lstm_hidden": 8}
    )


@pytest.mark.parametrize(
    ("port", "name", "write"),
    [
        ("plain", "c3d.pickle", torch.save),
        ("numbered", "c3d-pretrained.pth", torch.save),
        ("mmaction", "c3d.safetensors", save_file),
        ("mmaction's backbone", "c3d.pth", lambda state, path: torch.save({"state_dict": state}, path)),
    ],
)
def test_c3d_reads_the_files_of_each_port(folder, tmp_path, port, name, write):
    state = {key: value.half() for key, value in published_c3d(PORTS[port]).items()}
    write(state, tmp_path / name)
    network = build_network(clip_recipe(folder, tmp_path / name), 3, load_weights=True)
    found = network.stream("clip").backbone.body.state_dict()
    expected = from_published({key: value.half() for key, value in published_c3d().items()})
    assert set(expected) - set(found) == {
        f"{layer}.{part}" for layer in ("fc6", "fc7", "fc8") for part in ("weight", "bias")
    }
    assert all(torch.equal(value, expected[key].float()) for key, value in found.items())


@pytest.mark.parametrize(
    ("state", "reasons"),
    [
        (
            lambda: published("squeezenet"),
            ["it lacks 14 keys, first conv2.bias", "other keys, first classifier.1.bias"],
        ),
        (
            lambda: {key: value for key, value in published_c3d().items() if not key.startswith("conv5b")},
            ["it lacks 2 keys, first conv5b.bias"],
        ),
        (
            lambda: {**published_c3d(), "conv2.weight": torch.zeros(128, 64, 3, 3)},
            ["1 shapes differ, first conv2.weight is (128, 64, 3, 3), not (128, 64, 3, 3, 3)"],
        ),
        (
            lambda: {**published_c3d(), "bn1.weight": torch.zeros(64)},
            ["it has 1 other keys, first bn1.weight"],
        ),
    ],
)
def test_another_networks_file_is_refused(folder, tmp_path, state, reasons):
    save_file(state(), tmp_path / "x.safetensors")
    with pytest.raises(ModelError) as caught:
        build_network(clip_recipe(folder, tmp_path / "x.safetensors"), 3, load_weights=True)
    message = str(caught.value)
    assert message.startswith(f"weights {tmp_path}/x.safetensors are not of c3d: ")
    assert all(reason in message for reason in reasons), message
    assert message.endswith("Give the file of the same network, with one of the PyTorch ports' key names")
