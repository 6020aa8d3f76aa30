"""Small video models of transformers, of each kind, saved as they are published: with their preprocessing."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

KINDS = ("videomae", "timesformer", "vivit", "vjepa2")
LABELS = {0: "run", 1: "sit", 2: "wave"}


@functools.cache
def _transformers() -> Any:
    """It is slow to import, so only where it is used; and quiet."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def _config(kind: str) -> Any:
    library = _transformers()
    labels = {"id2label": LABELS, "label2id": {name: number for number, name in LABELS.items()}}
    wide = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    side = {"image_size": 32, "num_frames": 4, **wide, **labels}
    makers: dict[str, Callable[[], Any]] = {
        "videomae": lambda: library.VideoMAEConfig(patch_size=8, tubelet_size=2, **side),
        "timesformer": lambda: library.TimesformerConfig(patch_size=8, **side),
        "vivit": lambda: library.VivitConfig(tubelet_size=[2, 8, 8], **side),
        "vjepa2": lambda: library.VJEPA2Config(
            patch_size=8, crop_size=32, frames_per_clip=4, hidden_size=24, num_hidden_layers=2,
            num_attention_heads=2, num_pooler_layers=1, pred_hidden_size=24, pred_num_attention_heads=2,
            pred_num_hidden_layers=1, **labels,
        ),
    }  # fmt: skip
    return makers[kind]()


def processor_of(kind: str) -> Any:
    """The library's own, for pictures of 32×32."""
    library, crop = _transformers(), {"height": 32, "width": 32}
    if kind == "vivit":
        return library.VivitImageProcessor(size={"shortest_edge": 36}, crop_size=crop)
    if kind == "vjepa2":
        return library.VJEPA2VideoProcessor(crop_size=crop)
    return library.VideoMAEImageProcessor(
        size={"shortest_edge": 32}, crop_size=crop, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.25, 0.3]
    )


def save_video_model(folder: Path, kind: str = "videomae", *, classifier: bool = True) -> Any:
    """Write one with random weights that make a difference, and give it in test mode."""
    library = _transformers()
    torch.manual_seed(0)
    makers = {
        "videomae": (library.VideoMAEForVideoClassification, library.VideoMAEModel),
        "timesformer": (library.TimesformerForVideoClassification, library.TimesformerModel),
        "vivit": (library.VivitForVideoClassification, library.VivitModel),
        "vjepa2": (library.VJEPA2ForVideoClassification, library.VJEPA2Model),
    }
    network = makers[kind][0 if classifier else 1](_config(kind))
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape) * 0.2
    network.save_pretrained(folder)
    processor_of(kind).save_pretrained(folder)
    return network.eval()


def change_json(path: Path, **changes: Any) -> None:
    """Change keys of a file; those that become None are left out."""
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


def put_into_hubs_cache(cache: Path, repository: str, model: Path) -> None:
    """Make a folder's two small files look as if the Hub's client had downloaded them."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    snapshot = folder / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    for name in ("config.json", "preprocessor_config.json"):
        (snapshot / name).write_bytes((model / name).read_bytes())


PUBLISHED = "MCG-NJU/videomae-base-finetuned-kinetics"


@pytest.fixture(scope="session")
def cached_video_mae(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The Hub cannot be reached, and VideoMAE's small files are here: of its published shape."""
    import huggingface_hub.constants

    library, model = _transformers(), tmp_path_factory.mktemp("published")
    library.VideoMAEConfig(architectures=["VideoMAEForVideoClassification"]).save_pretrained(model)
    library.VideoMAEImageProcessor().save_pretrained(model)
    cache = tmp_path_factory.mktemp("hub")
    put_into_hubs_cache(cache, PUBLISHED, model)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        patched.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
        yield


def save_sound_model(folder: Path, **changes: Any) -> Any:
    """Write an AST for pictures of 48 rows and 32 bands, as a classifier, and give it in test mode."""
    library = _transformers()
    torch.manual_seed(0)
    figures = {"num_mel_bins": 32, "max_length": 48}
    network = library.ASTForAudioClassification(
        library.ASTConfig(
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            num_labels=3,
            **figures,
        )
    )
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape) * 0.2
    network.save_pretrained(folder)
    library.ASTFeatureExtractor(**{**figures, **changes}).save_pretrained(folder)
    return network.eval()
