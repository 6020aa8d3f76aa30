"""A linear SVM on what a network makes of videos: the pooled rivals of STAN's Table I, and SAN's and STAN's
own representation.

The SVM's settings are chosen on training videos alone (:func:`attcell.training.svm_fit.choose_and_fit`).
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from attcell._log import logger, track
from attcell.config.recipe import Recipe
from attcell.errors import VideoError
from attcell.metrics.recognition import truth_matrix
from attcell.models.build import Listings
from attcell.nn import Pooled, SVMNetwork
from attcell.nn.streams import feature_maps
from attcell.training.svm_fit import Represent, choose_and_fit
from attcell.training.vlad import MOST_DESCRIPTORS, fit_vlad, sample_descriptors


def fit_svm_of(
    network: SVMNetwork, videos: Dataset[Any], recipe: Recipe, listings: Listings, device: torch.device
) -> None:
    """Fit a network's SVM, in place, to what its body makes of the training videos.

    The centres of VLAD are learnt first, in place too.

    Args:
        network: whose body is trained, or is pooled features of pre-trained backbones.
        videos: the training videos in fixed views, decoded or as kept feature maps.
        recipe: with ``model.classifier`` svm.
        listings: the same training videos, and the classes.
        device: where the network runs.

    Raises:
        VideoError: a video that cannot be read any more.
    """
    network.to(device).eval()
    maps = _TrainingMaps(network, videos, recipe, len(listings.train), device)
    body, names = network.body, recipe.model.streams
    is_vlad = isinstance(body, Pooled) and recipe.model.pooling == "vlad"
    poolings = [body.stream(name).pooling for name in names] if isinstance(body, Pooled) else []
    refitted = _by_vlad(network, maps) if is_vlad else None
    found = _representations(network, maps) if refitted is None else refitted(np.arange(len(maps)))
    truth = truth_matrix([record.labels for record in listings.train], len(listings.labels))
    grouped = any(record.group for record in listings.train)
    groups = [record.group or record.id for record in listings.train] if grouped else []
    learnt = [deepcopy(pooling.state_dict()) for pooling in poolings]
    choice, svm, figure = choose_and_fit(found, truth, groups, recipe.train.seed, refitted=refitted)
    for pooling, state in zip(poolings, learnt, strict=True):
        pooling.load_state_dict(state)  # the folds of the choice had centres of their own
    network.svm.load_state_dict(svm.state_dict())
    inside = "" if figure.value is None else f": {figure.measure} {100 * figure.value:.1f} % inside"
    length = ", scaled to length 1" if choice.unit_length else ""
    logger.info(
        f"SVM on {found.shape[1]} numbers of {len(found)} videos{length}: C = {choice.c:g} by "
        f"{figure.validation}{inside}"
    )


@dataclass(frozen=True)
class _TrainingMaps:
    """The feature maps of the training videos, in the views that are kept for training."""

    network: SVMNetwork
    videos: Dataset[Any]
    recipe: Recipe
    num_videos: int
    device: torch.device

    def __len__(self) -> int:
        return self.num_videos

    def go_through(self, doing: str) -> Iterator[dict[str, Tensor]]:
        """Stream → (V, T, F, K, K) of one video after another."""
        kept = self.recipe.cache.folder is not None
        workers = 0 if kept else self.recipe.data.workers
        loader = DataLoader(self.videos, batch_size=None, num_workers=workers)
        for seen in track(loader, len(self), doing):
            if isinstance(seen, VideoError):
                raise seen
            yield {
                name: of.to(self.device).float()
                if kept
                else feature_maps(self.network.stream(name), of, self.device)
                for name, of in seen.inputs.items()
            }


@torch.inference_mode()
def _representations(network: SVMNetwork, videos: _TrainingMaps) -> np.ndarray:
    """(N, dim) float32: what the body makes of each video, averaged over its views."""
    rows = []
    for maps in videos.go_through("representations"):
        num_views = len(next(iter(maps.values())))
        views = [{name: of[place : place + 1] for name, of in maps.items()} for place in range(num_views)]
        found = torch.stack([network.body.attend(view).video[0] for view in views])
        rows.append(found.mean(dim=0).float().cpu().numpy())
    return np.stack(rows)


def _by_vlad(network: SVMNetwork, videos: _TrainingMaps) -> Represent:
    """From places of training videos to the representations of all, by VLAD's centres of these videos alone.

    The network is left with these centres.
    """
    model, seed = videos.recipe.model, videos.recipe.train.seed
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in model.streams}
    for maps in videos.go_through("descriptors"):
        for name, of_stream in maps.items():
            most = max(1, MOST_DESCRIPTORS // len(videos))
            drawn[name].append(sample_descriptors([of_stream], 1, seed + len(drawn[name]), most))

    def represent(places: np.ndarray) -> np.ndarray:
        for name, of_videos in drawn.items():
            rows = np.concatenate([of_videos[place] for place in places.tolist()])
            fitted = fit_vlad(rows, model.vlad_size, model.vlad_centres, seed)
            assert isinstance(network.body, Pooled), "only pooled features have centres"
            network.body.stream(name).pooling.load_state_dict(fitted.state_dict())
        return _representations(network, videos)

    return represent
