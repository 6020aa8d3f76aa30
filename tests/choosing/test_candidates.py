"""The candidates: what is tried, in which order, with which weights and overrides."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from attcell.choosing import candidates as module
from attcell.choosing.candidates import SHIPPED, candidate_names, candidates, check_name, weights_at_hand
from attcell.errors import CallError, ModelError

KINDS = {"svm": "pooled", "average": "average", "san": "san", "stan": "stan", "tan": "tan"}


@pytest.fixture(autouse=True)
def no_ready_model(monkeypatch):
    monkeypatch.setattr(module, "ready_infos", list)


def test_all_are_there_from_simple_to_rich():
    assert candidate_names() == (
        *("frame-svm", "flow-svm", "both-svm", "frame-average", "flow-average", "both-average"),
        *("frame-san", "flow-san", "both-san", "frame-stan", "flow-stan", "both-stan", "both-tan"),
    )  # fmt: skip


@pytest.mark.parametrize("weights", [SHIPPED, "pretrained"])
def test_each_has_its_kind_and_streams_and_frozen_backbones(weights):
    for candidate in candidates(candidate_names(), (), weights):
        streams, kind = candidate.name.split("-")
        model = candidate.values["model"]
        assert model["kind"] == KINDS[kind]
        assert sorted(model["streams"]) == (["flow", "frame"] if streams == "both" else [streams])
        assert {stream["train_from"] for stream in model["streams"].values()} == {"none"}
        backbones = {stream["backbone"] for stream in model["streams"].values()}
        assert backbones == {"small" if weights == SHIPPED else "squeezenet"}


def test_overrides_go_to_all_or_to_some_and_an_svm_has_no_epochs():
    found = candidates(
        candidate_names(), ["train.epochs=7", "*-stan:segments.train=9", "train.seed=3"], SHIPPED
    )
    for candidate in found:
        assert candidate.values["train"]["epochs"] == (None if candidate.name.endswith("svm") else 7)
        assert candidate.values["segments"]["train"] == (9 if candidate.name.endswith("-stan") else 5)
        assert candidate.values["train"]["seed"] == 3


@pytest.mark.parametrize("key", ["class_weights=balanced", "balanced_sampling=true", "mixup=0.4"])
def test_what_a_warning_advises_goes_to_the_networks_that_are_trained(key):
    for candidate in candidates(candidate_names(), [f"train.{key}"], SHIPPED):
        value = candidate.values["train"][key.split("=")[0]]
        assert bool(value) is not candidate.name.endswith("svm")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.train=a", "data.train=a: attcell train FOLDER finds that itself"),
        ("cache.folder=a", "cache.folder=a: attcell train FOLDER finds that itself"),
        ("train.devices=2", "train.devices=2: attcell train FOLDER gives each network one device"),
        ("stam:train.epochs=1", "no candidate fits stam; they are frame-svm, flow-svm"),
        ("train.epoch=1", "did you mean 'epochs'"),
        ("*-stan:train.seed=3", "one seed for all candidates, .* give train.seed=3"),
    ],
)
def test_wrong_overrides_are_told(override, words):
    with pytest.raises(CallError, match=words):
        candidates(candidate_names(), [override], SHIPPED)


def test_a_name_that_is_none_brings_those_that_are_close():
    check_name("both-stan")
    with pytest.raises(CallError, match="no candidate is called both-stam; did you mean 'both-stan'"):
        check_name("both-stam")


def test_clips_are_tried_where_a_ready_model_is_on_this_machine(monkeypatch):
    with pytest.raises(CallError, match="clip-svm needs a ready model of Kinetics on this machine"):
        check_name("clip-svm")
    infos = [
        SimpleNamespace(name="kinetics/r3d_18", top1=63.2, is_here=True),
        SimpleNamespace(name="kinetics/mvit_v2_s", top1=80.8, is_here=False),
    ]
    monkeypatch.setattr(module, "ready_infos", lambda: infos)
    check_name("clip-svm")
    assert candidate_names()[-1] == "clip-svm"
    (one,) = candidates(["clip-svm"], (), SHIPPED)
    assert one.values["model"]["streams"]["clip"]["backbone"] == "r3d_18"
    assert (one.values["input"]["size"], one.values["clip"]["frames"]) == (112, 16)


def test_without_a_network_the_shipped_backbones_are_taken_and_it_is_said(monkeypatch, capsys, tmp_path):
    def fail(*_):
        raise ModelError("the published weights of squeezenet could not be downloaded (no network)")

    monkeypatch.setattr(module, "load_backbone_weights", fail)
    assert weights_at_hand(None) == SHIPPED
    said = capsys.readouterr().err
    assert "could not be downloaded" in said
    assert "the package's own small backbones are taken, which know generated figures alone" in said
    assert "--weights FILE" in said
    with pytest.raises(ModelError):  # what is asked for by name is not replaced
        weights_at_hand("pretrained")
    with pytest.raises(CallError, match="no weights at"):
        weights_at_hand(str(tmp_path / "none.safetensors"))
    assert weights_at_hand(SHIPPED) == SHIPPED
