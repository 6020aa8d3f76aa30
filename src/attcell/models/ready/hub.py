"""transformers' video classifiers as ready models: ``hf/OWNER/NAME``, or a folder in transformers' form.

Classes, number of frames, size, mean and deviation are what the model's own files say
(:func:`~attcell.config.hub.read_video_model`). They do not say how far apart a clip's frames are:
:data:`SPANS` is a *reading*, by what the papers tested their networks for Kinetics with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from attcell._files import read_json
from attcell._log import logger
from attcell.config.hub import CONFIG, read_video_model
from attcell.errors import CallError
from attcell.models.ready.network import ClipProtocol, Preprocessing, ReadyNetwork
from attcell.nn.backbones.transformers_files import KINDS
from attcell.nn.backbones.transformers_video import pretrained_network
from attcell.nn.evidence import Evidence, GradCAM, Rollout

if TYPE_CHECKING:
    from attcell.nn.backbones.transformers_files import VideoModel

NUM_CLIPS = 5
# Seconds that a clip reaches over: 16 frames of every 4th of 30 a second; 8 of every 32nd; 32 of every 2nd;
# and the first again.
SPANS = {"videomae": 16 / 7.5, "timesformer": 256 / 30, "vivit": 32 / 15, "vjepa2": 16 / 7.5}


def hub_network(name: str) -> ReadyNetwork:
    """The network of this name with its weights, which are downloaded if they are not on this machine.

    Args:
        name: ``hf/OWNER/NAME``, or a folder.

    Raises:
        CallError: no such model, no video classifier, one that needs code of its own, or no transformers.
        ModelError: it cannot be downloaded, is damaged, or its files contradict each other.
    """
    model = _classifier(name)
    logger.info(f"{name}: {KINDS[model.kind]}, {len(model.labels)} classes")
    inner: Any = pretrained_network(model, classifier=True)
    evidence = _evidence(model, inner)
    if isinstance(evidence, Rollout):
        inner.set_attn_implementation("eager")  # the others do not give their attention away
    return ReadyNetwork(
        name=name,
        network=_Logits(inner).eval(),
        labels=_different(model.labels),
        preprocessing=preprocessing_of(model),
        clip=ClipProtocol(
            num_frames=model.num_frames,
            rate=model.num_frames / SPANS[model.kind],
            num_clips=NUM_CLIPS,
            origin="rate and number of clips are a reading, for its files do not say them",
        ),
        evidence=evidence,
    )


def hub_labels(name: str) -> tuple[str, ...]:
    """The classes of this model by its small files alone; errors as of :func:`hub_network`."""
    return _different(_classifier(name).labels)


def _classifier(name: str) -> VideoModel:
    """What its small files say of it."""
    model = read_video_model(name)
    if not model.labels:
        said = ", ".join(model.config.get("architectures") or ()) or "no architecture"
        raise CallError(
            f"{name} is no video classifier: its config.json says {said}; give one that ends with "
            "ForVideoClassification, or use it as a backbone of a stream in a recipe"
        )
    return model


def preprocessing_of(model: VideoModel) -> Preprocessing:
    """What a model's own files say of its input."""
    from torchvision.transforms import InterpolationMode

    side = model.short_side
    return Preprocessing(
        resize=(side,) if model.resize == "short" else (side, side),
        crop=(model.size, model.size),
        mean=model.mean,
        deviation=model.deviation,
        interpolation=InterpolationMode(model.resample),
        antialias=True,
    )


