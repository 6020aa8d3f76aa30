"""Heads on top of kept feature maps of a frozen backbone: what is trained on some clips and scores others."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightning as L
import numpy as np
import torch

from attcell.config import Recipe, check_recipe
from attcell.data.dataset import TrainingFeatures
from attcell.data.feature_store import FeatureStore
from attcell.engine.build import build_network
from attcell.engine.inference import run_views
from attcell.engine.learner import Learner
from attcell.engine.material import Material
from attcell.engine.schedule import num_iterations
from attcell.nn import STAN
from attcell.nn.streams import Standardise
from attcell.records import VideoRecord

NUM_SEGMENTS = 5
NUM_POSITIONS = 4


@dataclass(frozen=True)
class NetworkChoice:
    """How a head is trained: what inner validation chooses between."""

    conv6_channels: int = 64
    epochs: int = 30
    learning_rate: float = 3e-3


FIXED = (
    "conv6 with 64 filters, LSTM of 128, dropout 0.5, label smoothing 0.1, AdamW without weight decay, "
    "one-cycle learning rate, batches of 16, 30 epochs"
)
NETWORK_CHOICES = (NetworkChoice(learning_rate=3e-3), NetworkChoice(learning_rate=1e-3))


def base_recipe(weights: Path, cache: Path) -> dict[str, dict[str, object]]:
    """The parts of a recipe that are the same for all heads: the frames and the frozen backbone."""
    return {
        "data": {"train": "."},
        "input": {"size": 224, "resize": "squash"},
        "segments": {"train": NUM_SEGMENTS, "test": NUM_SEGMENTS},
        "cache": {"folder": str(cache), "positions": NUM_POSITIONS, "mirrored": True},
        "model": {"streams": {"frame": _frozen_squeezenet(weights, 128)}},
        "train": {"epochs": 1},
    }


def network_recipe(
    base: dict[str, dict[str, object]], weights: Path, kind: str, choice: NetworkChoice, seed: int
) -> Recipe:
    """The recipe of a SAN or STAN head."""
    model = {
        "kind": kind,
        "lstm_hidden": 128,
        "dropout": 0.5,
        "streams": {"frame": _frozen_squeezenet(weights, choice.conv6_channels)},
    }
    train = {
        "optimizer": "adamw",
        "schedule": "onecycle",
        "learning_rate": choice.learning_rate,
        "label_smoothing": 0.1,
        "epochs": choice.epochs,
        "batch_size": 16,
        "accelerator": "cpu",
        "seed": seed,
    }
    return check_recipe(base | {"model": model, "train": train}, source="benchmark")


def trained_network(
    recipe: Recipe,
    num_classes: int,
    records: Sequence[VideoRecord],
    store: FeatureStore,
    figures: tuple[torch.Tensor, torch.Tensor],
) -> STAN:
    """Train a head by a recipe on the kept maps of ``records``; ``figures`` standardise their channels."""
    torch.manual_seed(recipe.train.seed)
    network = build_network(recipe.model, num_classes, load_weights=False)
    standardise = network.stream("frame").standardise
    assert isinstance(standardise, Standardise)
    standardise.fit(*figures)
    material = Material(
        train=TrainingFeatures(records, store, recipe.cache.positions, recipe.train.seed),
        num_videos=len(records),
        val=None,
        val_records=(),
        kept_features=True,
        identity={},
        workers=0,
    )
    iterations = num_iterations(recipe.train, len(records))
    learner = Learner(network, recipe.train, iterations, material, keep=lambda standing: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        trainer = L.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=len(learner.rounds),
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(learner)
    return network.eval()


@torch.inference_mode()
def network_scores(network: STAN, records: Sequence[VideoRecord], store: FeatureStore) -> np.ndarray:
    """(N, A) probabilities, averaged over all kept views of a video."""
    rows = [
        run_views(network, {"frame": store.read(record)[0].float()}, kept_features=True)
        .logits.softmax(-1)
        .mean(0)
        for record in records
    ]
    return torch.stack(rows).double().numpy()


def _frozen_squeezenet(weights: Path, conv6_channels: int) -> dict[str, object]:
    return {
        "backbone": "squeezenet",
        "weights": str(weights),
        "train_from": "none",
        "conv6_channels": conv6_channels,
        "standardise": True,
    }
