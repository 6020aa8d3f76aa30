"""The model as Python users hold it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

import attcell
from attcell.data.sources import read_source
from attcell.errors import CallError, ModelError, VideoError
from attcell.inference.evaluate import evaluate_model
from attcell.inference.model import Model, load

NO_RESPONSE: Any = SimpleNamespace(headers={}, request=None)


@pytest.fixture
def folder_of_model(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_the_package_gives_it_when_it_is_asked_for():
    assert attcell.load is load
    assert attcell.Model is Model
    assert attcell.nn.AttCell(3)
    with pytest.raises(AttributeError, match="module 'attcell' has no attribute 'trian'"):
        _ = attcell.trian


def test_saving_and_loading_as_hugging_face_does(model, record, tmp_path):
    model.save_pretrained(tmp_path / "shared")
    model.save_pretrained(tmp_path / "shared")
    assert {"config.json", "model.safetensors"} <= {path.name for path in (tmp_path / "shared").iterdir()}
    expected = model.predict(record.path).to_dict()
    for second in (Model.from_pretrained(tmp_path / "shared"), load(tmp_path / "shared")):
        assert second.labels == model.labels
        assert second.recipe == model.recipe
        assert second.predict(record.path).to_dict() == expected


def test_its_text_is_short(model):
    assert repr(model) == "Model(stan of frame, 3 classes)"


def test_another_device_gives_the_same_model(model):
    assert model.to("cpu") is model


def test_prediction_of_a_missing_video(model, tmp_path):
    with pytest.raises(VideoError, match=r"none.mp4: there is no such file"):
        model.predict(tmp_path / "none.mp4")


def test_a_path_that_is_no_model_never_goes_to_the_network(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_: pytest.fail("the network was asked"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in (tmp_path / "none", "./a", "none", "a/b", "a/b/c", "../x"):
        with pytest.raises(CallError, match=r"a model folder holds config.json and model.safetensors"):
            load(name)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (LocalEntryNotFoundError("no\nconnection"), "it cannot be reached, and no copy is on this machine"),
        (OSError("no route"), "it cannot be reached, and no copy is on this machine"),
        (HFValidationError("Repo id must …"), "it is no id of the form OWNER/NAME"),
        (
            RepositoryNotFoundError("404\nmore", response=NO_RESPONSE),
            "it has no public model of this name; a private one wants `hf auth login`",
        ),
        (HfHubHTTPError("500\nmore", response=NO_RESPONSE), "500"),
    ],
)
def test_an_id_that_the_hub_does_not_give(tmp_path, monkeypatch, capsys, error, why):
    def refused(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", refused)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CallError) as caught:
        load("runs/typo")
    assert str(caught.value) == (
        f"no model folder at runs/typo, and the Hugging Face hub gives none by this id: {why}"
    )
    assert capsys.readouterr().err == "no folder runs/typo here; asking the Hugging Face hub\n"


def test_an_id_is_fetched_whole_and_nothing_else(folder_of_model, monkeypatch, record):
    asked = {}

    def fetch(model_id: str, **options: object) -> str:
        asked.update(options, id=model_id)
        return str(folder_of_model)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    assert load("someone/stan").predict(record.path).scores.shape == (3,)
    assert asked["id"] == "someone/stan"
    assert asked["allow_patterns"] == ["config.json", "model.safetensors", "detection.safetensors"]


def test_a_stranger_s_model_imports_nothing(folder_of_model, monkeypatch, tmp_path):
    config = json.loads((folder_of_model / "config.json").read_text())
    (stream, *_) = config["recipe"]["model"]["streams"].values()
    stream["backbone"] = "noisy_module:build"
    (folder_of_model / "config.json").write_text(json.dumps(config))
    (tmp_path / "noisy_module.py").write_text("raise SystemExit('it was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(folder_of_model))
    with pytest.raises(ModelError) as caught:
        load("someone/stan")
    assert str(caught.value) == (
        "someone/stan names code, noisy_module:build, and nothing is imported because a model from outside "
        f"says so; read what it is, and where you trust it load its folder: {folder_of_model}"
    )


def test_a_revision_is_one_of_the_hub(folder_of_model, monkeypatch):
    asked = []

    def fetch(model_id: str, **options: object) -> str:
        asked.append((model_id, options["revision"]))
        return str(folder_of_model)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    for found in (load("someone/stan@v2"), load("someone/stan", revision="v2"), load("someone/stan")):
        assert found.labels
    assert asked == [("someone/stan", "v2"), ("someone/stan", "v2"), ("someone/stan", None)]
    with pytest.raises(CallError, match=r"is a folder, which has no revisions; leave revision out$"):
        load(folder_of_model, revision="v2")
    with pytest.raises(CallError, match=r"^kinetics/r3d_18 is a ready model, which has no revisions; leave"):
        load("kinetics/r3d_18", revision="v2")
    with pytest.raises(CallError) as caught:
        load("someone/stan@v2", revision="v3")
    assert str(caught.value) == "someone/stan@v2 names revision v2, and revision is 'v3'; give one of them"


def test_what_the_hub_is_not_asked_with(folder_of_model):
    with pytest.raises(CallError, match="unknown option revison; allowed: revision, cache_dir"):
        Model.from_pretrained(folder_of_model, revison="main")


def test_it_is_uploaded_with_a_card_where_there_is_none(model, monkeypatch):
    uploaded = []

    class Hub:
        def __init__(self, token: str | None) -> None:
            assert token == "secret"

        def create_repo(self, repo_id: str, **_: object) -> SimpleNamespace:
            return SimpleNamespace(repo_id=repo_id)

        def file_exists(self, repo_id: str, _: str, **__: object) -> bool:
            return repo_id == "someone/known"

        def upload_folder(self, repo_id: str, folder_path: str, **_: object) -> str:
            uploaded.append({path.name: path.read_bytes() for path in Path(folder_path).iterdir()})
            return f"https://huggingface.co/{repo_id}"

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    assert model.push_to_hub("someone/new", token="secret") == "https://huggingface.co/someone/new"
    model.push_to_hub("someone/known", token="secret")
    assert [sorted(files) for files in uploaded] == [
        ["README.md", "config.json", "model.safetensors"],
        ["config.json", "model.safetensors"],
    ]
    assert b"attcell.load('someone/new')" in uploaded[0]["README.md"]


def test_it_tests_itself_as_the_command_does(model, folder):
    found = model.evaluate(folder, segments=2)
    expected = evaluate_model(model, read_source(folder), num_segments=2)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert found.run["dataset"] == str(folder)
    assert found.protocol == expected.protocol
    with pytest.raises(CallError, match="the model's recipe names no test videos; name a source"):
        model.evaluate()


def test_a_folder_is_tested_as_its_model(model, folder, folder_of_model):
    expected = model.evaluate(folder, segments=2)
    for tested in (model, folder_of_model, str(folder_of_model)):
        found = attcell.evaluate(tested, folder, segments=2)
        np.testing.assert_array_equal(found.scores, expected.scores)
        assert found.protocol == expected.protocol


def test_detection_gives_its_track_too(model, record):
    detections, track = model.detect(record.path, every=2, threshold=0.1, return_track=True)
    assert detections == model.detect(record.path, every=2, threshold=0.1)
    assert track.class_scores.shape == (len(track.seconds), 3)


def test_weights_that_are_no_numbers_give_no_answer(model, record):
    with torch.no_grad():
        model.network.classifier.weight.fill_(float("nan"))
    with pytest.raises(
        ModelError, match="scores are not finite numbers: its weights are broken; train it again"
    ):
        model.predict(record.path)


def test_the_prediction_of_a_text_path(model, record):
    found = model.predict(str(record.path), segments=2)
    assert found.video == str(record.path)
    assert np.isclose(found.scores.sum(), 1)


@pytest.mark.parametrize(
    ("value", "said"), [(5, "5"), (None, "None"), (b"run", "b'run' (bytes)"), (["run"], "['run'] (list)")]
)
def test_what_is_no_path_is_refused(model, value, said):
    for name, example, call in (
        ("model", "runs/mine/model", load),
        ("video", "clip.mp4", model.predict),
    ):
        with pytest.raises(CallError) as caught:
            call(value)
        assert str(caught.value) == f'{name} is {said}; give one path as text or Path, such as "{example}"'


@pytest.mark.parametrize(
    ("value", "said"), [(2.5, "2.5"), (0, "0"), (-1, "-1"), ("3", "'3'"), (True, "True"), ([3], "[3] (list)")]
)
def test_segments_that_are_no_whole_number_are_refused(model, record, value, said):
    with pytest.raises(CallError) as caught:
        model.predict(record.path, segments=value)
    assert str(caught.value) == f"segments is {said}; give a whole number, at least 1"


def test_numpys_whole_numbers_are_segments_too(model, record):
    assert model.predict(record.path, segments=np.int64(2)).frame_seconds.shape == (2,)


def test_what_is_no_device_is_refused(model, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for value, message in (
        ("gpu", 'device is \'gpu\'; give one such as "cpu" or "cuda"'),
        (None, 'device is None; give one such as "cpu" or "cuda"'),
        ("cuda", "device is 'cuda', and PyTorch finds no GPU; give \"cpu\""),
        ("mps", "device is 'mps', and PyTorch finds no Apple GPU; give \"cpu\""),
        ("xpu", 'device is \'xpu\'; networks run on "cpu", "cuda", "cuda:1" or "mps"'),
    ):
        with pytest.raises(CallError) as caught:
            model.to(value)
        assert str(caught.value) == message
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(CallError, match="device is 'cuda:1', and PyTorch finds cuda:0; give one of these"):
        model.to("cuda:1")
