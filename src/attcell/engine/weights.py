"""Loading a backbone's weights: from torchvision, from timm, from a file, or from another model of ours."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from attcell.errors import CallError, ModelError
from attcell.nn import Backbone

TORCHVISION_WEIGHTS = {
    "vgg16": "VGG16_Weights.IMAGENET1K_V1",
    "resnet152": "ResNet152_Weights.IMAGENET1K_V1",
    "googlenet": "GoogLeNet_Weights.IMAGENET1K_V1",
    "squeezenet": "SqueezeNet1_0_Weights.IMAGENET1K_V1",
}


def load_backbone_weights(backbone: Backbone, weights: str) -> None:
    """Fill a backbone with weights.

    Args:
        backbone: what :func:`attcell.nn.build_backbone` built.
        weights: ``pretrained``, ``none``, a ``.safetensors`` file with torchvision's or timm's key names, or
            a model folder of attcell with the same backbone.

    Raises:
        CallError: ``pretrained`` for a backbone without published weights, or no such file.
        ModelError: the file is not safetensors, belongs to another network, or cannot be downloaded.
    """
    if weights == "none":
        return
    if weights == "pretrained":
        state = _pretrained(backbone)
    elif Path(weights).is_dir():
        state = _of_model(Path(weights))
    else:
        state = _read(Path(weights))
    _fit(backbone, state, weights)


def state_digest(module: torch.nn.Module) -> str:
    """A short hash of all weights and buffers, for fingerprints."""
    digest = hashlib.sha256()
    for key, value in module.state_dict().items():
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def misfit(wanted: dict[str, Tensor], state: dict[str, Tensor], known: Collection[str]) -> str:
    """Why a state does not fill the wanted one, in a line; empty if it does. ``known`` keys may be in it."""
    missing = sorted(key for key in wanted if key not in state and not key.endswith("num_batches_tracked"))
    foreign = sorted(set(state) - set(known))
    shapes = [
        f"{key} is {tuple(state[key].shape)}, not {tuple(value.shape)}"
        for key, value in wanted.items()
        if key in state and state[key].shape != value.shape
    ]
    reasons = [f"it lacks {len(missing)} keys, first {missing[0]}"] if missing else []
    reasons += [f"it has {len(foreign)} other keys, first {foreign[0]}"] if foreign else []
    reasons += [f"{len(shapes)} shapes differ, first {shapes[0]}"] if shapes else []
    return "; ".join(reasons)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CallError(
            f"no weights at {path}; allowed: pretrained, none, a .safetensors file, or a model folder"
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path} is not a safetensors file ({error}). Pickled weights (.pth, .pt, .ckpt) are not read, "
            "because unpickling runs code; convert them with safetensors.torch.save_file"
        ) from error


def _of_model(folder: Path) -> dict[str, Tensor]:
    """The backbone of a model folder's frame stream, under its published keys."""
    file = folder / "model.safetensors"
    if not file.is_file():
        raise CallError(f"{folder} is no model folder: it holds no model.safetensors")
    prefix = "streams.frame.backbone.body."
    state = {key.removeprefix(prefix): value for key, value in _read(file).items() if key.startswith(prefix)}
    return {key.removeprefix("network."): value for key, value in state.items()}  # timm's models are wrapped


def _pretrained(backbone: Backbone) -> dict[str, Tensor]:
    try:
        if backbone.name.startswith("timm/"):
            return _from_timm(backbone.name.removeprefix("timm/"))
        if backbone.name not in TORCHVISION_WEIGHTS:
            raise CallError(f"backbone {backbone.name} has no published weights; use weights: none or a file")
        from torchvision.models import get_weight

        published = get_weight(TORCHVISION_WEIGHTS[backbone.name])
        return dict(published.get_state_dict(progress=True, check_hash=True, weights_only=True))
    except OSError as error:
        raise ModelError(
            f"the published weights of {backbone.name} could not be downloaded ({error}); "
            "give a local .safetensors file as weights instead"
        ) from error


def _from_timm(name: str) -> dict[str, Tensor]:
    import timm

    try:
        return dict(timm.create_model(name, pretrained=True).state_dict())
    except RuntimeError as error:  # timm's word for a model without published weights
        raise CallError(f"timm/{name}: {error}; use weights: none or a file") from error


def _fit(backbone: Backbone, state: dict[str, Tensor], source: str) -> None:
    module = backbone.named_as_published
    wanted = module.state_dict()
    reasons = misfit(wanted, state, backbone.weight_keys)
    if reasons:
        raise ModelError(
            f"weights {source} are not of {backbone.name}: {reasons}. "
            "Give the file of the same network, with torchvision's or timm's key names"
        )
    module.load_state_dict({key: state[key] for key in wanted if key in state}, strict=False)
