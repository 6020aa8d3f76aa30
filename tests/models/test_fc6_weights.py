"""fc6 is filled from the published files, in every naming, or it is said why not."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from attcell.errors import CallError, ModelError
from attcell.models.weights import load_backbone_weights, load_fc6_weights
from attcell.nn import (
    FC6,
    Average,
    LinearSVM,
    Normalise,
    Pooled,
    PooledStream,
    SVMNetwork,
    build_backbone,
    build_pooling,
)
from tests.nn.backbones.test_c3d import PORTS, as_published, published_c3d
from tests.nn.networks import passing_backbone, randomised

IMAGENET = Normalise(
    [255 * value for value in (0.485, 0.456, 0.406)], [255 * value for value in (0.229, 0.224, 0.225)]
)


def stream_of(name, published, inputs=12, outputs=5, side=2):
    """A stream with a small fc6 under a backbone's name."""
    with torch.device("meta"):  # nobody runs it
        backbone = build_backbone(name)
    return PooledStream(backbone, FC6(name, nn.Linear(inputs, outputs), side, published))


def squeezenet_stream(tap="fire9"):
    backbone = build_backbone("squeezenet", tap)
    return PooledStream(backbone, build_pooling("fc6", backbone, (224, 224))).eval()


def digest(stream):
    return [value.clone() for value in stream.pooling.state_dict().values()]


def unchanged(stream, before):
    return all(
        torch.equal(now, then) for now, then in zip(stream.pooling.state_dict().values(), before, strict=True)
    )


def test_vgg16s_comes_from_torchvisions_file(tmp_path):
    state = {
        "features.0.weight": torch.randn(2, 2),
        "classifier.0.weight": torch.randn(5, 12),
        "classifier.0.bias": torch.randn(5),
        "classifier.3.weight": torch.randn(7, 5),
    }
    save_file(state, tmp_path / "vgg.safetensors")
    stream = stream_of("vgg16", "classifier.0")
    load_fc6_weights(stream, str(tmp_path / "vgg.safetensors"))
    found = stream.pooling.layer.state_dict()
    assert torch.equal(found["weight"], state["classifier.0.weight"])
    assert torch.equal(found["bias"], state["classifier.0.bias"])


@pytest.mark.parametrize("port", PORTS)
def test_c3ds_comes_from_each_ports_file(tmp_path, port):
    state = published_c3d(PORTS[port])
    layer = PORTS[port]("fc6")
    state |= {f"{layer}.weight": torch.randn(5, 12), f"{layer}.bias": torch.randn(5)}
    torch.save(state, tmp_path / "c3d.pth")
    stream = stream_of("c3d", "fc6")
    load_fc6_weights(stream, str(tmp_path / "c3d.pth"), "clip")
    assert torch.equal(stream.pooling.layer.weight, state[f"{layer}.weight"])
    assert torch.equal(stream.pooling.layer.bias, state[f"{layer}.bias"])


def test_c3ds_computes_what_the_published_weights_compute(tmp_path):
    state = published_c3d()
    state |= {"fc6.weight": torch.randn(6, 512) * 0.1, "fc6.bias": torch.randn(6)}
    save_file(state, tmp_path / "c3d.safetensors")
    pooling = FC6("c3d", nn.Linear(512, 6), 1, "fc6")  # on 1×1 regions, for speed
    stream = PooledStream(build_backbone("c3d"), pooling, normalise=IMAGENET).eval()
    for load in (load_backbone_weights, load_fc6_weights):
        load(stream.backbone if load is load_backbone_weights else stream, str(tmp_path / "c3d.safetensors"))
    clips = torch.randint(0, 256, (1, 2, 3, 16, 17, 17), dtype=torch.uint8)
    with torch.inference_mode():
        pool5 = as_published(state, clips[0]).flatten(1)
        expected = (pool5 @ state["fc6.weight"].T + state["fc6.bias"]).relu().mean(dim=0)
        torch.testing.assert_close(stream(clips)[0], expected, rtol=1e-3, atol=1e-3)
    assert expected.std() > 0.1, "the comparison has something to compare"


def as_torchvision(state, pictures):
    from torchvision.models import squeezenet1_0

    whole = squeezenet1_0().eval()
    whole.load_state_dict({key: value.float() for key, value in state.items()})
    return whole(pictures)


def test_squeezenets_is_what_the_whole_network_says(tmp_path):
    from torchvision.models import squeezenet1_0

    state = randomised(squeezenet1_0(), 3).state_dict()
    state = {key: value * 0.2 for key, value in state.items()}
    save_file(state, tmp_path / "squeezenet.safetensors")
    stream = squeezenet_stream()
    load_backbone_weights(stream.backbone, str(tmp_path / "squeezenet.safetensors"))
    load_fc6_weights(stream, str(tmp_path / "squeezenet.safetensors"))
    pictures = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(stream(pictures[:, None]), as_torchvision(state, pictures))


