"""What a video model in transformers' form says of itself, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from attcell.config.hub import is_hub_folder, is_hub_name, read_video_model
from attcell.errors import AttcellError, CallError, ModelError
from attcell.models.weights import load_backbone_weights
from attcell.nn import build_backbone
from attcell.nn.backbones.transformers_files import video_model
from attcell.nn.backbones.transformers_video import pretrained_network, video_entry
from tests.transformers_models import (
    KINDS,
    LABELS,
    change_json,
    processor_of,
    put_into_hubs_cache,
    save_video_model,
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of each kind."""
    folder = tmp_path_factory.mktemp("models")
    for kind in KINDS:
        save_video_model(folder / kind, kind)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """One that may be spoilt."""
    save_video_model(tmp_path / "mae")
    return tmp_path / "mae"


@pytest.mark.parametrize("kind", KINDS)
def test_its_files_say_all(models: Path, kind: str) -> None:
    found = read_video_model(str(models / kind))
    assert (found.kind, found.num_frames, found.size, found.patch) == (kind, 4, 32, 8)
    assert found.tubelet == (1 if kind == "timesformer" else 2)
    assert (found.resize, found.resample) == ("short", "bilinear")
    assert found.short_side == {"vivit": 36, "vjepa2": 36}.get(kind, 32)
    assert found.labels == tuple(LABELS.values())
    assert is_hub_name(str(models / kind))
    assert video_model(**json.loads(json.dumps(found.keys))) == found


@pytest.mark.parametrize("kind", KINDS)
def test_mean_and_deviation_are_what_the_librarys_processor_does(models: Path, kind: str) -> None:
    found = read_video_model(str(models / kind))
    frames = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    frames[0, 0] = 200  # one that is certainly of 0 to 255
    processor = processor_of(kind)
    if kind == "vjepa2":
        values = processor(torch.from_numpy(frames), do_resize=False, return_tensors="pt")
        expected = values["pixel_values_videos"][0]
    else:
        expected = processor(list(frames), do_resize=False, return_tensors="pt")["pixel_values"][0]
    colours = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    mean, deviation = (torch.tensor(of).view(3, 1, 1) for of in (found.mean, found.deviation))
    torch.testing.assert_close((colours - mean) / deviation, expected.float(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_classifier_is_the_librarys(models: Path, tmp_path: Path, kind: str) -> None:
    expected = save_video_model(tmp_path, kind)
    network = pretrained_network(read_video_model(str(models / kind)), classifier=True)
    clip = torch.randn(1, 4, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network(clip).logits, expected(clip).logits, atol=1e-5, rtol=0)


def test_old_files_say_sizes_by_a_number(model: Path) -> None:
    change_json(model / "preprocessor_config.json", size=40, crop_size=32)
    found = read_video_model(str(model))
    assert (found.resize, found.short_side, found.size) == ("short", 40, 32)


def test_without_a_crop_frames_are_squashed(model: Path) -> None:
    square = {"height": 32, "width": 32}
    change_json(model / "preprocessor_config.json", size=square, do_center_crop=False, resample=3)
    found = read_video_model(str(model))
    assert (found.resize, found.short_side, found.resample) == ("squash", 32, "bicubic")


def test_values_that_are_neither_scaled_nor_normalised(model: Path) -> None:
    change_json(model / "preprocessor_config.json", do_rescale=False, do_normalize=False)
    found = read_video_model(str(model))
    assert found.mean == (0, 0, 0)
    assert found.deviation == pytest.approx((1 / 255,) * 3)


def test_a_networks_parts_without_a_classifier_have_no_classes(tmp_path: Path) -> None:
    save_video_model(tmp_path, classifier=False)
    found = read_video_model(str(tmp_path))
    assert found.labels == ()
    with pytest.raises(ModelError, match=r"lack 4 keys, first classifier.bias.*is it a classifier\?"):
        pretrained_network(found, classifier=True)


def refusal(name: Path | str, kind: type[AttcellError]) -> str:
    with pytest.raises(kind) as caught:
        read_video_model(str(name))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_code_from_outside_is_refused(model: Path) -> None:
    change_json(model / "config.json", model_type="mine", auto_map={"AutoModel": "modeling_mine.Mine"})
    said = refusal(model, CallError)
    assert "needs code of its own (modeling_mine.Mine), and nothing from outside is run" in said
    assert "VideoMAE, TimeSformer, ViViT, V-JEPA 2" in said


def test_code_beside_a_known_kind_is_not_looked_at(model: Path) -> None:
    (model / "modeling_mine.py").write_text("raise SystemExit('it was run')")
    change_json(model / "config.json", auto_map={"AutoModel": "modeling_mine.Mine"})
    found = read_video_model(str(model))
    assert type(pretrained_network(found, classifier=False)).__name__ == "VideoMAEModel"


def test_another_kind_of_network_is_no_video_model(model: Path) -> None:
    change_json(model / "config.json", model_type="bert")
    assert "is no video model that is known here: its config.json says model_type 'bert'" in refusal(
        model, CallError
    )


def test_sizes_that_contradict_each_other(model: Path) -> None:
    change_json(model / "preprocessor_config.json", crop_size={"height": 24, "width": 24})
    said = refusal(model, ModelError)
    assert "its network looks at pictures of 32×32, and its preprocessing makes them 24×24" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": None}, "its preprocessing says no size"),
        (
            {"image_mean": None},
            "its preprocessing says no image_mean and image_std; save the model's processor",
        ),
        (
            {"size": {"height": 32, "width": 48}, "do_center_crop": False},
            "makes frames of 48×32; only squares can be looked at here",
        ),
    ],
)
def test_preprocessing_that_lacks_something(model: Path, change: dict, said: str) -> None:
    change_json(model / "preprocessor_config.json", **change)
    assert said in refusal(model, ModelError)


