"""Models on disk: written whole, read back the same, refused when they do not hold together."""

from __future__ import annotations

import errno
import json
import pickle
import stat
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import attcell
from attcell.errors import CallError, ModelError
from attcell.inference.model import Model
from tests.small_models import LABELS, random_model


def save(model: Model, folder: Path) -> Path:
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def saved(model, tmp_path) -> Path:
    return save(model, tmp_path / "run" / "model")


def edit(folder: Path, **changes: object) -> None:
    """Change keys of config.json; None takes a key away."""
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        Model.from_folder(folder)
    assert str(folder) in str(caught.value)
    assert "copy the model anew" in str(caught.value).lower()
    return str(caught.value)


def test_a_model_is_read_back_as_it_was(model, saved):
    found = Model.from_folder(saved)
    assert found.labels == LABELS
    assert found.recipe == model.recipe
    assert found.training == {"note": "random"}
    assert not found.network.training
    expected = model.network.state_dict()
    assert found.network.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[key]) for key, value in found.network.state_dict().items())
    assert json.loads((saved / "config.json").read_text())["attcell"] == attcell.__version__
    assert sorted(path.name for path in saved.iterdir()) == ["config.json", "model.safetensors"]


def test_others_may_read_what_was_written(saved):
    modes = {stat.S_IMODE(path.stat().st_mode) for path in saved.iterdir()}
    assert modes == {stat.S_IMODE(saved.stat().st_mode) & 0o666}


def test_saving_again_replaces_the_model_and_leaves_other_files(recipe, saved):
    (saved / "README.md").write_text("mine")
    other = random_model(recipe, seed=1)
    save(other, saved)
    assert (saved / "README.md").read_text() == "mine"
    found = Model.from_folder(saved).network.state_dict()
    assert all(torch.equal(value, found[key]) for key, value in other.network.state_dict().items())
    assert len(list(saved.iterdir())) == 3


@pytest.mark.parametrize("call", ["write_bytes", "write_text"])
def test_a_full_disk_leaves_the_old_model(recipe, model, saved, monkeypatch, call):
    write = getattr(Path, call)

    def full(path: Path, content: bytes | str, **options: object) -> None:
        write(path, content[:20], **options)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, call, full)
    with pytest.raises(OSError, match="No space left on device"):
        save(random_model(recipe, seed=1), saved)
    monkeypatch.undo()
    assert len(list(saved.iterdir())) == 2
    found = Model.from_folder(saved).network.state_dict()
    assert all(torch.equal(value, found[key]) for key, value in model.network.state_dict().items())


def test_files_of_two_trainings_are_not_mixed(recipe, saved, tmp_path):
    other = save(random_model(recipe, seed=1), tmp_path / "other")
    (other / "model.safetensors").replace(saved / "model.safetensors")
    message = refusal(saved)
    assert "config.json beside it are not of one training: the weights are " in message
    assert "config.json belongs to " in message


def test_a_model_that_is_not_there(saved, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (saved / name).rename(tmp_path / "kept")
        message = f"no model at {saved}: a model folder holds config.json and model.safetensors"
        with pytest.raises(CallError, match=message):
            Model.from_folder(saved)
        (tmp_path / "kept").rename(saved / name)
    for place in (tmp_path, tmp_path / "none", saved / "config.json"):
        with pytest.raises(CallError, match=f"no model at {place}: a model folder holds"):
            Model.from_folder(place)


@pytest.mark.parametrize("version", [0, 1, 3, "2", None])
def test_another_format_is_named(saved, version):
    edit(saved, format=version)
    expected = (
        f"has model format {version!r}, and attcell {attcell.__version__} reads format 2; train the model "
        "again with attcell train, or use the attcell that wrote it"
    )
    with pytest.raises(ModelError, match=expected):
        Model.from_folder(saved)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON (Expecting property name"),
        (b"", "is not JSON (Expecting value"),
        (b"\xff\xfe\x00", "is not JSON ('utf-8' codec"),
    ],
)
def test_a_config_that_is_not_json(saved, content, message):
    (saved / "config.json").write_bytes(content)
    assert f"config.json {message}" in refusal(saved)


def test_a_config_that_is_a_list(saved):
    (saved / "config.json").write_text("[1]")
    with pytest.raises(ModelError, match=r"config.json has model format None"):
        Model.from_folder(saved)


@pytest.mark.parametrize("labels", [None, "abc", {"a": 1, "b": 2, "c": 3}, [1, 2, 3], ["a", "a", "b"], []])
def test_labels_must_be_names(saved, labels):
    edit(saved, labels=labels)
    assert f"config.json: labels must be a list of different names, not {labels!r}" in refusal(saved)


@pytest.mark.parametrize("key", ["recipe", "training"])
def test_parts_that_are_missing_or_wrong(saved, key):
    edit(saved, **{key: 5})
    assert f"config.json: {key} is missing or of a wrong type" in refusal(saved)
    edit(saved, **{key: None})
    assert f"config.json: {key} is missing or of a wrong type" in refusal(saved)


def test_a_recipe_in_a_model_is_taken_letter_by_letter(model, saved, monkeypatch):
    """A stranger's model reads nothing of the environment, nor refers to anything."""
    monkeypatch.setenv("SECRET", "secret")
    values = model.recipe.model_dump(mode="json")
    edit(saved, recipe={**values, "name": "${oc.env:SECRET}", "data": {**values["data"], "test": "${name}"}})
    found = Model.from_folder(saved).recipe
    assert (found.name, str(found.data.test)) == ("${oc.env:SECRET}", "${name}")


