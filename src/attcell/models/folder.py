"""A trained model's files: ``model.safetensors`` and ``config.json`` in one folder.

:class:`attcell.Model` writes and reads them; a recipe that begins with a trained model reads its recipe.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

import attcell
from attcell._files import read_json, written_whole
from attcell.config.recipe import Recipe, check_recipe
from attcell.errors import AttcellError, CallError, ModelError
from attcell.models.build import build_network
from attcell.models.weights import State, misfit, state_digest
from attcell.nn import Network

_NO_WIDTHS = frozenset({"train", "data", "cache", "detection", "fuse", "published", "rivals", "segments"})
_USUAL_WIDTH = 8192  # of a layer; two such layers make 64 million weights
FORMAT = 2  # raise it when a folder or its recipe is no longer read as it was written


def write_folder(
    folder: Path, network: Network, labels: tuple[str, ...], recipe: Recipe, training: dict[str, Any]
) -> str:
    """Write a model folder's two files, whole or not at all, and return the digest of the weights.

    Files that are there are replaced; others stay. Each file names the weights, so that two of which only one
    was replaced, by a process killed in between, are refused and not mixed up.

    Args:
        folder: the model folder, for example ``runs/demo/model``.
        network: whose weights are saved.
        labels: the classes, in the order of the logits.
        recipe: with the preprocessing, the segments and the network's shape.
        training: what is worth knowing of the training, in plain types.

    Raises:
        CallError: the network has no weights here: it is an exported file.
    """
    if not network.state_dict():
        raise CallError("this model is an exported file, and has no weights to save; copy the file itself")
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    digest = state_digest(network)
    config = {
        "format": FORMAT,
        "attcell": attcell.__version__,
        "labels": list(labels),
        "weights": digest,
        "recipe": recipe.model_dump(mode="json"),
        "training": training,
    }
    with written_whole(folder / "config.json") as config_file:
        config_file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        with written_whole(folder / "model.safetensors") as weights_file:
            weights_file.write_bytes(save(state, {"format": "pt", "weights": digest}))
    return digest


def read_config(folder: Path) -> dict[str, Any]:
    """A model folder's ``config.json``: format, attcell, labels, weights, recipe (checked) and training.

    Raises:
        CallError: no model folder there.
        ModelError: another format, or damaged.
    """
    path = folder / "config.json"
    if not path.is_file() or not (folder / "model.safetensors").is_file():
        raise CallError(f"no model at {folder}: a model folder holds config.json and model.safetensors")
    config = _checked_config(path)
    return {**config, "labels": tuple(config["labels"]), "recipe": _checked_recipe(config, path)}


def read_network(folder: Path, config: dict[str, Any]) -> Network:
    """The network of a model folder in test mode; ``config`` is what :func:`read_config` found there.

    Raises:
        ModelError: a recipe that no network is built by, weights that are not of it, or other weights than
            were written.
    """
    path = folder / "model.safetensors"
    state, found = _read_weights(path)
    expected = config.get("weights")
    build = partial(build_network, config["recipe"], len(config["labels"]), load_weights=False)
    try:
        if _largest(config["recipe"].model_dump()) > _USUAL_WIDTH and (wanted := _shapes(build)):
            _refuse(path, misfit(wanted, state, wanted))
        if None not in (found, expected) and found != expected:
            _refuse(path, f"the weights are {found}, and config.json belongs to {expected}")
        network = build()
    except (CallError, RuntimeError, MemoryError) as error:
        raise ModelError(f"{error}\n  {_why_not_built(folder / 'config.json')}") from error
    wanted = network.state_dict()
    _refuse(path, misfit(wanted, state, wanted))
    network.load_state_dict(state)
    if expected is not None and state_digest(network) != expected:
        raise ModelError(
            f"{path} is damaged: its weights are not those that were written. Copy the model anew"
        )
    return network.eval()


def _read_weights(path: Path) -> tuple[State, str | None]:
    """The weights of a file, and their digest where it names one."""
    try:
        with safe_open(path, framework="pt") as file:
            digest = (file.metadata() or {}).get("weights")
        return load_file(path), digest
    except (SafetensorError, AttributeError, KeyError) as error:  # the others for types that PyTorch lacks
        raise ModelError(f"{path} is not a safetensors file ({error}); copy the model anew") from error


def _refuse(path: Path, reasons: str) -> None:
    if reasons:
        raise ModelError(
            f"{path} and config.json beside it are not of one training: {reasons}. Copy the model anew"
        )


# A recipe from a stranger may ask for a network that is larger than any memory, beside a small file of
# weights. So where it names a large number, shapes are compared before the network is made. PyTorch needs a
# second to get ready for that, which usual recipes do without.


def _largest(value: Any) -> int:
    """The largest whole number among what may become the width of a layer."""
    if isinstance(value, dict):
        kept = [of for key, of in value.items() if key not in _NO_WIDTHS]
        return max(map(_largest, kept), default=0)
    if isinstance(value, list | tuple):
        return max(map(_largest, value), default=0)
    return value if type(value) is int else 0


def _shapes(build: Callable[[], Network]) -> State:
    """The state of a network that is built without memory for its numbers; empty where that cannot be."""
    try:
        with torch.device("meta"):
            return build().state_dict()
    except (AttcellError, MemoryError):
        raise
    except Exception:  # a backbone of one's own may want to see numbers
        return {}


def refuse_code(folder: Path, name: str) -> None:
    """Refuse a stranger's model, here in ``folder``, that wants a module of this machine imported.

    Raises:
        ModelError: one of its backbones is a Python path; or damaged, or of another format.
    """
    path = folder / "config.json"
    if path.is_file() and (modules := python_paths(_checked_config(path)["recipe"])):
        raise ModelError(
            f"{name} names code, {', '.join(modules)}, and nothing is imported because a model from outside "
            f"says so; read what it is, and where you trust it load its folder: {folder}"
        )


def python_paths(value: Any) -> list[str]:
    """Those of all backbones in a recipe in plain types: what is imported when it is read."""
    if isinstance(value, dict):
        own = [value["backbone"]] if ":" in str(value.get("backbone", "")) else []
        return own + [path for one in value.values() for path in python_paths(one)]
    return [path for one in value for path in python_paths(one)] if isinstance(value, list) else []


def read_recipe(folder: Path) -> Recipe | None:
    """The recipe that a model folder was trained by; None for anything that is no model folder.

    Raises:
        ModelError: ``config.json`` is damaged, or of another format.
    """
    path = folder / "config.json"
    return _checked_recipe(_checked_config(path), path) if path.is_file() else None


def _checked_recipe(config: dict[str, Any], path: Path) -> Recipe:
    try:
        return check_recipe(config["recipe"], source=str(path))
    except CallError as error:
        raise ModelError(f"{error}\n  {_why_not_built(path)}") from error


def _why_not_built(path: Path) -> str:
    return (
        f"If this model has a modality or a backbone of your own, register it before the model is loaded, in "
        f"Python; else {path} is damaged: copy the model anew"
    )


def _checked_config(path: Path) -> dict[str, Any]:
    try:
        config = read_json(path)
    except ValueError as error:
        raise ModelError(f"{path} is not JSON ({error}); copy the model anew") from error
    found = config.get("format") if isinstance(config, dict) else None
    if found != FORMAT:
        raise ModelError(
            f"{path} has model format {found!r}, and attcell {attcell.__version__} reads format {FORMAT}; "
            "train the model again with attcell train, or use the attcell that wrote it"
        )
    labels = config.get("labels")
    are_names = isinstance(labels, list) and all(isinstance(label, str) for label in labels)
    if not are_names or len(set(labels)) < max(1, len(labels)):
        raise ModelError(
            f"{path}: labels must be a list of different names, not {labels!r}; copy the model anew"
        )
    for key, kind in {"recipe": dict, "training": dict}.items():
        if not isinstance(config.get(key), kind):
            raise ModelError(f"{path}: {key} is missing or of a wrong type; copy the model anew")
    return config
