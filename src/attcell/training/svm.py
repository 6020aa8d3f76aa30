"""A linear SVM on what a network makes of videos: the pooled rivals of STAN's Table I, and SAN's and STAN's
own representation.

The SVM's settings are chosen on training videos alone (:func:`attcell.training.svm_fit.choose_and_fit`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils.data import Dataset

from attcell._files import written_whole
from attcell._log import logger, track
from attcell._shared_memory import data_loader, workers_for
from attcell.config.recipe import Recipe
from attcell.data.datasets import PlannedParts
from attcell.data.groups import groups_of
from attcell.errors import ModelError
from attcell.inference.run import Inputs, encode_part, gather, part_maps
from attcell.metrics.recognition import truth_matrix
from attcell.models.listings import Listings
from attcell.models.weights import state_digest
from attcell.nn import Pooled, SVMNetwork
from attcell.training.svm_fit import InnerFigure, Represent, choose_and_fit
from attcell.training.vlad import MOST_DESCRIPTORS, fit_vlad, sample_descriptors

Kept = TypeVar("Kept")


def fit_svm_of(
    network: SVMNetwork,
    videos: Dataset[Any],
    recipe: Recipe,
    listings: Listings,
    device: torch.device,
    keep_in: Path,
) -> InnerFigure:
    """Fit a network's SVM, in place, to what its body makes of the training videos; how its choice did inside
    them.

    The centres of VLAD are learnt first, in place too.

    Args:
        network: whose body is trained, or is pooled features of pre-trained backbones.
        videos: the training videos in fixed views: decoded in parts, or as kept feature maps.
        recipe: with ``model.classifier`` svm.
        listings: the same training videos, and the classes.
        device: where the network runs.
        keep_in: a folder for what is made of decoded videos, so that an interrupted run goes on where it was.
            Of VLAD, which makes something else in each fold, and of kept feature maps, nothing is kept.

    Raises:
        VideoError: a video that cannot be read any more.
        ModelError: what the body makes of a video is not finite.
    """
    network.to(device).eval()
    training_videos = _TrainingVideos(network, videos, recipe, listings)
    body, names = network.body, recipe.model.streams
    is_vlad = isinstance(body, Pooled) and recipe.model.pooling == "vlad"
    poolings = [body.stream(name).pooling for name in names] if isinstance(body, Pooled) else []
    refitted = _by_vlad(training_videos) if is_vlad else None
    if refitted is None:
        found = training_videos.representations(keep_in)
    else:
        if not training_videos.are_kept:
            logger.info(
                "VLAD is fitted anew for each fold that is left out, and all training videos are decoded for "
                "each: set cache.folder to decode them once"
            )
        found = refitted(np.arange(len(training_videos)))
    truth = truth_matrix([record.labels for record in listings.train], len(listings.labels))
    groups = groups_of(listings.train)
    learnt = [deepcopy(pooling.state_dict()) for pooling in poolings]
    choice, svm, figure = choose_and_fit(
        found, truth, groups, recipe.train.seed, refitted=refitted, device=device
    )
    for pooling, state in zip(poolings, learnt, strict=True):
        pooling.load_state_dict(state)  # the folds of the choice had centres of their own
    network.svm.load_state_dict(svm.state_dict())
    inside = "" if figure.value is None else f": {figure.measure} {100 * figure.value:.1f} % inside"
    length = ", scaled to length 1" if choice.unit_length else ""
    logger.info(
        f"SVM on {found.shape[1]} numbers of {len(found)} videos{length}: C = {choice.c:g} by "
        f"{figure.validation}{inside}"
    )
    return figure


@dataclass(frozen=True)
class _TrainingVideos:
    """The training videos, in the views that are kept for training, as a network sees them."""

    network: SVMNetwork
    videos: Dataset[Any]
    recipe: Recipe
    listings: Listings

    def __len__(self) -> int:
        return len(self.listings.train)

    @property
    def are_kept(self) -> bool:
        """Whether they come as feature maps."""
        return self.recipe.cache.folder is not None

    def go_through(
        self, compute: Callable[[Inputs], Kept], doing: str, chosen: Sequence[int]
    ) -> Iterator[tuple[int, list[Kept]]]:
        """Each chosen video's place, and what was computed of its parts; several workers change the order."""
        workers = 0 if self.are_kept else workers_for(self.recipe.data.workers)
        if isinstance(self.videos, PlannedParts):
            loader = data_loader(self.videos.only(chosen), batch_size=None, num_workers=workers)
        else:
            loader = data_loader(self.videos, batch_size=None, sampler=chosen, num_workers=workers)
        for video in track(gather(loader, compute), len(chosen), doing):
            if video.error is not None:
                raise video.error
            yield video.video, video.parts

    @torch.inference_mode()
    def representations(self, keep_in: Path | None = None) -> np.ndarray:
        """(N, dim) float32: what the body makes of each video, averaged over its views.

        Of decoded videos it is read from ``keep_in`` where it is there already, and else put there.
        """
        rows = np.empty((len(self), self.network.svm.weight.shape[1]), np.float32)
        encode = partial(encode_part, self.network, kept_features=self.are_kept)
        ids = [record.id for record in self.listings.train]
        files = [] if keep_in is None or self.are_kept else _row_files(keep_in, self.network, ids)
        missing = [
            place for place in range(len(self)) if not files or not _read_row(files[place], rows[place])
        ]
        for place, parts in self.go_through(encode, "representations", missing):
            views = ([of for part in view for of in part] for view in zip(*parts, strict=True))
            found = torch.cat([self.network.body.decide(view).video for view in views])
            rows[place] = found.mean(dim=0).float().cpu().numpy()
            self._refuse_broken(place, bool(np.isfinite(rows[place]).all()), "representation")
            if files:
                with written_whole(files[place]) as file:
                    np.save(file, rows[place])
        return rows

    @torch.inference_mode()
    def descriptors(self, most: int) -> dict[str, list[np.ndarray]]:
        """Stream → of each video at most ``most`` local descriptors (_, F), drawn by seed and place."""
        drawn = {name: [np.empty(0)] * len(self) for name in self.recipe.model.streams}
        maps_of = (lambda maps: maps) if self.are_kept else partial(part_maps, self.network)
        for place, parts in self.go_through(maps_of, "descriptors", range(len(self))):
            for name, of_videos in drawn.items():
                maps = torch.cat([part[name].float() for part in parts], dim=1)
                self._refuse_broken(place, bool(maps.isfinite().all()), f"{name} stream's feature map")
                of_videos[place] = sample_descriptors([maps], 1, self.recipe.train.seed + place, most)
        return drawn

    def _refuse_broken(self, place: int, is_finite: bool, what: str) -> None:
        if not is_finite:
            raise ModelError(
                f"{self.listings.train[place].id}: its {what} is not finite numbers; the network's weights "
                "are broken: load others, or train it again"
            )


