"""The model as Python users hold it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError

import attcell
from attcell.errors import CallError, ModelError, VideoError
from attcell.inference.model import Model, load
from attcell.models.folder import save_model


@pytest.fixture
def folder_of_model(model, tmp_path):
    save_model(tmp_path / "model", model.network, model.labels, model.recipe, model.training)
    return tmp_path / "model"


def test_the_package_gives_it_when_it_is_asked_for():
    assert attcell.load is load
    assert attcell.Model is Model
    assert attcell.nn.AttCell(3)
    with pytest.raises(AttributeError, match="module 'attcell' has no attribute 'trian'"):
        _ = attcell.trian


def test_saving_and_loading_as_hugging_face_does(model, record, tmp_path):
    first = Model(model)
    first.save_pretrained(tmp_path / "shared")
    first.save_pretrained(tmp_path / "shared")
    assert {"config.json", "model.safetensors"} <= {path.name for path in (tmp_path / "shared").iterdir()}
    expected = first.predict(record.path).to_dict()
    for second in (Model.from_pretrained(tmp_path / "shared"), load(tmp_path / "shared")):
        assert second.labels == model.labels
        assert second.saved.recipe == model.recipe
        assert second.predict(record.path).to_dict() == expected


def test_another_device_gives_the_same_model(model):
    one = Model(model)
    assert one.to("cpu") is one


def test_prediction_of_a_missing_video(model, tmp_path):
    with pytest.raises(VideoError, match=r"none.mp4: there is no such file"):
        Model(model).predict(tmp_path / "none.mp4")


def test_a_path_that_is_no_model_never_goes_to_the_network(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "attcell.inference.model.snapshot_download", lambda *_: pytest.fail("the network was asked")
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in (tmp_path / "none", "./a", "none", "a/b", "a/b/c", "../x"):
        with pytest.raises(CallError, match=r"a model folder holds config.json and model.safetensors"):
            load(name)


def test_an_id_that_the_hub_does_not_give(tmp_path, monkeypatch, capsys):
    def offline(*_: object, **__: object) -> None:
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr("attcell.inference.model.snapshot_download", offline)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        CallError, match=r"no model folder at runs/typo, and the Hugging Face hub gives none by "
    ):
        load("runs/typo")
    assert capsys.readouterr().err == "no folder runs/typo here; asking the Hugging Face hub\n"


def test_an_id_is_fetched_whole_and_nothing_else(folder_of_model, monkeypatch, record):
    asked = {}

    def fetch(model_id: str, **options: object) -> str:
        asked.update(options, id=model_id)
        return str(folder_of_model)

    monkeypatch.setattr("attcell.inference.model.snapshot_download", fetch)
    monkeypatch.setattr(
        "huggingface_hub.hub_mixin.hf_hub_download", lambda **_: folder_of_model / "config.json"
    )
    assert load("someone/stan").predict(record.path).scores.shape == (3,)
    assert asked["id"] == "someone/stan"
    assert asked["allow_patterns"] == ["config.json", "model.safetensors", "detection.safetensors"]


def test_weights_that_are_no_numbers_give_no_answer(model, record):
    with torch.no_grad():
        model.network.classifier.weight.fill_(float("nan"))
    with pytest.raises(
        ModelError, match="scores are not finite numbers: its weights are broken; train it again"
    ):
        Model(model).predict(record.path)


def test_the_prediction_of_a_text_path(model, record):
    found = Model(model).predict(str(record.path), segments=2)
    assert found.video == str(record.path)
    assert np.isclose(found.scores.sum(), 1)


@pytest.mark.parametrize(
    ("value", "said"), [(5, "5"), (None, "None"), (b"run", "b'run' (bytes)"), (["run"], "['run'] (list)")]
)
def test_what_is_no_path_is_refused(model, value, said):
    for name, example, call in (
        ("model", "runs/mine/model", load),
        ("video", "clip.mp4", Model(model).predict),
    ):
        with pytest.raises(CallError) as caught:
            call(value)
        assert str(caught.value) == f'{name} is {said}; give one path as text or Path, such as "{example}"'


@pytest.mark.parametrize(
    ("value", "said"), [(2.5, "2.5"), (0, "0"), (-1, "-1"), ("3", "'3'"), (True, "True"), ([3], "[3] (list)")]
)
def test_segments_that_are_no_whole_number_are_refused(model, record, value, said):
    with pytest.raises(CallError) as caught:
        Model(model).predict(record.path, segments=value)
    assert str(caught.value) == f"segments is {said}; give a whole number, at least 1"


def test_numpys_whole_numbers_are_segments_too(model, record):
    assert Model(model).predict(record.path, segments=np.int64(2)).frame_seconds.shape == (2,)


def test_what_is_no_device_is_refused(model, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for value, message in (
        ("gpu", 'device is \'gpu\'; give one such as "cpu" or "cuda"'),
        (None, 'device is None; give one such as "cpu" or "cuda"'),
        ("cuda", "device is 'cuda', and PyTorch finds no GPU; give \"cpu\""),
    ):
        with pytest.raises(CallError) as caught:
            Model(model).to(value)
        assert str(caught.value) == message
