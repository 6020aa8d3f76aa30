"""Loading weights: published ones, as a backbone's entry says, a file's, or another model's of ours."""

from __future__ import annotations

import hashlib
import importlib
import warnings
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from attcell._log import logger
from attcell.errors import CallError, ModelError
from attcell.nn import FC6, Backbone, Branch, Network, PooledStream, Stream
from attcell.nn.backbones.image import cross_modality, inflated, timm_network

_PICKLED = (b"PK", b"\x80")  # how a file begins that torch.save wrote, now and formerly
State = dict[str, Tensor]

# Weights of the backbone ``small`` that come with the package, with their card, and what they learnt from.
SHIPPED = Path(__file__).parent / "shipped"
SHIPPED_INPUT = {"input": {"size": 112, "short_side": 112}, "flow": {"short_side": 56}}


def shipped_weights(stream: str) -> Path:
    """Of frame or flow."""
    return SHIPPED / f"{stream}.safetensors"


# Into a backbone, or into what follows it


def load_backbone_weights(backbone: Backbone, weights: str, stream: str = "frame") -> None:
    """Fill a backbone with weights.

    Weights of a network that takes colour pictures also fit one that takes flow
    (:func:`attcell.nn.backbones.image.cross_modality`), and one of the same layers that takes clips
    (:func:`attcell.nn.backbones.image.inflated`).

    Args:
        backbone: what :func:`attcell.nn.build_backbone` built.
        weights: ``pretrained``, ``none``, a file with the published key names, or a model folder of attcell
            with the same backbone. A file is ``.safetensors``, or one that ``torch.save`` wrote, of which
            nothing but tensors is read.
        stream: whose backbone to take from a model folder; where it has no such stream, the frame stream's.

    Raises:
        CallError: ``pretrained`` for a backbone without published weights, or no such file.
        ModelError: the file holds no weights, or those of another network, or cannot be downloaded.
    """
    if weights == "none" or (weights == "pretrained" and not backbone.named_as_published.state_dict()):
        return  # of features that were computed elsewhere there is nothing to load
    if _is_model_folder(weights):
        state = _below("backbone.body.", state_of_stream(Path(weights), stream, "frame"))
        wrapped = backbone.published_as  # such as timm's models, of which one map is taken
        state = _below(f"{wrapped}.", state) if wrapped else state
        naming = ""
    else:
        state, naming = _named_as_here(backbone, weights)
    _fill_backbone(backbone, state, weights)
    if naming:
        taken = backbone.named_as_published.state_dict().keys() & state.keys()
        left = sorted({key.rpartition(".")[0] for key in state.keys() - taken})
        rest = f"; not used here: {', '.join(left)}" if left else ""
        logger.info(f"the {stream} stream takes {len(taken)} tensors of {weights}, by {naming}{rest}")


def load_fc6_weights(stream: PooledStream, weights: str, name: str = "frame") -> None:
    """Fill a stream's fc6 with what follows its backbone in the same published weights.

    Load the backbone's own by :func:`load_backbone_weights`, from the same place.

    Args:
        stream: one whose pooling is fc6.
        weights: as of the backbone: ``pretrained``, ``none``, a file with the published key names, or a model
            folder of attcell whose stream has an fc6 of the same backbone.
        name: whose fc6 to take from a model folder; where it has no such stream, the frame stream's.

    Raises:
        CallError: the stream's pooling is not fc6, ``pretrained`` for a backbone without published weights,
            or no such file.
        ModelError: the file holds no weights or no such layer, or cannot be downloaded.
    """
    pooling = stream.pooling
    if not isinstance(pooling, FC6):
        raise CallError(
            f"the {name} stream is pooled by {type(pooling).__name__}, which has no fc6 to load; give one "
            "with the pooling fc6"
        )
    if weights == "none":
        return
    if _is_model_folder(weights):
        state, layer = state_of_stream(Path(weights), name, "frame"), "pooling.layer"
    else:
        state, layer = published_state(stream.backbone, weights), pooling.published
    found = _below(f"{layer}.", state)
    wanted = pooling.layer.state_dict()
    reasons = misfit(wanted, found, wanted)
    if reasons:
        raise ModelError(
            f"weights {weights} hold no fc6 of {pooling.name} under {layer}: {reasons}. "
            "Give a file of the whole published network, with its classifier"
        )
    pooling.layer.load_state_dict(found)


