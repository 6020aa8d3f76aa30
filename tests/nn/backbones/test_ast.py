"""AST of transformers as a backbone of log-mel pictures: from a folder, without a network."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from attcell.config.backbones import stream_entry
from attcell.config.hub import is_hub_name, read_model, read_video_model
from attcell.errors import AttcellError, CallError, ModelError
from attcell.models.weights import load_backbone_weights
from attcell.nn import Backbone, build_backbone
from attcell.nn.backbones.transformers_sound import SoundModel, positions_for, sound_entry
from tests.transformers_models import change_json, save_sound_model


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("published") / "ast"
    return folder, save_sound_model(folder)


@pytest.fixture
def model(published: tuple[Path, Any], tmp_path: Path) -> Path:
    """A copy that may be changed."""
    folder = tmp_path / "ast"
    folder.mkdir()
    for file in published[0].iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def sound_model_at(folder: Path) -> SoundModel:
    found = read_model(str(folder))
    assert isinstance(found, SoundModel)
    return found


def loaded(folder: Path, rows: int | None = None) -> Backbone:
    entry = sound_entry(sound_model_at(folder))
    if rows is not None:
        assert entry.at_rows is not None
        entry = entry.at_rows(rows)
    backbone = build_backbone(entry, None, 1)
    load_backbone_weights(backbone, "pretrained", "audio")
    return backbone.eval()


def test_its_files_say_all(published: tuple[Path, Any]) -> None:
    folder, _ = published
    found = sound_model_at(folder)
    assert (found.bands, found.rows, found.patch, found.strides) == (32, 48, 16, (10, 10))
    assert (found.mean, found.deviation) == (-4.2677393, 2 * 4.5689974)
    assert found.regions(48) == (4, 2)
    assert is_hub_name(str(folder))
    entry = stream_entry(str(folder))
    assert entry.sound is not None
    assert (entry.sound.form, entry.sound.bands, entry.sound.rows) == ("ast", 32, 48)
    without_files = stream_entry(str(folder), found.keys)
    assert (without_files.name, without_files.sound) == (entry.name, entry.sound)


def test_its_map_is_the_last_hidden_state(published: tuple[Path, Any]) -> None:
    folder, network = published
    backbone, pictures = loaded(folder), torch.randn(2, 1, 48, 32)
    with torch.no_grad():
        maps = backbone(pictures)
        tokens = network.audio_spectrogram_transformer(pictures[:, 0]).last_hidden_state
    assert maps.shape == (2, backbone.out_channels, 4, 2)
    for time in range(4):
        for band in range(2):
            torch.testing.assert_close(maps[:, :, time, band], tokens[:, 2 + 4 * band + time])


def test_where_a_tone_is_in_the_picture_is_where_it_is_in_the_map(published: tuple[Path, Any]) -> None:
    """Without layers a region depends on its own patch alone."""
    backbone = loaded(published[0])
    backbone.body.network.layers = torch.nn.ModuleList()
    silence = torch.zeros(1, 1, 48, 32)
    with_tone = silence.clone()
    with_tone[:, :, 40:47, 20:22] = 3  # rows of the last patch alone, bands of the higher ones
    with torch.no_grad():
        moved = (backbone(with_tone) - backbone(silence)).abs().amax(dim=1)[0]
    assert [tuple(place) for place in moved.nonzero().tolist()] == [(3, 1)]


def test_pictures_of_other_figures_are_brought_to_its_own(model: Path) -> None:
    """A stream of the form ast gives every network AudioSet's figures."""
    raw = torch.randn(1, 1, 48, 32) * 4 - 5
    as_audioset = (raw + 4.2677393) / (2 * 4.5689974)
    usual = loaded(model)
    change_json(model / "preprocessor_config.json", mean=-6.8, std=5.5)
    own = loaded(model)
    with torch.no_grad():
        torch.testing.assert_close(
            own(as_audioset), usual((raw + 6.8) / 11), atol=1e-4, rtol=1e-4
        )  # both see (raw + 6.8) / 11
    change_json(model / "preprocessor_config.json", do_normalize=False)
    with torch.no_grad():
        torch.testing.assert_close(loaded(model)(as_audioset), usual(raw), atol=1e-4, rtol=1e-4)


def test_a_stream_gives_it_what_transformers_own_extractor_gives(model: Path) -> None:
    """Of noise that is not quiet: where a band has nothing, the two floors differ."""
    pytest.importorskip("torchaudio")
    import transformers

    from attcell.video.sound.log_mel import LogMel, log_mel

    spec = LogMel("ast", bands=32, seconds=0.48)
    sound = torch.randn(1, spec.num_samples, generator=torch.Generator().manual_seed(2)) * 0.1
    mean, deviation = spec.figures
    found = (log_mel(sound, spec)[0, 0] - mean) / deviation
    extractor = transformers.ASTFeatureExtractor.from_pretrained(model)
    expected = extractor(sound[0].numpy(), sampling_rate=16_000, return_tensors="pt").input_values[0]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("rows", [26, 36, 48, 96])
