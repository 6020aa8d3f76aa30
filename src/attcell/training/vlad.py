"""Fitting VLAD's PCA and k-means to local descriptors of training videos, by scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from attcell.errors import CallError, ModelError
from attcell.nn import VLAD

MOST_DESCRIPTORS = 100_000  # *reading*: the paper does not say how many it fits to


def sample_descriptors(
    videos: Iterable[Tensor], num_videos: int, seed: int, most: int = MOST_DESCRIPTORS
) -> Float[np.ndarray, "N F"]:
    """At most ``most`` local descriptors, about equally many of each video, with one video in memory.

    Args:
        videos: feature maps (..., F, K, K) of each training video.
        num_videos: how many there are.
        seed: of the draw.
        most: of all videos together; each gives at least one.
    """
    generator = np.random.default_rng(seed)
    each = max(1, most // max(1, num_videos))
    rows = (maps.flatten(end_dim=-4).transpose(0, 1).flatten(1).T for maps in videos)
    return np.concatenate([_drawn(of_video.float().cpu().numpy(), each, generator) for of_video in rows])


def fit_vlad(
    descriptors: Float[np.ndarray, "N F"],
    dims: int,
    centres: int,
    seed: int,
    most: int = MOST_DESCRIPTORS,
) -> VLAD:
    """Fit a PCA without whitening, and k-means in its dimensions.

    Where an SVM on it is validated, it is fitted anew without the videos that are left out (``refitted`` of
    :func:`attcell.training.svm_fit.choose_and_fit`).

    Args:
        descriptors: local descriptors of training videos alone.
        dims: what the PCA leaves (the paper's 256).
        centres: of k-means (the paper's 128).
        seed: of the draw and of k-means' start.
        most: if there are more descriptors, so many are drawn.

    Raises:
        CallError: fewer descriptors, or fewer different ones, than dimensions or centres, or fewer channels
            than dimensions.
        ModelError: descriptors that are not finite numbers.
    """
    sample = _drawn(descriptors, most, np.random.default_rng(seed))
    if not (1 <= dims <= min(sample.shape) and 1 <= centres <= len(sample)):
        raise CallError(
            f"VLAD with {dims} dimensions and {centres} centres of {len(sample)} descriptors with "
            f"{sample.shape[1]} channels; give 1 to {min(sample.shape)} dimensions and 1 to {len(sample)} "
            "centres, or more videos"
        )
    if not np.isfinite(sample).all():
        raise ModelError(
            "feature maps are not finite numbers: the backbone's weights are broken; load others"
        )
    pca = PCA(dims, random_state=seed % 2**32).fit(sample.astype(np.float64))
    means = _k_means(pca.transform(sample), centres, seed)
    vlad = VLAD(sample.shape[1], dims, centres)
    vlad.fit(*(torch.from_numpy(values).float() for values in (pca.mean_, pca.components_, means)))
    return vlad


def _k_means(
    points: Float[np.ndarray, "N dims"], centres: int, seed: int
) -> Float[np.ndarray, "centres dims"]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return KMeans(centres, random_state=seed % 2**32).fit(points).cluster_centers_
        except ConvergenceWarning as error:
            raise CallError(
                f"VLAD with {centres} centres of {len(points)} descriptors: too few of them differ; give "
                "fewer centres, or more videos"
            ) from error


def _drawn(
    rows: Float[np.ndarray, "N F"], most: int, generator: np.random.Generator
) -> Float[np.ndarray, "_ F"]:
    """All rows, or ``most`` of them without repetition, in their order."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(generator.choice(len(rows), most, replace=False))]