def _fill_backbone(backbone: Backbone, state: State, source: str) -> None:
    module = backbone.named_as_published
    wanted = module.state_dict()
    first = backbone.first_convolution
    if first in state and state[first].shape[1] == 3 != backbone.in_channels:
        state = {**state, first: cross_modality(state[first], backbone.in_channels)}
    if not any(value.ndim == 5 for value in state.values()):  # a network of pictures
        state = {key: _of_clips(value, wanted.get(key)) for key, value in state.items()}
    reasons = misfit(wanted, state, backbone.weight_keys)
    if reasons:
        missing = [key for key in wanted if key not in state]
        if backbone.entry.naming is not None and missing:
            reasons += f"; missing are {', '.join(missing)}"
        raise ModelError(
            f"weights {source} are not of {backbone.name}: {reasons}. "
            f"Give the file of the same network, with {backbone.entry.key_names} key names"
        )
    module.load_state_dict({key: state[key] for key in wanted if key in state}, strict=False)


def _of_clips(value: Tensor, wanted: Tensor | None) -> Tensor:
    """A picture network's weights for a network of clips: convolutions are inflated, the rest is as it is."""
    if wanted is None or (value.ndim, wanted.ndim) != (4, 5):
        return value
    return inflated(value, wanted.shape[2])


# Into a stream or a network, from a trained model of the same shape


def load_stream(stream: Stream | Branch, folder: Path, name: str) -> None:
    """Begin with a trained model's whole stream: backbone, conv6 and attention; or TAN's whole branch.

    Args:
        stream: to fill.
        folder: a model folder that has a stream of this name.
        name: the stream's name.

    Raises:
        CallError: no model folder.
        ModelError: it has no such stream, or one of another shape.
    """
    state = state_of_stream(folder, name)
    wanted = stream.state_dict()
    reasons = misfit(wanted, state, wanted)
    if reasons:
        raise ModelError(
            f"the {name} stream of {folder} does not fit: {reasons}. "
            "Give it the same backbone, tap, conv6_channels and standardise, and the model's own kind"
        )
    stream.load_state_dict(state)


def load_all_but_classifiers(network: Network, folder: Path) -> None:
    """Begin with a trained model's whole network, but for what belongs to its classes: the classifiers, and
    the weights of late fusion, stay as they are.

    Args:
        network: to fill.
        folder: a model folder of a network of the same shape.

    Raises:
        CallError: no model folder.
        ModelError: a network of another shape.
    """
    state = {key: value for key, value in _state_of(folder).items() if not _of_classes(key)}
    wanted = {key: value for key, value in network.state_dict().items() if not _of_classes(key)}
    reasons = misfit(wanted, state, wanted)
    if reasons:
        raise ModelError(f"the model at {folder} does not fit: {reasons}. Begin with one of the same shape")
    network.load_state_dict(state, strict=False)


def _of_classes(key: str) -> bool:
    is_fusion = key == "weights"  # LateFusion's
    is_asked = key.endswith("temporal.classes.weight")  # what a decoder of one step a class begins from
    return is_fusion or is_asked or ("classifier" in key and ".backbone." not in key)


# States: where they come from, what they hold, and whether they fit


def published_state(backbone: Backbone, weights: str) -> State:
    """All weights of a backbone's whole network, also of the layers that it was cut off from.

    Args:
        backbone: whose names the keys get.
        weights: ``pretrained``, or a file with the published key names.

    Raises:
        CallError: ``pretrained`` for a backbone without published weights, or no such file.
        ModelError: the file holds no weights, or cannot be downloaded.
    """
    return _named_as_here(backbone, weights)[0]


def _named_as_here(backbone: Backbone, weights: str) -> tuple[State, str]:
    """Published weights by the names of what was built, and which of several namings they had, in words."""
    state = _pretrained(backbone) if weights == "pretrained" else _read(Path(weights))
    naming = "" if backbone.entry.naming is None else backbone.entry.naming(state)
    return backbone.entry.key_map(state), naming


def state_of_stream(folder: Path, *streams: str) -> State:
    """The weights of the first of these streams that a model has, whichever kind of network it is.

    Raises:
        CallError: no model folder.
        ModelError: it has none of these streams.
    """
    state = _state_of(folder)
    for stream in streams:
        for place in ("streams", f"networks.{stream}.streams", "branches"):
            found = _below(f"{place}.{stream}.", state)
            if found:
                return found
    missing = " and no ".join(dict.fromkeys(streams))
    raise ModelError(
        f"the model at {folder} has no {missing} stream; give one that has, or weights of a file"
    )


def misfit(wanted: State, state: State, known: Collection[str]) -> str:
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


