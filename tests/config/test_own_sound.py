"""Pictures of sound follow the backbone that hears, and what contradicts it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from attcell.config.recipe import Recipe, check_recipe
from attcell.errors import CallError
from attcell.inference.run import device_of, encode_part
from attcell.models.build import build_network, input_spec
from attcell.nn import Network
from attcell.nn.backbones import backbone_entry
from tests.transformers_models import save_sound_model

pytest.importorskip("torchaudio")


def recipe(backbone: str, audio: dict[str, Any] | None = None, **model: Any) -> Recipe:
    values = {
        "data": {"train": "videos"},
        "model": {
            "streams": {"audio": {"backbone": backbone, "weights": "none"}},
            "lstm_hidden": 4,
            **model,
        },
        "train": {"epochs": 1, "iterations": None},
    }
    return check_recipe({**values, **({} if audio is None else {"audio": audio})}, "r.yaml")


@pytest.mark.parametrize(
    ("backbone", "audio", "form", "shape"),
    [
        ("cnn14", None, "panns", (101, 64)),
        ("cnn14", {"seconds": 2.0}, "panns", (200, 64)),
        ("vggish", None, "vggish", (96, 64)),
        ("mfcc", {"form": "vggish", "bands": 64}, "vggish", (96, 64)),
        ("small_sound", None, "vggish", (96, 64)),
        ("small_sound", {"form": "panns", "bands": 40}, "panns", (101, 40)),
    ],
)
def test_what_is_left_out_is_the_backbones(
    backbone: str, audio: dict[str, Any] | None, form: str, shape: tuple[int, int]
) -> None:
    pictures = input_spec(recipe(backbone, audio)).audio.log_mel
    assert (pictures.form, pictures.shape) == (form, shape)


@pytest.mark.parametrize(
    ("backbone", "audio", "said"),
    [
        (
            "cnn14",
            {"form": "vggish"},
            "audio.form is vggish, and cnn14, the backbone of the audio stream, was",
        ),
        ("vggish", {"bands": 32}, "audio.bands is 32, and vggish, .* was made for 64; leave audio.bands out"),
        (
            "mel_statistics",
            {"form": "ast"},
            "was made for vggish; leave audio.form out, or take another backbone",
        ),
    ],
)
def test_other_pictures_are_refused(backbone: str, audio: dict[str, Any], said: str) -> None:
    with pytest.raises(CallError, match=f"r.yaml: .*{said}"):
        recipe(backbone, audio)


def test_what_hears_is_no_backbone_of_frames() -> None:
    values = recipe("vggish").model_dump()
    values["model"]["streams"] = {"frame": {"backbone": "vggish", "weights": "none"}}
    with pytest.raises(
        CallError, match=r"model.streams.frame: .* vggish, which hears; it is for an audio stream"
    ):
        build_network(check_recipe(values, "r.yaml"), 3, load_weights=False)


@pytest.fixture(scope="module")
def ast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub") / "ast"
    save_sound_model(folder)
    return folder


def heard(network: Network, given: Recipe) -> torch.Size:
    shape = input_spec(given).audio.log_mel.shape
    with torch.no_grad():
        return network.eval()({"audio": torch.zeros(1, 2, 1, *shape)}).spatial_attention["audio"].shape


@pytest.mark.parametrize(
    ("audio", "seconds", "regions"), [(None, 0.48, (4, 2)), ({"seconds": 0.3}, 0.3, (2, 2))]
)
def test_ast_is_read_once_and_keeps_its_length_or_gets_another(
    ast: Path, tmp_path: Path, audio: dict[str, Any] | None, seconds: float, regions: tuple[int, int]
) -> None:
    given = recipe(str(ast), audio)
    assert (given.audio.form, given.audio.bands, given.audio.seconds) == ("ast", 32, seconds)
    moved = tmp_path / "moved"
    ast.rename(moved)
    try:  # what its files say is in the recipe
        again = check_recipe(given.model_dump(mode="json"), "again")
        assert heard(build_network(again, 3, load_weights=False), again) == (1, 2, *regions)
    finally:
        moved.rename(ast)


def test_plain_rivals_are_pooled_and_classified_by_an_svm() -> None:
    values = recipe("mfcc", kind="stan").model_dump()
    values["model"] = {
        "kind": "pooled",
        "classifier": "svm",
        "streams": {"audio": {"backbone": "mfcc", "weights": "none", "train_from": "none"}},
    }
    values["train"] = {"epochs": None, "iterations": None}
    network = build_network(check_recipe(values, "r.yaml"), 3, load_weights=True)
    assert network({"audio": torch.zeros(2, 3, 1, 96, 64)}).logits.shape == (2, 3)
    assert backbone_entry("mfcc").sound is not None
    (parts,) = encode_part(network.body, {"audio": torch.zeros(1, 3, 1, 96, 64)})  # nothing in it is trained
    assert parts[0]["audio"].values.shape == (1, 80)
    assert device_of(network) == torch.device("cpu")
