"""VLAD's PCA and k-means are scikit-learn's, on a seeded draw."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from attcell.errors import CallError, ModelError
from attcell.training.vlad import fit_vlad, sample_descriptors


def clusters(num=200, channels=6, centres=4, seed=0):
    """Descriptors near a few far places."""
    generator = np.random.default_rng(seed)
    places = generator.normal(size=(centres, channels)) * 10
    rows = places[np.arange(num) % centres] + generator.normal(size=(num, channels)) * 0.1
    return rows.astype(np.float32), places


def same(first, second):
    return all(torch.equal(first.state_dict()[key], value) for key, value in second.state_dict().items())


def test_it_is_scikit_learns():
    rows, _ = clusters()
    vlad = fit_vlad(rows, 3, 4, seed=5)
    pca = PCA(3, random_state=5).fit(rows.astype(float))
    means = KMeans(4, random_state=5).fit(pca.transform(rows)).cluster_centers_
    for found, expected in (
        (vlad.mean, pca.mean_),
        (vlad.components, pca.components_),
        (vlad.centres, means),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert vlad.dim == 12


def test_centres_are_where_the_descriptors_are():
    rows, places = clusters()
    vlad = fit_vlad(rows, 3, 4, seed=0)
    there = (torch.from_numpy(places).float() - vlad.mean) @ vlad.components.T
    assert torch.cdist(there, vlad.centres).min(dim=1).values.max() < 0.2


def test_the_seed_says_which_descriptors_are_drawn():
    rows, _ = clusters(num=500)
    first, again, other = (fit_vlad(rows, 2, 3, seed, most=50) for seed in (1, 1, 2))
    assert same(first, again)
    assert not same(first, other)
    assert same(fit_vlad(rows, 2, 3, 1, most=500), fit_vlad(rows, 2, 3, 1))


@pytest.mark.parametrize(
    ("num", "dims", "centres"), [(10, 7, 2), (4, 5, 2), (10, 2, 11), (10, 0, 2), (10, 2, 0)]
)
def test_more_than_there_is_is_refused(num, dims, centres):
    with pytest.raises(CallError) as caught:
        fit_vlad(clusters(num)[0], dims, centres, 0)
    assert str(caught.value) == (
        f"VLAD with {dims} dimensions and {centres} centres of {num} descriptors with 6 channels; give 1 to "
        f"{min(num, 6)} dimensions and 1 to {num} centres, or more videos"
    )


def test_descriptors_that_do_not_differ_are_refused():
    rows = np.repeat(np.eye(6, dtype=np.float32)[:2], 10, axis=0)
    with pytest.raises(CallError) as caught:
        fit_vlad(rows, 2, 3, 0)
    assert str(caught.value) == (
        "VLAD with 3 centres of 20 descriptors: too few of them differ; give fewer centres, or more videos"
    )


def test_broken_descriptors_are_refused():
    rows, _ = clusters()
    rows[7, 1] = np.nan
    with pytest.raises(ModelError, match="feature maps are not finite numbers: the backbone's weights are"):
        fit_vlad(rows, 2, 2, 0)


def numbered_maps(video, segments, side, channels=3):
    """Maps of which each region's descriptor is (video, segment, region)."""
    maps = torch.zeros(1, segments, channels, side, side)
    maps[:, :, 0] = video
    maps[:, :, 1] = torch.arange(segments)[:, None, None]
    maps[:, :, 2] = torch.arange(side**2).view(side, side)
    return maps


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(1, 3), st.integers(1, 60))
def test_each_video_gives_its_share_and_no_descriptor_twice(segments, side, most):
    maps = [numbered_maps(video, number, side) for video, number in enumerate(segments)]
    found = sample_descriptors(iter(maps), len(maps), 0, most)
    each = max(1, most // len(maps))
    counts = np.bincount(found[:, 0].astype(int), minlength=len(maps))
    assert counts.tolist() == [min(each, number * side**2) for number in segments]
    assert len(np.unique(found, axis=0)) == len(found)
    assert found[:, 2].max() < side**2
    assert all(row[1] < segments[int(row[0])] for row in found)


def test_maps_of_several_views_and_of_half_precision():
    maps = torch.randn(2, 3, 5, 2, 2).half()
    found = sample_descriptors([maps], 1, 0)
    assert found.shape == (24, 5)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:4], maps[0, 0].flatten(1).T.float())


def test_the_draw_follows_from_the_seed():
    maps = [numbered_maps(video, 4, 3) for video in range(3)]
    first, again, other = (sample_descriptors(maps, 3, seed, 30) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
