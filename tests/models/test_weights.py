"""Weights files: those of the network load, all others are refused with the reason."""

from __future__ import annotations

import shutil

import pytest
import torch
from safetensors.torch import save, save_file

from attcell.errors import CallError, ModelError
from attcell.models.weights import load_backbone_weights, misfit, state_digest
from attcell.nn import Backbone, build_backbone
from attcell.nn.backbones.image import cross_modality, inflated
from tests.small_models import random_model, recipe_of


def small(seed: int) -> Backbone:
    torch.manual_seed(seed)
    return build_backbone("small")


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    return dict(small(1).named_as_published.state_dict())


def test_a_file_of_the_network_loads(tmp_path, state):
    save_file(state, tmp_path / "small.safetensors")
    backbone = small(2)
    before = state_digest(backbone)
    load_backbone_weights(backbone, str(tmp_path / "small.safetensors"))
    assert state_digest(backbone) == state_digest(small(1)) != before


def test_half_precision_loads_into_single(tmp_path, state):
    save_file({key: value.half() for key, value in state.items()}, tmp_path / "small.safetensors")
    backbone = small(2)
    load_backbone_weights(backbone, str(tmp_path / "small.safetensors"))
    for key, value in backbone.named_as_published.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[key].half().float())


def test_none_leaves_the_random_weights():
    backbone = small(2)
    load_backbone_weights(backbone, "none")
    assert state_digest(backbone) == state_digest(small(2))


def refusal(tmp_path, state) -> str:
    save_file(state, tmp_path / "other.safetensors")
    backbone = small(2)
    with pytest.raises(ModelError) as caught:
        load_backbone_weights(backbone, str(tmp_path / "other.safetensors"))
    assert state_digest(backbone) == state_digest(small(2)), "nothing may be half loaded"
    assert str(caught.value).startswith(f"weights {tmp_path / 'other.safetensors'} are not of small: ")
    assert str(caught.value).endswith(
        "Give the file of the same network, with torchvision's or timm's key names"
    )
    return str(caught.value)


def test_another_networks_file_is_refused(tmp_path, state):
    del state["block1.1.bias"]
    state["conv.weight"] = torch.zeros(3)
    state["block2.0.weight"] = torch.zeros(2, 2)
    message = refusal(tmp_path, state)
    assert "it lacks 1 keys, first block1.1.bias; it has 1 other keys, first conv.weight" in message
    assert "1 shapes differ, first block2.0.weight is (2, 2), not (" in message


def test_a_prefix_is_refused(tmp_path, state):
    message = refusal(tmp_path, {f"module.{key}": value for key, value in state.items()})
    assert f"it lacks {len(state)} keys" in message
    assert f"it has {len(state)} other keys, first module.block1." in message


@pytest.mark.parametrize("name", ["weights.pt", "weights.pickle"])
@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"state_dict": state, "epoch": 3}])
def test_what_torch_saved_is_read(tmp_path, state, name, wrap):
    torch.save(wrap(state), tmp_path / name)
    backbone = small(2)
    load_backbone_weights(backbone, str(tmp_path / name))
    assert all(torch.equal(value, state[key]) for key, value in backbone.body.state_dict().items())


def test_a_pickle_that_calls_itself_safetensors_is_refused(tmp_path, state):
    path = tmp_path / "weights.safetensors"
    torch.save(state, path)
    with pytest.raises(ModelError, match=r"is not a safetensors file .* If torch.save wrote it, name it .pt"):
        load_backbone_weights(small(2), str(path))


@pytest.mark.parametrize("first", [b"\x80", b"\x80\x02", b"PK"])
def test_a_safetensors_file_may_begin_as_torchs_files_do(tmp_path, state, first):
    content = save(state)
    length = int.from_bytes(content[:8], "little")
    wanted = int.from_bytes(first, "little")
    while wanted < length:
        wanted += 256 ** len(first)
    padding = b" " * (wanted - length)
    path = tmp_path / "x.bin"
    path.write_bytes(wanted.to_bytes(8, "little") + content[8 : 8 + length] + padding + content[8 + length :])
    assert path.read_bytes().startswith(first)
    backbone = small(2)
    load_backbone_weights(backbone, str(path))
    assert state_digest(backbone) == state_digest(small(1))