@pytest.mark.real
def test_the_real_squeezenets_is_what_the_whole_network_says(real_data):
    from safetensors.torch import load_file

    path = real_data / "squeezenet1_0_imagenet.safetensors"
    stream = squeezenet_stream()
    load_backbone_weights(stream.backbone, str(path))
    load_fc6_weights(stream, str(path))
    pictures = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        expected = as_torchvision(load_file(path), pictures)
        torch.testing.assert_close(stream(pictures[:, None]), expected, rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.1
    pooled = squeezenet_stream("fire9_pool")
    load_fc6_weights(pooled, str(path))
    assert torch.equal(pooled.pooling.layer.weight, stream.pooling.layer.weight)


def test_none_leaves_the_random_weights():
    stream = stream_of("vgg16", "classifier.0")
    before = digest(stream)
    load_fc6_weights(stream, "none")
    assert unchanged(stream, before)


def test_it_comes_from_a_model_and_so_does_the_backbone(tmp_path):
    network = SVMNetwork(Pooled({"frame": squeezenet_stream()}), LinearSVM(1000, 2))
    (tmp_path / "model").mkdir()
    save_file(network.state_dict(), tmp_path / "model" / "model.safetensors")
    stream = squeezenet_stream()
    load_backbone_weights(stream.backbone, str(tmp_path / "model"))
    load_fc6_weights(stream, str(tmp_path / "model"), "flow")  # it has none: the frame stream's
    expected = network.stream("frame").state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in stream.state_dict().items())


def test_a_model_without_fc6_is_refused(tmp_path):
    pooled = Pooled({"frame": PooledStream(build_backbone("small"), Average(128))})
    save_file(pooled.state_dict(), tmp_path / "model.safetensors")
    stream = stream_of("vgg16", "classifier.0")
    with pytest.raises(ModelError) as caught:
        load_fc6_weights(stream, str(tmp_path))
    assert str(caught.value) == (
        f"weights {tmp_path} hold no fc6 of vgg16 under pooling.layer: it lacks 2 keys, first bias. "
        "Give a file of the whole published network, with its classifier"
    )


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"features.0.weight": torch.zeros(2)}, "it lacks 2 keys, first bias"),
        ({"classifier.0.weight": torch.zeros(5, 12)}, "it lacks 1 keys, first bias"),
        (
            {"classifier.0.weight": torch.zeros(5, 13), "classifier.0.bias": torch.zeros(5)},
            "1 shapes differ, first weight is (5, 13), not (5, 12)",
        ),
    ],
)
def test_a_file_without_the_layer_is_refused(tmp_path, state, reason):
    path = tmp_path / "features.safetensors"
    save_file(state, path)
    stream = stream_of("vgg16", "classifier.0")
    before = digest(stream)
    with pytest.raises(ModelError) as caught:
        load_fc6_weights(stream, str(path))
    assert str(caught.value) == (
        f"weights {path} hold no fc6 of vgg16 under classifier.0: {reason}. "
        "Give a file of the whole published network, with its classifier"
    )
    assert unchanged(stream, before)


def test_what_is_not_there_is_refused(tmp_path):
    stream = stream_of("c3d", "fc6")
    with pytest.raises(CallError, match=r"no weights at .*none\.pth; allowed: pretrained, none, a"):
        load_fc6_weights(stream, str(tmp_path / "none.pth"))
    with pytest.raises(CallError, match="backbone c3d has no published weights; use weights: none or a file"):
        load_fc6_weights(stream, "pretrained")


def test_another_pooling_has_none():
    stream = PooledStream(passing_backbone(3), Average(3))
    with pytest.raises(CallError) as caught:
        load_fc6_weights(stream, "none", "flow")
    assert str(caught.value) == (
        "the flow stream is pooled by Average, which has no fc6 to load; give one with the pooling fc6"
    )


def test_it_is_downloaded_with_the_backbones(monkeypatch):
    published = {"classifier.0.weight": torch.randn(5, 12), "classifier.0.bias": torch.randn(5)}
    asked = []

    def download(weights, **_):
        asked.append(str(weights))
        return published

    monkeypatch.setattr("torchvision.models.WeightsEnum.get_state_dict", download)
    stream = stream_of("vgg16", "classifier.0")
    load_fc6_weights(stream, "pretrained")
    assert asked == ["VGG16_Weights.IMAGENET1K_V1"]
    assert torch.equal(stream.pooling.layer.weight, published["classifier.0.weight"])