def test_pictures_of_other_lengths(published: tuple[Path, Any], rows: int) -> None:
    backbone, own = loaded(published[0], rows), loaded(published[0])
    regions = (rows - 16) // 10 + 1
    with torch.no_grad():
        assert backbone(torch.randn(1, 1, rows, 32)).shape[2:] == (regions, 2)
    given = own.body.network.embeddings.position_embeddings
    taken = backbone.body.network.embeddings.position_embeddings
    assert torch.equal(taken[:, :2], given[:, :2])
    if rows <= 48:
        first = 4 // 2 - regions // 2
        for band in range(2):
            expected = given[:, 2 + 4 * band + first : 2 + 4 * band + first + regions]
            assert torch.equal(taken[:, 2 + regions * band : 2 + regions * (band + 1)], expected)


def test_positions_between_those_there_are() -> None:
    """Bilinear, by the places of middles: twice as many lie a quarter before and behind each."""
    positions = torch.tensor([[[9.0], [8.0], [0.0], [4.0], [1.0], [5.0]]])
    found = positions_for(positions, (2, 2), 4)
    assert found.flatten().tolist() == [9, 8, 0, 1, 3, 4, 1, 2, 4, 5]
    assert positions_for(positions, (2, 2), 1).flatten().tolist() == [9, 8, 4, 5]


def test_less_than_a_patch_is_refused(published: tuple[Path, Any]) -> None:
    with pytest.raises(
        CallError, match=r"patches of 16 rows, .* have 15; set audio.seconds to 0.16 at least"
    ):
        loaded(published[0], 15)


@pytest.mark.parametrize("prefixed", [True, False])
def test_a_file_of_weights_fills_it(published: tuple[Path, Any], tmp_path: Path, prefixed: bool) -> None:
    folder, _ = published
    state = load_file(folder / "model.safetensors")
    if not prefixed:
        prefix = "audio_spectrogram_transformer."
        state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    save_file(state, tmp_path / "x.safetensors")
    backbone, expected = build_backbone(stream_entry(str(folder)), None, 1), loaded(folder)
    load_backbone_weights(backbone, str(tmp_path / "x.safetensors"))
    for key, value in expected.body.state_dict().items():
        assert torch.equal(backbone.body.state_dict()[key], value), key


def test_names_of_an_older_transformers_fill_it(published: tuple[Path, Any], tmp_path: Path) -> None:
    """As the published files at the Hub have them."""
    folder, _ = published
    older = (
        (r"\.layers\.(\d+)\.", r".encoder.layer.\1."),
        (r"\.attention\.([qkv])_proj\.", lambda found: f".attention.attention.{_OLDER[found[1]]}."),
        (r"\.attention\.o_proj\.", ".attention.output.dense."),
        (r"\.mlp\.fc1\.", ".intermediate.dense."),
        (r"\.mlp\.fc2\.", ".output.dense."),
    )
    state = {}
    for key, value in load_file(folder / "model.safetensors").items():
        for now, formerly in older:
            key = re.sub(now, formerly, key)  # noqa: PLW2901
        state[key] = value
    assert any(".encoder.layer.0.attention.attention.query." in key for key in state)
    save_file(state, tmp_path / "x.safetensors")
    backbone = build_backbone(stream_entry(str(folder)), None, 1)
    load_backbone_weights(backbone, str(tmp_path / "x.safetensors"))
    for key, value in loaded(folder).body.state_dict().items():
        assert torch.equal(backbone.body.state_dict()[key], value), key


_OLDER = {"q": "query", "k": "key", "v": "value"}


def test_another_networks_file_is_told(published: tuple[Path, Any], tmp_path: Path) -> None:
    save_file({"conv.weight": torch.zeros(2)}, tmp_path / "x.safetensors")
    backbone = build_backbone(stream_entry(str(published[0])), None, 1)
    with pytest.raises(ModelError, match=r"1 other keys, first conv.weight.* with transformers' key names"):
        load_backbone_weights(backbone, str(tmp_path / "x.safetensors"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"max_length": 64},
            "pictures of 48 rows and 32 bands, and its preprocessing makes them of 64 and 32",
        ),
        (
            {"num_mel_bins": 64},
            "pictures of 48 rows and 32 bands, and its preprocessing makes them of 48 and 64",
        ),
        ({"sampling_rate": 8000}, "hears sound of 8000 Hz, and here it has 16000; give a model of 16000 Hz"),
        ({"std": 0}, "its preprocessing says std 0; copy the model anew"),
        (
            {"mean": "low"},
            r"a value in its config.json or .* is not right \(ValueError: .*; copy the model anew",
        ),
    ],
)
def test_files_that_do_not_fit(model: Path, change: dict[str, Any], said: str) -> None:
    change_json(model / "preprocessor_config.json", **change)
    with pytest.raises(ModelError, match=said):
        read_model(str(model))


def test_without_preprocessing(model: Path) -> None:
    (model / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match="does not say how sound becomes its input: it has none of"):
        read_model(str(model))


def test_it_is_no_video_model(published: tuple[Path, Any]) -> None:
    with pytest.raises(CallError, match="model_type 'audio-spectrogram-transformer'"):
        read_video_model(str(published[0]))


def test_without_transformers_one_message_says_what_to_install(
    published: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        AttcellError, match=r"needs transformers, which is not installed; install it: pip install"
    ):
        read_model(str(published[0]))