def _row_files(folder: Path, network: SVMNetwork, ids: Sequence[str]) -> list[Path]:
    """A file for what this very body makes of each video."""
    of_body = folder / state_digest(network.body)
    return [of_body / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:24]}.npy" for name in ids]


def _read_row(file: Path, row: np.ndarray) -> bool:
    """Fill a row with what a file holds; False if it is not there, or is no such row."""
    try:
        row[:] = np.load(file)
    except Exception:  # of a damaged file NumPy raises many kinds
        return False
    return True


def _by_vlad(videos: _TrainingVideos) -> Represent:
    """From places of training videos to the representations of all, by VLAD's centres of these videos alone.

    The network is left with these centres.
    """
    model, seed, body = videos.recipe.model, videos.recipe.train.seed, videos.network.body
    assert isinstance(body, Pooled), "only pooled features have centres"
    drawn = videos.descriptors(max(1, MOST_DESCRIPTORS // len(videos)))

    def represent(places: np.ndarray) -> np.ndarray:
        for name, of_videos in drawn.items():
            rows = np.concatenate([of_videos[place] for place in places.tolist()])
            fitted = fit_vlad(rows, model.vlad_size, model.vlad_centres, seed)
            body.stream(name).pooling.load_state_dict(fitted.state_dict())
        return videos.representations()

    return represent
