"""A trained model on disk: ``model.safetensors`` and ``config.json`` in one folder."""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import attcell
from attcell.config import Recipe, check_recipe
from attcell.engine.build import build_network
from attcell.errors import AttcellError, CallError, ModelError
from attcell.nn import STAN

FORMAT = 1


@dataclass(frozen=True)
class SavedModel:
    """What a model folder holds: the network in test mode, its classes, and the recipe it was made by."""

    network: STAN
    labels: tuple[str, ...]
    recipe: Recipe
    training: dict[str, Any]


def save_model(
    folder: Path, network: STAN, labels: tuple[str, ...], recipe: Recipe, training: dict[str, Any]
) -> None:
    """Write a model folder, whole or not at all; one that is there is replaced.

    Args:
        folder: the model folder, for example ``runs/demo/model``.
        network: whose weights are saved.
        labels: the classes, in the order of the logits.
        recipe: with the preprocessing, the segments and the network's shape.
        training: what is worth knowing of the training, in plain types.
    """
    token = uuid.uuid4().hex[:8]
    fresh, old = (folder.with_name(f".{folder.name}.{token}.{word}") for word in ("new", "old"))
    fresh.mkdir(parents=True)
    try:
        state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
        save_file(state, fresh / "model.safetensors", {"format": "pt"})
        config = {
            "format": FORMAT,
            "attcell": attcell.__version__,
            "labels": list(labels),
            "recipe": recipe.model_dump(mode="json"),
            "training": training,
        }
        (fresh / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def load_model(folder: Path) -> SavedModel:
    """Read a model folder that :func:`save_model` wrote.

    Raises:
        CallError: no model folder there.
        ModelError: another format, or files that do not belong together.
    """
    config_path, weights_path = folder / "config.json", folder / "model.safetensors"
    if not config_path.is_file() or not weights_path.is_file():
        raise CallError(f"no model at {folder}: a model folder holds config.json and model.safetensors")
    config = _read_config(config_path)
    try:
        recipe = check_recipe(config["recipe"], source=str(config_path))
        labels = tuple(str(label) for label in config["labels"])
        network = build_network(recipe.model, len(labels), load_weights=False)
        network.load_state_dict(load_file(weights_path))
    except SafetensorError as error:
        raise ModelError(
            f"{weights_path} is not a safetensors file ({error}); copy the model anew"
        ) from error
    except (AttcellError, KeyError, TypeError, RuntimeError) as error:
        raise ModelError(
            f"{folder} does not hold together: {error}. Its config.json and model.safetensors must be of one "
            "training; copy the model anew"
        ) from error
    return SavedModel(network.eval(), labels, recipe, dict(config.get("training", {})))


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
    return config
