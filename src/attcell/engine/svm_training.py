"""A linear SVM on what a network makes of videos: the pooled rivals of STAN's Table I, and SAN's and STAN's
own representation.

The SVM's settings are chosen on training videos alone (:func:`attcell.engine.svm_fit.choose_and_fit`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from attcell.config import Recipe
from attcell.data.dataset import KeptViews, PlannedViews, Views
from attcell.engine.build import input_spec, training_plan
from attcell.engine.extract import feature_maps
from attcell.engine.material import Listings, filled_stores
from attcell.engine.svm_fit import choose_and_fit
from attcell.engine.vlad_fit import fit_vlad, sample_descriptors
from attcell.errors import DataError, VideoError
from attcell.metrics.recognition import truth_matrix
from attcell.nn import STAN, Pooled, SVMNetwork
from attcell.progress import say, track
from attcell.records import VideoRecord


def train_svm(body: STAN | Pooled, recipe: Recipe, listings: Listings, device: torch.device) -> SVMNetwork:
    """Fit an SVM to the representations of the training videos.

    Args:
        body: a trained network, or pooled features; VLAD's centres are learnt first.
        recipe: with ``model.classifier`` svm.
        listings: its videos.
        device: where the network runs.

    Raises:
        DataError: videos that cannot be read.
    """
    body.to(device).eval()
    views = training_views(body, recipe, listings.train, device)
    if isinstance(body, Pooled) and recipe.model.pooling == "vlad":
        _learn_centres(body, recipe, views, device)
    found = representations(body, recipe, views, device)
    truth = truth_matrix([record.labels for record in listings.train], len(listings.labels))
    groups = [record.group for record in listings.train]
    chosen, svm, figure = choose_and_fit(found, truth, groups, recipe.train.seed)
    inside = (
        "nothing could be validated" if figure is None else f"{100 * figure:.1f} % inside the training set"
    )
    say(f"SVM on {found.shape[1]} numbers of {len(found)} videos: {chosen} ({inside})")
    return SVMNetwork(body, svm)


def training_views(
    body: STAN | Pooled, recipe: Recipe, records: Sequence[VideoRecord], device: torch.device
) -> Dataset[Views | VideoError] | Dataset[Views]:
    """The fixed views of training videos, decoded or kept."""
    plan = training_plan(recipe)
    if recipe.cache.folder is None:
        return PlannedViews(records, input_spec(recipe), plan)
    stores, unread = filled_stores(recipe.cache.folder, recipe, body, records, plan, device)
    if unread:
        raise DataError(f"{len(unread)} videos cannot be read: {'; '.join(list(unread.values())[:3])}")
    return KeptViews(records, stores)


def representations(
    body: STAN | Pooled,
    recipe: Recipe,
    views: Dataset[Views | VideoError] | Dataset[Views],
    device: torch.device,
) -> np.ndarray:
    """(N, dim) float32: what the network makes of each video, averaged over its views."""
    rows = []
    for maps in _maps(body, recipe, views, device, "representations"):
        with torch.inference_mode():
            parts = [body.attend({name: of[n : n + 1] for name, of in maps.items()}) for n in _views_in(maps)]
        rows.append(torch.stack([part.video[0] for part in parts]).mean(0).float().cpu().numpy())
    return np.stack(rows)


def _learn_centres(
    body: Pooled, recipe: Recipe, views: Dataset[Views | VideoError] | Dataset[Views], device: torch.device
) -> None:
    """Fill each stream's VLAD by local descriptors of the training videos, the same number of each."""
    model, seed = recipe.model, recipe.train.seed
    for name in model.streams:
        of_stream = (maps[name] for maps in _maps(body, recipe, views, device, f"descriptors of {name}"))
        drawn = sample_descriptors(of_stream, len(views), seed)  # type: ignore[arg-type]
        fitted = fit_vlad(drawn, model.vlad_size, model.vlad_centres, seed)
        body.stream(name).pooling.load_state_dict(fitted.state_dict())


def _maps(
    body: STAN | Pooled,
    recipe: Recipe,
    views: Dataset[Views | VideoError] | Dataset[Views],
    device: torch.device,
    doing: str,
) -> Iterator[dict[str, Tensor]]:
    """Stream → (V, T, F, K, K) feature maps of one video after another."""
    kept = recipe.cache.folder is not None
    workers = 0 if kept else recipe.data.workers
    loader = DataLoader(views, batch_size=None, num_workers=workers)
    for seen in track(loader, len(views), doing):  # type: ignore[arg-type]
        if isinstance(seen, VideoError):
            raise seen
        yield {
            name: inputs.to(device) if kept else feature_maps(body.stream(name), inputs, device)
            for name, inputs in seen.inputs.items()
        }


def _views_in(maps: dict[str, Tensor]) -> range:
    return range(len(next(iter(maps.values()))))