class Mischief:
    """Unpickling it calls a function."""

    def __reduce__(self):
        return (print, ("unpickled",))


@pytest.mark.parametrize("content", [{"a": Mischief()}, Mischief()])
def test_a_pickle_that_would_run_code_is_refused(tmp_path, content, capsys):
    for protocol_file in ("new.pth", "old.pth"):
        torch.save(
            content, tmp_path / protocol_file, _use_new_zipfile_serialization=protocol_file == "new.pth"
        )
        with pytest.raises(ModelError, match=f"{protocol_file} is a pickle that holds more than tensors"):
            load_backbone_weights(small(2), str(tmp_path / protocol_file))
    assert "unpickled" not in capsys.readouterr().out


def test_a_pickle_without_a_state_dict_is_refused(tmp_path):
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    with pytest.raises(ModelError, match=r"list\.pth holds no state dict"):
        load_backbone_weights(small(2), str(tmp_path / "list.pth"))


@pytest.mark.parametrize(
    "rename",
    [
        lambda key: key,
        lambda key: key.replace("block1.0", "first"),
    ],
    ids=["the same", "foreign"],
)
def test_weights_of_colour_pictures_fit_a_flow_stream(tmp_path, state, rename):
    save_file({rename(key): value for key, value in state.items()}, tmp_path / "x.safetensors")
    backbone = build_backbone("small", in_channels=20)
    if rename("block1.0.weight") != "block1.0.weight":
        with pytest.raises(ModelError, match="are not of small"):
            load_backbone_weights(backbone, str(tmp_path / "x.safetensors"))
        return
    load_backbone_weights(backbone, str(tmp_path / "x.safetensors"))
    found = backbone.body.state_dict()["block1.0.weight"]
    mean = state["block1.0.weight"].mean(1, keepdim=True)
    torch.testing.assert_close(found, mean.expand(-1, 20, -1, -1))


@pytest.mark.parametrize("content", [b"", b"text", bytes(100)])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.safetensors is not a safetensors file"):
        load_backbone_weights(small(2), str(tmp_path / "x.safetensors"))


def test_a_truncated_file_is_refused(tmp_path, state):
    path = tmp_path / "x.safetensors"
    save_file(state, path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelError, match=r"x\.safetensors is not a safetensors file"):
        load_backbone_weights(small(2), str(path))


def test_a_file_that_is_not_there(tmp_path):
    path = tmp_path / "none.safetensors"
    with pytest.raises(
        CallError, match=f"no weights at {path}; allowed: pretrained, none, a .safetensors file, "
    ):
        load_backbone_weights(small(2), str(path))
    with pytest.raises(CallError, match=f"{tmp_path} is no model folder: it holds no model.safetensors"):
        load_backbone_weights(small(2), str(tmp_path))


def test_the_backbone_of_a_model_loads(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    backbone = small(2)
    load_backbone_weights(backbone, str(tmp_path / "model"))
    expected = model.network.stream("frame").backbone.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in backbone.state_dict().items())
    with pytest.raises(ModelError, match=r"model are not of squeezenet: it lacks 50 keys"):
        load_backbone_weights(build_backbone("squeezenet"), str(tmp_path / "model"))