class _Logits(nn.Module):
    """A classifier of transformers as others are called: (N, 3, L, H, W) to logits (N, A)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor) -> Tensor:
        logits: Tensor = self.network(clips.transpose(1, 2)).logits
        return logits


def _evidence(model: VideoModel, network: Any) -> Evidence:
    """Rollout where every token attends to every other in each layer and one row says what is read; else
    Grad-CAM.
    """
    sides = (model.num_frames // model.tubelet, model.size // model.patch, model.size // model.patch)
    cam = "Grad-CAM at the tokens that the last block gets"
    if model.kind == "timesformer":
        last = len(network.timesformer.encoder.layer) - 1
        layer = f"timesformer.encoder.layer.{last - 1}" if last else "timesformer.embeddings"
        return GradCAM(f"network.{layer}", _space_then_time(sides), cam)
    if model.kind == "vjepa2":
        cam = "Grad-CAM at the encoder’s output"
        return GradCAM("network.vjepa2.encoder.layernorm", _tokens(sides, 0), cam)
    is_mae = model.kind == "videomae"
    of_attention = "VideoMAESelfAttention" if is_mae else "VivitAttention"
    layers = tuple(
        f"network.{name}" for name, one in network.named_modules() if type(one).__name__ == of_attention
    )
    reads_mean = is_mae and network.fc_norm is not None
    words = "attention rollout over all blocks"
    return Rollout(layers, _weights(sides, 0 if is_mae else 1), not reads_mean, words)


def _tokens(sides: tuple[int, int, int], first: int) -> Callable[[Any], Tensor]:
    """(N, tokens, F), of which ``first`` are no patches, to (N, F, L', K, K)."""
    return lambda tokens: tokens[:, first:].transpose(1, 2).unflatten(2, sides)


def _weights(sides: tuple[int, int, int], first: int) -> Callable[[Tensor], Tensor]:
    """(N, tokens) to (N, L', K, K)."""
    return lambda weights: weights[:, first:].unflatten(1, sides)


def _space_then_time(sides: tuple[int, int, int]) -> Callable[[Any], Tensor]:
    """TimeSformer's tokens, all times of the first patch first."""
    steps, rows, columns = sides

    def arrange(output: Any) -> Tensor:
        tokens = output if isinstance(output, Tensor) else output[0]
        patches: Tensor = tokens[:, 1:].transpose(1, 2).unflatten(2, (rows, columns, steps))
        return patches.movedim(-1, 2)

    return arrange


def _different(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Names of classes, each with its number where another has the same."""
    counts = Counter(labels)
    return tuple(
        label if counts[label] == 1 else f"{label} ({number})" for number, label in enumerate(labels)
    )


# What is on this machine

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_INDEX = ".index.json"  # of weights in several files


@dataclass(frozen=True)
class CachedModel:
    """A video classifier of the Hub of which files are on this machine.

    Attributes:
        name: what ``--model`` takes.
        kind: such as VideoMAE.
        num_classes: that it tells apart; 0 where its config.json does not say.
        path: of its weights; empty where they are not here.
        megabytes: of the weights.
    """

    name: str
    kind: str
    num_classes: int
    path: str
    megabytes: float

    @property
    def is_here(self) -> bool:
        """Whether its weights are on this machine."""
        return bool(self.path)


def cached_models() -> list[CachedModel]:
    """The video classifiers that the Hub's client keeps here, by name; of each its config.json is read, and
    nothing is asked for.
    """
    from huggingface_hub import constants

    found = []
    for folder in sorted(Path(constants.HF_HUB_CACHE).glob("models--*--*")):
        repository = folder.name.removeprefix("models--").replace("--", "/", 1)
        model = _cached_model(repository)
        if model is not None:
            found.append(model)
    return found


def _cached_model(repository: str) -> CachedModel | None:
    """A model's line; None where it is no video classifier that is known here, or its files are damaged."""
    config = _cached_json(repository, CONFIG)
    kind, architectures = config.get("model_type"), config.get("architectures")
    is_classifier = isinstance(architectures, list) and any(
        str(of).endswith("ForVideoClassification") for of in architectures
    )
    if not isinstance(kind, str) or kind not in KINDS or not is_classifier:
        return None
    files = _cached_weights(repository)
    megabytes = round(sum(file.stat().st_size for file in files) / 1e6, 1)
    classes = config.get("id2label")
    return CachedModel(
        f"hf/{repository}",
        KINDS[kind],
        len(classes) if isinstance(classes, dict) else 0,
        str(files[0]) if files else "",
        megabytes,
    )


def _cached_weights(repository: str) -> list[Path]:
    """The files of its weights; none where one of them is not here."""
    for name in _WEIGHTS:
        whole = _cached(repository, name)
        if whole is not None:
            return [whole]
        parts = _cached_json(repository, name + _INDEX).get("weight_map")
        names = parts.values() if isinstance(parts, dict) else ()
        files = [_cached(repository, part) for part in sorted({str(part) for part in names})]
        there = [file for file in files if file is not None]
        if there and len(there) == len(files):
            return there
    return []


def _cached_json(repository: str, file: str) -> dict[str, Any]:
    path = _cached(repository, file)
    try:
        content = read_json(path) if path is not None else None
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _cached(repository: str, file: str) -> Path | None:
    """Where a file of the Hub lies on this machine."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(repository, file)
    except HFValidationError:  # a folder that is none of a model's
        return None
    return Path(found) if isinstance(found, str) else None
