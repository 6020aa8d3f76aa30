"""Testing a model on a set of videos: scores and figures, with the protocol that made them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import DataLoader

from attcell.data.dataset import KeptViews, PlannedViews, ViewPlan
from attcell.data.sources import Listing
from attcell.engine.build import frame_spec, test_plan
from attcell.engine.inference import mean_probabilities
from attcell.engine.material import filled_store
from attcell.engine.model_folder import SavedModel
from attcell.errors import VideoError
from attcell.files import write_text
from attcell.metrics.recognition import confusion_matrix, mean_class_accuracy, top_k_accuracy
from attcell.progress import track
from attcell.records import VideoRecord

SCORES_FORMAT = 1


@dataclass(frozen=True)
class TestResult:
    """Scores of all videos, and what they come to.

    Attributes:
        labels: the A classes.
        records: the N videos.
        scores: (N, A) probabilities; a row of NaN is a video that cannot be read.
        unread: video id → message.
        notes: damage in files of which the rest was used.
        protocol: how the scores were made, in words, by name.
    """

    __test__ = False  # not a test of pytest's

    labels: tuple[str, ...]
    records: tuple[VideoRecord, ...]
    scores: np.ndarray
    unread: dict[str, str]
    notes: tuple[str, ...]
    protocol: dict[str, Any]

    def figures(self) -> dict[str, float]:
        """Top-1, top-5 and mean class accuracy in percent; unreadable videos count as wrong."""
        truth = self.true_classes
        return {
            "top1": 100 * top_k_accuracy(self.scores, truth, 1),
            "top5": 100 * top_k_accuracy(self.scores, truth, 5),
            "mean_class_accuracy": 100 * mean_class_accuracy(self.scores, truth),
        }

    def confusion(self) -> np.ndarray:
        """(A, A) counts, true class by row."""
        return confusion_matrix(self.scores, self.true_classes)

    @property
    def true_classes(self) -> np.ndarray:
        """(N,) the true classes."""
        return np.array([record.label for record in self.records])

    def write_scores(self, path: Path) -> None:
        """Write protocol, figures and every video's scores as JSON, whole or not at all."""
        videos = {
            record.id: {"label": self.labels[record.label], "scores": row.tolist()}
            for record, row in zip(self.records, self.scores, strict=True)
            if record.id not in self.unread
        }
        content = {
            "format": SCORES_FORMAT,
            "protocol": self.protocol,
            "figures": self.figures(),
            "labels": list(self.labels),
            "videos": videos,
            "unread": self.unread,
            "notes": list(self.notes),
        }
        write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def test_model(
    model: SavedModel,
    listing: Listing,
    *,
    num_segments: int | None = None,
    num_crops: Literal[1, 10] = 1,
    cache_folder: Path | None = None,
    workers: int = 2,
    device: torch.device,
) -> TestResult:
    """Score every video of a listing.

    Args:
        model: from :func:`attcell.engine.model_folder.load_model`.
        listing: the videos, with the model's own classes.
        num_segments: T; by default the recipe's.
        num_crops: 1, or 10 whose probabilities are averaged.
        cache_folder: keep the backbone's feature maps there, or take those that are there. Only for a model
            whose backbone is frozen.
        workers: processes that decode.
        device: where the network runs.
    """
    plan = test_plan(model.recipe, num_segments, num_crops)
    network = model.network.to(device)
    if cache_folder is None:
        unread: dict[str, str] = {}
        readable, views = listing.records, PlannedViews(listing.records, frame_spec(model.recipe.input), plan)
    else:
        store, unread = _kept(cache_folder, model, listing.records, plan, device, workers)
        readable = tuple(record for record in listing.records if record.id not in unread)
        views = KeptViews(readable, store)
    scores = {record.id: np.full(len(model.labels), np.nan) for record in listing.records}
    notes: list[str] = []
    loader = DataLoader(views, batch_size=None, num_workers=workers if cache_folder is None else 0)
    for record, seen in track(zip(readable, loader, strict=True), len(readable), "testing"):
        if isinstance(seen, VideoError):
            unread[record.id] = str(seen)
            continue
        notes.extend(seen.notes)
        with torch.inference_mode():
            mean = mean_probabilities(network, seen.inputs, kept_features=cache_folder is not None)
        scores[record.id] = mean.double().cpu().numpy()
    protocol = {
        "videos": len(listing.records),
        "unread": len(unread),
        "segments": plan.num_segments,
        "crops": plan.num_crops,
        "short_videos": plan.short,
        "scores": "softmax, averaged over crops",
    }
    return TestResult(
        model.labels, listing.records, np.stack(list(scores.values())), unread, tuple(notes), protocol
    )


def _kept(
    folder: Path,
    model: SavedModel,
    records: tuple[VideoRecord, ...],
    plan: ViewPlan,
    device: torch.device,
    workers: int,
) -> tuple[FeatureStore, dict[str, str]]:
    stream = cast(Stream, model.network.streams["frame"])
    if not stream.backbone.frozen:
        raise CallError(
            "this model's backbone was trained, so its features are its own; test without a cache"
        )
    return filled_store(folder, model.recipe, stream.backbone, records, plan, device)
