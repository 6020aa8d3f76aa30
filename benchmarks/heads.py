"""Heads on top of kept feature maps of a frozen backbone: what is trained on some clips and scores others."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import lightning as L
import numpy as np
import torch

from attcell.config.recipe import Recipe, check_recipe
from attcell.data.datasets import KeptViews, TrainingFeatures
from attcell.data.feature_store import FeatureStore
from attcell.inference.run import run_views
from attcell.models.build import build_network
from attcell.nn import Network
from attcell.nn.streams import Standardise
from attcell.training.learner import Learner
from attcell.training.prepare import TrainingData
from attcell.training.schedule import num_iterations
from attcell.types import VideoRecord

NUM_SEGMENTS = 5
NUM_POSITIONS = 4


STREAMS = ("frame", "flow")
ALL = "all"  # the whole network, beside its branches
SCHEDULE = (
    "dropout 0.5, label smoothing 0.1, AdamW without weight decay, one-cycle learning rate up to 0.003, "
    "batches of 16, 30 epochs"
)
FIXED = f"conv6 with 64 filters, LSTM of 128, {SCHEDULE}, convolutions in bfloat16"


@dataclass(frozen=True)
class Head:
    """Which network, over which streams: SAN or STAN, with two in early fusion; or TAN or its rival."""

    kind: str
    streams: tuple[str, ...]


def head_recipe(weights: Path, cache: Path, head: Head, seed: int = 0) -> Recipe:
    """The recipe of a head on kept maps of a frozen backbone."""
    values = {
        "data": {"train": "."},
        "input": {"size": 224, "resize": "squash"},
        "flow": {"method": "fast", "fields": 10},
        "segments": {"train": NUM_SEGMENTS, "test": NUM_SEGMENTS},
        "cache": {"folder": str(cache), "positions": NUM_POSITIONS, "mirrored": True},
        "model": {
            "kind": head.kind,
            "lstm_hidden": 128,
            "dropout": 0.5,
            "streams": {name: _frozen_squeezenet(weights, head.kind) for name in head.streams},
        },
        "train": {
            "optimizer": "adamw",
            "schedule": "onecycle",
            "learning_rate": 3e-3,
            "label_smoothing": 0.1,
            "epochs": 30,
            "batch_size": 16,
            "precision": "bf16",
            "accelerator": "cpu",
            "seed": seed,
        },
    }
    return check_recipe(values, source="benchmark")


def trained_network(
    recipe: Recipe,
    num_classes: int,
    records: Sequence[VideoRecord],
    stores: Mapping[str, FeatureStore],
    figures: Mapping[str, tuple[torch.Tensor, torch.Tensor]],
) -> Network:
    """Train a head by a recipe on the kept maps of ``records``; ``figures`` standardise each stream's."""
    torch.manual_seed(recipe.train.seed)
    network = build_network(recipe, num_classes, load_weights=False)
    for name in recipe.model.streams:
        standardise = network.stream(name).standardise
        assert isinstance(standardise, Standardise)
        standardise.fit(*figures[name])
    training_data = TrainingData(
        train=TrainingFeatures(records, stores, recipe.cache.positions, recipe.train.seed),
        num_videos=len(records),
        val=None,
        val_records=(),
        kept_features=True,
        identity={},
        workers=0,
    )
    iterations = num_iterations(recipe.train, len(records))
    learner = Learner(network, recipe.train, iterations, training_data, keep=lambda result: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        trainer = L.Trainer(
            accelerator="cpu",
            precision="bf16-mixed",
            devices=1,
            max_epochs=len(learner.periods),
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
def network_scores(
    network: Network, records: Sequence[VideoRecord], stores: Mapping[str, FeatureStore]
) -> dict[str, np.ndarray]:
    """(N, A) probabilities, averaged over all kept views of a video: of ``all``, and of each branch alone."""
    views = KeptViews(records, stores)
    outputs = [run_views(network, views[index].inputs, kept_features=True) for index in range(len(views))]
    logits = [{ALL: out.logits, **out.logits_by_stream} for out in outputs]
    return {
        name: torch.stack([of[name].softmax(-1).mean(0) for of in logits]).double().numpy()
        for name in (logits[0] if logits else ())
    }


def _frozen_squeezenet(weights: Path, kind: str) -> dict[str, object]:
    return {
        "backbone": "squeezenet",
        "weights": str(weights),
        "train_from": "none",
        "standardise": True,
        **({"conv6_channels": 64} if kind in ("stan", "san") else {}),
    }
