"""Networks for sound: their maps against plain references, and published weights by each naming."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from attcell.errors import CallError, ModelError
from attcell.models.weights import load_backbone_weights
from attcell.nn import Pooled, PooledStream, Stream, build_backbone, build_pooling
from attcell.nn.backbones import backbone_entry
from attcell.nn.backbones.sound import (
    CNN14,
    CNN14_FILTERS,
    VGGISH_STAGES,
    cnn14_weights,
    vggish_layers,
    vggish_weights,
)
from tests.nn import reference_sound

TINY = (3, 4, 2, 5)


def picture(rows: int = 10, bands: int = 64, seed: int = 3) -> Tensor:
    return torch.randn(2, 1, rows, bands, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def with_random_figures(network: nn.Module) -> nn.Module:
    """In double precision, at test, with statistics that make a difference."""
    generator = torch.Generator().manual_seed(1)
    for key, value in network.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.5)
            if key.endswith("running_var"):
                value.abs_().add_(0.1)
    return network.double().eval()


def as_numpy(network: nn.Module) -> dict[str, np.ndarray]:
    return {key: value.numpy() for key, value in network.state_dict().items()}


# CNN14


@pytest.mark.parametrize("num_blocks", [1, 3, 4])
def test_cnn14_is_the_published_one(num_blocks: int) -> None:
    network = with_random_figures(CNN14(num_blocks, TINY, bands=18))
    given = picture(19, 18)
    with torch.no_grad():
        found = network(given).numpy()
    for one, values in zip(found, given.numpy(), strict=True):
        expected = reference_sound.cnn14(values[0], as_numpy(network), num_blocks, last=len(TINY))
        np.testing.assert_allclose(one, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("tap", "shape"),
    [
        ("conv_block6", (2048, 3, 2)),
        ("conv_block5", (1024, 3, 2)),
        ("conv_block4", (512, 6, 4)),
        ("conv_block3", (256, 12, 8)),
    ],
)
def test_cnn14s_maps_of_one_second(tap: str, shape: tuple[int, int, int]) -> None:
    with torch.device("meta"):  # shapes, and no arithmetic
        backbone = build_backbone("cnn14", tap, 1)
        assert backbone(torch.empty(2, 1, 101, 64)).shape == (2, *shape)
        assert backbone.out_channels == shape[0]
    assert backbone_entry("cnn14").taps[0] == "conv_block6"


def test_cnn14_has_the_published_number_of_parameters() -> None:
    """As PANNs says, with fc1 (2048 to 2048) and fc_audioset (2048 to 527)."""
    with torch.device("meta"):
        network = CNN14(6, CNN14_FILTERS)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count + 2049 * 2048 + 2049 * 527 == 80_753_615


def published_cnn14(bins: int = 257, bands: int = 64) -> dict[str, Tensor]:
    """What a file of PANNs holds: its first three blocks, and names of the rest, of no value."""
    torch.manual_seed(7)
    state = dict(CNN14(3, CNN14_FILTERS).state_dict())
    return {
        "spectrogram_extractor.stft.conv_real.weight": torch.zeros(bins, 1, 2),
        "spectrogram_extractor.stft.conv_imag.weight": torch.zeros(bins, 1, 2),
        "logmel_extractor.melW": torch.zeros(bins, bands),
        **state,
        "conv_block5.conv1.weight": torch.zeros(1),
        "fc1.weight": torch.zeros(2, 2),
        "fc1.bias": torch.zeros(2),
        "fc_audioset.weight": torch.zeros(527, 2),
        "fc_audioset.bias": torch.zeros(527),
    }


def test_cnn14_takes_the_file_that_torch_saved_with_its_sampler(tmp_path) -> None:
    """The published files also say how far the training was: numbers of NumPy beside the tensors."""
    state = published_cnn14()
    sampler = {"indexes": np.arange(5), "pointer": np.int64(3)}
    torch.save({"iteration": 600_000, "model": state, "sampler": sampler}, tmp_path / "Cnn14_16k.pth")
    backbone = build_backbone("cnn14", "conv_block3", 1)
    load_backbone_weights(backbone, str(tmp_path / "Cnn14_16k.pth"), "audio")
    for key, value in backbone.body.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_cnn14_takes_a_safetensors_file(tmp_path) -> None:
    state = published_cnn14()
    save_file(state, tmp_path / "cnn14.safetensors")
    backbone = build_backbone("cnn14", "conv_block3", 1)
    load_backbone_weights(backbone, str(tmp_path / "cnn14.safetensors"))
    assert torch.equal(backbone.body.state_dict()["bn0.weight"], state["bn0.weight"])


@pytest.mark.parametrize(
    ("bins", "bands", "said"),
    [
        (513, 64, "sound of 32 kHz and 64 bands"),
        (129, 64, "sound of 8 kHz and 64 bands"),
        (257, 128, "sound of 16 kHz and 128 bands"),
        (100, 64, "spectra of 100 bins and 64 bands"),
    ],
)
def test_cnn14s_weights_of_other_sound_are_refused(bins: int, bands: int, said: str) -> None:
    with pytest.raises(ModelError, match=re.escape(said)) as caught:
        cnn14_weights(published_cnn14(bins, bands))
    assert "give those that PANNs published for 16 kHz: Cnn14_16k_mAP=0.438.pth" in str(caught.value)


def test_cnn10s_weights_are_not_cnn14s(tmp_path) -> None:
    state = {key: value for key, value in published_cnn14().items() if not key.startswith("conv_block3")}
    save_file(state, tmp_path / "cnn10.safetensors")
    with pytest.raises(ModelError, match=r"are not of cnn14: it lacks .* with PANNs' key names"):
        load_backbone_weights(build_backbone("cnn14", "conv_block3", 1), str(tmp_path / "cnn10.safetensors"))


def test_cnn14_is_trained_from_a_block_and_its_frozen_blocks_drop_nothing() -> None:
    with torch.device("meta"):
        backbone = build_backbone("cnn14", "conv_block4", 1)
    backbone.train_from("conv_block4")
    backbone.train()
    trained = {key.split(".")[0] for key, value in backbone.body.named_parameters() if value.requires_grad}
    assert trained == {"conv_block4"}
    dropping = {
        name for name, part in backbone.body.named_modules() if name.endswith("dropout") and part.training
    }
    assert dropping == {"conv_block4.dropout"}


# VGGish


def test_vggish_is_the_published_one() -> None:
    stages = [[(name, filters // 64) for name, filters in stage] for stage in VGGISH_STAGES]
    layers = with_random_figures(vggish_layers(1, stages))
    given = picture(33, 18)
    convolutions = iter([layer for layer in layers if isinstance(layer, nn.Conv2d)])
    weights = [
        [
            (layer.weight.detach().numpy(), layer.bias.detach().numpy())
            for _, layer in zip(stage, convolutions, strict=False)
        ]
        for stage in stages
    ]
    with torch.no_grad():
        found = layers(given).numpy()
    for one, values in zip(found, given.numpy(), strict=True):
        np.testing.assert_allclose(one, reference_sound.vggish(values[0], weights), atol=1e-9)


@pytest.mark.parametrize(
    ("tap", "shape"),
    [("pool4", (512, 6, 4)), ("conv4_2", (512, 12, 8)), ("pool3", (256, 12, 8)), ("conv3_2", (256, 24, 16))],
)
def test_vggishs_maps_of_96_rows(tap: str, shape: tuple[int, int, int]) -> None:
    with torch.device("meta"):
        backbone = build_backbone("vggish", tap, 1)
        assert backbone(torch.empty(2, 1, 96, 64)).shape == (2, *shape)
        assert backbone.out_channels == shape[0]
        assert isinstance(backbone.body.features[-1], nn.MaxPool2d if "pool" in tap else nn.ReLU)


FIRST_RELEASE = {  # TensorFlow's names, to the ports'
    "vggish/conv1": "features.0",
    "vggish/conv2": "features.3",
    "vggish/conv3/conv3_1": "features.6",
    "vggish/conv3/conv3_2": "features.8",
    "vggish/conv4/conv4_1": "features.11",
    "vggish/conv4/conv4_2": "features.13",
}
FULLY_CONNECTED = {
    "vggish/fc1/fc1_1": "embeddings.0",
    "vggish/fc1/fc1_2": "embeddings.2",
    "vggish/fc2": "embeddings.4",
}


def port() -> dict[str, Tensor]:
    torch.manual_seed(9)
    state = dict(build_backbone("vggish", None, 1).body.state_dict())
    rest = {
        f"embeddings.{place}.{part}": torch.zeros(2, 3) for place in (0, 2, 4) for part in ("weight", "bias")
    }
    return {**state, **rest, "pproc.pca_eigen_vectors": torch.zeros(2), "pproc.pca_means": torch.zeros(2)}


def torchaudios() -> dict[str, Tensor]:
    return {
        re.sub(r"^(feature|embedding)s\.", lambda found: f"{PREFIX[found[1]]}_network.", key): value
        for key, value in port().items()
        if not key.startswith("pproc.")
    }


PREFIX = {"feature": "features", "embedding": "embedding"}


def tensorflows() -> dict[str, Tensor]:
    state, found = port(), {}
    for theirs, ours in {**FIRST_RELEASE, **FULLY_CONNECTED}.items():
        weight = state[f"{ours}.weight"]
        found[f"{theirs}/weights"] = weight.permute(2, 3, 1, 0) if weight.ndim == 4 else weight.T
        found[f"{theirs}/biases"] = state[f"{ours}.bias"]
    return found


@pytest.mark.parametrize("naming", [port, torchaudios, tensorflows])
def test_each_naming_of_vggish_fills_it(tmp_path, naming) -> None:
    save_file({key: value.contiguous() for key, value in naming().items()}, tmp_path / "x.safetensors")
    backbone = build_backbone("vggish", None, 1)
    load_backbone_weights(backbone, str(tmp_path / "x.safetensors"))
    expected = port()
    for key, value in backbone.body.state_dict().items():
        assert torch.equal(value, expected[key]), key


def test_tensorflows_names_with_a_number_behind() -> None:
    found = vggish_weights({f"{key}:0": value for key, value in tensorflows().items()})
    assert found.keys() == {key for key in port() if key.startswith("features.")}


def test_other_names_stay_and_are_told(tmp_path) -> None:
    save_file({"block.weight": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(
        ModelError, match=r"1 other keys, first block.weight.*TensorFlow's or one of the PyTorch"
    ):
        load_backbone_weights(build_backbone("vggish", None, 1), str(tmp_path / "x.safetensors"))


# Plain rivals


def test_mel_statistics_are_means_and_deviations_of_bands() -> None:
    given = picture()
    found = build_backbone("mel_statistics", None, 1)(given)
    assert found.shape == (2, 128, 1, 1)
    for one, values in zip(found[..., 0, 0].numpy(), given.numpy(), strict=True):
        np.testing.assert_allclose(one, reference_sound.statistics(values[0]), atol=1e-9)


@pytest.mark.parametrize("rows", [1, 3, 10])
def test_mfccs_are_cepstra_and_their_slopes(rows: int) -> None:
    given = picture(rows)
    found = build_backbone("mfcc", None, 1).double()(given)
    assert found.shape == (2, 80, 1, 1)
    for one, values in zip(found[..., 0, 0].numpy(), given.numpy(), strict=True):
        np.testing.assert_allclose(one, reference_sound.mfcc(values[0]), atol=1e-6)


@pytest.mark.parametrize("name", ["mfcc", "mel_statistics"])
def test_plain_rivals_have_nothing_to_load_or_to_train(name: str) -> None:
    backbone = build_backbone(name, None, 1)
    load_backbone_weights(backbone, "pretrained")
    backbone.train_from("none")
    assert backbone.frozen
    assert not backbone.state_dict()
    pooled = PooledStream(backbone, build_pooling("average", backbone, (10, 64)))
    found = Pooled({"audio": pooled})({"audio": picture().float()[:, None]})
    assert found.video.shape == (2, backbone.out_channels)


# As any stream


@pytest.mark.parametrize(("name", "tap"), [("cnn14", "conv_block3"), ("vggish", "pool3")])
def test_attention_is_over_time_and_frequency(name: str, tap: str) -> None:
    stream = Stream(build_backbone(name, tap, 1).eval(), conv6_channels=4)
    with torch.no_grad():
        found = stream(torch.randn(1, 2, 1, 16, 64))
    assert found.attention.shape == (1, 2, 2, 8)
    torch.testing.assert_close(found.attention.sum(dim=(2, 3)), torch.ones(1, 2))


@pytest.mark.parametrize("name", ["cnn14", "vggish", "mfcc", "mel_statistics"])
def test_they_hear_one_channel_of_their_own_pictures(name: str) -> None:
    entry = backbone_entry(name)
    assert entry.sound is not None
    assert (entry.sound.form, entry.sound.bands) == ("panns" if name == "cnn14" else "vggish", 64)
    with pytest.raises(CallError, match=f"backbone {name} looks at pictures of 1 channels, not of 3"):
        build_backbone(name)
