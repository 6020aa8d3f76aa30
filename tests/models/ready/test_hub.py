"""transformers' video classifiers: scores are those of the library's own processor and network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import attcell
from attcell.errors import CallError, ModelError
from attcell.models.ready.hub import SPANS
from tests.moving import moving_frames, write_frames
from tests.transformers_models import KINDS, LABELS, change_json, processor_of, save_video_model


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames of an odd size."""
    return write_frames(tmp_path_factory.mktemp("video") / "video.avi", moving_frames(60, (75, 50)))


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_the_librarys_own_processor_and_network(kind: str, tmp_path: Path, video: Path):
    network = save_video_model(tmp_path / kind, kind)
    found = attcell.load(tmp_path / kind).predict(video, clips=1)
    decoded = attcell.video.read_frames(video, np.arange).images
    step = 25 * SPANS[kind] / 4
    reach = int(3 * step + 1e-6) + 1
    if reach > 60:
        chosen = [decoded[number * 60 // 4] for number in range(4)]
    else:
        chosen = [decoded[(60 - reach) // 2 + int(number * step + 1e-6)] for number in range(4)]
    shown = torch.from_numpy(np.stack(chosen)).permute(0, 3, 1, 2)
    processed = processor_of(kind)(shown if kind == "vjepa2" else list(shown), return_tensors="pt")
    with torch.inference_mode():
        expected = network(**processed).logits.softmax(-1)[0].numpy()
    assert found.scores == pytest.approx(expected, abs=1e-5)
    assert found.labels == tuple(LABELS.values())
    assert found.spatial_attention["clip"].shape == (1, 4, 4)
    assert bool(found.notes) == (reach > 60)


@pytest.mark.parametrize("kind", KINDS)
def test_the_method_is_named(kind: str, tmp_path: Path, video: Path):
    save_video_model(tmp_path / kind, kind)
    found = attcell.load(str(tmp_path / kind)).predict(video)
    rollout = kind in ("videomae", "vivit")
    assert found.explanation.where.startswith("attention rollout" if rollout else "Grad-CAM at")
    assert "are a reading" in found.explanation.protocol


def test_what_is_no_classifier_is_refused(tmp_path: Path):
    save_video_model(tmp_path, classifier=False)
    with pytest.raises(CallError, match=r"is no video classifier: .* says VideoMAEModel"):
        attcell.load(tmp_path)


def test_weights_of_another_number_of_frames_are_told(tmp_path: Path):
    save_video_model(tmp_path, "timesformer")
    change_json(tmp_path / "config.json", num_frames=6)
    with pytest.raises(ModelError, match=r"could not be read|not of its network"):
        attcell.load(tmp_path)


def test_code_of_ones_own_is_refused(tmp_path: Path):
    save_video_model(tmp_path)
    change_json(tmp_path / "config.json", model_type="mine", auto_map={"AutoModel": "code.Mine"})
    with pytest.raises(CallError, match=r"needs code of its own \(code.Mine\), and nothing"):
        attcell.load(tmp_path)


class Evil:
    """What a pickle of it does when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("evil"),)


def test_a_pickle_in_place_of_weights_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save_video_model(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Evil()}, tmp_path / "pytorch_model.bin")
    (tmp_path / "modeling_videomae.py").write_text("from pathlib import Path; Path('evil').touch()")
    with pytest.raises(ModelError, match=r"could not be read .*copy the folder anew"):
        attcell.load(tmp_path)
    assert not (tmp_path / "evil").exists()


def test_a_video_without_a_network_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="hf download somebody/something"):
        attcell.load("hf/somebody/something")


def test_half_of_the_weights_is_told(tmp_path: Path):
    save_video_model(tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelError, match=r"could not be read .*copy the folder anew"):
        attcell.load(tmp_path)
