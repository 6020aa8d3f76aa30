"""A trained model on disk: ``model.safetensors`` and ``config.json`` in one folder.

Beside them lies ``detection.safetensors`` where ``attcell calibrate`` was run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

import attcell
from attcell._checks import path_of
from attcell._files import written_whole
from attcell.config.recipe import Recipe, check_recipe
from attcell.errors import CallError, ModelError
from attcell.models.build import build_network
from attcell.models.weights import misfit, state_digest
from attcell.nn import STAN, LateFusion, Network

FORMAT = 1


@dataclass(frozen=True)
class SavedModel:
    """What a model folder holds: the network in test mode, its classes, and the recipe it was made by.

    ``calibration`` is what detection in time learnt from the training videos, if it did;
    ``calibration_fault`` says what is wrong with its file, which matters to detection alone.
    """

    network: Network
    labels: tuple[str, ...]
    recipe: Recipe
    training: dict[str, Any]
    calibration: Calibration | None = None
    calibration_fault: str = ""


def save_model(
    folder: Path,
    network: Network,
    labels: tuple[str, ...],
    recipe: Recipe,
    training: dict[str, Any],
    calibration: Calibration | None = None,
) -> None:
    """Write a model folder's files, whole or not at all; those that are there are replaced.

    Other files of the folder stay. Each names the weights, so that files of which only one was replaced, by
    a process killed in between, are refused and not mixed up.

    Args:
        folder: the model folder, for example ``runs/demo/model``.
        network: whose weights are saved.
        labels: the classes, in the order of the logits.
        recipe: with the preprocessing, the segments and the network's shape.
        training: what is worth knowing of the training, in plain types.
        calibration: what detection in time learnt; that of an earlier model does not stay.
    """
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
    if calibration is None:
        (folder / FILE_NAME).unlink(missing_ok=True)
    else:
        write_calibration(folder, calibration, digest)


def load_model(folder: str | Path) -> SavedModel:
    """Read a model folder that :func:`save_model` wrote.

    Raises:
        CallError: no model folder there.
        ModelError: another format, or files that do not belong together.
    """
    folder = path_of(folder, "folder", "runs/mine/model")
    config_path, weights_path = folder / "config.json", folder / "model.safetensors"
    if not config_path.is_file() or not weights_path.is_file():
        raise CallError(f"no model at {folder}: a model folder holds config.json and model.safetensors")
    config = _read_config(config_path)
    try:
        recipe = check_recipe(config["recipe"], source=str(config_path))
        network = build_network(recipe, len(config["labels"]), load_weights=False)
    except CallError as error:
        raise ModelError(f"{error}\n{config_path} is damaged; copy the model anew") from error
    try:
        with safe_open(weights_path, framework="pt") as file:
            found = (file.metadata() or {}).get("weights")
        state = load_file(weights_path)
    except SafetensorError as error:
        raise ModelError(
            f"{weights_path} is not a safetensors file ({error}); copy the model anew"
        ) from error
    wanted = network.state_dict()
    reasons = misfit(wanted, state, wanted)
    if not reasons and None not in (found, expected := config.get("weights")) and found != expected:
        reasons = f"the weights are {found}, and config.json belongs to {expected}"
    if reasons:
        raise ModelError(
            f"{weights_path} and config.json beside it are not of one training: {reasons}. "
            "Copy the model anew"
        )
    network.load_state_dict(state)
    labels, calibration, fault = tuple(config["labels"]), None, ""
    if isinstance(network, STAN | LateFusion):
        try:
            calibration = read_calibration(folder, str(config.get("weights")), (len(labels), network.dim))
        except ModelError as error:
            fault = str(error)
    return SavedModel(network.eval(), labels, recipe, config["training"], calibration, fault)


def read_recipe(folder: Path) -> Recipe | None:
    """The recipe that a model folder was trained by; None for anything that is no model folder.

    Raises:
        ModelError: ``config.json`` is damaged.
    """
    path = folder / "config.json"
    if not path.is_file():
        return None
    try:
        return check_recipe(_read_config(path)["recipe"], source=str(path))
    except CallError as error:
        raise ModelError(f"{error}\n{path} is damaged; copy the model anew") from error


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is not JSON ({error}); copy the model anew") from error
    found = config.get("format") if isinstance(config, dict) else None
    if found != FORMAT:
        raise ModelError(
            f"{path} has model format {found!r}, and attcell {attcell.__version__} reads format {FORMAT}; "
            "use the attcell that wrote it, or train again"
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


# What detection in time learns from labels of training videos: a classifier, and where to draw its lines.

FILE_NAME = "detection.safetensors"
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Calibration:
    """What ``attcell calibrate`` wrote into a model folder.

    Attributes:
        weight: (A, MD) of the separate segment classifier on f_att^t, a linear softmax.
        bias: (A,)
        threshold: of relative attention × class score of the network's own classifier.
        threshold_alone: of the class score alone.
        num_videos: training videos it was learnt from.
        every: frames from one sample to the next.
    """

    weight: Float[Tensor, "A MD"]
    bias: Float[Tensor, " A"]
    threshold: float
    threshold_alone: float
    num_videos: int
    every: int

    def class_scores(self, segments: Float[Tensor, "T MD"]) -> Float[Tensor, "T A"]:
        """The separate classifier's probabilities."""
        logits = segments @ self.weight.to(segments).T + self.bias.to(segments)
        return logits.softmax(dim=-1)


def write_calibration(folder: Path, found: Calibration, weights: str) -> None:
    """Write it beside a model, whole or not at all; ``weights`` is the digest of the model's weights."""
    figures = {
        "format": _FORMAT,
        "threshold": found.threshold,
        "threshold_alone": found.threshold_alone,
        "num_videos": found.num_videos,
        "every": found.every,
    }
    tensors = {"weight": found.weight.float().contiguous(), "bias": found.bias.float().contiguous()}
    with written_whole(folder / FILE_NAME) as file:
        file.write_bytes(save(tensors, {"weights": weights, "detection": json.dumps(figures)}))


def read_calibration(folder: Path, weights: str, shape: tuple[int, int]) -> Calibration | None:
    """Read it, if it is there.

    Args:
        folder: the model folder.
        weights: the digest of the model's weights.
        shape: the classes, and the numbers of f_att^t.

    Raises:
        ModelError: damaged, of another format, or of another model.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            weight, bias = file.get_tensor("weight"), file.get_tensor("bias")
        figures = json.loads(told["detection"])
        found = Calibration(
            weight,
            bias,
            float(figures["threshold"]),
            float(figures["threshold_alone"]),
            int(figures["num_videos"]),
            int(figures["every"]),
        )
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is damaged ({error}); run attcell calibrate {folder} again") from error
    if told.get("weights") != weights or found.weight.shape != shape or found.bias.shape != shape[:1]:
        raise ModelError(f"{path} belongs to another model; run attcell calibrate {folder} again")
    return found