def test_no_preprocessing(model: Path) -> None:
    (model / "preprocessor_config.json").unlink()
    assert "processor.save_pretrained(folder)" in refusal(model, ModelError)


def test_the_librarys_order_of_files(model: Path) -> None:
    other = json.loads((model / "preprocessor_config.json").read_text())
    other["image_mean"] = [0.1, 0.1, 0.1]
    (model / "video_preprocessor_config.json").write_text(json.dumps(other))
    assert read_video_model(str(model)).mean == (0.1, 0.1, 0.1)
    nested = {"video_processor": {**other, "image_mean": [0.3, 0.3, 0.3]}}
    (model / "processor_config.json").write_text(json.dumps(nested))
    assert read_video_model(str(model)).mean == (0.3, 0.3, 0.3)


def test_damaged_files(model: Path) -> None:
    change_json(model / "config.json", num_frames="many")
    assert "transformers refuses its config.json" in refusal(model, ModelError)
    (model / "config.json").write_text("{")
    assert "config.json is not JSON" in refusal(model, ModelError)
    assert not is_hub_folder(model)
    (model / "config.json").unlink()
    assert "it holds no config.json" in refusal(model, CallError)


@pytest.mark.parametrize("left", [0, 100])
def test_weights_of_half_a_download(model: Path, left: int) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:left])
    with pytest.raises(ModelError, match=r"could not be read .*; copy the folder anew"):
        pretrained_network(read_video_model(str(model)), classifier=False)


def test_no_weights(model: Path) -> None:
    (model / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"could not be read .*; copy the folder anew"):
        pretrained_network(read_video_model(str(model)), classifier=False)


def test_a_name_at_the_hub_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    said = refusal("hf/MCG-NJU/videomae-base", ModelError)
    assert "is not on this machine, and the Hub cannot be reached" in said
    assert "hf download MCG-NJU/videomae-base" in said


@pytest.mark.parametrize("name", ["hf/videomae", "hf/a/b/c"])
def test_a_name_that_is_none(name: str) -> None:
    assert "allowed: hf/OWNER/NAME, or a folder" in refusal(name, CallError)


def test_without_transformers_one_message_says_what_to_install(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    said = refusal(model, CallError)
    assert "needs transformers, which is not installed; install it: " in said
    assert "pip install 'attcell[transformers]'" in said


def test_what_the_hubs_client_has_downloaded_is_read_without_a_network(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_into_hubs_cache(tmp_path / "cache", "us/mae", model)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    found = read_video_model("hf/us/mae")
    assert (found.name, found.source, found.num_frames) == ("hf/us/mae", "us/mae", 4)
    with pytest.raises(ModelError, match=r"could not be read \(.*\)\. Where .*: hf download us/mae"):
        pretrained_network(found, classifier=False)


@pytest.mark.parametrize("kind", ["videomae", "timesformer", "vivit", "vjepa2"])  # two in older names
def test_a_file_of_a_classifiers_weights_fills_a_backbone(models: Path, kind: str) -> None:
    network = build_backbone(video_entry(read_video_model(str(models / kind))))
    load_backbone_weights(network, str(models / kind / "model.safetensors"), "clip")
    expected = pretrained_network(read_video_model(str(models / kind)), classifier=False).state_dict()
    found = network.named_as_published.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in found)


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation"])
def test_no_other_attentions_code_is_fetched(model: Path, key: str) -> None:
    change_json(model / "config.json", **{key: "kernels-community/flash-attn"})
    network = pretrained_network(read_video_model(str(model)), classifier=True)
    assert "kernels" not in str(network.config._attn_implementation)


def test_quantised_weights_are_refused(model: Path) -> None:
    change_json(model / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    assert "has quantised weights, which are not read here" in refusal(model, ModelError)


def test_weights_of_another_number_of_frames(tmp_path: Path) -> None:
    save_video_model(tmp_path, "timesformer")
    change_json(tmp_path / "config.json", num_frames=6)
    with pytest.raises(ModelError, match=r"have other shapes, first \S*time_embeddings: \[1, 4, \d+\], and"):
        pretrained_network(read_video_model(str(tmp_path)), classifier=True)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", {"model_type": ["a"]}),
        ("config.json", {"image_size": []}),
        ("config.json", {"tubelet_size": 0}),
        ("config.json", {"num_frames": "many"}),
        ("preprocessor_config.json", {"size": {"height": "a", "width": "a"}}),
        ("preprocessor_config.json", {"size": {"shortest_edge": None}}),
        ("preprocessor_config.json", {"size": {"shortest_edge": 16}}),
        ("preprocessor_config.json", {"crop_size": {"width": 3}}),
        ("preprocessor_config.json", {"crop_size": "a"}),
        ("preprocessor_config.json", {"resample": [1]}),
        ("preprocessor_config.json", {"image_mean": ["a", "b", "c"]}),
        ("preprocessor_config.json", {"image_std": [0, 0, 0]}),
        ("preprocessor_config.json", {"rescale_factor": 0}),
    ],
)
def test_values_of_a_wrong_kind_are_one_message(model: Path, file: str, change: dict) -> None:
    change_json(model / file, **change)
    with pytest.raises(AttcellError) as caught:
        pretrained_network(read_video_model(str(model)), classifier=True)
    assert "\n" not in str(caught.value)
    assert str(model) in str(caught.value)