def state_digest(module: nn.Module) -> str:
    """A short hash of all weights and buffers, for fingerprints."""
    digest = hashlib.sha256()
    for key, value in module.state_dict().items():
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _below(prefix: str, state: State) -> State:
    """What a state holds under a prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _is_model_folder(weights: str) -> bool:
    return weights != "pretrained" and Path(weights).is_dir()


def _state_of(folder: Path) -> State:
    """A model's weights; where it is an SVM on a network, those of that network."""
    file = folder / "model.safetensors"
    if not file.is_file():
        raise CallError(f"{folder} is no model folder: it holds no model.safetensors")
    return {key.removeprefix("body."): value for key, value in _read(file).items() if key[:4] != "svm."}


def _pretrained(backbone: Backbone) -> State:
    """The published weights that a backbone's entry names."""
    if backbone.entry.weights is None:
        raise CallError(f"backbone {backbone.name} has no published weights; use weights: none or a file")
    if callable(backbone.entry.weights):
        return dict(backbone.entry.weights())
    source, _, name = backbone.entry.weights.partition(":")
    try:
        if source == "torchvision":
            from torchvision.models import get_weight

            published = get_weight(name)
            return dict(published.get_state_dict(progress=True, check_hash=True, weights_only=True))
        return _from_timm(name) if source == "timm" else _read(Path(backbone.entry.weights))
    except OSError as error:
        raise ModelError(
            f"the published weights of {backbone.name} could not be downloaded ({error}); "
            "give a local .safetensors file as weights instead"
        ) from error


def _from_timm(name: str) -> State:
    model, _, size = name.partition("@")
    try:
        return dict(timm_network(model, int(size) if size else None, pretrained=True).state_dict())
    except RuntimeError as error:  # what timm raises for a model without published weights
        raise CallError(f"timm/{name}: {error}; use weights: none or a file") from error


def no_weights(path: Path) -> str:
    """What is said of weights that are not there."""
    return (
        f"no weights at {path}; allowed: pretrained, none, a .safetensors file, one of torch.save, or a "
        "model folder"
    )


def _read(path: Path) -> State:
    if not path.is_file():
        raise CallError(no_weights(path))
    try:
        is_pickled = path.suffix != ".safetensors" and _is_pickled(path)
        return _read_pickle(path) if is_pickled else load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path} is not a safetensors file ({error}); copy it anew. If torch.save wrote it, name it .pt, "
            "or convert what it holds with safetensors.torch.save_file"
        ) from error


def _is_pickled(path: Path) -> bool:
    """True for a file of torch.save. A safetensors file may begin alike, with the length of its header."""
    with path.open("rb") as file:
        head = file.read(9)
    return head.startswith(_PICKLED) and head[8:] != b"{"


def _arrays() -> list[Any]:
    """What arrays and numbers of NumPy are made with: published files have them beside the tensors."""
    import numpy as np

    core: Any = importlib.import_module("numpy._core.multiarray")
    makers = [
        (make, f"numpy.{name}.multiarray.{make.__name__}")
        for make in (core._reconstruct, core.scalar)
        for name in ("core", "_core")  # formerly and now
    ]
    return [*makers, np.ndarray, np.dtype, *{type(np.dtype(code)) for code in np.typecodes["All"]}]


def read_saved(path: Path, allowed: Sequence[Any] = ()) -> Any:
    """What ``torch.save`` wrote: tensors, plain values, and what else is ``allowed``. No code in it is run.

    Raises:
        ValueError: it holds something else, or is damaged. Its checksums count too, which PyTorch ignores.
    """
    try:
        if zipfile.is_zipfile(path):  # older versions of PyTorch wrote none
            with zipfile.ZipFile(path) as archive:
                is_packed = any(of.compress_type for of in archive.infolist())  # as PyTorch never does
                if is_packed or archive.testzip() is not None:
                    raise ValueError("its checksums do not fit")
        # An open file: PyTorch would take a path that ends in .safetensors for such a file.
        with path.open("rb") as file, torch.serialization.safe_globals([*allowed]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd file is read or refused, without warnings
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch and zipfile raise errors of many kinds for a damaged file
        raise ValueError(str(error)) from error


def _read_pickle(path: Path) -> State:
    """The tensors of a file that ``torch.save`` wrote."""
    try:
        content = read_saved(path, _arrays())
    except ValueError as error:
        raise ModelError(
            f"{path} is a pickle that holds more than tensors, or is damaged. Unpickling it would run code, "
            "so it is not read; convert its state_dict with safetensors.torch.save_file"
        ) from error
    for key in ("state_dict", "model"):
        content = content.get(key, content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise ModelError(f"{path} holds no state dict; save network.state_dict() with torch.save")
    return {key.removeprefix("module."): value for key, value in content.items()}
