"""torchvision's networks: what is known of them, their weights, and scores as torchvision makes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torchvision
from torchvision.models import get_model, get_model_weights, list_models

import attcell
from attcell.errors import CallError, ModelError
from attcell.models.ready.kinetics import NAMES, kinetics_entry
from attcell.models.ready.registry import DEFAULT, ready_infos
from tests.moving import moving_frames, write_frames


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torch's hub."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network: whoever asks for one hears so at once."""
    import urllib.request

    def refused(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("torch.hub.urlopen", refused)


def test_every_video_network_of_torchvision_is_ready():
    assert {f"kinetics/{name}" for name in list_models(module=torchvision.models.video)} == set(NAMES)
    assert DEFAULT in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_is_known_is_what_torchvision_says(name: str):
    weights = get_model_weights(name.split("/")[1]).DEFAULT
    entry = kinetics_entry(name)
    assert entry.labels == tuple(weights.meta["categories"])
    assert len(set(entry.labels)) == 400
    assert {"abseiling", "zumba"} <= set(entry.labels)
    for key, value in (
        ("clip_len", entry.clip.num_frames),
        ("frame_rate", entry.clip.rate),
        ("clips_per_video", entry.clip.num_clips),
    ):
        said = float(re.search(rf"{key}=([\d.]*\d)", weights.meta["_docs"]).group(1))
        assert value == (said if (key, said) != ("clips_per_video", 1) else 5)


def test_the_list_tells_which_weights_are_here(hub: Path):
    assert not any(info.is_here for info in ready_infos())
    path = Path(next(info for info in ready_infos() if info.name == "kinetics/s3d").path)
    assert path == hub / "s3d-d76dad2f.pth"
    path.parent.mkdir(parents=True)
    path.touch()
    assert [info.name for info in ready_infos() if info.is_here] == ["kinetics/s3d"]


def test_scores_are_those_of_torchvisions_own_transforms_and_network(hub: Path, tmp_path: Path):
    video = write_frames(tmp_path / "video.avi", moving_frames(40, (200, 150)))
    network, weights = get_model("mc3_18").eval(), get_model_weights("mc3_18").DEFAULT
    network.fc.weight.data.mul_(30)  # else all classes would be nearly alike
    hub.mkdir(parents=True)
    torch.save(network.state_dict(), hub / Path(weights.url).name)
    found = attcell.load("kinetics/mc3_18").predict(video, clips=2)
    decoded = attcell.video.read_frames(video, lambda num_frames: torch.arange(num_frames).numpy()).images
    scores = []
    for start in (0, 14):  # of 40 frames at 25 a second; a clip of 16 at 15 reaches over 26
        chosen = [decoded[start + number * 25 // 15] for number in range(16)]
        clip = torch.stack([torch.from_numpy(frame).permute(2, 0, 1) for frame in chosen])
        with torch.inference_mode():
            scores.append(network(weights.transforms()(clip)[None]).softmax(1)[0])
    expected = torch.stack(scores).mean(0).numpy()
    assert found.scores.max() > 0.01
    assert found.scores == pytest.approx(expected, abs=1e-5)
    assert found.labels == tuple(weights.meta["categories"])
    assert found.temporal_scores == pytest.approx([float(of[expected.argmax()]) for of in scores], abs=1e-5)
    assert found.temporal_attention.sum() == pytest.approx(1)
    assert found.spatial_attention["clip"].shape == (2, 7, 7)
    assert found.spatial_attention["clip"].sum((1, 2)) == pytest.approx([1, 1])
    assert found.explanation.where == "Grad-CAM at layer4"
    assert "2 clips of 16 frames at 15 a second" in found.explanation.protocol


def test_without_a_network_the_message_says_how_to_get_the_weights(hub: Path):
    with pytest.raises(
        ModelError, match=r"kinetics/r3d_18 \(134 MB\) are not on this machine.*no network"
    ) as e:
        attcell.load("kinetics/r3d_18")
    assert f"curl -L --create-dirs https://download.pytorch.org/models/r3d_18-b3b3357e.pth -o {hub}" in str(
        e.value
    )


def test_half_a_download_is_told(hub: Path):
    hub.mkdir(parents=True)
    torch.save({"a": torch.zeros(100_000)}, hub / "r3d_18-b3b3357e.pth")
    whole = (hub / "r3d_18-b3b3357e.pth").read_bytes()
    (hub / "r3d_18-b3b3357e.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        ModelError, match=r"it has 0\.2 of 133\.5 MB, so the download did not come to its end"
    ):
        attcell.load("kinetics/r3d_18")


def test_weights_of_another_network_are_told(hub: Path):
    hub.mkdir(parents=True)
    torch.save({"a": torch.zeros(3)}, hub / "mc3_18-a90a0ba3.pth")
    with pytest.raises(ModelError, match="holds other weights than those of kinetics/mc3_18; delete it"):
        attcell.load("kinetics/mc3_18")


def test_a_pickle_that_would_run_code_is_not_read(hub: Path):
    hub.mkdir(parents=True)
    torch.save({"a": Path("x")}, hub / "mc3_18-a90a0ba3.pth")
    with pytest.raises(ModelError, match="cannot be read as weights"):
        attcell.load("kinetics/mc3_18")


def test_an_unknown_name_brings_close_ones():
    with pytest.raises(
        CallError, match=r"unknown ready model kinetics/mvit_v2; did you mean kinetics/mvit_v2_s"
    ):
        attcell.load("kinetics/mvit_v2")


def test_a_ready_model_is_not_tested_or_calibrated():
    with pytest.raises(CallError, match=r"kinetics/s3d is a ready model, of which attcell\.load gives"):
        attcell.evaluate("kinetics/s3d")