def test_flow_and_clips_may_begin_as_a_models_frame_stream(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    pictures = model.network.stream("frame").backbone.named_as_published.state_dict()
    first = "block1.0.weight"
    flow, clips = build_backbone("small", in_channels=20), build_backbone("small3d")
    load_backbone_weights(flow, str(tmp_path / "model"), "flow")
    load_backbone_weights(clips, str(tmp_path / "model"), "clip")
    found = flow.named_as_published.state_dict()
    torch.testing.assert_close(found[first], cross_modality(pictures[first], 20))
    assert all(torch.equal(found[key], value) for key, value in pictures.items() if key != first)
    for key, value in clips.named_as_published.state_dict().items():
        expected = inflated(pictures[key], value.shape[2]) if value.ndim == 5 else pictures[key]
        torch.testing.assert_close(value, expected)


def test_a_model_with_neither_the_stream_nor_a_frame_stream_is_refused(folder, tmp_path):
    streams = {"flow": {"backbone": "small", "weights": "none", "conv6_channels": 8}}
    model = random_model(recipe_of(folder, model={"streams": streams}))
    model.save_pretrained(tmp_path / "model")
    with pytest.raises(
        ModelError, match=r"model has no clip and no frame stream; give one that has, or weig"
    ):
        load_backbone_weights(build_backbone("small3d"), str(tmp_path / "model"), "clip")


def test_the_backbone_of_a_model_with_a_timm_backbone_loads(folder, tmp_path):
    name = "timm/mobilenetv3_small_050"
    streams = {"frame": {"backbone": name, "weights": "none", "conv6_channels": 8}}
    model = random_model(recipe_of(folder, model={"streams": streams}))
    model.save_pretrained(tmp_path / "model")
    backbone = build_backbone(name)
    load_backbone_weights(backbone, str(tmp_path / "model"))
    assert state_digest(backbone) == state_digest(model.network.stream("frame").backbone)


def test_a_backbone_without_published_weights():
    with pytest.raises(
        CallError, match="backbone small has no published weights; use weights: none or a file"
    ):
        load_backbone_weights(small(2), "pretrained")


def test_a_download_that_fails_says_what_to_do(monkeypatch):
    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("torchvision.models.WeightsEnum.get_state_dict", offline)
    with pytest.raises(ModelError, match=r"squeezenet could not be downloaded \(no network\); give a local"):
        load_backbone_weights(build_backbone("squeezenet"), "pretrained")


def test_the_digest_knows_every_weight(state):
    backbone = small(1)
    assert state_digest(backbone) == state_digest(small(1))
    backbone.named_as_published.get_parameter("block3.1.bias").data[5] += 1e-6
    assert state_digest(backbone) != state_digest(small(1))


def test_a_misfit_in_words():
    wanted = {"a": torch.zeros(2), "b.num_batches_tracked": torch.zeros(())}
    assert misfit(wanted, {"a": torch.ones(2), "c": torch.ones(1)}, {"a", "c"}) == ""
    assert misfit(wanted, {"a": torch.ones(2), "c": torch.ones(1)}, {"a"}) == "it has 1 other keys, first c"


@pytest.mark.real
def test_real_squeezenet_weights_load(real_data, tmp_path):
    path = real_data / "squeezenet1_0_imagenet.safetensors"
    backbone = build_backbone("squeezenet")
    before = state_digest(backbone)
    load_backbone_weights(backbone, str(path))
    assert state_digest(backbone) != before
    with pytest.raises(ModelError, match=r"are not of vgg16: it lacks 24 keys, first features.10.bias"):
        load_backbone_weights(build_backbone("vgg16"), str(path))
    shutil.copy(path, tmp_path / "weights.pt")  # what counts is what a file holds
    load_backbone_weights(backbone, str(tmp_path / "weights.pt"))


def test_damage_that_pytorch_does_not_see_is_refused(tmp_path, state):
    path = tmp_path / "x.pt"
    torch.save(state, path)
    whole = path.read_bytes()
    values = state["block1.0.weight"].numpy().tobytes()
    assert whole.count(values) == 1
    path.write_bytes(whole.replace(values, bytes(len(values))))
    with pytest.raises(ModelError, match=r"x\.pt is a pickle that holds more than tensors, or is damaged"):
        load_backbone_weights(small(2), str(path))
    torch.save({1: torch.ones(2)}, path)
    with pytest.raises(ModelError, match=r"x\.pt holds no state dict"):
        load_backbone_weights(small(2), str(path))
    path.write_bytes(b"\x80\x02" + b"Q" * 50)  # a pickle whose end comes too soon
    with pytest.raises(ModelError, match=r"x\.pt is a pickle that holds more than tensors, or is damaged"):
        load_backbone_weights(small(2), str(path))