def test_a_recipe_that_is_wrong(model, saved):
    edit(saved, recipe={**model.recipe.model_dump(mode="json"), "modle": {}})
    message = refusal(saved)
    assert "modle: unknown key; did you mean 'model'?" in message
    assert message.endswith("config.json is damaged: copy the model anew")


def test_a_modality_of_ones_own_that_nobody_registered(model, saved):
    values = model.recipe.model_dump(mode="json")
    values["model"]["streams"]["difference"] = values["model"]["streams"]["frame"]
    edit(saved, recipe=values)
    message = refusal(saved)
    assert "no modality is named 'difference'; allowed: frame, flow, clip, audio, features" in message
    assert (
        "a modality or a backbone of your own, register it before the model is loaded, in Python" in message
    )


def test_a_backbone_that_is_unknown(model, saved):
    recipe = model.recipe.model_dump(mode="json")
    recipe["model"]["streams"]["frame"]["backbone"] = "smal"
    edit(saved, recipe=recipe)
    assert "unknown backbone 'smal'; did you mean 'small'?" in refusal(saved)


def test_weights_of_another_shape(saved):
    edit(saved, labels=["a", "b"])
    message = "2 shapes differ, first classifier.weight is (3, 8), not (2, 8)"
    assert f"model.safetensors and config.json beside it are not of one training: {message}" in refusal(saved)


def test_weights_of_another_network(saved):
    path = saved / "model.safetensors"
    state = load_file(path)
    del state["classifier.bias"]
    save_file({**state, "other": torch.zeros(1)}, path)
    assert "it lacks 1 keys, first classifier.bias; it has 1 other keys, first other" in refusal(saved)


def test_weights_that_are_no_safetensors(saved):
    path = saved / "model.safetensors"
    whole = path.read_bytes()
    torch.save({}, path)
    contents = [path.read_bytes(), b"", whole[: len(whole) // 2]]
    for content in contents:
        path.write_bytes(content)
        assert "model.safetensors is not a safetensors file (" in refusal(saved)


@pytest.mark.parametrize("place", [-1, -200])
def test_a_changed_byte_of_the_weights_is_told(saved, place):
    file = saved / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[place] ^= 4
    file.write_bytes(data)
    assert "is damaged: its weights are not those that were written" in refusal(saved)


class Evil:
    """What a pickle of it does when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("evil"),)


def lying(whole: bytes, kind: str) -> bytes:
    """A safetensors file whose header says what is not so."""
    size = int.from_bytes(whole[:8], "little")
    head, body = json.loads(whole[8 : 8 + size]), whole[8 + size :]
    first = head["classifier.bias"]
    changes = {
        "offsets": {"data_offsets": [0, 10**15]},
        "turned": {"data_offsets": first["data_offsets"][::-1]},
        "shape": {"shape": [2**40, 2**40]},
        "negative": {"shape": [-3]},
        "type": {"dtype": "F4"},
        "no type": {"dtype": "OBJECT"},
    }
    if kind in changes:
        first |= changes[kind]
    elif kind == "metadata":
        head["__metadata__"] = {"weights": {"a": 1}}
    elif kind == "much of nothing":
        head["more"] = {"dtype": "F32", "shape": [0, 2**60], "data_offsets": [len(body), len(body)]}
    text = b'{"a":' * 100_000 if kind == "deep" else json.dumps(head).encode()
    length = {"long": 2**63, "longer than the file": 10**8 - 1}.get(kind, len(text))
    return length.to_bytes(8, "little") + text + body


KINDS = [
    *("offsets", "turned", "shape", "negative", "type", "no type", "metadata", "much of nothing", "deep"),
    *("long", "longer than the file"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_header_that_lies_is_refused(saved: Path, kind: str) -> None:
    file = saved / "model.safetensors"
    file.write_bytes(lying(file.read_bytes(), kind))
    assert any(said in refusal(saved) for said in ("is not a safetensors file (", "are not of one training"))


def test_other_files_of_a_folder_are_not_read(
    model: Model, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(saved)
    code = "from pathlib import Path; Path('evil').touch()"
    names = ["modeling.py", "sitecustomize.py", "__init__.py", "torch.py", "config.py", "setup.py"]
    for name in names:
        (saved / name).write_text(code)
    for name in ("pytorch_model.bin", "model.pt", "detection.pkl"):
        (saved / name).write_bytes(pickle.dumps(Evil()))
    edit(saved, auto_map={"AutoModel": "modeling.Mine"}, more="!!python/object")
    found = Model.from_folder(saved).network.state_dict()
    assert all(torch.equal(value, found[key]) for key, value in model.network.state_dict().items())
    assert not (saved / "evil").exists()


def test_a_config_that_is_nested_deeply_is_refused(saved: Path) -> None:
    (saved / "config.json").write_text('{"recipe":' * 100_000)
    assert "config.json is not JSON (Nested too deeply" in refusal(saved)


def test_no_memory_is_taken_for_a_network_that_the_weights_are_not_of(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    stream = config["recipe"]["model"]["streams"]["frame"]
    stream["conv6_channels"] = 10**9
    edit(saved, recipe=config["recipe"])
    assert "1000000000, " in refusal(saved)
    stream["conv6_channels"] = 10**30
    edit(saved, recipe=config["recipe"])
    assert "conv6_channels: Input should be less than or equal to 1000000000" in refusal(saved)
